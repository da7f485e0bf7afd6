"""``make bench-leaves``: what the tools around leaves cost, subject by subject, on this machine.

    python benchmarks/leaves.py [SUBJECT …]

A subject is a module of this folder with a function that yields lines of Markdown, and a line in
``SUBJECTS``. Ratios are taken side by side in one run; figures of several runs do not mix.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SUBJECTS = {
    "check": ("benchmarks.leaves_check", "measure"),
    "start": ("benchmarks.leaves_start", "measure"),
    "near": ("benchmarks.near", "lines"),
    "diff": ("benchmarks.diff", "lines"),
}


def main(words: list[str]) -> int:
    """Measure the subjects that are named, or all."""
    unknown = [word for word in words if word not in SUBJECTS]
    if unknown:
        print(f"There is no subject {unknown[0]}; there are {', '.join(SUBJECTS)}.")
        return 2
    load = os.getloadavg()[0]
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f} at the start."
    )
    for name in words or SUBJECTS:
        print(f"\n## {name}\n")
        module, function = SUBJECTS[name]
        for line in getattr(importlib.import_module(module), function)():
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
