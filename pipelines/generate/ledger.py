"""What a run writes down as it goes: how many rows entered and left each step, and every reject.

The invariant: in = parsed + unparsed + failed, out = kept + filtered + duplicate, and the next step's
``in`` is this one's ``kept``. Nothing disappears silently.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.artifacts import canonical_json
from pipelines.generate.steps import Flow
from pipelines.records import Json, Ledger, LedgerStep, Reject, Sample, as_json

ROW = "row"  # the last step of every flow: what came through it becomes a row, unless it is vetoed
_COUNTS = ("into", "parsed", "unparsed", "failed", "out", "kept", "filtered", "duplicate")


@dataclass(slots=True)
class Book:
    """Counts by (flow, step), and rejects, in whatever order rows arrive."""

    counts: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    def open(self, flow: Flow) -> None:
        """A line for each step, so that one no row reached is told too."""
        for step in flow.steps:
            self._line(flow, step.name)

    def _line(self, flow: Flow, step: str) -> dict[str, int]:
        line = self.counts.get((flow.name, step))
        if line is None:
            line = self.counts[flow.name, step] = dict.fromkeys(_COUNTS, 0)
        return line

    def add(self, flow: Flow, step: str, **counts: int) -> None:
        line = self._line(flow, step)
        for name, count in counts.items():
            line[name] += count

    def passed(self, flow: Flow, step: str, into: int, kept: int) -> None:
        """Rows that went through a step which neither asks nor drops."""
        line = self._line(flow, step)  # each row comes by here for each filter: no detour
        line["into"] += into
        line["parsed"] += into
        line["out"] += kept
        line["kept"] += kept

    def dropped(self, flow: Flow, step: str, kind: str, reject: Reject) -> None:
        """One row that a step left out: ``kind`` is filtered or duplicate."""
        self.add(flow, step, into=1, parsed=1, out=1, **{kind: 1})
        self.rejects.append(reject)

    def settle(self, content_hash: str, folder: Path) -> None:
        """Write down what one leaf's steps left out, sorted, and forget it: a run may have millions."""
        lines = sorted(canonical_json(r) for r in self.rejects if r.content_hash == content_hash)
        self.rejects = [r for r in self.rejects if r.content_hash != content_hash]
        if lines:
            folder.mkdir(exist_ok=True)
            (folder / content_hash).write_bytes(b"".join(line + b"\n" for line in lines))

    def no_row(self, flow: Flow, sample: Sample, kind: str, reason: str) -> None:
        """What came through the flow and is no row nevertheless."""
        text = canonical_json(sample.messages).decode()
        reject = Reject(sample.content_hash, flow.name, ROW, reason, text, sample.calls)
        self.dropped(flow, ROW, kind, reject)

    def ledger(self, made: int, reused: int) -> Ledger:
        """All of it, checked."""
        # By flow, and in each as its steps follow one another: leaves arrive in any order.
        lines = sorted(self.counts.items(), key=lambda line: (line[0][0], line[0][1] == ROW))
        steps = tuple(LedgerStep(flow, step, **counts) for (flow, step), counts in lines)
        ledger = Ledger(steps, made, reused)
        check_ledger(ledger)
        return ledger


def gather(folder: Path, file: Path) -> None:
    """Make one ``file`` of what was settled in ``folder``, leaf by leaf in the order of their hashes."""
    with file.open("wb") as stream:
        for part in sorted(folder.iterdir()) if folder.is_dir() else ():
            with part.open("rb") as lines:
                shutil.copyfileobj(lines, stream)
    shutil.rmtree(folder, ignore_errors=True)


def check_ledger(ledger: Ledger) -> None:
    """Hold the ledger to its invariant; a breach is a bug of ours and stops the run."""
    before: dict[str, int] = {}
    for step in ledger.steps:
        whole = step.into == step.parsed + step.unparsed + step.failed
        whole = whole and step.out == step.kept + step.filtered + step.duplicate
        if not whole or before.get(step.flow, step.into) != step.into:
            raise AssertionError(f"the ledger does not balance at {as_json(step)}")
        before[step.flow] = step.kept


def ledger_json(ledger: Ledger) -> Json:
    """What ``ledger.json`` holds."""
    steps = []
    for step in ledger.steps:
        row = as_json(step)
        row["in"] = row.pop("into")
        steps.append(row)
    return {"steps": steps, "calls": {"made": ledger.made, "reused": ledger.reused}}
