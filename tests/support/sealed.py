"""A process as OpenShift would start it: a user that nobody knows, on a root that cannot be written.

In: the folder that is mounted as the container's work folder. Out: words to put before a command. Linux's
own namespaces do it, so no container engine is needed; the program is the one that runs here.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

USER = 1000650000
WORK, TEMPORARY = "/mnt/work", "/mnt/tmp"


def sealed(words: Sequence[str], work: Path, environment: Mapping[str, str]) -> list[str]:
    """``words``, run in ``work``, which is seen at ``WORK``; beside it ``TEMPORARY`` alone is written."""
    assert shutil.which("unshare"), "unshare is missing; on Debian it comes with util-linux."
    given = [f"{name}={value}" for name, value in environment.items()]
    inner = shlex.join(
        ["unshare", "--user", f"--map-user={USER}", "--map-group=0", "env", *given, *words]
    )
    script = "\n".join(
        [
            "set -e",
            "mount --make-rprivate /",
            "mount -t tmpfs tmpfs /mnt",
            f"mkdir {WORK} {TEMPORARY}",
            f"mount --bind {shlex.quote(str(work))} {WORK}",
            "mount --bind /tmp /tmp",
            "mount -o remount,bind,ro /tmp",
            "mount -o remount,bind,ro /",
            f"cd {WORK}",
            f"exec {inner}",
        ]
    )
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", script]
