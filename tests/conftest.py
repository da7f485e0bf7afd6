"""What holds for every test: no deadline, idle threads that leave the cores to others, and a loopback.

A busy machine must fail no property test, and OpenMP threads that spin while they wait make a
training test take a hundred times as long beside another process (the Makefile says the same).
"""

import contextlib
import os
import socket
import struct
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from hypothesis import settings

settings.register_profile("graft", deadline=None, database=None, derandomize=True)
settings.load_profile("graft")


def _loopback_up() -> None:
    """Tests talk to servers on 127.0.0.1; even that is down where ``unshare -rn`` cuts the network off."""
    import fcntl

    read, write, up, form = 0x8913, 0x8914, 1, "16sh14x"  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        _, flags = struct.unpack(form, fcntl.ioctl(any_socket, read, struct.pack(form, b"lo", 0)))
        if not flags & up:
            fcntl.ioctl(any_socket, write, struct.pack(form, b"lo", flags | up))


if sys.platform == "linux":
    with contextlib.suppress(OSError):
        _loopback_up()
