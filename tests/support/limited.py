"""``graft`` of which no file may grow beyond N bytes, which to a writer is much like a full disk.

python -m tests.support.limited N WORD…
"""

from __future__ import annotations

import resource
import sys

from pipelines.cli import main

if __name__ == "__main__":
    size = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    sys.exit(main(sys.argv[2:]))
