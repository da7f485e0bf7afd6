"""Add seeds to a leaf that is there, line by line, so that its comments and form stay.

In: the bytes of a qna.yaml and new seeds. Out: its bytes with the seeds at the end of their lists.
The result is read back: were any old value changed, or any new one not as given, nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from pipelines.author.leaf import NewSeed
from pipelines.author.scalars import tidy
from pipelines.author.write import pair_lines, seed_lines
from pipelines.errors import GraftError
from pipelines.records import QuestionAnswer
from pipelines.yaml_source import Source, as_error, read_yaml

_MEND = "Mend it first: `graft check` says what is wrong."


def read_leaf_source(data: bytes, path: str) -> Source:
    """The YAML of a leaf that can be extended; ``LeafError`` or ``GraftError`` says why not."""
    reading = read_yaml(data, path)
    if reading.source is None or reading.findings:
        raise as_error(reading.findings[0])
    seeds = reading.source.data.get("seed_examples") if _is_map(reading.source.data) else None
    if not isinstance(seeds, list) or not seeds or not all(map(_is_map, seeds)):
        raise GraftError(f"{path}: there is no list of seeds to add to. {_MEND}")
    return reading.source


def known_seeds(data: Any) -> list[NewSeed]:
    """The seeds of such a file; one whose texts are no text is passed over."""
    found = []
    for seed in data["seed_examples"]:
        context = seed.get("context", "")
        items = seed.get("questions_and_answers", [seed])
        pairs = [
            QuestionAnswer(tidy(item["question"]), tidy(item["answer"]))
            for item in (items if isinstance(items, list) else ())
            if _is_map(item)
            and isinstance(item.get("question"), str)
            and isinstance(item.get("answer"), str)
        ]
        found.append(NewSeed(context if isinstance(context, str) else "", tuple(pairs)))
    return found


def context_wanted(seeds: Sequence[NewSeed], *, knowledge: bool) -> str:
    """What the leaf's own seeds ask of a new one: "needed", "none" or "allowed"."""
    with_context = sum(bool(seed.context) for seed in seeds)
    if knowledge or with_context == len(seeds):
        return "needed"
    return "allowed" if with_context else "none"


def extended(data: bytes, path: str, seeds: Sequence[NewSeed], *, knowledge: bool) -> bytes:
    """The file with ``seeds`` added; a knowledge seed whose context is there gives it its pairs."""
    source = read_leaf_source(data, path)
    text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.removesuffix("\n").split("\n")
    expected = source.data | {
        "seed_examples": [dict(seed) for seed in source.data["seed_examples"]]
    }
    known = _contexts(expected["seed_examples"]) if knowledge else {}
    # (line, whether it is a seed of its own, its place in this list, lines): pairs come before seeds.
    inserts: list[tuple[int, bool, int, list[str]]] = []
    seed_list = _child(source.root, "seed_examples")
    for seed in seeds:
        place = known.get(" ".join(seed.context.split()))
        if place is None:
            expected["seed_examples"].append(_as_data(seed, knowledge=knowledge))
            dash = seed_list.start_mark.column
            added = seed_lines(seed, dash, knowledge=knowledge)
            inserts.append((_end(seed_list, lines), True, len(inserts), added))
            continue
        entry = expected["seed_examples"][place]
        entry["questions_and_answers"] = [*entry["questions_and_answers"], *_pairs(seed)]
        pair_list = _child(seed_list.value[place], "questions_and_answers")
        dash = pair_list.start_mark.column
        added = [line for pair in seed.pairs for line in pair_lines(pair, dash)]
        inserts.append((_end(pair_list, lines), False, len(inserts), added))
    for at, _, _, added in sorted(inserts, reverse=True):
        lines[at:at] = added
    return _confirmed("\n".join(lines) + "\n", data, path, expected)


def _confirmed(text: str, old: bytes, path: str, expected: Any) -> bytes:
    written = text.replace("\n", "\r\n") if b"\r\n" in old else text
    found = (b"\xef\xbb\xbf" if old.startswith(b"\xef\xbb\xbf") else b"") + written.encode()
    reading = read_yaml(found, path)
    if reading.findings and reading.findings[0].rule == "size":
        raise as_error(reading.findings[0])
    if reading.source is None or reading.findings or reading.source.data != expected:
        raise GraftError(
            f"{path} is written in a form that seeds cannot be added to safely; write its seeds as "
            "an indented list with dashes, then import again. Nothing was changed."
        )
    return found


def _contexts(seeds: Sequence[Any]) -> dict[str, int]:
    """Contexts, white space aside, that have a list of pairs → the place of their seed."""
    return {
        " ".join(seed["context"].split()): place
        for place, seed in enumerate(seeds)
        if isinstance(seed.get("context"), str)
        and isinstance(seed.get("questions_and_answers"), list)
        and seed["questions_and_answers"]
    }


def _child(node: yaml.Node, key: str) -> yaml.Node:
    for name, value in node.value:
        if name.value == key:
            return value  # type: ignore[no-any-return]
    raise AssertionError(f"{key} was there when the file was read")


def _end(node: yaml.Node, lines: Sequence[str]) -> int:
    """The line (from 0) after the last one that belongs to a node, blank lines left aside."""
    *_, last = _lasts(node)
    block = isinstance(last, yaml.ScalarNode) and last.style in ("|", ">")
    end = last.end_mark.line + (0 if block and last.end_mark.column == 0 else 1)
    end = min(end, len(lines))
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    return end


def _lasts(node: yaml.Node) -> Iterator[yaml.Node]:
    """The last child of a node, its last child, and so on, through what is written as a block."""
    yield node
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        yield from _lasts(last[1] if isinstance(node, yaml.MappingNode) else last)


def _as_data(seed: NewSeed, *, knowledge: bool) -> dict[str, Any]:
    if knowledge:
        return {"context": seed.context, "questions_and_answers": _pairs(seed)}
    return {**_pairs(seed)[0], **({"context": seed.context} if seed.context else {})}


def _pairs(seed: NewSeed) -> list[dict[str, str]]:
    return [{"question": pair.question, "answer": pair.answer} for pair in seed.pairs]


def _is_map(value: object) -> bool:
    return isinstance(value, dict)
