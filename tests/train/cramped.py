"""A training that has one GB more of address space than it takes once everything is imported.

    python -m tests.train.cramped FOLDER

In: an order. Out: the sentence with which it ends.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pipelines.train.adapter  # noqa: F401
from pipelines.errors import TrainError
from pipelines.train.order import main

if __name__ == "__main__":
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), -1))
    try:
        main(Path(sys.argv[1]))
    except TrainError as error:
        print(error)
