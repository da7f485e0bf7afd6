"""``make bench``: what one leaf costs and what it teaches, leaf by leaf, on this machine.

Each leaf is contributed alone to a fresh clone that starts from the same release zero. Printed: the
exam's token F1 before and after with its interval, the panel of old leaves, seconds, peak memory, and
what a second run with nothing changed costs. Every leaf of every example folder is measured; a miss is
shown like a hit.
"""

from __future__ import annotations

import resource
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from journey import Journey, by_author, evaluation  # noqa: E402

FOLDERS = (ROOT / "docs" / "examples" / "taxonomy", ROOT / "benchmarks" / "leaves" / "taxonomy")


def main() -> int:
    """Measure every example leaf and print one Markdown table."""
    rows = []
    for folder in FOLDERS:
        for qna in sorted(folder.rglob("qna.yaml")):
            rows.append(measure(folder, qna.parent))
    print(
        "\n| leaf | items | before | after | difference (95 %) | by people alone | panel | run, s "
        "| again, s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"\nPeak memory of the largest process: {peak:.2f} GB.")
    return 0


def measure(folder: Path, leaf: Path) -> str:
    """One row of the table."""
    journey = Journey(ROOT / "runs" / "demo" / "bench")
    journey.prepare()
    alone = ROOT / "runs" / "demo" / "bench" / "contribution"
    shutil.rmtree(alone, ignore_errors=True)
    shutil.copytree(leaf, alone / leaf.relative_to(folder))
    journey.contribute(alone, leaf.name)
    started = time.monotonic()
    run = journey.run()
    first = time.monotonic() - started
    started = time.monotonic()
    journey.run()
    again = time.monotonic() - started
    found = evaluation(run)
    changed, panel = found["changed"], found["panel"]
    assert isinstance(changed, dict)
    assert isinstance(panel, dict)
    low, high = changed["interval"]
    people = {who: f"{before:.2f} → {after:.2f}" for who, _, before, after in by_author(run)}
    return (
        f"| {leaf.name} | {changed['items']} | {changed['previous']['token_f1']:.2f} | "
        f"{changed['candidate']['token_f1']:.2f} | {changed['difference']:+.2f} "
        f"[{low:+.2f}, {high:+.2f}] | {people.get('people', 'none')} | {panel['difference']:+.3f} "
        f"[{panel['interval'][0]:+.3f}, {panel['interval'][1]:+.3f}] | {first:.0f} | {again:.1f} |"
    )


if __name__ == "__main__":
    sys.exit(main())
