"""``--compat instructlab`` against the real instructlab-schema 0.4.2: every case, and mutations.

GRAFT_MUTATION_SEED=N varies the mutations; a nightly job sets it to the date.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.check import How, Policy, check
from pipelines.check.compat import DEVIATIONS, VERDICT_RULES
from pipelines.cli import main
from pipelines.leaves import WorkTree
from pipelines.records import Finding
from tests.check.builders import KNOWLEDGE, SKILL, knowledge, skill, write
from tests.support.instructlab import real_verdict, real_verdicts
from tests.support.mutations import base_leaves, mutations

SEED = int(os.environ.get("GRAFT_MUTATION_SEED", "20260124"))
COMPAT = How(compat="instructlab")
HEAD = "version: 3\ncreated_by: ada\n"
FOUNDATIONAL = "foundational_skills/reasoning/rhymes"
ELSEWHERE = "other/rhymes"


@dataclass(frozen=True)
class Case:
    """A file, whether upstream finds an error in it, and the rule by which ours is stricter."""

    name: str
    content: str | bytes
    error: bool
    path: str = f"{SKILL}/qna.yaml"
    deviates: str = ""


def _versions() -> list[Case]:
    bad = ['"3"', "abc", "null", "[3]", ".nan", ".inf", "true", "0", "4", "-1", "2024-01-01", "3.5"]
    good = ["3.0", "0x3", "0_3", "2", "2.0", "!!float 3", "+3"]
    return [
        *(Case(f"version {v}", skill().replace(": 3", f": {v}", 1), True) for v in bad),
        *(Case(f"version {v}", skill().replace(": 3", f": {v}", 1), False) for v in good),
        Case("no version", skill(None), False),
        Case("version 1", skill(1), False),
        Case("version 1, one seed", skill(1, seeds=1), False),
        Case("version 1, no seed", skill(1, seeds=0), True),
        Case(
            "version 1, twice the same seed",
            skill(1, 1) + skill(1, 1).split("examples:\n")[1],
            0 > 0,
        ),
        Case("version 1, no task", skill(1).replace("Rhyme.", '""'), False),
        Case("version 2, four seeds", skill(2, seeds=4), True),
        Case("version 2, no task", skill(2).replace("Rhyme.", '""'), True),
        Case("version 3, twice the same seed", skill().replace("4", "3"), True),
    ]


def _top_level() -> list[Case]:
    empty = {"nothing": "", "a comment": "# x\n", "{}": "{}\n", "[]": "[]\n", "0": "0\n"}
    empty |= {"null": "null\n", "false": "false\n", "no text": '""\n', "a comment, spaces": "# x  "}
    return [
        *(Case(f"empty: {name}", content, False) for name, content in empty.items()),
        Case("a list", "- a\n- b\n", True),
        Case("a text", "just text\n", True),
        Case("a number", "5\n", True),
    ]


def _unreadable() -> list[Case]:
    broken: dict[str, str | bytes] = {
        "two documents": skill() + "---\nversion: 3\n",
        "tab as indentation": "version: 3\nseed_examples:\n\t- question: x\n",
        "a: b: c": HEAD + "task_description: a: b: c\n",
        "bare pattern": knowledge().replace('"*.md"', "*.md"),
        "alias to nowhere": skill().replace("Rhyme.", "*a"),
        "custom tag": skill().replace("Rhyme.", "!mine x"),
        "python tag": skill().replace("Rhyme.", "!!python/name:os.system x"),
        "list as key": skill() + "? [a, b]\n: x\n",
        "NUL": skill().replace("Rhyme.", "a\x00b"),
        "control character": skill().replace("Rhyme.", "a\x1b[31mb"),
        "U+2028": skill().replace("Rhyme.", "a\u2028b"),
        "NEL": skill().replace("Rhyme.", "a\x85b"),
        "latin-1": skill().replace("Rhyme.", "café").encode("latin-1"),
        "UTF-16": skill().encode("utf-16"),
        "5000 digits": skill().replace("Rhyme.", "9" * 5000),
        "nesting 2000": HEAD + "a: " + "[" * 2000 + "]" * 2000 + "\n",
        "open quote": skill().replace("Rhyme.", '"open'),
        "impossible date": skill().replace("Rhyme.", "2024-13-45"),
        "a question mark in brackets": HEAD + "a: {b: c? d}\n",
        "scalar called a mapping": skill().replace("Rhyme.", "!!map x"),
        "YAML 1.3 in a directive": "%YAML 2.0\n---\n" + skill(),
    }
    return [Case(name, content, True) for name, content in broken.items()]


def _values() -> list[Case]:
    wrong = [
        "Yes",
        "42",
        "2024-01-01",
        "12:30:45",
        ".nan",
        "null",
        "~",
        "!!binary aGk=",
        '""',
        "[a]",
    ]
    right = ['"   "', "C #1", "'Yes'", '"42"', "a:b", "!!str 42", "12345e6", "|\n      x", "0o7"]
    commits = {"1234567": True, "0123456": True, "1234.5e+6": True, "12345e6": False}
    answer = "answer: Word 3."
    return [
        *(Case(f"answer {v}", skill().replace(answer, f"answer: {v}"), True) for v in wrong),
        *(Case(f"answer {v}", skill().replace(answer, f"answer: {v}"), False) for v in right),
        *(
            Case(
                f"commit {value}",
                knowledge().replace("HEAD", value),
                error,
                f"{KNOWLEDGE}/qna.yaml",
            )
            for value, error in commits.items()
        ),
        Case("same question, other answer", skill().replace("with 4?", "with 3?"), False),
        Case("same context twice", knowledge().replace("Fact 4", "Fact 3"), False, _K),
        Case("extra key on top", skill() + "extra: x\n", True),
        Case("extra key in a seed", skill(extra="    extra: x\n"), True),
        Case("extra key in document", knowledge() + "  extra: x\n", True, _K),
        Case("extra key in a question", _extra("extra: [1, {a: 2024-01-01}]"), False, _K),
        Case("number as extra key in a question", _extra("5: x"), False, _K),
        Case("impossible date as extra key", _extra("2024-13-45: x"), True, _K),
        Case("1 and '1' as extra keys", _extra("1: x", '"1": x'), True, _K),
        Case("two empty extra keys", _extra(": x", ": y"), True, _K),
        Case("a set in a question", _extra("s: !!set {a}"), False, _K, "yaml"),
        Case("number of 300 digits in a question", _extra("n: " + "9" * 300), False, _K, "yaml"),
        Case("task_description in knowledge", knowledge() + "task_description: x\n", True, _K),
        Case("knowledge of version 2", knowledge(2), True, _K),
        Case("knowledge of version 1", knowledge(1), True, _K),
        Case("two questions", knowledge().replace(_QUESTION, "", 1), True, _K),
    ]


_K = f"{KNOWLEDGE}/qna.yaml"
_QUESTION = "      - question: What is 1.1?\n        answer: It is 1.\n"


def _extra(*lines: str) -> str:
    """A knowledge leaf with further keys in one of its questions."""
    more = "".join(f"        {line}\n" for line in lines)
    return knowledge().replace(_QUESTION, _QUESTION + more)


def _whitespace() -> list[Case]:
    in_block = skill().replace("Rhyme.", "|\n  one \n  two")
    return [
        Case("trailing space", skill().replace("Rhyme.", "Rhyme. "), True),
        Case("trailing tab", skill().replace("Rhyme.", "|\n  Rhyme.\t"), True),
        Case("trailing space in a block", in_block, True),
        Case("line of spaces", skill() + "   \n", True),
        Case("no newline at the end", skill().rstrip(), True),
        Case("version 1, trailing space", skill(1).replace("Rhyme.", "Rhyme. "), False),
        Case("version 1, no newline at the end", skill(1).rstrip(), False),
        Case("duplicate key", skill() + "created_by: eve\n", True),
        Case("duplicate key in a seed", skill(extra="    answer: again\n"), True),
        Case("version 1, duplicate key", skill(1) + "created_by: eve\n", False),
        Case("blank lines", skill() + "\n\n\n\n", False),
        Case("odd spacing", skill().replace("version: 3", "version:   3"), False),
        Case(
            "yamllint switched off",
            "# yamllint disable-file\n" + skill().rstrip(),
            False,
            deviates="whitespace",
        ),
        Case(
            "two merge keys",
            skill().replace(
                "task_description: Rhyme.", "<<: {task_description: R}\n<<: {created_by: x}"
            ),
            False,
        ),
    ]


def _forms() -> list[Case]:
    seeds = ", ".join(f'{{"question": "q{n}", "answer": "a{n}"}}' for n in range(5))
    head = '{"version": 3, "created_by": "ada", "task_description": "t"'
    fine: dict[str, str] = {
        "CRLF": skill().replace("\n", "\r\n"),
        "CR": skill().replace("\n", "\r"),
        "BOM": "\ufeff" + skill(),
        "emoji": skill().replace("Rhyme.", "Rhyme 🎵 ünïcode."),
        "---": "---\n" + skill(),
        "document end": "---\n" + skill() + "...\n",
        "JSON": f'{head}, "seed_examples": [{seeds}]}}\n',
        "merge key": skill().replace("task_description: Rhyme.", "<<: {task_description: Rhyme.}"),
        "escape": skill().replace("Rhyme.", '"a\\u2028b"'),
        "lone surrogate": skill().replace("Rhyme.", '"\\ud800"'),
        "U+2028 in quotes": skill().replace("Rhyme.", '"a\u2028b"'),
        "NEL in a block": skill().replace("Rhyme.", "|\n  a\x85  b"),
        "BOM inside": skill().replace("Rhyme.", "a\ufeffb"),
        "tab inside a block": skill().replace("Rhyme.", "|\n  code:\n  \tindented by a tab"),
        "YAML directive": "%YAML 1.1\n---\n" + skill(),
    }
    bomb = "\n".join(
        [*(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 5)}]" for n in range(4))]
    )
    return [
        *(Case(name, content, False) for name, content in fine.items()),
        Case("second BOM", "\ufeff\ufeff" + skill(), True),
        Case("anchor", skill().replace("Rhyme.", "&a Rhyme."), False, deviates="alias"),
        Case("aliases that expand", bomb + "\n", True),
        Case("a merge key to an anchor", _merged(), False, deviates="alias"),
        Case("aliases in a text", skill().replace("Rhyme.", "a &b *c **d** e&f"), False),
        Case("more than 256 kB", skill() + "#" * 262_144 + "\n", False, deviates="size"),
        Case("nesting 60", _extra("n: " + "[" * 60 + "]" * 60), False, _K, "depth"),
    ]


def _merged() -> str:
    """A skill whose second seed takes its answer from the first."""
    first = "  - &first\n    question: What rhymes with 0?"
    text = skill().replace("  - question: What rhymes with 0?", first)
    second = "  - <<: *first\n    question: What rhymes with 1?"
    return text.replace("  - question: What rhymes with 1?\n    answer: Word 1.", second)


def _places() -> list[Case]:
    return [
        Case("qna.yml", skill(), True, f"{SKILL}/qna.yml"),
        Case("QNA.yaml", skill(), True, f"{SKILL}/QNA.yaml"),
        Case("qna.yaml.txt", skill(), True, f"{SKILL}/qna.yaml.txt"),
        Case("a skill under knowledge", skill(), True, "knowledge/rhymes/qna.yaml"),
        Case("a skill below both", skill(), True, "compositional_skills/knowledge/x/qna.yaml"),
        Case("a skill below both, skills last", skill(), False, "knowledge/compositional_skills/x/qna.yaml"),
        Case("foundational, knowledge above", skill(), True, "knowledge/foundational_skills/x/qna.yaml"),
        Case("knowledge under skills", knowledge(), True, f"{SKILL}/qna.yaml"),
        Case("a foundational skill", skill(None), False, f"{FOUNDATIONAL}/qna.yaml"),
        Case("foundational with a document", knowledge(), False, f"{FOUNDATIONAL}/qna.yaml"),
        Case("a skill elsewhere", skill(), False, f"{ELSEWHERE}/qna.yaml"),
        Case("knowledge elsewhere", knowledge(), False, f"{ELSEWHERE}/qna.yaml"),
        Case("at the top", skill(), False, "qna.yaml"),
    ]  # fmt: skip


CASES = [
    case
    for group in (_versions, _top_level, _unreadable, _values, _whitespace, _forms, _places)
    for case in group()
]


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bool]:
    """Upstream's verdict on every case."""
    folder = tmp_path_factory.mktemp("cases")
    files = [write(folder / str(at), case.path, case.content) for at, case in enumerate(CASES)]
    verdicts = real_verdicts(files)
    return {case.name: verdict for case, verdict in zip(CASES, verdicts, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_case_has_the_verdict_that_upstream_gives(
    tmp_path: Path, case: Case, upstream: Mapping[str, bool]
) -> None:
    assert upstream[case.name] == case.error
    file = write(tmp_path, case.path, case.content)
    code = main(["check", "--compat", "instructlab", "--taxonomy", str(tmp_path), str(file)])
    assert code == (case.error or bool(case.deviates))
    if case.deviates:
        assert case.deviates in DEVIATIONS
        assert {finding.rule for finding in _errors(tmp_path, case.path)} == {case.deviates}


def test_what_is_no_file_is_an_error_to_both(tmp_path: Path) -> None:
    (tmp_path / SKILL / "qna.yaml").mkdir(parents=True)
    missing = tmp_path / SKILL / "none" / "qna.yaml"
    for file in (tmp_path / SKILL / "qna.yaml", missing):
        assert real_verdict(file)
        assert main(["check", "--compat", "instructlab", "--taxonomy", str(tmp_path), str(file)])


def test_linting_all_at_once_gives_what_upstream_gives_one_by_one(tmp_path: Path) -> None:
    sample = [*_whitespace()[:9], *_forms()[1:4], _versions()[0], _values()[-1]]
    files = [write(tmp_path / str(at), case.path, case.content) for at, case in enumerate(sample)]
    verdicts = real_verdicts(files)
    assert verdicts == [real_verdict(file) for file in files]
    assert len({*verdicts}) == 2


def test_mutations_have_the_verdict_that_upstream_gives(tmp_path: Path) -> None:
    _compare(tmp_path, count=200)


@pytest.mark.slow
def test_2000_mutations_have_the_verdict_that_upstream_gives(tmp_path: Path) -> None:
    _compare(tmp_path, count=2000)


def _compare(folder: Path, count: int) -> None:
    """No mutation may have another verdict, but for the listed deviations."""
    found = list(mutations(base_leaves(), seed=SEED, count=count))
    files = [write(folder / str(at), each.path, each.data) for at, each in enumerate(found)]
    theirs = real_verdicts(files)
    wrong = []
    for at, (mutation, error) in enumerate(zip(found, theirs, strict=True)):
        ours = _errors(folder / str(at), mutation.path)
        if bool(ours) != error and not (ours and all(map(_deviates, ours))):
            wrong.append((at, mutation.path, mutation.edits, ours))
    assert wrong == [], f"GRAFT_MUTATION_SEED={SEED}, {len(wrong)} of {count}"
    # Neither side may have said the same of everything.
    assert 0.1 < sum(theirs) / count < 0.9


def _errors(root: Path, path: str) -> list[Finding]:
    result = check(WorkTree(root), Policy(), [path], how=COMPAT)
    return [finding for finding in result.findings if finding.severity == "error"]


def _deviates(finding: Finding) -> bool:
    if finding.rule == "yaml":
        return finding.message.startswith(("The tag !!", "A number of "))
    return finding.rule in ("alias", "size", "depth")


def test_each_rule_of_the_mode_and_each_deviation_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/compat.md").read_text(encoding="utf-8")
    for rule in VERDICT_RULES:
        assert f"`{rule}`" in page
    for rule, sentences in DEVIATIONS.items():
        section = page.split(f"### {rule}\n")[1].split("\n### ")[0]
        for sentence in sentences:
            assert sentence in " ".join(section.split())
