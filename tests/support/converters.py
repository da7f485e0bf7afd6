"""Converters that do what hostile documents might bring one to do; for the sandbox's tests."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import time

from pipelines.documents.convert.sandbox import Refused


def convert(data: bytes, pages: int) -> str:
    """Do what ``data`` names."""
    return {
        b"sleep": _sleep,
        b"memory": _memory,
        b"crash": _crash,
        b"chatter": _chatter,
        b"connect": _connect,
        b"resolve": _resolve,
        b"environment": _environment,
        b"interfaces": _interfaces,
        b"refuse": _refuse,
        b"deep": _deep,
    }[data]()


def _sleep() -> str:
    time.sleep(600)
    return ""


def _memory() -> str:
    return "a" * (4 << 30)


def _crash() -> str:
    ctypes.string_at(0)
    return ""


def _chatter() -> str:
    return "a" * (100 << 20)


def _connect() -> str:
    socket.create_connection(("127.0.0.1", 9), 1)
    return "connected"


def _resolve() -> str:
    return str(socket.getaddrinfo("localhost", 80))


def _environment() -> str:
    return json.dumps(dict(os.environ))


def _interfaces() -> str:
    return " ".join(sorted(name for _, name in socket.if_nameindex()))


def _refuse() -> str:
    raise Refused("it is none that this test likes.")


def _deep() -> str:
    return _deep()
