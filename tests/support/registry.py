"""A stand-in of an OCI registry: the distribution specification over HTTP, with its state on disk.

    with registry(DIR) as stand_in: … oci:{stand_in.host}/me/model
    python -m tests.support.registry DIR        # for developers: says its address, serves until Ctrl-C

Blobs come at once (POST, or POST and PUT) or in pieces (POST, PATCH and PUT), or are mounted from another
repository; manifests are named by tag or digest; what is wrong is answered with the specification's
codes. Bodies go to the disk as they come, whatever their size. ``asked`` lists the requests and ``received``
counts the bytes of blobs. What is not here: logins, referrers, and a sweep of what nothing names. Debian's
registry answers the same (tests/release/test_registry.py).
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from tests.support.registry_store import MANIFEST_BYTES, TYPES, Refused, Store
from tests.support.serving import Quiet, served


@dataclass
class Registry:
    """A running stand-in."""

    store: Store
    host: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    received: int = 0
    lock: Any = field(default_factory=threading.RLock)


@dataclass(frozen=True)
class Answer:
    """``file`` is sent from ``start`` on, so many bytes as ``length`` says."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: Path | None = None
    start: int = 0
    length: int = 0


@dataclass(frozen=True)
class Request:
    method: str
    query: dict[str, str]
    headers: Any
    body: Iterator[bytes]


# --- what is asked, an endpoint a function ---


def _version(registry: Registry, ask: Request) -> Answer:
    return Answer(headers={"Content-Type": "application/json"}, body=b"{}")


def _begin(registry: Registry, ask: Request, name: str) -> Answer:
    mounted, source = ask.query.get("mount"), ask.query.get("from", "")
    if mounted and registry.store.mount(name, mounted, source):
        return _created(name, "blobs", mounted)
    number = registry.store.begin()
    if "digest" in ask.query:
        return _finish(registry, ask, name, number)
    return _under_way(name, number, 0, 202)


def _progress(registry: Registry, ask: Request, name: str, number: str) -> Answer:
    place = registry.store.upload(number)
    if ask.method == "DELETE":
        place.unlink()
        return Answer(204)
    return _under_way(name, number, place.stat().st_size, 204)


def _piece(registry: Registry, ask: Request, name: str, number: str) -> Answer:
    held = registry.store.upload(number).stat().st_size
    told = ask.headers.get("Content-Range")
    if told is not None:
        found = re.fullmatch(r"(\d+)-(\d+)", told)
        if not found or int(found[1]) != held:
            raise Refused(416, "BLOB_UPLOAD_INVALID", f"the upload goes on at {held}")
    held = registry.store.append(number, _counted(registry, ask))
    return _under_way(name, number, held, 202)


def _finish(registry: Registry, ask: Request, name: str, number: str) -> Answer:
    digest = ask.query.get("digest", "")
    registry.store.append(number, _counted(registry, ask))
    registry.store.complete(name, number, digest)
    return _created(name, "blobs", digest)


def _blob(registry: Registry, ask: Request, name: str, digest: str) -> Answer:
    if ask.method == "DELETE":
        registry.store.delete_blob(name, digest)
        return Answer(202)
    file = registry.store.blob(name, digest)
    size = file.stat().st_size
    said = {
        "Content-Type": "application/octet-stream",
        "Docker-Content-Digest": digest,
        "Accept-Ranges": "bytes",
    }
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", ask.headers.get("Range", ""))
    if not wanted:
        return Answer(200, said, file=file, length=size)
    start, end = int(wanted[1]), min(int(wanted[2] or size), size - 1)
    if start >= size:
        raise Refused(416, "SIZE_INVALID")
    said["Content-Range"] = f"bytes {start}-{end}/{size}"
    return Answer(206, said, file=file, start=start, length=end - start + 1)


def _manifest(registry: Registry, ask: Request, name: str, reference: str) -> Answer:
    store = registry.store
    if ask.method == "PUT":
        data = b""
        for piece in ask.body:
            data = (data + piece)[: MANIFEST_BYTES + 1]
        kind = ask.headers.get("Content-Type", "")
        with registry.lock:
            digest = store.put_manifest(name, reference, kind, data)
        return _created(name, "manifests", digest)
    if ask.method == "DELETE":
        with registry.lock:
            store.delete_manifest(name, reference)
        return Answer(202)
    kept = store.manifest(name, reference)
    if kept.kind not in ask.headers.get("Accept", ", ".join(TYPES)):
        raise Refused(
            404, "MANIFEST_UNKNOWN", f"{reference} is a {kept.kind}, which is not accepted"
        )
    said = {"Content-Type": kept.kind, "Docker-Content-Digest": kept.digest}
    return Answer(200, said, kept.data)


def _tags(registry: Registry, ask: Request, name: str) -> Answer:
    found = [tag for tag in registry.store.tags(name) if tag > ask.query.get("last", "")]
    count = int(ask.query.get("n", len(found)))
    said = {"Content-Type": "application/json"}
    if 0 < count < len(found):
        last = quote(found[count - 1])
        said["Link"] = f'</v2/{name}/tags/list?n={count}&last={last}>; rel="next"'
    return Answer(200, said, json.dumps({"name": name, "tags": found[:count]}).encode())


def _created(name: str, kind: str, digest: str) -> Answer:
    said = {"Location": f"/v2/{name}/{kind}/{digest}", "Docker-Content-Digest": digest}
    return Answer(201, said)


def _under_way(name: str, number: str, held: int, status: int) -> Answer:
    said = {
        "Location": f"/v2/{name}/blobs/uploads/{number}",
        "Range": f"0-{max(held - 1, 0)}",
        "Docker-Upload-UUID": number,
    }
    return Answer(status, said)


def _counted(registry: Registry, ask: Request) -> Iterator[bytes]:
    for piece in ask.body:
        with registry.lock:
            registry.received += len(piece)
        yield piece


PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
NAME = rf"/v2/(?P<name>{PART}(?:/{PART})*)"
UPLOAD = NAME + r"/blobs/uploads/(?P<number>[0-9a-f-]{36})"
REFERENCE = r"(?P<reference>[\w][\w.-]{0,127}|\w+:\w+)"
ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("GET HEAD", r"/v2/?", _version),
    ("POST", NAME + r"/blobs/uploads/?", _begin),
    ("GET DELETE", UPLOAD, _progress),
    ("PATCH", UPLOAD, _piece),
    ("PUT", UPLOAD, _finish),
    ("GET HEAD DELETE", NAME + r"/blobs/(?P<digest>[^/]+)", _blob),
    ("GET HEAD PUT DELETE", NAME + r"/manifests/" + REFERENCE, _manifest),
    ("GET", NAME + r"/tags/list", _tags),
)


def answer(registry: Registry, path: str, ask: Request) -> Answer:
    try:
        for methods, pattern, responder in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and ask.method in methods.split():
                return responder(registry, ask, **found.groupdict())
        raise Refused(404, "UNSUPPORTED", f"{ask.method} {path}")
    except Refused as refused:
        errors = [{"code": refused.code, "message": refused.message}]
        said = {"Content-Type": "application/json"}
        return Answer(refused.status, said, json.dumps({"errors": errors}).encode())


def _handler(registry: Registry) -> type[Quiet]:
    class Handler(Quiet):
        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            with registry.lock:
                registry.asked.append((self.command, self.path))
            body = self.body()
            words = {key: values[-1] for key, values in parse_qs(query).items()}
            found = answer(
                registry, unquote(path), Request(self.command, words, self.headers, body)
            )
            for _ in body:  # what a refusal left unread
                pass
            self._send(found)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def _send(self, found: Answer) -> None:
            length = found.length if found.file else len(found.body)
            self.begin(found.status, found.headers, length)
            if self.command != "HEAD" and found.file is None:
                self.wfile.write(found.body)
            elif self.command != "HEAD" and found.file is not None:
                with found.file.open("rb") as stream:
                    stream.seek(found.start)
                    if found.status == 206:
                        self.wfile.write(stream.read(found.length))
                    else:
                        shutil.copyfileobj(stream, self.wfile, 1 << 20)
            self.wfile.flush()

    return Handler


@contextlib.contextmanager
def registry(folder: Path, port: int = 0) -> Iterator[Registry]:
    """Serve what lies in ``folder`` on 127.0.0.1."""
    found = Registry(Store(folder))
    with served(_handler(found), port) as host:
        found.host = host
        yield found


def main(folder: Path) -> None:
    with registry(folder) as stand_in, contextlib.suppress(KeyboardInterrupt):
        print(f"--target oci:{stand_in.host}/OWNER/NAME", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
