"""``make demo``: a contributor's journey, from a new leaf to a tagged release, and then one edit.

It plays in a scratch clone under runs/demo/. The first run makes release zero, some minutes; the next
ones start from it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from journey import ROOT, Journey, by_author, evaluation, exam

EXAMPLE = ROOT / "docs" / "examples" / "taxonomy"
LEAF = "knowledge/engineering/lighthouses/eddystone_lighthouse"
EDIT = ("answer: about 17 nautical miles", "answer: some 17 nautical miles")


def main() -> int:
    """Play the journey; 0 where both runs ended in a release."""
    started = time.monotonic()
    journey = Journey(ROOT / "runs" / "demo" / "scratch")
    print("A scratch clone, and release zero: a tiny student that knows the taxonomy as it is.")
    journey.prepare()
    print("\nA contributor writes a leaf on a branch: the four lighthouses of the Eddystone.")
    journey.contribute(EXAMPLE, "eddystone")
    journey.graft("check")
    journey.graft("diff", "main", "HEAD")
    first = journey.run()
    show(first)
    print("\nThen one answer of one shown seed is edited, and the same command runs again.")
    edit(journey)
    journey.graft("diff", "HEAD~1", "HEAD")
    show(journey.run())
    print(f"\nReport:   {first / 'report' / 'report.html'}")
    print(f"Releases: {journey.releases}")
    print(f"All of it took {time.monotonic() - started:.0f} s.")
    return 0


def edit(journey: Journey) -> None:
    """Change one answer in the new leaf, and commit."""
    path = journey.clone / "taxonomy" / LEAF / "qna.yaml"
    text = path.read_text(encoding="utf-8")
    if text.count(EDIT[0]) != 1:
        raise SystemExit(f"{path} no longer holds {EDIT[0]!r} once; mend EDIT in scripts/demo.py.")
    path.write_text(text.replace(*EDIT), encoding="utf-8")
    journey.commit("Say some for about")


def show(run: Path) -> None:
    """The figures of a run, and what was answered before and after."""
    found = evaluation(run)
    print(f"\nVerdict: {found['verdict']}")
    for role, label in (("changed", "new leaf"), ("panel", "old leaves")):
        pooled = found[role]
        if isinstance(pooled, dict):
            low, high = pooled["interval"]
            print(
                f"  {label:10} token F1 {pooled['previous']['token_f1']:.2f} → "
                f"{pooled['candidate']['token_f1']:.2f}, difference {pooled['difference']:+.2f} "
                f"[{low:+.2f}, {high:+.2f}], {pooled['items']} questions in {pooled['leaves']} leaves"
            )
    changed = [row for row in exam(run) if row["item"]["role"] == "changed"]
    for who, count, before, after in by_author(run):
        print(f"  of the new leaf's, {count} written by {who}: {before:.2f} → {after:.2f}")
    better = [
        r for r in changed if r["candidate_scores"]["token_f1"] > r["previous_scores"]["token_f1"]
    ]
    print(
        f"  {len(better)} of {len(changed)} questions on the changed leaf are answered better; some:"
    )
    for row in better[:3]:
        print(f"    {row['item']['question']}")
        print(f"      before: {row['previous']}")
        print(f"      after:  {row['candidate']}   (reference: {row['item']['reference']})")


if __name__ == "__main__":
    sys.exit(main())
