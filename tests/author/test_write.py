"""Writing leaves: whatever the text, it is read back as it was, and formatting changes nothing."""

from __future__ import annotations

import io
import re
import unicodedata
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipelines.attribution import parse_attribution
from pipelines.author.leaf import KINDS, NewLeaf, NewSeed, from_json, tidied, to_json
from pipelines.author.plant import leaf_files, plant
from pipelines.author.scalars import laid_out, tidy
from pipelines.author.write import attribution_text, qna_text
from pipelines.check import Policy, check
from pipelines.errors import GraftError
from pipelines.leaves import WorkTree
from pipelines.records import Attribution, QuestionAnswer
from pipelines.yaml_source import read_yaml

HOSTILE = [
    "- a dash", "-5", "--- x", "?", ": colon", "a: b", "ends:", "# hash", "a #b", "C#", "Yes", "NO",
    "off", "y", "~", "null", "True", "42", "0x1f", "0o17", "1_000", "1e5", "3.0", ".5", ".inf",
    "1759-10-16", "12:30", "12:30:45", "2001-01-01T00:00:00Z", "<<", "=", "!tag", "&a", "*.md", "[x]",
    "{x}", "a, b", "| x", "> x", "@x", "`x`", "%x", '"x"', "'x'", "it's", 'a "b" c', "back\\slash",
    'both \\ and "', '"it\'s" said', "'\\'", "tab\there", " lead", "trail ", "a\nb", "a\n\nb\n", "\na",
    "a \nb", "  a\nb", "a\n b", "a\n# b\n", "a\n\n", "---\nx\n", "...", "😀 yes", "متى موعد ليلى؟",
    "「明日、駅へ行く。」", "\u200fبداية", "e\u0301", "\xa0x", "\ufeffx",
    "word " * 60 + "end", "key: |", "؟", "…",
]  # fmt: skip
SIGNS = "\n\t -:#'\"\\|>&*!%@?[]{},~=.<yesNoOf0123456789e"
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(SIGNS), min_size=1, max_size=40
) | st.sampled_from(HOSTILE)


def leaf(values: list[str], kind: str = "grounded") -> NewLeaf:
    """A leaf whose texts are ``values``, unchanged."""
    one, two, three, four = values
    seed = NewSeed(four, (QuestionAnswer(two, three), QuestionAnswer(three, two)))
    if kind == "knowledge":
        return NewLeaf(kind, "", one, domain=two, outline=three, seeds=(seed,))
    context = four if kind == "grounded" else ""
    return NewLeaf(kind, "", one, task=two, seeds=(NewSeed(context, seed.pairs[:1]),))


def expected(values: list[str], kind: str) -> dict[str, object]:
    one, two, three, four = values
    pair = {"question": two, "answer": three}
    if kind == "knowledge":
        pairs = [pair, {"question": three, "answer": two}]
        return {
            "version": 3,
            "created_by": one,
            "domain": two,
            "seed_examples": [{"context": four, "questions_and_answers": pairs}],
            "document_outline": three,
            "document": {"repo": ".", "commit": "HEAD", "patterns": ["d.md"]},
        }
    seed = {**pair, "context": four} if kind == "grounded" else pair
    return {"version": 3, "created_by": one, "task_description": two, "seed_examples": [seed]}


def formatted(text: str) -> str:
    """A round trip through ruamel with the settings of `graft fix`."""
    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = 1 << 20
    round_trip.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    round_trip.dump(round_trip.load(text), out)
    return out.getvalue()


@settings(max_examples=100)
@given(st.lists(TEXT, min_size=4, max_size=4), st.sampled_from(sorted(KINDS)))
def test_what_is_written_is_read_back_by_every_parser(values: list[str], kind: str) -> None:
    unseen = [
        text for text in values if re.search("[\ufffe\uffff\u2028\u2029\U0010fffe\U0010ffff]", text)
    ]
    try:
        text = qna_text(leaf(values, kind), "d.md")
    except GraftError:
        assert unseen
        return
    assert not unseen
    assert yaml.load(text, yaml.SafeLoader) == expected(values, kind)
    assert yaml.load(text, yaml.CSafeLoader) == expected(values, kind)
    reading = read_yaml(text.encode(), "qna.yaml")
    assert reading.source is not None
    assert (reading.source.data, reading.findings) == (expected(values, kind), ())
    assert formatted(text) == text
    assert not re.search(r"[ \t]\n", text)
    assert text.endswith("\n")


@pytest.mark.parametrize("value", HOSTILE)
def test_each_hostile_text_by_itself(value: str) -> None:
    values = [value] * 4
    assert yaml.safe_load(qna_text(leaf(values), "d.md")) == expected(values, "grounded")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("in October 1759", "in October 1759"),
        ("3rd", "3rd"),
        ("Yes", '"Yes"'),
        ("1759", '"1759"'),
        ("1e5", '"1e5"'),
        ('say "no"', 'say "no"'),
        ('"no" it says', "'\"no\" it says'"),
        ("*.md", '"*.md"'),
    ],
)
def test_quotes_stand_only_where_they_are_needed(text: str, shown: str) -> None:
    assert f"created_by: {shown}\n" in qna_text(leaf([text, "a", "b", "c"]), "d.md")


def test_a_context_is_a_block_as_in_this_repository() -> None:
    context = laid_out("One sentence that goes on. " * 6 + "It ends.")
    text = qna_text(leaf(["me", "Q?", "A", context]), "d.md")
    assert "    context: |\n      One sentence that goes on. One" in text
    assert max(map(len, text.splitlines())) <= 102
    assert " ".join(context.split()) == "One sentence that goes on. " * 6 + "It ends."


def test_a_script_without_spaces_gets_no_break() -> None:
    text = "これは長い文です。" * 30
    assert laid_out(text) == text + "\n"


@pytest.mark.parametrize("code", [0, 7, 8, 11, 12, 13, 27, 127, 0x85, 0x2028, 0xFFFE, 0xD800])
def test_what_cannot_be_seen_is_refused_with_a_sentence(code: int) -> None:
    with pytest.raises(GraftError, match=rf"The answer holds the character U\+{code:04X}, "):
        qna_text(leaf(["me", "Q?", f"a{chr(code)}b", "c"]), "d.md")


@given(st.text(max_size=60))
def test_tidy_text_is_as_leaves_hold_it(text: str) -> None:
    found = tidy(text)
    assert tidy(found) == found
    assert "\r" not in found
    assert not any(line.endswith((" ", "\t")) for line in found.split("\n"))
    assert unicodedata.is_normalized("NFC", found)


def test_windows_line_ends_become_plain_ones() -> None:
    assert tidy("\ufeffa \r\nb\rc\r\n\r\n") == "a\nb\nc"


# --- attribution.txt -----------------------------------------------------------------------------


@given(st.lists(st.tuples(*[TEXT] * 5), min_size=1, max_size=3))
@example([("Title of work: x", "Creator names: y", "Revision:", "MIT", ":")])
def test_attribution_is_read_back(works: list[tuple[str, ...]]) -> None:
    assume(
        not any(re.search("[\ufffe\uffff]|[\U0010fffe-\U0010ffff]", t) for w in works for t in w)
    )
    clean = [tuple(" ".join(text.split()) for text in work) for work in works]
    assume(all(text and not text.startswith("\ufeff") for work in clean for text in work))
    blocks = tuple(Attribution(*work) for work in clean)
    assert parse_attribution(attribution_text(Attribution(*w) for w in works), "x") == (blocks, ())


def test_one_block_in_the_form_that_contributing_shows() -> None:
    work = Attribution("Eddystone\nLighthouse", "", "", "CC-BY-4.0", "Graft contributors")
    assert attribution_text([work]) == (
        "Title of work: Eddystone Lighthouse\nLink to work: -\n"
        "License of the work: CC-BY-4.0\nCreator names: Graft contributors\n"
    )


# --- JSON ----------------------------------------------------------------------------------------


@given(st.lists(TEXT, min_size=4, max_size=4), st.sampled_from(sorted(KINDS)))
def test_a_leaf_goes_through_json(values: list[str], kind: str) -> None:
    made = leaf(values, kind)
    assert from_json(to_json(made), "x") == made


def test_seeds_of_one_context_become_one() -> None:
    pairs = [QuestionAnswer(f"q{n}?", "a") for n in (1, 2, 1)]
    seeds = tuple(NewSeed(c, (p,)) for c, p in zip(("a b", "a\nb ", "a b"), pairs, strict=True))
    (seed,) = tidied(NewLeaf("knowledge", seeds=seeds)).seeds
    assert seed == NewSeed("a b\n", (pairs[0], pairs[1]))
    assert len(tidied(NewLeaf("grounded", seeds=seeds)).seeds) == 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "the top must be an object"),
        ({"kind": "x", "colour": "red"}, "unknown key 'colour'"),
        ({"title": 7}, "title must be there and be text"),
        ({"seed_examples": {}}, "seed_examples must be a list"),
        ({"seed_examples": ["x"]}, "seed 1 must be an object"),
        ({"seed_examples": [{"question": "q"}]}, "seed 1: answer must be there"),
        ({"seed_examples": [{"context": "c", "questions_and_answers": 3}]}, "list of objects"),
    ],
)
def test_bad_json_is_one_sentence(data: object, words: str) -> None:
    with pytest.raises(GraftError, match=re.escape(words)):
        from_json(data, "x.json")


def test_the_hostile_texts_pass_the_check(tmp_path: Path) -> None:
    """A leaf of hostile answers, planted by the command's own steps, has no error."""
    texts = [text for text in HOSTILE if text not in ("...", "…")]  # those are placeholders
    seeds = tuple(NewSeed("", (QuestionAnswer(f"Why {n}?", t),)) for n, t in enumerate(texts))
    made = tidied(NewLeaf("freeform", "x", "me", "a task", "", "", "", "t", "", "MIT", "me", seeds))
    plant(tmp_path, "compositional_skills/a/b", leaf_files(made))
    result = check(WorkTree(tmp_path), Policy())
    assert (result.checked, [f for f in result.findings if f.severity == "error"]) == (1, [])
