"""``Results`` → the parts of the one comment on a pull request, as Markdown; all text in them is hostile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipelines.github.results import Results
from pipelines.report.escape import markdown_code, markdown_inline

ROWS = 20
_SENTENCES = {
    "PASS": "the changed leaves are answered better, and the earlier ones no worse",
    "INCONCLUSIVE": "too little was asked to tell",
    "REGRESSION": "something is answered worse",
}


def as_markdown(results: Results) -> dict[str, str]:
    """The parts that there is something for, by name, in the order of the comment."""
    parts = {name: "\n\n".join(render(results)) for name, render in PARTS.items()}
    if results.refused:
        lines = [f"- {markdown_inline(one)}" for one in results.refused]
        told = ["**Left out: the run's files are not as they must be**", "\n".join(lines)]
        parts["check"] = "\n\n".join([*([parts["check"]] if parts["check"] else []), *told])
    return {name: text for name, text in parts.items() if text}


def _findings(results: Results) -> Iterator[str]:
    data = results.read.get("findings.json")
    if data is None:
        return
    found: list[Any] = data["findings"]
    errors = results.errors or 0
    yield (
        f"{'❌' if errors else '✅'} **Check**: {data['checked']} leaves, {_count(errors, 'error')}, "
        f"{_count(len(found) - errors, 'warning')}."
    )
    if found:
        first = sorted(found, key=lambda one: one["severity"] != "error")
        lines = [
            f"- {one['severity']}: {markdown_code(one['path'], 160)} line {one['line']}: "
            f"{markdown_inline(one['message'], 300)} {markdown_inline(one['hint'], 200)}"
            for one in first[:ROWS]
        ]
        yield "\n".join([*lines, *_more(len(found), "findings")])


def _changes(results: Results) -> Iterator[str]:
    data = results.read.get("changes.json")
    if data is None:
        return
    rows = [
        [
            markdown_code(one["leaf"], 160),
            one["status"],
            f"+{len(one['seeds']['added'])} −{len(one['seeds']['removed'])} "
            f"~{len(one['seeds']['changed'])}",
            one["invalidates"],
        ]
        for one in data["changes"][:ROWS]
    ]
    if not rows:
        yield "**Changes**: no leaf changes its meaning."
        return
    yield "**Changes**"
    yield _table(["Leaf", "", "Seeds", "Redoes"], rows)
    yield from _more(len(data["changes"]), "leaves")


def _precheck(results: Results) -> Iterator[str]:
    data, known = results.read.get("precheck.json"), results.known
    if data is None or known is None:
        return
    yield (
        f"**Known already**: the last release answers {known[0]} of {known[1]} new questions. "
        + ("It may have little to learn here." if known[1] and known[0] / known[1] > 0.7 else "")
    ).rstrip()
    unknown = [one for one in data["questions"] if not one["known"]]
    rows = [
        [
            markdown_inline(one["item"]["question"], 160),
            markdown_inline(one["item"]["reference"], 120),
            markdown_inline(one["answer"], 120) or "(no answer)",
        ]
        for one in unknown[:5]
    ]
    if rows:
        yield _table(["Asked", "Wanted", "It says"], rows)


def _evaluation(results: Results) -> Iterator[str]:
    data = results.read.get("evaluation.json")
    if data is None:
        return
    yield f"**Preview: {data['verdict']}**: {_SENTENCES[data['verdict']]}."
    reasons = [f"- {markdown_inline(reason, 400)}" for reason in data["reasons"][:ROWS]]
    if reasons:
        yield "\n".join(reasons)
    changed = [one for one in data["leaves"] if one["role"] == "changed"]
    regressed = [
        one for one in data["leaves"] if one["role"] == "panel" and one["verdict"] == "regressed"
    ]
    for title, leaves in (("Changed leaves", changed), ("Earlier leaves that lost", regressed)):
        if leaves:
            rows = [_score(one) for one in leaves[:ROWS]]
            yield f"{title} (token F1)"
            yield _table(["Leaf", "Before", "After", "Difference", "Questions"], rows)
            yield from _more(len(leaves), "leaves")
    panel = data["panel"]
    if panel:
        yield (
            f"All earlier leaves together: {panel['previous']['token_f1']:.2f} → "
            f"{panel['candidate']['token_f1']:.2f} over {panel['items']} questions; the margin is "
            f"{data['margin']:.2f}."
        )


def _score(one: Any) -> list[str]:
    low, high = one["interval"]
    return [
        markdown_code(one["leaf"], 160),
        f"{one['previous']['token_f1']:.2f}",
        f"{one['candidate']['token_f1']:.2f}",
        f"{one['difference']:+.2f} ({low:+.2f} to {high:+.2f})",
        str(one["items"]),
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines)


def _more(total: int, what: str) -> list[str]:
    return (
        [f"… and {total - ROWS} more {what}; the run's own page has them."] if total > ROWS else []
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


PARTS: dict[str, Callable[[Results], Iterator[str]]] = {
    "check": _findings,
    "changes": _changes,
    "precheck": _precheck,
    "preview": _evaluation,
}
