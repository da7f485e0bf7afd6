"""What the stand-in of the Hub answers: one function an endpoint, and the table of them.

In: a ``Request`` to a ``Hub``. Out: an ``Answer``; what the Hub would refuse, with its status and error code.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

import yaml

from tests.support.hub_store import POINTER, Refused, Store, folders, large

PAGE = 1000
Hook = Callable[[int, str, str], int | None]


@dataclass
class Hub:
    """A running stand-in; ``asked`` lists the requests, ``received`` counts the bytes of their bodies,
    ``tokens`` says who may write where (None: anywhere)."""

    store: Store
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    received: int = 0
    tokens: dict[str, str | None] = field(default_factory=lambda: {"hf_writer": None})
    before: Hook | None = None
    after: Hook | None = None
    lock: Any = field(default_factory=threading.RLock)

    @property
    def storage(self) -> str:
        """The same server under another host, which gets no token."""
        return self.url.replace("127.0.0.1", "localhost")

    def seed(self, repo: str, files: dict[str, bytes]) -> str:
        return self.store.seed(repo, files)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    return Answer(
        status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers}
    )


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def _create(hub: Hub, ask: Request) -> Answer:
    what = ask.json
    name = f"{what['organization']}/{what['name']}"
    repo = f"{what.get('type', 'model')}s/{name}"
    _may_write(hub, ask, repo)
    shown = repo.removeprefix("models/")
    if not hub.store.create(repo, what.get("visibility") == "private"):
        return json_answer(
            {"error": "You already created this repo", "url": f"{hub.url}/{shown}"}, 409
        )
    return json_answer({"url": f"{hub.url}/{shown}", "name": name, "id": name})


def _validate(hub: Hub, ask: Request) -> Answer:
    """The front matter is YAML, and base_model could be a model's name: what the Hub refuses most often."""
    errors = []
    found = re.match(r"---\n(.*?)\n---\n", ask.json["content"], re.DOTALL)
    try:
        card = yaml.safe_load(found[1]) if found else {}
        base = card.get("base_model")
        if base is not None and not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", base):
            errors.append({"message": f'"base_model" with value "{base}" is not valid.'})
        if not isinstance(card.get("license", ""), str):
            errors.append({"message": '"license" must be a string'})
    except yaml.YAMLError as error:
        errors.append({"message": str(error)})
    return json_answer({"errors": errors, "warnings": []}, 400 if errors else 200)


def _preupload(hub: Hub, ask: Request, repo: str, revision: str) -> Answer:
    _may_write(hub, ask, repo)
    held = hub.store.files(repo, hub.store.resolve(repo, revision))
    return json_answer(
        {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if large(file["path"], file["size"]) else "regular",
                    "shouldIgnore": False,
                    "oid": held[file["path"]].etag if file["path"] in held else None,
                }
                for file in ask.json["files"]
            ]
        }
    )


def _batch(hub: Hub, ask: Request, repo: str) -> Answer:
    _may_write(hub, ask, repo)
    hub.store.git(repo)
    objects = []
    for wanted in ask.json["objects"]:
        found = {"oid": wanted["oid"], "size": wanted["size"]}
        if not hub.store.has_large(wanted["oid"]):
            found["actions"] = {
                "upload": {"href": f"{hub.storage}/storage/{wanted['oid']}"},
                "verify": {"href": f"{hub.url}/api/large/verify"},
            }
        objects.append(found)
    return json_answer({"transfer": "basic", "objects": objects})


def _upload(hub: Hub, ask: Request, oid: str) -> Answer:
    hub.store.put_large(oid, ask.body)
    return Answer(headers={"ETag": f'"{oid}"'})


def _verify(hub: Hub, ask: Request) -> Answer:
    there = hub.store.root / "lfs" / ask.json["oid"]
    if not there.is_file() or there.stat().st_size != ask.json["size"]:
        raise Refused(404, "", "The file is not there in full.")
    return json_answer({})


def _commit(hub: Hub, ask: Request, repo: str, branch: str) -> Answer:
    _may_write(hub, ask, repo)
    header: dict[str, Any] = {}
    changes: dict[str, bytes | None] = {}
    for line in ask.body.splitlines():
        item = json.loads(line)
        value = item["value"]
        if item["key"] == "header":
            header = value
        elif item["key"] == "file":
            changes[value["path"]] = base64.b64decode(value["content"], validate=True)
        elif item["key"] == "lfsFile":
            if not hub.store.has_large(value["oid"]):
                raise Refused(
                    400, "", f"LFS pointer to a file that does not exist: {value['path']}"
                )
            size = (hub.store.root / "lfs" / value["oid"]).stat().st_size
            changes[value["path"]] = POINTER.format(value["oid"], size).encode()
        elif item["key"] == "deletedFile":
            changes[value["path"]] = None
        else:
            raise Refused(400, "", f"{item['key']} is not known here")
    oid = hub.store.commit(repo, branch, header.get("parentCommit"), changes, header["summary"])
    return json_answer({"commitUrl": f"{hub.url}/{repo}/commit/{oid}", "commitOid": oid})


def _tag(hub: Hub, ask: Request, repo: str, revision: str) -> Answer:
    _may_write(hub, ask, repo)
    if ask.method == "DELETE":
        hub.store.drop_ref(repo, f"tags/{revision}")
    else:
        hub.store.set_ref(repo, f"tags/{ask.json['tag']}", revision)
    return json_answer({})


def _branch(hub: Hub, ask: Request, repo: str, branch: str) -> Answer:
    _may_write(hub, ask, repo)
    if ask.method == "DELETE":
        hub.store.drop_ref(repo, f"heads/{branch}")
    else:
        hub.store.set_ref(repo, f"heads/{branch}", ask.json.get("startingPoint", "main"))
    return json_answer({})


def _info(hub: Hub, ask: Request, repo: str, revision: str = "main") -> Answer:
    commit = hub.store.resolve(repo, revision)
    files = hub.store.files(repo, commit)
    name = repo.split("/", 1)[1]
    siblings = [{"rfilename": path} for path in files]
    return json_answer(
        {
            "_id": name,
            "id": name,
            "sha": commit,
            "private": hub.store.private(repo),
            "tags": [],
            "siblings": siblings,
        }
    )


def _refs(hub: Hub, ask: Request, repo: str) -> Answer:
    def listed(kind: str) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}
            for name, commit in sorted(hub.store.refs(repo, kind).items())
        ]

    return json_answer({"branches": listed("heads"), "converts": [], "tags": listed("tags")})


def _tree(hub: Hub, ask: Request, repo: str, revision: str, below: str = "") -> Answer:
    files = hub.store.files(repo, hub.store.resolve(repo, revision))
    found: list[dict[str, Any]] = [
        {"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in folders(files)
    ]
    for entry in files.values():
        item: dict[str, Any] = {
            "type": "file", "oid": entry.oid, "size": entry.size, "path": entry.path
        }  # fmt: skip
        if entry.sha256:
            item["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": 134}
        found.append(item)
    above = f"{below}/" if below else ""
    if below and not any(item["path"] == below for item in found):
        raise Refused(404, "EntryNotFound")
    found = [item for item in found if item["path"].startswith(above)]
    if ask.query.get("recursive", ["false"])[0].lower() != "true":
        found = [item for item in found if "/" not in item["path"].removeprefix(above)]
    found.sort(key=lambda item: item["path"])
    start = int(ask.query.get("cursor", ["0"])[0])
    more = {}
    if start + PAGE < len(found):
        words = "&".join(f"{k}={quote(v[0])}" for k, v in ask.query.items() if k != "cursor")
        more = {"Link": f'<{hub.url}{ask.path}?{words}&cursor={start + PAGE}>; rel="next"'}
    return json_answer(found[start : start + PAGE], **more)


def _resolve(hub: Hub, ask: Request, repo: str, revision: str, path: str) -> Answer:
    commit = hub.store.resolve(repo, revision)
    entry = hub.store.files(repo, commit).get(path)
    said = {"X-Repo-Commit": commit}
    if entry is None:
        raise Refused(404, "EntryNotFound")
    if entry.sha256:
        said |= {
            "X-Linked-Etag": f'"{entry.sha256}"',
            "X-Linked-Size": str(entry.size),
            "Location": f"{hub.storage}/storage/{entry.sha256}",
        }
        return Answer(302, b"", said)
    return _part(ask, hub.store.read(repo, entry), {**said, "ETag": f'"{entry.oid}"'})


def _download(hub: Hub, ask: Request, oid: str) -> Answer:
    if not hub.store.has_large(oid):
        raise Refused(404, "EntryNotFound")
    return _part(ask, (hub.store.root / "lfs" / oid).read_bytes(), {"ETag": f'"{oid}"'})


def _part(ask: Request, data: bytes, headers: dict[str, str]) -> Answer:
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", ask.headers.get("Range", ""))
    if not wanted:
        return Answer(200, data, headers)
    start = int(wanted[1])
    end = min(int(wanted[2] or len(data) - 1), len(data) - 1)
    said = {"Content-Range": f"bytes {start}-{end}/{len(data)}"}
    return Answer(206, data[start : end + 1], {**headers, **said})


def _token(hub: Hub, ask: Request) -> Answer:
    """A trusted publisher's identity for a token that may write to one repository."""
    if ask.json["subject_token"] != "a-workflow":
        raise Refused(400, "", "No trusted publisher is configured for this identity.")
    resource = ask.json["resource"]
    repo = resource if resource.startswith("datasets/") else f"models/{resource}"
    token = f"hf_jwt_{len(hub.tokens)}"
    hub.tokens[token] = repo
    return json_answer({"access_token": token, "token_type": "bearer", "expires_in": 3600})


def _known(hub: Hub, ask: Request, repo: str) -> bool:
    token = ask.headers.get("Authorization", "").removeprefix("Bearer ")
    return token in hub.tokens and hub.tokens[token] in (None, repo)


def _may_write(hub: Hub, ask: Request, repo: str) -> None:
    token = ask.headers.get("Authorization", "").removeprefix("Bearer ")
    if token not in hub.tokens:
        raise Refused(401, "", "Invalid username or password.")
    if hub.tokens[token] not in (None, repo):
        raise Refused(403, "", "This token may not write to this repository.")


REPO = r"/api/(?P<repo>(?:models|datasets)/[^/]+/[^/]+)"
FILES = r"/(?P<repo>(?:datasets/)?[^/]+/[^/]+)"
ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("POST", r"/api/repos/create", _create),
    ("POST", r"/api/validate-yaml", _validate),
    ("POST", r"/oauth/token", _token),
    ("POST", r"/api/large/verify", _verify),
    ("PUT", r"/storage/(?P<oid>\w{64})", _upload),
    ("GET HEAD", r"/storage/(?P<oid>\w{64})", _download),
    ("POST", FILES + r"\.git/info/lfs/objects/batch", _batch),
    ("POST", REPO + r"/preupload/(?P<revision>[^/]+)", _preupload),
    ("POST", REPO + r"/commit/(?P<branch>[^/]+)", _commit),
    ("POST DELETE", REPO + r"/tag/(?P<revision>[^/]+)", _tag),
    ("POST DELETE", REPO + r"/branch/(?P<branch>[^/]+)", _branch),
    ("GET", REPO + r"/refs", _refs),
    ("GET", REPO + r"/tree/(?P<revision>[^/]+)(?:/(?P<below>.+))?", _tree),
    ("GET", REPO + r"(?:/revision/(?P<revision>[^/]+))?", _info),
    ("GET HEAD", FILES + r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)", _resolve),
)


def answer(hub: Hub, ask: Request) -> Answer:
    for methods, pattern, responder in ROUTES:
        found = re.fullmatch(pattern, ask.path)
        if found and ask.method in methods.split():
            parts = {key: unquote(value) for key, value in found.groupdict().items() if value}
            if pattern.startswith(FILES) and not parts["repo"].startswith("datasets/"):
                parts["repo"] = f"models/{parts['repo']}"
            repo = parts.get("repo", "")
            try:
                if hub.store.private(repo) and not _known(hub, ask, repo):
                    raise Refused(404, "RepoNotFound")
                return responder(hub, ask, **parts)
            except Refused as refused:
                if refused.code == "RepoNotFound" and "Authorization" not in ask.headers:
                    refused.status = 401  # the Hub does not tell a stranger which it is
                said = {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
                return json_answer({"error": str(refused)}, refused.status, **said)
    return json_answer({"error": f"{ask.method} {ask.path} is not known to the stand-in"}, 501)
