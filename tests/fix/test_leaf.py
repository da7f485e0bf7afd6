"""What `fix` mends in a file, what it leaves, and what it says of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.fix.leaf import Mended, Repairs, mend_attribution, mend_leaf
from pipelines.leaves import ATTRIBUTION_FILE
from tests.check.builders import knowledge, skill

ROOT = Path(__file__).parents[2]
TREES = ("taxonomy", "docs/examples/taxonomy", "benchmarks/leaves/taxonomy")
BOTH = Repairs(strip=True, quote=True)
HEAD = "version: 3\ncreated_by: ada\n"


def mend(text: str, **repairs: bool) -> str:
    """The mended text, which is mended already when it comes again."""
    mended = mend_leaf(text.encode(), "x/qna.yaml", Repairs(**repairs))
    assert mend_leaf(mended.data, "x/qna.yaml", Repairs(**repairs)) == mended
    return mended.data.decode()


@pytest.mark.parametrize("tree", TREES)
def test_the_leaves_of_this_repository_have_nothing_to_mend(tree: str) -> None:
    files = sorted((ROOT / tree).rglob("qna.yaml"))
    assert files
    for file in files:
        data, credits = file.read_bytes(), (file.parent / ATTRIBUTION_FILE).read_bytes()
        assert mend_leaf(data, str(file), BOTH) == Mended(data)
        assert mend_attribution(credits, str(file)) == Mended(credits)


@pytest.mark.parametrize("sound", [skill(), skill(version=None), knowledge()])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "  \n"),
        lambda text: text.replace(": ", ":   "),
        lambda text: text.removesuffix("\n"),
        lambda text: text + "\n \n\n",
    ],
)
def test_what_means_nothing_is_mended(sound: str, spoil: object) -> None:
    assert callable(spoil)
    assert mend(spoil(sound)) == sound


def test_the_layout_and_the_comments() -> None:
    assert mend(SPRAWLING) == TIDY


SPRAWLING = """\
# Leaf about tides

version: 3   # the newest
created_by:   'ada'
seed_examples:    # five are needed
# the first
-   question: "Spring
        tides\\u00a0come when?"   # why
    answer: |  # a block
        At new
          and full
        moon.
    # what follows
    context:
       On a line of its own,
       wrapped by hand.

-
    # the second
    question: >-
      Folded
      text
    answer: [a,
      b
    ]
document:
      # pinned
      commit: HEAD
      patterns:
      - '*.md'
      note: # nothing yet
# the end"""

TIDY = """\
# Leaf about tides

version: 3   # the newest
created_by: 'ada'
seed_examples:    # five are needed
  # the first
  - question: "Spring
        tides\\u00a0come when?"   # why
    answer: |  # a block
      At new
        and full
      moon.
    # what follows
    context:
      On a line of its own,
      wrapped by hand.

  # the second
  - question: >-
      Folded
      text
    answer: [a,
      b
    ]
document:
  # pinned
  commit: HEAD
  patterns:
    - '*.md'
  note: # nothing yet
# the end
"""


@pytest.mark.parametrize(
    "text",
    [
        '{"version": 3,\n "seed_examples": [{"question": "q",\n   "answer": 1}]}\n',
        "---\nversion: 3\nwhat: x\n...\n",
        "%YAML 1.1\n---\nversion: 3\n",
        HEAD + "<<: {task_description: x}\n",
        HEAD + "answer: !!str 42\n",
        HEAD + "empty:\nnull: ~\nhexadecimal: 0x3\nnumbers: [1_000, 012, .5, 12:30]\n",
        HEAD + "answer: |2\n    deep\n  and less\n",
        HEAD + "answer: |+\n  every blank line counts\n\n\n",
        HEAD + "- not: yaml\n",
        "just text\n",
        "",
    ],
)
def test_what_is_sound_or_unreadable_stays_as_it_is(text: str) -> None:
    assert mend(text) == text


def test_a_block_without_a_newline_at_its_end_gets_none() -> None:
    for header in ("|", "|+", ">", "|2", "|2+"):
        text = HEAD + f"answer: {header}  # said\n  a\n  b"
        clipped = header.removesuffix("+") + "-"
        assert mend(text) == HEAD + f"answer: {clipped}  # said\n  a\n  b\n"
    assert mend(HEAD + "answer: |-\n  a") == HEAD + "answer: |-\n  a\n"


# --- spaces at line ends inside blocks ------------------------------------------------------------

SPACED = HEAD + "context: |\n  one \n     \n  two\t\n  three\nanswer: >-\n  four  \n  five\n"


def test_spaces_that_belong_to_a_text_are_told_and_stay() -> None:
    mended = mend_leaf(SPACED.encode(), "x/qna.yaml", Repairs())
    assert mended.data.decode() == SPACED
    (finding,) = mended.findings
    assert (finding.rule, finding.severity, finding.line, finding.column) == (
        "whitespace",
        "warning",
        4,
        6,
    )
    assert finding.message == "Spaces at the end of 4 lines belong to a text."
    assert "`--strip`" in finding.hint


def test_strip_deletes_them() -> None:
    assert mend(SPACED, strip=True) == (
        HEAD + "context: |\n  one\n\n  two\n  three\nanswer: >-\n  four\n  five\n"
    )


# --- values that should be text -------------------------------------------------------------------

BARE = [
    "Yes", "no", "ON", "true", "False", "0", "42", "-7", "+7", "0123", "0x1F", "0b11", "1_000",
    "1e3", "-2.5E+7", "0o17", "1.50", "6.0e+23", ".5", ".inf", "-.INF", ".NaN", "12:30", "12:30:45", "1:30.5",
    "2024-01-01", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43",
]  # fmt: skip
TEXT_IN_YAML_1_1 = ("1e3", "0o17")


@pytest.mark.parametrize("text", ["Yesterday", "3 of 4", "1.2.3", "2024-1-1", "e3", '"42"', "'No'"])
def test_quote_leaves_text_alone(text: str) -> None:
    sound = skill().replace("Word 2.", text)
    assert mend(sound, quote=True) == sound


@pytest.mark.parametrize("written", BARE)
def test_quote_keeps_the_authors_spelling(written: str) -> None:
    text = skill().replace("Word 2.", f"{written}  # really")
    quoted = text.replace(f"answer: {written} ", f'answer: "{written}" ')
    assert mend(text, quote=True) == quoted
    mended = mend_leaf(text.encode(), "x/qna.yaml", Repairs())
    assert mended.data.decode() == text
    is_text = written in TEXT_IN_YAML_1_1
    assert [finding.rule for finding in mended.findings] == ([] if is_text else ["schema"])


def test_quote_reaches_every_text_and_nothing_else() -> None:
    text = (
        "version: 3\ncreated_by: 1815\ndomain: on\nseed_examples:\n  - context: 2024-01-01\n"
        "    questions_and_answers:\n"
        "      - {question: 1, answer: [2], difficulty: 3}\n"
        "      - question: ~\n        answer: null\n"
        "document_outline: 4\ndocument:\n  repo: .\n  commit: 1234567\n  patterns: [5, *.md]\n"
    ).replace("*.md", "a.md")
    assert mend(text, quote=True) == (
        'version: 3\ncreated_by: "1815"\ndomain: "on"\nseed_examples:\n  - context: "2024-01-01"\n'
        "    questions_and_answers:\n"
        '      - {question: "1", answer: [2], difficulty: 3}\n'
        "      - question: ~\n        answer: null\n"
        'document_outline: "4"\ndocument:\n  repo: .\n  commit: "1234567"\n'
        '  patterns: ["5", a.md]\n'
    )


# --- what a person has to mend --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"a: &x 1  \nb: *x\n", "alias"),
        (b"a: [  \n", "yaml"),
        (b"a: 1  \na: 2\n", "duplicate-key"),
        (b"a: caf\xe9  \n", "encoding"),
        ("a: 1  \n".encode("utf-16"), "encoding"),
        (b"a:\tb\t\n", "yaml"),
        (b"a: " + b"[" * 60 + b"]" * 60 + b"  \n", "depth"),
        (b"a: 1  \n" + b"#" * 262_144, "size"),
        (b"a: \x00  \n", "yaml"),
        (b"  \n", "empty"),
    ],
)
def test_what_cannot_be_read_is_told_and_stays(text: bytes, rule: str) -> None:
    mended = mend_leaf(text, "x/qna.yaml", BOTH)
    assert mended.data == text
    assert [(finding.rule, finding.severity) for finding in mended.findings] == [(rule, "error")]


# --- attribution.txt ------------------------------------------------------------------------------

CREDITS = "Title of work: Tides\nLink to work: -\nLicense of the work: MIT\nCreator names: Ada\n"


@pytest.mark.parametrize(
    "data",
    [
        CREDITS.replace("\n", "\r\n").encode(),
        CREDITS.replace("\n", " \t\n").encode(),
        b"\xef\xbb\xbf" + CREDITS.encode(),
        CREDITS.encode().rstrip(),
        CREDITS.encode() + b"\n \n",
    ],
)
def test_attribution_loses_the_spaces_that_mean_nothing(data: bytes) -> None:
    assert mend_attribution(data, "x/attribution.txt") == Mended(CREDITS.encode())


@pytest.mark.parametrize("data", [b"", b" \n", b"no label\n"])
def test_attribution_that_says_nothing_stays(data: bytes) -> None:
    assert mend_attribution(data, "x/attribution.txt") == Mended(data)


def test_attribution_that_is_no_text_is_told() -> None:
    mended = mend_attribution(b"Creator names: Zo\xeb  \n", "x/attribution.txt")
    assert mended.data == b"Creator names: Zo\xeb  \n"
    (finding,) = mended.findings
    assert (finding.rule, finding.severity) == ("attribution", "error")
    assert "UTF-8" in finding.message
