"""``torchrun … -m pipelines.train FOLDER``: carry out an order, as one of several processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipelines.errors import EXIT_RESUMABLE, EXIT_USAGE, GraftError
from pipelines.train.order import main

if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if len(sys.argv) != 2:
        print("usage: torchrun … -m pipelines.train FOLDER", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    try:
        main(Path(sys.argv[1]))
    except GraftError as error:
        print(f"graft: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_RESUMABLE)
