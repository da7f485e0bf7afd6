"""A correction: a leaf, what is wrong and what is right → the leaf's qna.yaml with that answer changed.

In: the tree and three texts of a stranger. Out: the leaf's path and its new bytes; everything else in the
file stays as it is, which is read back to be sure. ``GraftError`` is a sentence for the contributor.
"""

from __future__ import annotations

import copy
import posixpath
import re
from collections.abc import Iterator
from typing import Any

import yaml

from pipelines.author.extend import read_leaf_source
from pipelines.author.scalars import scalar, tidy
from pipelines.errors import GraftError
from pipelines.findings import Tree
from pipelines.github.form import pairs
from pipelines.leaves import LEAF_FILE, ROOTS
from pipelines.text import normalise
from pipelines.yaml_source import normalise_newlines, read_yaml

# Keys and places in the list of seeds that lead to one pair.
At = tuple[str | int, ...]


def corrected(tree: Tree, leaf: str, wrong: str, right: str) -> tuple[str, bytes, tuple[str, ...]]:
    """The leaf's path, its new qna.yaml, and notes; ``wrong`` is an answer or “Q: … A: …”."""
    path = _leaf(tree, leaf)
    file = f"{path}/{LEAF_FILE}"
    data = tree.read(file)
    source = read_leaf_source(data, file)
    at, pair = _found(source.data, wrong)
    right = _answer(right)
    if not right or right == pair["answer"]:
        raise GraftError("The right answer is the one that the leaf has; say what it should be.")
    text = _replaced(normalise_newlines(data), at, right)
    _read_back(text, source.data, at, right, file)
    return path, text.encode(), tuple(_notes(source.data, at, pair["answer"], right))


def _leaf(tree: Tree, text: str) -> str:
    """A leaf's path as a person writes it: with taxonomy/ and qna.yaml, or an address on GitHub."""
    path = tidy(text).strip("`").split("?")[0].split("#")[0]
    found = re.search(rf"(?:^|/)((?:{'|'.join(ROOTS)})/.+)$", path)
    path = posixpath.normpath(found[1] if found else path).removesuffix(f"/{LEAF_FILE}")
    if "\n" in path or not any(path.startswith(f"{root}/") for root in ROOTS):
        raise GraftError(
            f"“{path[:100]}” is no path of a leaf; copy it from the report or the tree, as in "
            "knowledge/earth/rivers/danube."
        )
    try:
        tree.read(f"{path}/{LEAF_FILE}")
    except OSError:
        raise GraftError(f"There is no leaf {path[:200]}; copy its path from the tree.") from None
    return path


def _found(data: Any, wrong: str) -> tuple[At, dict[str, str]]:
    """The one pair that ``wrong`` speaks of."""
    said, _ = pairs(wrong)
    question = normalise(said[0].question) if said else ""
    answer = normalise(said[0].answer) if said else normalise(wrong)
    every = list(_pairs(data))
    if question:
        fitting = [one for one in every if normalise(one[1]["question"]) == question]
    else:
        fitting = [one for one in every if answer in _both(one[1])]
    if len(fitting) == 1:
        return fitting[0]
    count = "No question" if not fitting else f"{len(fitting)} questions"
    raise GraftError(
        f"{count} of the leaf can be meant by what is wrong. Copy one question and its answer from the "
        "leaf, as “Q: …” and, on the next line, “A: …”."
    )


def _both(pair: dict[str, str]) -> tuple[str, str]:
    return normalise(pair["question"]), normalise(pair["answer"])


def _pairs(data: Any) -> Iterator[tuple[At, dict[str, str]]]:
    for number, seed in enumerate(data["seed_examples"]):
        inner = seed.get("questions_and_answers")
        listed = enumerate(inner) if isinstance(inner, list) else [(None, seed)]
        for place, pair in listed:
            texts = isinstance(pair, dict) and all(
                isinstance(pair.get(key), str) for key in ("question", "answer")
            )
            if texts:
                key: At = ("seed_examples", number)
                yield (key if place is None else (*key, "questions_and_answers", place)), pair


def _answer(right: str) -> str:
    """The answer alone, also where the question was written above it."""
    said, _ = pairs(right)
    return said[0].answer if said else tidy(re.sub(r"^\s*A:\s*", "", right))


def _replaced(text: str, at: At, right: str) -> str:
    """The file's text with the answer at ``at`` written anew."""
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in (*at, "answer"):
        if isinstance(key, int):
            node = node.value[key]
        else:
            node, above = next((v, k) for k, v in node.value if k.value == key)
    start, end = node.start_mark.index, node.end_mark.index
    written = scalar(right, above.start_mark.column + 2, "The right answer")
    # A block ends where the next line begins.
    tail = "\n" if text[:end].endswith("\n") else ""
    return text[:start] + written + tail + text[end:]


def _read_back(text: str, before: Any, at: At, right: str, file: str) -> None:
    wanted = copy.deepcopy(before)
    pair = wanted
    for key in at:
        pair = pair[key]
    pair["answer"] = right
    source = read_yaml(text.encode(), file).source
    if source is None or source.data != wanted:
        raise GraftError(
            f"The answer cannot be changed by a program without changing more of {file}; a person must."
        )


def _notes(data: Any, at: At, old: str, right: str) -> Iterator[str]:
    context = data["seed_examples"][at[1]].get("context")
    if isinstance(context, str) and normalise(right) not in normalise(context):
        yield (
            "The passage that this question is about does not say the new answer. If the document is "
            "wrong too, say so in a comment here: a maintainer must change it."
        )
