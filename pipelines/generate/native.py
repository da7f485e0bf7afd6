"""Our own flow format → ``Flow``: ``flow.yaml``, whose shape schema/flow.json gives, and its prompts.

In: the YAML and where each value stands. Out: the flow, and everything that is wrong with it; where
anything is, there is no flow. Here stands what a schema cannot say: that a prompt's slots are columns
that exist at that step, that filters are known, that names are not given twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipelines.artifacts import digest
from pipelines.backends import Sampling
from pipelines.generate import reshapes
from pipelines.generate.columns import first_columns
from pipelines.generate.comparing import compared
from pipelines.generate.draft import At, Column, Draft
from pipelines.generate.filters import FILTERS, READS
from pipelines.generate.parsing import parser
from pipelines.generate.prompts import filled, slots, stray
from pipelines.generate.steps import Ask, Distinct, Flow, Keep, Majority, Near, Reshape
from pipelines.records import Finding, Json
from pipelines.schemas import violations
from pipelines.yaml_source import Source, read_yaml

TURNS = ("context", "question", "answer")


def read_native(name: str, source: Source, folder: Path) -> tuple[Flow | None, list[Finding]]:
    """The flow called ``name``, whose prompts lie in ``folder``."""
    draft = Draft(source, folder)
    for violation in violations(source.data, "flow"):
        line, column = violation.place(source)
        draft.findings.append(
            Finding("flow", "error", source.path, line, column, violation.message, violation.hint)
        )
    if draft.findings:
        return None, draft.findings
    data = source.data
    draft.begin(first_columns(data["rows"]))
    for number, entry in enumerate(data["steps"]):
        _step(draft, entry, ("steps", number))
    columns = {turn: turn for turn in TURNS} | data.get("columns", {})
    _result(draft, columns)
    if draft.errors():
        return None, draft.findings
    flow = Flow(
        name, data["phase"], data["rows"], tuple(draft.steps), digest([data, draft.texts]),
        columns, frozenset(draft.judged), frozenset(draft.inputs | draft.needs), frozenset(draft.needs),
    )  # fmt: skip
    return flow, draft.findings


def _step(draft: Draft, entry: Json, at: At) -> None:
    kinds = [kind for kind in STEPS if kind in entry]
    if not kinds:
        known = ", ".join(f"`{kind}`" for kind in STEPS)
        draft.wrong(at, "This is no step that is known.", f"A step starts with one of {known}.")
        return
    STEPS[kinds[0]](draft, entry, at)


def _result(draft: Draft, columns: dict[str, str]) -> None:
    """The last row holds the turns of a training row, and no judge wrote them."""
    for turn, name in columns.items():
        at = ("columns", turn)
        if turn == "context" and name == turn:
            draft.may_read(name)
        elif draft.reads(name, at).judged:
            draft.wrong(at, f"A judge wrote `{name}`; it cannot be taught.")


def _read(draft: Draft, names: list[str], at: At) -> None:
    """Columns that a step other than a judge's reads: where no judge is asked they have to be there."""
    found = [draft.reads(name, at) for name in names]
    for name, column in zip(names, found, strict=True):
        if column.judged:
            draft.wrong(
                at, f"A judge writes `{name}`, and without a judge it is not there.",
                "Only `keep`, `drop` and a judge's own steps may read it.",
            )  # fmt: skip


def _ask(draft: Draft, entry: Json, at: At) -> None:
    judge = entry.get("role") == "judge"
    prompt = draft.text(entry["prompt"], (*at, "prompt"))
    read = parser(draft, entry["parse"], (*at, "parse"))
    if prompt is None or read is None:
        return
    variables = sorted(slots(prompt))
    _check_slots(draft, entry, prompt, at)
    if judge:
        for name in variables:
            draft.reads(name, (*at, "prompt"))
    else:
        _read(draft, variables, (*at, "prompt"))
    for name in read.columns:
        draft.writes(name, Column(judged=judge))
    sampling = Sampling(entry.get("temperature", 0.0), entry.get("max_tokens", 2048))
    ask = Ask(
        entry["ask"], tuple(entry.get("variables", variables)), partial(filled, prompt), read.parse,
        entry.get("role", "teacher"), entry.get("samples", 1), sampling, read.schema,
    )  # fmt: skip
    draft.adds(ask, at)


def _check_slots(draft: Draft, entry: Json, prompt: str, at: At) -> None:
    found = slots(prompt)
    given = set(entry.get("variables", found))
    if found != given:
        draft.wrong(
            (*at, "prompt"),
            f"The prompt {entry['prompt']} has the slots {sorted(found)} and the step the variables "
            f"{sorted(given)}.",
            "They must be the same.",
        )
    if stray(prompt):
        draft.wrong(
            (*at, "prompt"), f"The prompt {entry['prompt']} holds `{{{{` that begins no slot.",
            "A slot is written `{{ name }}`, with one space on either side.",
        )  # fmt: skip


def _keep(draft: Draft, entry: Json, at: At) -> None:
    name = entry["keep"]
    if "column" in entry:
        _comparison(draft, entry, at)
    elif name in FILTERS:
        for turn in READS.get(name, ()):
            draft.reads(turn, at)
        turns = [draft.may_read(turn) for turn in TURNS]
        if any(turn.judged for turn in turns):
            draft.judged.add(name)
        draft.adds(Keep(name, FILTERS[name]), at)
    else:
        known = ", ".join(f"`{known}`" for known in FILTERS)
        draft.wrong(
            (*at, "keep"), f"There is no filter `{name}`.",
            f"Known: {known}; or compare a `column` by an `operation` with a `value`.",
        )  # fmt: skip


def _comparison(draft: Draft, entry: Json, at: At) -> None:
    name, column, operation = entry["keep"], entry["column"], entry["operation"]
    given = entry["value"]
    values = given if isinstance(given, list) else [given]
    ordered = operation in ("less", "at_most", "more", "at_least")
    kind = entry.get("as", "number" if ordered else "text")
    if kind == "number" and any(not isinstance(value, (int, float)) for value in values):
        draft.wrong((*at, "value"), "What is compared as a number must be a number.")
        return
    if kind == "number" and operation == "contains":
        draft.wrong((*at, "operation"), "A number contains nothing.", "Compare it as text.")
        return
    if draft.reads(column, (*at, "column")).judged:
        draft.judged.add(name)
    test = compared(column, operation, values, kind, entry.get("default"))
    draft.adds(Keep(name, test), at)


def _distinct(draft: Draft, entry: Json, at: At) -> None:
    columns = entry.get("columns", [entry["distinct"]])
    _read(draft, columns, at)
    draft.adds(Distinct(entry["distinct"], tuple(columns)), at)


def _near(draft: Draft, entry: Json, at: At) -> None:
    columns = entry.get("columns", [entry["near"]])
    _read(draft, columns, at)
    draft.adds(Near(f"near_{entry['near']}", tuple(columns), entry.get("threshold", 0.7)), at)


def _majority(draft: Draft, entry: Json, at: At) -> None:
    column = str(entry.get("column", entry["majority"]))
    _read(draft, [column], at)
    draft.writes(column, Column())
    draft.adds(Majority(entry["majority"], column), at)


def _flatten(draft: Draft, entry: Json, at: At) -> None:
    _read(draft, entry["columns"], (*at, "columns"))
    for name in entry["columns"]:
        draft.loses(name)
    for key in ("value", "variable"):
        draft.writes(entry[key], Column())
    change = reshapes.flatten(entry["columns"], entry["value"], entry["variable"])
    draft.adds(Reshape(entry["flatten"], change), at)


def _copy(draft: Draft, entry: Json, at: At) -> None:
    for source, target in entry["columns"].items():
        _read(draft, [source], (*at, "columns"))
        draft.writes(target, Column())
    draft.adds(Reshape(entry["copy"], reshapes.copy(entry["columns"])), at)


def _rename(draft: Draft, entry: Json, at: At) -> None:
    _read(draft, list(entry["columns"]), (*at, "columns"))
    for source in entry["columns"]:
        draft.loses(source)
    for target in entry["columns"].values():
        draft.writes(target, Column())
    draft.adds(Reshape(entry["rename"], reshapes.rename(entry["columns"])), at)


def _combine(draft: Draft, entry: Json, at: At) -> None:
    _read(draft, entry["columns"], (*at, "columns"))
    draft.writes(entry["into"], Column())
    change = reshapes.combine(entry["columns"], entry["into"], entry.get("separator", "\n\n"))
    draft.adds(Reshape(entry["combine"], change), at)


def _drop(draft: Draft, entry: Json, at: At) -> None:
    for name in entry["columns"]:
        draft.loses(name)
    draft.adds(Reshape(entry["drop"], reshapes.drop(entry["columns"])), at)


def _choose(draft: Draft, entry: Json, at: At) -> None:
    by, into, choices = entry["by"], entry["into"], entry["from"]
    _read(draft, [by], (*at, "by"))
    _read(draft, list(choices.values()), (*at, "from"))
    draft.writes(into, Column())
    name = entry["choose"]
    draft.adds(Keep(f"{name}: known", reshapes.known(by, choices)), at)
    draft.adds(Reshape(name, reshapes.choose(by, choices, into)), at)


def _populate(draft: Draft, entry: Json, at: At) -> None:
    by, name = entry["by"], entry["populate"]
    _read(draft, [by], (*at, "by"))
    sets = {key: _set(draft, file, (*at, "from", key)) for key, file in entry["from"].items()}
    if len({frozenset(columns) for columns in sets.values()}) > 1:
        draft.wrong((*at, "from"), "The files do not give the same columns.")
    for column in set().union(*sets.values()):
        draft.writes(column, Column())
    draft.adds(Keep(f"{name}: known", reshapes.known(by, sets)), at)
    draft.adds(Reshape(name, reshapes.populate(by, sets)), at)


def _set(draft: Draft, file: str, at: At) -> dict[str, str]:
    """A file of columns: keys with text."""
    text = draft.text(file, at)
    if text is None:
        return {}
    found = read_yaml(text.encode(), str(draft.folder / file))
    draft.findings.extend(found.findings)
    data = found.source.data if found.source else {}
    if not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
        draft.wrong(at, f"{file} must hold keys with text.")
        return {}
    return dict(data)


def _repeat(draft: Draft, entry: Json, at: At) -> None:
    draft.adds(Reshape(entry["repeat"], reshapes.repeat(entry["times"])), at)


STEPS: dict[str, Callable[[Draft, Json, At], None]] = {
    "ask": _ask,
    "keep": _keep,
    "distinct": _distinct,
    "near": _near,
    "majority": _majority,
    "flatten": _flatten,
    "copy": _copy,
    "rename": _rename,
    "combine": _combine,
    "drop": _drop,
    "choose": _choose,
    "populate": _populate,
    "repeat": _repeat,
}
