"""What stand-ins that speak HTTP/1.1 have in common.

In: a class of handlers, upon ``Quiet``. Out: ``127.0.0.1:PORT``, served while the block runs.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 20


class Quiet(BaseHTTPRequestHandler):
    """One connection. It says nothing on the terminal, and a client that goes away is no error."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one piece: else the kernels wait for each other
    disable_nagle_algorithm = True

    def body(self) -> Iterator[bytes]:
        """The request's body, piece by piece, however it is sent."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0:
            piece = self.rfile.read(min(PIECE, left))
            if not piece:
                raise ConnectionError("the client sent less than it said")
            left -= len(piece)
            yield piece

    def begin(self, status: int, headers: Mapping[str, str], length: int) -> None:
        """The head of an answer; headers without a value are left out."""
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def reset(self) -> None:
        """Close with RST, as a cable that is pulled."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError, OSError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError, OSError):
            super().finish()

    def log_message(self, format: str, *arguments: object) -> None:
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client's idle connection must not keep a test from ending


@contextlib.contextmanager
def served(handler: type[Quiet], port: int = 0) -> Iterator[str]:
    server = _Server(("127.0.0.1", port), handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
