"""A flow file while it is read: which columns there are at this step, and all that is wrong so far.

Both readers, of our own format and of InstructLab's, write into a ``Draft``. It goes on after a mistake,
so that all mistakes are told at once, each with its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.findings import Severity
from pipelines.generate.ledger import ROW
from pipelines.generate.steps import Step
from pipelines.records import Finding
from pipelines.yaml_source import Source

At = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """``judged``: a judge wrote it. ``is_json``: its text is JSON of a value that is no text."""

    judged: bool = False
    is_json: bool = False


@dataclass(slots=True)
class Draft:
    """``columns`` are those at the step that is being read; ``inputs`` the first ones that some step
    reads, ``needs`` those that it cannot do without."""

    source: Source
    folder: Path
    columns: dict[str, Column] = field(default_factory=dict)
    inputs: set[str] = field(default_factory=set)
    needs: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)
    judged: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    _first: set[str] = field(default_factory=set)

    def begin(self, columns: Iterable[str]) -> None:
        """The columns of the first row."""
        self._first = set(columns)
        self.columns = {name: Column() for name in self._first}

    def wrong(self, at: At, message: str, hint: str = "", severity: Severity = "error") -> None:
        line, column = self.source.value_at(at)
        self.findings.append(
            Finding("flow", severity, self.source.path, line, column, message, hint)
        )

    def reads(self, name: str, at: At) -> Column:
        """A step reads this column; told where there is none."""
        if name in self.columns:
            if name in self._first:
                self.needs.add(name)
            return self.columns[name]
        known = ", ".join(sorted(self.columns))
        self.wrong(at, f"There is no column `{name}` at this step.", f"There are: {known}.")
        return Column()

    def may_read(self, name: str) -> Column:
        """A step reads this column where it is there."""
        if name in self._first:
            self.inputs.add(name)
        return self.columns.get(name, Column())

    def writes(self, name: str, column: Column) -> None:
        self._first.discard(name)
        self.columns[name] = column

    def loses(self, name: str) -> None:
        self._first.discard(name)
        self.columns.pop(name, None)

    def adds(self, step: Step, at: At) -> None:
        """One step more; its name tells it from every other in the ledger."""
        if any(step.name == other.name for other in self.steps):
            self.wrong(at, f"Two steps are called `{step.name}`.", "Give each a name of its own.")
        if step.name == ROW:
            self.wrong(at, f"The ledger's last line is called `{ROW}`.", "Call the step otherwise.")
        self.steps.append(step)

    def text(self, name: str, at: At) -> str | None:
        """The text of a file that is named from the flow's folder; told where it cannot be read."""
        path = self.folder / name
        try:
            self.texts[name] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            self.wrong(at, f"The file {path} cannot be read: {reason}.")
            return None
        return self.texts[name]

    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]


def told(findings: Sequence[Finding]) -> str:
    """Findings as lines for a person."""
    lines = []
    for f in findings:
        kind = "warning: " if f.severity == "warning" else ""
        hint = f" {f.hint}" if f.hint else ""
        lines.append(f"{f.path}:{f.line}:{f.column}: {kind}{f.message}{hint}")
    return "\n".join(lines)
