"""A Git server on loopback: ``git http-backend`` behind HTTP or HTTPS, with a login if wanted.

In: the folder whose bare or ordinary repositories it serves. Out: a ``GitServer`` with its address and
the requests that it saw. It speaks Git's real protocol; what goes wrong on the Internet is switched on by
its fields: it hangs, redirects, knows only the oldest protocol, or asks who is there.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(slots=True)
class GitServer:
    """``requests`` are "METHOD path?query" in order; ``redirects`` map a path's beginning to a URL.

    ``protocol`` is 2, 0 for Git's oldest, -1 for plain files.
    """

    root: Path
    port: int = 0
    scheme: str = "http"
    login: str | None = None
    protocol: int = 2
    filters: bool = True
    hangs: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    redirects: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, name: str) -> str:
        return f"{self.scheme}://{self.host}/{name}"

    @property
    def fetches(self) -> int:
        """How often a pack was asked for (protocol 2 also asks for refs in this way)."""
        return sum(line.startswith("POST") for line in self.requests)


@contextmanager
def git_server(root: Path, tls: tuple[Path, Path] | None = None) -> Iterator[GitServer]:
    """Serve the repositories below ``root``; ``tls`` is a certificate and its key."""
    served = GitServer(root)

    class Handler(_Handler):
        site = served

    with _listening(Handler, tls) as port:
        served.port = port
        served.scheme = "https" if tls else "http"
        try:
            yield served
        finally:
            served.released.set()


@contextmanager
def proxy_server() -> Iterator[tuple[str, list[str]]]:
    """A proxy that only tunnels: its address, and the places that it was asked to connect to."""
    asked: list[str] = []

    class Handler(_Tunnel):
        places = asked

    with _listening(Handler, None) as port:
        yield f"http://127.0.0.1:{port}", asked


@contextmanager
def _listening(
    handler: type[BaseHTTPRequestHandler], tls: tuple[Path, Path] | None
) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client went away or did not trust the certificate, as tests want
            self.close_connection = True


class _Handler(_Quiet):
    site: GitServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self._body()
        self.site.requests.append(f"{self.command} {self.path}")
        if self.site.hangs.is_set():
            self.site.released.wait()
            self.close_connection = True
            return
        for start, place in self.site.redirects.items():
            if self.path.startswith(start):
                self._answer(302, {"Location": place + self.path[len(start) :]})
                return
        if self.site.login is not None:
            wanted = "Basic " + base64.b64encode(self.site.login.encode()).decode()
            if self.headers.get("Authorization") != wanted:
                self._answer(401, {"WWW-Authenticate": 'Basic realm="test"'})
                return
        self._backend(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        if self.site.protocol < 0:
            query = ""  # as a server of plain files, which runs no Git
        settings = {
            "uploadpack.allowFilter": str(self.site.filters).lower(),
            "http.receivepack": "false",
        }
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.site.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": str(len(settings)),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        for number, (key, value) in enumerate(settings.items()):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        if self.site.protocol == 2:
            environment["GIT_PROTOCOL"] = self.headers.get("Git-Protocol", "")
        process = subprocess.Popen(
            ["git", "http-backend"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            process.stdin.write(body)
            process.stdin.close()
            headers = {}
            while line := process.stdout.readline().strip().decode():
                key, _, value = line.partition(": ")
                headers[key] = value
            status = int(headers.pop("Status", "200").split()[0])
            self._answer(status, {**headers, "Transfer-Encoding": "chunked"}, length=None)
            try:
                while piece := process.stdout.read1(1 << 16):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")
            finally:
                process.kill()

    def _answer(self, status: int, headers: Mapping[str, str], length: int | None = 0) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()


class _Tunnel(_Quiet):
    places: list[str]

    def do_CONNECT(self) -> None:
        self.places.append(self.path)
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: there, there: self.connection}
            while True:
                for ready in select.select(list(ends), [], [])[0]:
                    piece = ready.recv(1 << 16)
                    if not piece:
                        self.close_connection = True
                        return
                    ends[ready].sendall(piece)


@dataclass(frozen=True, slots=True)
class Certificates:
    """A private authority and a certificate of 127.0.0.1 and localhost that it signed: PEM files."""

    authority: Path
    certificate: Path
    key: Path


def certificates(folder: Path) -> Certificates:
    """Make them in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    signing, served = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    authority = _certificate("A private authority", signing, signing)
    server = _certificate("A Git server", served, signing, x509.SubjectAlternativeName(names))
    found = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    found.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    found.certificate.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        served.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return found


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: ec.EllipticCurvePrivateKey,
    names: x509.SubjectAlternativeName | None = None,
) -> x509.Certificate:
    def called(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called("A private authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
    )
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer, hashes.SHA256())
