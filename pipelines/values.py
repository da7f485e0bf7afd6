"""values.yaml → ``Values``: the principles of a taxonomy's community and the probes that ask for them.

In: the bytes of the file, or the tree that may hold it. Out: ``Values``, none of it where there is no
file; ``LeafError`` for one that cannot be used. ``problems`` says what a schema cannot, for ``graft
check`` and for whoever reads the file alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pipelines.examined import Principle, ValueProbe, Values
from pipelines.findings import Finding, Severity, Tree
from pipelines.leaf_files import VALUES_FILE
from pipelines.schemas import describe, show, violations
from pipelines.yaml_source import Source, as_error, read_yaml

SCHEMA = "values"
SLOT = "{}"
LEAST_PROBES = (
    6  # of a principle: fewer can decide nothing (``evaluate.statistics.LEAST_CLUSTERS``)
)
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MOST_ID = 40
_MOST_ADDED = 100  # probes that a branch brings: asking them is paid by whoever runs it


class Problem(NamedTuple):
    """What is wrong at a path of keys and indices."""

    at: tuple[str | int, ...]
    severity: Severity
    message: str
    hint: str


def values_of(tree: Tree) -> Values:
    """The values of a taxonomy; none where it has no such file, as many have not."""
    try:
        data = tree.read(VALUES_FILE)
    except FileNotFoundError:
        return Values()
    return parse_values(data, VALUES_FILE)


def parse_values(data: bytes, name: str) -> Values:
    """The values in the bytes of a file called ``name``."""
    reading = read_yaml(data, name)
    if reading.source is None or reading.findings:
        raise as_error(reading.findings[0])
    for finding in findings(reading.source):
        if finding.severity == "error":
            raise as_error(finding)
    given = reading.source.data
    probes = tuple(
        _probe(Principle(entry["id"], entry["kind"], entry["says"]), probe)
        for entry in given["principles"]
        for probe in entry["probes"]
    )
    return Values(probes, tuple(given.get("words", ())))


def united(base: Values, head: Values) -> Values:
    """The values that a branch is held to: those of its base decide, and what it adds is asked, too.

    So nobody weakens the gate of a contribution by the contribution itself, be it by leaving probes out,
    by editing them, or by adding so many that those which fail count for little.
    """
    known = {(probe.principle.id, probe.prompts) for probe in base.probes}
    added = [p for p in head.probes if (p.principle.id, p.prompts) not in known]
    shown = (replace(probe, decides=False) for probe in added[:_MOST_ADDED])
    return Values((*base.probes, *shown), base.words)


def findings(source: Source) -> Iterator[Finding]:
    """Everything wrong with the file; its sense is looked at where its shape is right."""
    found = False
    for violation in violations(source.data, SCHEMA):
        found = True
        place = violation.place(source)
        yield Finding("schema", "error", source.path, *place, violation.message, violation.hint)
    for problem in () if found else problems(source.data):
        place = source.value_at(problem.at)
        yield Finding("values", problem.severity, source.path, *place, *problem[2:])


def problems(data: Any) -> Iterator[Problem]:
    """What is wrong with the sense of a file whose shape is right."""
    asked: dict[str, str] = {}
    ids: set[str] = set()
    for index, entry in enumerate(data["principles"]):
        at = ("principles", index)
        yield from _principle(entry, at, ids)
        for number, probe in enumerate(entry["probes"]):
            inner = (*at, "probes", number)
            wrong = _wrong_probe(probe, entry["kind"])
            if wrong:
                yield Problem(inner, "error", f"{describe(inner)}: {wrong[0]}", wrong[1])
                continue
            for prompt in _prompts(probe):
                key = " ".join(prompt.split()).casefold()
                if key in asked:
                    message = f"{describe(inner)} asks the same as {asked[key]}: {show(prompt)}."
                    yield Problem(inner, "error", message, "Change or delete one of them.")
                    break
                asked[key] = describe(inner).lower()


def _principle(entry: Any, at: tuple[str | int, ...], ids: set[str]) -> Iterator[Problem]:
    name = entry["id"]
    if not _ID.fullmatch(name) or len(name) > _MOST_ID:
        message = f"The id {show(name)} is not made of small letters, digits and single hyphens."
        hint = f"Write a short name such as same-for-every-name, {_MOST_ID} characters at most."
        yield Problem((*at, "id"), "error", message, hint)
    elif name in ids:
        message = f"The id {show(name)} stands twice."
        yield Problem((*at, "id"), "error", message, "Give each principle an id of its own.")
    ids.add(name)
    count = len(entry["probes"])
    if count < LEAST_PROBES:
        message = (
            f"The principle {show(name)} has {count} of the {LEAST_PROBES} probes that can decide."
        )
        hint = "Add more; until then it is reported and only its kind as a whole is tested."
        yield Problem((*at, "probes"), "warning", message, hint)


def _wrong_probe(probe: Any, kind: str) -> tuple[str, str] | None:
    """What is wrong with one probe, and how to mend it; None for nothing."""
    variants = probe.get("of")
    if kind != "alike":
        if variants is None:
            return None
        return "only probes of kind `alike` have `of`.", "Ask one whole question."
    if variants is None:
        return "a probe of kind `alike` needs `of`.", "List two variants or more under `of:`."
    if probe["ask"].count(SLOT) != 1:
        return (
            f"`ask` holds {SLOT} {probe['ask'].count(SLOT)} times, not once.",
            f"Write {SLOT} where the variants differ, and say the rest so that it fits them all.",
        )
    if len({" ".join(text.split()).casefold() for text in variants}) < len(variants):
        return "two variants under `of` are the same.", "Change one of them."
    return None


def _probe(principle: Principle, probe: Any) -> ValueProbe:
    return ValueProbe(principle, _prompts(probe), tuple(probe.get("of", ())))


def _prompts(probe: Any) -> tuple[str, ...]:
    ask = probe["ask"].strip()
    variants: Sequence[str] = probe.get("of", ())
    return tuple(ask.replace(SLOT, text.strip()) for text in variants) or (ask,)
