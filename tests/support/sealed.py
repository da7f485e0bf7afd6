"""A process as OpenShift would start it: a user that nobody knows, on a root that cannot be written; and
one without a network.

In: the folder that is mounted as the container's work folder. Out: words to put before a command. Linux's
own namespaces do it, so no container engine is needed; the program is the one that runs here.

    python tests/support/sealed.py WORD…    runs the words where there is no network but a loopback
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import socket
import struct
import sys
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


def cut_off(words: Sequence[str]) -> list[str]:
    """``words``, run where no network is but a loopback of its own."""
    assert shutil.which("unshare"), "unshare is missing; on Debian it comes with util-linux."
    return ["unshare", "--map-root-user", "--net", sys.executable, __file__, *words]


def loopback_up() -> None:
    """Make 127.0.0.1 answer, which is down too in a network namespace that is new."""
    read, write, up, form = 0x8913, 0x8914, 1, "16sh14x"  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        _, flags = struct.unpack(form, fcntl.ioctl(any_socket, read, struct.pack(form, b"lo", 0)))
        if not flags & up:
            fcntl.ioctl(any_socket, write, struct.pack(form, b"lo", flags | up))


if __name__ == "__main__":
    loopback_up()
    os.execvp(sys.argv[1], sys.argv[1:])
