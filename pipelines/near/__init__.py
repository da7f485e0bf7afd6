"""Near-duplicates across a whole taxonomy: what is compared, and the index that makes it cheap.

``entries`` is what a leaf says, ``texts`` when two texts are twins, ``index`` which leaves hold them, and
``store`` keeps the index on disk, so that a change is compared with the whole tree at the price of the
change. ``check.comparison`` turns twins into findings.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def index_path(cache: Path, root: Path) -> Path:
    """Where the index of the taxonomy in ``root`` lies, below the cache folder."""
    return cache / "near" / f"{hashlib.sha256(identity(root)).hexdigest()[:16]}.sqlite"


def identity(root: Path) -> bytes:
    """What tells one taxonomy of this machine from another."""
    return os.fsencode(root.resolve())
