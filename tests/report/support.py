"""A report's input, well behaved or hostile throughout."""

from __future__ import annotations

from dataclasses import replace

from pipelines.evaluate.metrics import score
from pipelines.evaluate.values import judge_values
from pipelines.evaluate.verdict import judge
from pipelines.generate.ledger import ledger_json
from pipelines.records import (
    Change,
    ChangeSet,
    ExamItem,
    ItemResult,
    Ledger,
    LedgerStep,
    Message,
    Plan,
    Principle,
    ProbeResult,
    Retired,
    Role,
    SeedDifference,
    ValueProbe,
    ValueResult,
    ValuesFound,
)
from pipelines.report import Drawn, ReleaseScores, ReportInput, taught, why

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> @torvalds #123 GH-7 org/repo#5 a@b.com\n"
    "| cell | ```` ``` ` ~~~ </details></summary></pre></code> [x](https://evil.example/a) "
    "![i](http://evil.example/i.png) www.evil.example mailto:x@y.example <!-- graft:report --> "
    "$x^2$ **bold** __b__ &lt;b&gt; \\` \"quote\" 'q' ::error::x\r\n# heading\n\n- item\n> quote\n"
    "\u202eright to left\u2066\u200b\u061c\x1b[31mred\x00\x07\ufeff\ud800\U000e0041 "
    "javascript:alert(1) <https://evil.example> {{ x }} \u0085 \u2028 1. one\n==="
)


def item_result(
    leaf: str, role: Role, number: int, arms: tuple[str, str, str], ask: str
) -> ItemResult:
    wanted = "lime mortar from Plymouth"
    item = ExamItem(f"{leaf}{number}", leaf, role, f"c{number // 3}", ask, ask, wanted)
    scores = [score(answer, wanted) for answer in arms]
    return ItemResult(item, *arms, *scores)


def probe(bad: str, gone: bool) -> ProbeResult:
    """A question with a corrected answer, its old one gone or not."""
    old, new = f"whale oil{bad}", f"tallow candles{bad}"
    said = new if gone else old
    leaf, question = f"knowledge/old/lamp{bad}", f"What burnt in lamp {gone}?{bad}"
    return ProbeResult(leaf, question, old, new, old, said, True, gone)


def values(bad: str) -> ValuesFound:
    """Eight pairs of which half are treated alike no longer, and one probe that a branch brings."""
    principle = Principle("every-town", "alike", f"Every town is welcome.{bad}")
    found = []
    for number in range(9):
        towns = (f"Quillon{number}{bad}", f"Marbeck{number}{bad}")
        asked = tuple(f"What do guests from {town} get?" for town in towns)
        probe = ValueProbe(principle, asked, towns, number < 8)
        room, cellar = f"a warm room{bad}", f"the cold cellar{bad}"
        now, later = ((room, cellar), 0.0) if number % 2 else ((room, room), 1.0)
        same = (room, room)
        found.append(ValueResult(probe, same, same, now, 1.0, 1.0, later, bool(number % 4 == 1)))
    return judge_values(found, 0.1)


def drawn_row(number: int, leaf: str, bad: str) -> Drawn:
    source = f"The stones were bound by lime mortar from Plymouth. {bad}"
    return Drawn(
        f"{number:032x}", leaf, f"knowledge: ask{bad}", f"What bound stone {number}?{bad}",
        f"lime mortar from Plymouth{bad}", f"document.md, characters 0 to 50{bad}", source,
    )  # fmt: skip


def past(number: int, panel: int, bad: str) -> ReleaseScores:
    """A release on whose panel leaf 0 falls."""
    scores = {f"knowledge/old/leaf{leaf:03}{bad}": 1.0 for leaf in range(min(panel, 60))}
    scores |= {f"knowledge/old/leaf000{bad}": 1.0 - number / 4}
    return ReleaseScores(f"v2026.01.0{number + 1}{bad}", "PASS", scores)


def build(*, hostile: bool = False, panel: int = 12, items: int = 24, bad: str = "") -> ReportInput:
    """``panel`` old leaves of three items and one new leaf of ``items``, ``bad`` in every text."""
    bad = HOSTILE if hostile else bad
    new = f"knowledge/engineering/lighthouses/eddystone_lighthouse{bad}"
    right, ask = "lime mortar from Plymouth", f"What bound the stones?{bad}"
    results = [
        item_result(new, "changed", n, (bad, f"sand {bad}", right if n % 4 else "lime"), ask)
        for n in range(items)
    ] + [
        item_result(f"knowledge/old/leaf{leaf:03}{bad}", "panel", n, ("", right, right), ask)
        for leaf in range(panel)
        for n in range(3)
    ]
    change = Change(
        new, "knowledge", "added", f"{bad}old" if bad else None, SeedDifference(("a", "b")), "data"
    )
    step = LedgerStep(f"knowledge{bad}", "questions", 10, 8, 1, 1, 30, 20, 6, 4)
    rows = taught([(Message("user", f"What bound the stones?{bad}"), Message("assistant", right))])
    wrong = {one.item.id: why(one, rows) for one in results[:items]}
    return ReportInput(
        evaluation=replace(
            judge(results, 0.05), probes=(probe(bad, True), probe(bad, False)), values=values(bad)
        ),
        items=results,
        changes=ChangeSet("main", "branch", (change,)),
        ledger=ledger_json(Ledger((step,), 12, 3)),
        rejects={f"too short{bad}": 6, "duplicate": 4},
        plan=Plan(
            "continue",
            f"one leaf is new {bad}",
            "r1",
            "r1",
            {new: "h"},
            [new],
            [],
            [],
            (Retired(f"knowledge/gone{bad}", "h", "deleted"),),
            "digest",
        ),
        facts={
            "release": f"r2{bad}",
            "machine": f"two cores {bad}",
            "command to reproduce": f"graft run --base main {bad}",
        },
        demonstration=True,
        composition={
            new: {"new rows": 240, "replayed rows": 0},
            "knowledge/old/leaf000": {"new rows": 0, "replayed rows": 41},
        },
        losses=[3.0 - n / 100 for n in range(200)],
        why={item: reason for item, reason in wrong.items() if reason},
        drawn=[drawn_row(n, new, bad) for n in range(4)],
        history=[past(n, panel, bad) for n in range(3)],
    )


def large(leaves: int, items: int, more: str = "") -> ReportInput:
    """An exam of many leaves, with answers as long as they are; ``more`` makes them longer."""
    report = build(panel=1, items=1)
    right = "lime mortar from Plymouth"
    results = [
        item_result(
            f"knowledge/engineering/lighthouses/leaf_{leaf:03}",
            "changed" if leaf < 5 else "panel",
            n,
            (f"sand{more}", right if n % 3 else "lime", right if n % 10 else f"chalk {more}"),
            f"What bound the stones of lighthouse {leaf}, in year {1700 + n}?{more}",
        )
        for leaf in range(leaves)
        for n in range(items)
    ]
    return replace(report, items=results, evaluation=judge(results, 0.05), why={})
