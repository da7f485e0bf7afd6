"""The stand-in of an OCI registry answers as Debian's does; what it keeps, another process finds."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pipelines.artifacts import sha256
from pipelines.records import FileDigest, Json
from pipelines.release.targets.oci_repository import OciRepository, descriptor
from tests.support.debian_registry import debian_registry
from tests.support.registry import registry
from tests.support.registry_store import IMAGE, INDEX, MANIFEST_BYTES

ROOT = Path(__file__).parents[2]
DATA = b"weights" * 1000
ABSENT = "sha256:" + "0" * 64


def digest(data: bytes) -> str:
    return f"sha256:{sha256(data)}"


def told(data: bytes) -> Json:
    return descriptor("application/octet-stream", FileDigest(sha256(data), len(data)))


def image(*layers: dict[str, Any]) -> bytes:
    found = {
        "schemaVersion": 2, "mediaType": IMAGE, "config": told(b"{}"), "layers": list(layers)
    }  # fmt: skip
    return json.dumps(found).encode()


@contextlib.contextmanager
def _stand_in(folder: Path) -> Iterator[str]:
    with registry(folder) as found:
        yield found.host


@pytest.fixture(params=[_stand_in, pytest.param(debian_registry, marks=pytest.mark.slow)])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Ask the repository me/model, or what an answer's Location names; every status is told."""
    with request.param(tmp_path / "registry") as host, requests.Session() as session:

        def asked(method: str, what: str, **options: Any) -> requests.Response:
            if what.startswith("/"):
                what = f"http://{host}{what}"
            url = what if what.startswith("http") else f"http://{host}/v2/me/model/{what}"
            return session.request(method, url, timeout=30, **options)

        yield asked


def refused(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def begun(ask: Any) -> str:
    answer = ask("POST", "blobs/uploads/")
    assert answer.status_code == 202
    return str(answer.headers["Location"])


def finish(ask: Any, place: str, name: str, data: bytes = b"") -> requests.Response:
    found: requests.Response = ask(
        "PUT", place, params={"digest": name}, data=data,
        headers={"Content-Type": "application/octet-stream"},
    )  # fmt: skip
    return found


def test_a_blob_at_once(ask: Any) -> None:
    assert ask("GET", "/v2/").status_code == 200
    assert ask("HEAD", f"blobs/{digest(DATA)}").status_code == 404
    assert refused(ask("GET", f"blobs/{digest(DATA)}")) == (404, "BLOB_UNKNOWN")
    assert refused(finish(ask, begun(ask), digest(b"other"), DATA)) == (400, "DIGEST_INVALID")
    assert refused(finish(ask, begun(ask), "sha256:short", DATA)) == (400, "DIGEST_INVALID")
    answer = finish(ask, begun(ask), digest(DATA), DATA)
    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == digest(DATA)
    assert ask("GET", answer.headers["Location"]).content == DATA
    head = ask("HEAD", f"blobs/{digest(DATA)}")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(DATA)))
    part = ask("GET", f"blobs/{digest(DATA)}", headers={"Range": "bytes=7-20"})
    assert (part.status_code, part.content) == (206, DATA[7:21])
    assert ask("DELETE", f"blobs/{digest(DATA)}").status_code == 202
    assert refused(ask("DELETE", f"blobs/{digest(DATA)}")) == (404, "BLOB_UNKNOWN")
    assert ask("HEAD", f"blobs/{digest(DATA)}").status_code == 404


def test_a_blob_in_pieces(ask: Any) -> None:
    place = begun(ask)
    for start in range(0, len(DATA), 3000):
        piece = DATA[start : start + 3000]
        said = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{start}-{start + len(piece) - 1}",
        }
        answer = ask("PATCH", place, data=piece, headers=said)
        assert answer.status_code == 202
        assert answer.headers["Range"] == f"0-{start + len(piece) - 1}"
        place = answer.headers["Location"]
    assert ask("GET", place).headers["Range"] == f"0-{len(DATA) - 1}"
    assert finish(ask, place, digest(DATA)).status_code == 201
    assert ask("GET", f"blobs/{digest(DATA)}").content == DATA
    assert refused(finish(ask, place, digest(DATA))) == (404, "BLOB_UPLOAD_UNKNOWN")
    gone = begun(ask)
    assert ask("DELETE", gone).status_code == 204
    assert ask("PATCH", gone, data=b"x").status_code == 404


def test_a_blob_of_another_repository(ask: Any) -> None:
    finish(ask, begun(ask), digest(DATA), DATA)
    other = "/v2/me/other/blobs"
    assert ask("HEAD", f"{other}/{digest(DATA)}").status_code == 404
    mounted = {"mount": digest(DATA), "from": "me/model"}
    assert ask("POST", f"{other}/uploads/", params=mounted).status_code == 201
    assert ask("GET", f"{other}/{digest(DATA)}").content == DATA
    mounted = {"mount": ABSENT, "from": "me/model"}
    assert ask("POST", f"{other}/uploads/", params=mounted).status_code == 202


def test_a_manifest_names_only_what_is_there(ask: Any) -> None:
    def put(reference: str, data: bytes, kind: str = IMAGE) -> requests.Response:
        found: requests.Response = ask(
            "PUT", f"manifests/{reference}", data=data, headers={"Content-Type": kind}
        )
        return found

    accept = {"headers": {"Accept": IMAGE}}
    assert refused(ask("GET", "tags/list")) == (404, "NAME_UNKNOWN")
    assert refused(ask("GET", "manifests/v1", **accept)) == (404, "MANIFEST_UNKNOWN")
    finish(ask, begun(ask), digest(b"{}"), b"{}")
    data = image(told(DATA))
    assert refused(put("v1", data)) == (400, "MANIFEST_BLOB_UNKNOWN")
    finish(ask, begun(ask), digest(DATA), DATA)
    assert refused(put(ABSENT, data)) == (400, "DIGEST_INVALID")
    assert put("v1", data).status_code == 201
    assert put("latest", data).headers["Docker-Content-Digest"] == digest(data)
    for reference in ("v1", "latest", digest(data)):
        found = ask("GET", f"manifests/{reference}", **accept)
        assert (found.content, found.headers["Content-Type"]) == (data, IMAGE)
        assert found.headers["Docker-Content-Digest"] == digest(data)
    assert ask("HEAD", "manifests/v1", **accept).headers["Content-Length"] == str(len(data))
    assert ask("GET", "manifests/v1", headers={"Accept": INDEX}).status_code == 404
    assert ask("GET", "tags/list").json() == {"name": "me/model", "tags": ["latest", "v1"]}
    put("latest", image())
    assert ask("GET", "manifests/latest", **accept).content == image()
    assert ask("GET", "manifests/v1", **accept).content == data
    assert refused(ask("DELETE", "manifests/v1")) == (400, "DIGEST_INVALID")
    assert ask("DELETE", f"manifests/{digest(data)}").status_code == 202
    assert refused(ask("GET", "manifests/v1", **accept)) == (404, "MANIFEST_UNKNOWN")


def test_what_the_specification_asks_beyond_debians_version(tmp_path: Path) -> None:
    """Debian's takes a piece that is out of order, and answers 500 to what is no manifest."""
    with registry(tmp_path) as stand_in:
        place = begun_at(stand_in.host)
        late = requests.patch(place, data=b"x", headers={"Content-Range": "1-1"}, timeout=30)
        assert refused(late) == (416, "BLOB_UPLOAD_INVALID")
        url = f"http://{stand_in.host}/v2/me/model/manifests/v1"
        for data in (b"{", b"[]", b"{}", image().replace(b": 2", b": 1")):
            answer = requests.put(url, data=data, headers={"Content-Type": IMAGE}, timeout=30)
            assert refused(answer) == (400, "MANIFEST_INVALID")
        large = b" " * (MANIFEST_BYTES + 1)
        answer = requests.put(url, data=large, headers={"Content-Type": IMAGE}, timeout=30)
        assert refused(answer) == (413, "SIZE_INVALID")


def test_many_tags_come_by_pages(tmp_path: Path) -> None:
    """Which Debian's version does not do yet; oras follows them."""
    with registry(tmp_path) as stand_in:
        repository = OciRepository(f"{stand_in.host}/me/model")
        config = descriptor("application/json", repository.put_bytes(b"{}"))
        manifest = {"schemaVersion": 2, "mediaType": IMAGE, "layers": [], "config": config}
        tags = [f"v{number:02}" for number in range(12)]
        for tag in tags:
            repository.put_manifest(tag, manifest)
        first = f"http://{stand_in.host}/v2/me/model/tags/list?n=5"
        answer = requests.get(first, timeout=30)
        assert answer.json()["tags"] == tags[:5]
        rest = requests.get(f"http://{stand_in.host}{answer.links['next']['url']}", timeout=30)
        assert rest.json()["tags"] == tags[5:10]
        assert repository.tags() == tags


def test_developers_start_it_by_hand(tmp_path: Path) -> None:
    with registry(tmp_path) as stand_in:
        finish(requests.request, begun_at(stand_in.host), digest(DATA), DATA)
    command = [sys.executable, "-m", "tests.support.registry", tmp_path]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        host = process.stdout.readline().split("oci:")[1].split("/")[0]
        url = f"http://{host}/v2/me/model/blobs/{digest(DATA)}"
        assert requests.get(url, timeout=30).content == DATA
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def begun_at(host: str) -> str:
    answer = requests.post(f"http://{host}/v2/me/model/blobs/uploads/", timeout=30)
    return f"http://{host}{answer.headers['Location']}"
