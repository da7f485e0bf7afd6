"""``torchrun … -m pipelines.train FOLDER``: carry out an order, as one of several processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from pipelines.errors import EXIT_OK, EXIT_RESUMABLE, EXIT_USAGE, GraftError
from pipelines.train.order import main


def leave(code: int) -> NoReturn:
    """End at once: gloo's threads are known to wait at a Python's end for processes that have gone."""
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if len(sys.argv) != 2:
        print("usage: torchrun … -m pipelines.train FOLDER", file=sys.stderr)
        leave(EXIT_USAGE)
    try:
        main(Path(sys.argv[1]))
    except GraftError as error:
        print(f"graft: {error}", file=sys.stderr)
        leave(error.exit_code)
    except KeyboardInterrupt:
        leave(EXIT_RESUMABLE)
    leave(EXIT_OK)
