"""Our own flow format: what each step does to rows, by the real engine, and what is told of a bad flow."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.backends import Call
from pipelines.errors import CallError
from pipelines.generate.steps import Ask, Flow, Setting
from tests.generate.passing import Scripted, passed, sound, written

ASK = "  - {ask: ask, prompt: p.md, parse: [question, answer]}\n"
PROMPT = {"p.md": "Ask like {{ question }}."}
GOOD = "[QUESTION]\n{q}\n[ANSWER]\n{a}\n[END]\n"
SEED = {"question": "Why?", "answer": "So."}


def silent() -> Scripted:
    def say(call: Call) -> str | None:
        raise AssertionError("nobody may be asked")

    return Scripted(say)


def reshaped(root: Path, step: str, row: dict[str, str]) -> list[dict[str, str]]:
    """One row through one step that asks nobody; the flow need not end as a training row."""
    flow = sound(root, step)
    assert len(flow.steps) <= 2
    return passed(flow, [row], silent(), root / "calls").columns


@pytest.mark.parametrize(
    ("step", "row", "expected"),
    [
        (
            "  - {copy: c, columns: {question: a, a: b}}\n",
            SEED,
            [{**SEED, "a": "Why?", "b": "Why?"}],
        ),
        (
            "  - {rename: r, columns: {question: answer, answer: question}}\n",
            SEED,
            [{"question": "So.", "answer": "Why?"}],
        ),
        (
            '  - {combine: c, columns: [question, answer], into: answer, separator: " / "}\n',
            SEED,
            [{"question": "Why?", "answer": "Why? / So."}],
        ),
        (
            "  - {combine: c, columns: [question, answer], into: both}\n",
            SEED,
            [{**SEED, "both": "Why?\n\nSo."}],
        ),
        ("  - {drop: d, columns: [phrasings, nothing]}\n", {**SEED, "phrasings": "2"}, [SEED]),
        ("  - {repeat: r, times: 3}\n", SEED, [SEED] * 3),
        (
            "  - {flatten: f, columns: [phrasings, context], value: text, variable: which}\n",
            {**SEED, "phrasings": "2", "context": "C"},
            [
                {**SEED, "text": "2", "which": "phrasings"},
                {**SEED, "text": "C", "which": "context"},
            ],
        ),
        (
            '  - {choose: c, by: phrasings, from: {"1": question, "2": answer}, into: answer}\n',
            {**SEED, "phrasings": "1"},
            [{**SEED, "answer": "Why?", "phrasings": "1"}],
        ),
    ],
)
def test_a_reshape_changes_columns_and_asks_nobody(
    tmp_path: Path, step: str, row: dict[str, str], expected: list[dict[str, str]]
) -> None:
    assert reshaped(tmp_path, step, row) == expected


def test_a_choice_that_is_not_named_keeps_the_row_out_with_its_reason(tmp_path: Path) -> None:
    step = '  - {choose: pick, by: phrasings, from: {"1": question}, into: answer}\n'
    flow = sound(tmp_path, step)
    rows = [{**SEED, "phrasings": "1"}, {**SEED, "phrasings": "9"}]
    found = passed(flow, rows, silent(), tmp_path / "calls")
    assert [row["phrasings"] for row in found.columns] == ["1"]
    assert found.rejected == [("pick: known", "phrasings is '9', for which nothing is named")]


def test_a_file_s_keys_become_columns(tmp_path: Path) -> None:
    step = '  - {populate: add, by: phrasings, from: {"1": one.yaml, "2": two.yaml}}\n'
    files = {"one.yaml": "tone: dry\n", "two.yaml": "tone: warm\n"}
    flow = sound(tmp_path, step, files)
    rows = [{**SEED, "phrasings": text} for text in "123"]
    found = passed(flow, rows, silent(), tmp_path / "calls")
    assert [(row["phrasings"], row["tone"]) for row in found.columns] == [
        ("1", "dry"),
        ("2", "warm"),
    ]
    assert [step for step, _ in found.rejected] == ["add: known"]


@pytest.mark.parametrize(
    ("comparison", "kept"),
    [
        ('operation: equal, value: "YES"', ["yes", " YES "]),
        ('operation: equal, value: ["YES", "2"]', ["yes", " YES ", "2"]),
        ('operation: unequal, value: "yes"', ["2", "2.0", "3", "not a number"]),
        ("operation: contains, value: e", ["yes", " YES ", "not a number"]),
        ("operation: equal, value: 2, as: number", ["2", "2.0"]),
        ("operation: at_least, value: 2", ["2", "2.0", "3"]),
        ("operation: more, value: 2", ["3"]),
        ("operation: less, value: 3", ["2", "2.0"]),
        ("operation: at_most, value: 2, default: 1", ["yes", " YES ", "2", "2.0", "not a number"]),
    ],
)
def test_a_keep_compares_a_column(tmp_path: Path, comparison: str, kept: list[str]) -> None:
    flow = sound(tmp_path, f"  - {{keep: k, column: answer, {comparison}}}\n")
    values = ["yes", " YES ", "2", "2.0", "3", "not a number"]
    rows = [{"question": "Q", "answer": value} for value in values]
    found = passed(flow, rows, silent(), tmp_path / "calls")
    assert [row["answer"] for row in found.columns] == kept
    assert len(found.rejected) == len(values) - len(kept)
    assert all(reason.startswith("answer is ") for _, reason in found.rejected)


def test_the_majority_is_every_row_s(tmp_path: Path) -> None:
    flow = sound(tmp_path, "  - {majority: m, column: answer}\n")
    rows = [{"question": str(n), "answer": text} for n, text in enumerate("abcbca b".split(" ")[0])]
    found = passed(flow, rows, silent(), tmp_path / "calls")
    # Of three values twice each the one that came first.
    assert {row["answer"] for row in found.columns} == {"a"}
    assert len(found.columns) == len(rows)


def test_distinct_rows_are_told_by_the_columns_that_are_named(tmp_path: Path) -> None:
    flow = sound(tmp_path, "  - {distinct: d, columns: [question, answer]}\n")
    pairs = [("Who?", "A"), ("who", "a!"), ("Who?", "B"), ("Whom?", "A")]
    rows = [{"question": q, "answer": a} for q, a in pairs]
    found = passed(flow, rows, silent(), tmp_path / "calls")
    assert [(r["question"], r["answer"]) for r in found.columns] == [pairs[0], pairs[2], pairs[3]]
    assert found.rejected == [("d", "asked already")]


# --- asking ------------------------------------------------------------------------------------


def test_several_asks_follow_one_another_and_a_judge_s_column_decides(tmp_path: Path) -> None:
    steps = """  - {ask: think, prompt: think.md, parse: {answer: thought}, temperature: 0.5, max_tokens: 9}
  - {ask: ask, prompt: p.md, parse: [question, answer], samples: 2}
  - {ask: grade, prompt: grade.md, parse: [score], role: judge}
  - {keep: good, column: score, operation: at_least, value: 2}
"""
    files = {
        "think.md": "Think of {{ question }}.",
        "p.md": "Thought: {{ thought }}.",
        "grade.md": "Grade {{ question }} {{ answer }}.",
    }
    flow = sound(tmp_path, steps, files)

    def say(call: Call) -> str:
        if call.task == "think":
            return "  deep  "
        if call.task == "ask":
            block = GOOD.format(q="{q}", a="A")
            return "".join(block.replace("{q}", f"Q{call.sample}{n}") for n in range(2))
        return f"[SCORE]\n{3 if '01' in call.variables['question'] else 1}\n[END]"

    backend = Scripted(say)
    found = passed(flow, [SEED], backend, tmp_path / "calls")
    assert [row["question"] for row in found.columns] == ["Q01"]
    assert found.columns[0]["thought"] == "deep"
    assert len(found.rejected) == 3
    assert [call.task for call in backend.asked].count("grade") == 4
    thinking, asking, grading = (step for step in flow.steps if isinstance(step, Ask))
    assert (thinking.sampling.temperature, thinking.sampling.most_tokens) == (0.5, 9)
    assert (asking.samples, grading.role, flow.judged) == (2, "judge", {"good"})
    assert {call.sample for call in backend.asked if call.task == "ask"} == {0, 1}
    assert len(found.rows[0].calls) == 3


def test_json_that_follows_a_schema_gives_rows_and_what_does_not_is_given_back(
    tmp_path: Path,
) -> None:
    schema = """{"type": "object", "properties": {"pairs": {"type": "array", "items": {"type":
      "object", "properties": {"question": {"type": "string"}, "answer": {"type": ["string",
      "number"]}}, "required": ["question", "answer"]}}}}"""
    steps = (
        "  - {ask: ask, prompt: p.md, "
        "parse: {schema: s.json, rows: pairs, columns: [question, answer]}}\n"
    )
    flow = sound(tmp_path, steps, {**PROMPT, "s.json": schema})
    said = {
        "whole": '```json\n{"pairs": [{"question": "A?", "answer": 3}, {"question": "B?"}]}\n```',
        "broken": '{"pairs": [{"question": "C?", "answer": "c",}, {"question": 4, "answer": "d"}]}',
        "cut": '{"pairs": [{"question": "D?", "answer": "d"}, {"question": "E?", "answer": "and th',
        "prose": "I cannot do that.",
        "empty": "",
    }
    backend = Scripted(lambda call: said[call.variables["question"]])
    rows = [{"question": name, "answer": ""} for name in said]
    found = passed(flow, rows, backend, tmp_path / "calls")
    pairs = [(row["question"], row["answer"]) for row in found.columns]
    assert pairs == [("A?", "3"), ("C?", "c"), ("D?", "d")]
    reasons = sorted(reason for _, reason in found.rejected)
    assert reasons == [
        "does not follow the schema",
        "does not follow the schema",
        "nothing in the answer has the form that was asked for",
        "the answer is empty",
        "the answer was cut off here",
    ]
    ask = flow.steps[0]
    assert isinstance(ask, Ask)
    assert ask.schema is not None
    assert "pairs" in ask.schema["properties"]


def test_a_pattern_s_groups_are_columns(tmp_path: Path) -> None:
    steps = r"""  - ask: ask
    prompt: p.md
    parse: {pattern: 'Q: (.*?)\nA: (.*?)(?:\n|$)', columns: [question, answer], strip: ["**"]}
"""
    flow = sound(tmp_path, steps, PROMPT)
    backend = Scripted(lambda call: "Q: **One?**\nA: 1\nQ: Two?\nA: \nQ: Three?\nA: 3")
    found = passed(flow, [SEED], backend, tmp_path / "calls")
    pairs = [(row["question"], row["answer"]) for row in found.columns]
    assert pairs == [("One?", "1"), ("Three?", "3")]
    assert found.rejected == [("ask", "a part of the match is empty")]


def test_a_row_whose_prompt_cannot_be_rendered_is_set_apart(tmp_path: Path) -> None:
    flow = sound(tmp_path, ASK, PROMPT)
    ask = flow.steps[0]
    assert isinstance(ask, Ask)

    def render(values: object) -> tuple[()]:
        raise CallError("the prompt cannot be rendered: why not")

    broken = Flow("mine", "skills", "question", (Ask("ask", (), render, ask.parse),), "h")
    found = passed(broken, [SEED], silent(), tmp_path / "calls")
    assert found.columns == []
    assert found.rejected == [("ask", "the prompt cannot be rendered: why not")]
    assert found.ledger.steps[0].failed == 1


MANY = """  - {ask: ask, prompt: p.md, parse: [question, answer], samples: 2}
  - {keep: not_an_exam_question}
  - {flatten: both, columns: [answer, phrasings], value: answer, variable: which}
  - {distinct: d, columns: [question, answer]}
  - {ask: grade, prompt: g.md, parse: [score], role: judge}
  - {keep: good, column: score, operation: more, value: 1}
  - {majority: which}
  - {repeat: twice, times: 2}
"""


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), orders=st.tuples(st.integers(), st.integers()))
def test_any_order_of_arrival_gives_the_same_rows_and_a_balanced_ledger(
    tmp_path_factory: pytest.TempPathFactory, seed: int, orders: tuple[int, int]
) -> None:
    root = tmp_path_factory.mktemp("order")
    flow = sound(root, MANY, {**PROMPT, "g.md": "Grade {{ question }}: {{ answer }}."})

    def say(call: Call) -> str | None:
        rng = random.Random(f"{seed} {call.key}")
        if call.task == "grade":
            return rng.choice([None, "", "[SCORE]\n1\n[END]", *["[SCORE]\n2\n[END]"] * 5])
        blocks = [
            rng.choice([GOOD, GOOD, GOOD, "[QUESTION]\n{q}\n[END]\n"]).format(
                q=rng.choice(["Who first sailed there?", f"Which {rng.randrange(6)}?"]),
                a=rng.randrange(3),
            )
            for _ in range(rng.randrange(4))
        ]
        return rng.choice([None, *["".join(blocks)] * 6])

    first = [{"question": f"Q{n}", "answer": "A", "phrasings": str(n % 3)} for n in range(1, 13)]
    exam = Setting(["Who first sailed there?"])
    found = [
        passed(flow, first, Scripted(say, random.Random(order)), root / f"calls{number}", exam)
        for number, order in enumerate(orders)
    ]
    assert found[0].rows == found[1].rows
    assert found[0].ledger.steps == found[1].ledger.steps
    assert found[0].rejected == found[1].rejected
    # From a store that holds every answer that was given the rows are the same again.
    again = passed(flow, first, Scripted(say), root / "calls0", exam)
    assert again.rows == found[0].rows


# --- what is wrong with a flow -----------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    steps = """  - {ask: ask, prompt: p.md, parse: [question, answer], temprature: 1}
  - {keep: k, column: score, operation: like, value: 1}
  - {repeat: r, times: 0}
  - {nothing: known}
"""
    flow, findings = written(tmp_path, steps, PROMPT)
    assert flow is None
    assert {finding.line for finding in findings} >= {4, 5, 6}
    told = " ".join(f"{finding.message} {finding.hint}" for finding in findings)
    assert "`temprature`" in told
    assert "`temperature` meant" in told
    assert "`operation` in step 2 is `like`; it may be `equal`" in told


@pytest.mark.parametrize(
    ("steps", "line", "told"),
    [
        ("  - {nothing: known}\n", 4, "no step that is known"),
        ("  - {keep: shiny}\n", 4, "There is no filter `shiny`."),
        ("  - {repeat: row, times: 2}\n", 4, "last line is called `row`"),
        ("  - {distinct: score}\n", 4, "There is no column `score`"),
        ("  - {ask: a, prompt: no.md, parse: [x]}\n", 4, "no.md cannot be read: No such file"),
        ("  - {ask: a, prompt: strange.md, parse: [x]}\n", 4, "There is no column `strange`"),
        ("  - {ask: a, prompt: brace.md, parse: [x]}\n", 4, "holds `{{` that begins no slot"),
        (
            "  - {ask: a, prompt: p.md, parse: [x], variables: [answer]}\n",
            4,
            "the slots ['question'] and the step the variables ['answer']",
        ),
        (
            "  - {repeat: r, times: 2}\n  - {repeat: r, times: 2}\n",
            5,
            "Two steps are called `r`.",
        ),
        (
            "  - {ask: a, prompt: p.md, parse: {pattern: '(', columns: [x]}}\n",
            4,
            "no regular expression",
        ),
        (
            "  - {ask: a, prompt: p.md, parse: {pattern: '(a)(b)', columns: [x]}}\n",
            4,
            "2 groups for 1 columns",
        ),
        (
            "  - {ask: a, prompt: p.md, parse: {schema: p.md, columns: [x]}}\n",
            4,
            "p.md is no JSON",
        ),
        (
            "  - {ask: a, prompt: p.md, parse: {schema: {type: 3}, columns: [x]}}\n",
            4,
            "no JSON Schema",
        ),
        ("  - {ask: a, prompt: p.md, parse: {}}\n", 4, "read in one way"),
        ("  - {ask: a, prompt: p.md, parse: {pattern: 'a'}}\n", 4, "goes with `columns`"),
        ("  - {ask: a, prompt: p.md, parse: ['1x']}\n", 4, "cannot be a tag"),
        (
            "  - {keep: k, column: answer, operation: more, value: many}\n",
            4,
            "must be a number",
        ),
        ("  - {drop: d, columns: [question]}\n", 1, "There is no column `question`"),
        (
            "  - {ask: j, prompt: p.md, parse: [x], role: judge}\n  - {distinct: x}\n",
            5,
            "without a judge it is not there",
        ),
        (
            "  - {ask: j, prompt: p.md, parse: [answer], role: judge}\n",
            1,
            "A judge wrote `answer`",
        ),
        ("  - {populate: p, by: answer, from: {a: list.yaml}}\n", 4, "keys with text"),
        (
            "  - {populate: p, by: answer, from: {a: one.yaml, b: two.yaml}}\n",
            4,
            "do not give the same columns",
        ),
    ],
)
def test_what_makes_no_sense_is_told_with_its_line(
    tmp_path: Path, steps: str, line: int, told: str
) -> None:
    files = {
        **PROMPT,
        "strange.md": "{{ strange }}",
        "brace.md": "{{question}}",
        "list.yaml": "a: [1]\n",
        "one.yaml": "a: x\n",
        "two.yaml": "b: x\n",
    }
    flow, findings = written(tmp_path, steps, files)
    assert flow is None
    assert [f.line for f in findings if told in f.message] == [line], findings


def test_a_file_that_is_no_yaml_is_told_of_with_its_line(tmp_path: Path) -> None:
    flow, findings = written(tmp_path, "  - {ask: a\n")
    assert flow is None
    assert [finding.rule for finding in findings] == ["flow"]
    assert findings[0].line >= 4
