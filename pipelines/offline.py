"""An archive that takes a release to a machine without a network: ``graft export --bundle``.

In: a release on a target, the extras of Graft that shall run it there. Out: one tar, whole or absent, the
same bytes for the same release and environment:

    graft-TAG/install.py        compares all files with SHA256SUMS and installs; needs Python alone
    graft-TAG/README.md         the commands
    graft-TAG/bundle.json       what it holds and for which machines (schema/bundle.json)
    graft-TAG/requirements.txt  the wheels by SHA-256;  wheels/: this environment, and Graft
    graft-TAG/releases/         a folder target with this release; of its ancestors the manifests alone
    graft-TAG/huggingface/      a base of the Hub, as its cache has it
    graft-TAG/SHA256SUMS        every other file
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import shutil
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from pipelines.artifacts import file_digest, pretty_json, sha256, sync_directory, tree_digests
from pipelines.backends.hub import cached_at, fetch_model, model_files
from pipelines.errors import ReleaseError, UsageError
from pipelines.records import Json, Manifest, as_json
from pipelines.release.deploy import install
from pipelines.release.manifest import MANIFEST, plain_path
from pipelines.release.targets import Target
from pipelines.release.targets.checks import refuse
from pipelines.release.targets.folder import beside
from pipelines.release.verify import verify
from pipelines.wheels import collect, packages, requirements, try_out

SUMS = "SHA256SUMS"
PIECE = 1 << 20  # bytes that are read and written at once
SPARE = 1 << 20  # of the disk, for headers and directories

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted; ``index``: one more package index for pip, "" for none."""

    out: Path
    extras: tuple[str, ...]
    index: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One file to be packed, read when its turn comes."""

    sha256: str
    source: Path | Callable[[], bytes]

    @property
    def size(self) -> int:
        """Bytes on the disk; 0 where only reading would tell."""
        return self.source.stat().st_size if isinstance(self.source, Path) else 0


Members = dict[str, Member]


def bundle(target: Target, tag: str, order: Order, say: Say) -> str:
    """Write the archive of the release ``tag``; its SHA-256."""
    out = order.out
    _check_place(out)
    manifest = target.manifest(tag)
    refuse(verify(target, tag), f"The release {tag} cannot be bundled")
    try:
        with beside(out) as scratch:
            wheels = scratch / "wheels"
            collect(order.extras, wheels, order.index, say)
            members = _environment(manifest, target, order.extras, wheels, say)
            members |= _release(target, manifest) | _base(target, manifest)
            _check_space(members, scratch)
            say(f"packing {len(members)} files")
            found = _write(_summed(members), f"graft-{tag}", scratch / out.name)
            os.replace(scratch / out.name, out)
            sync_directory(out.parent)
    except OSError as error:
        raise ReleaseError(
            f"{out} cannot be written: {error.strerror or error}. Free the disk or name another place; "
            "nothing half-written was left."
        ) from error
    return found


def _check_place(out: Path) -> None:
    """Nothing that is there is replaced; what a killed export left beside it is removed."""
    if out.exists():
        raise UsageError(f"{out} is there already; remove it, or name a new file.")
    for stale in out.parent.glob(f".{out.name}.*"):
        shutil.rmtree(stale, ignore_errors=True)


# --- what is packed --------------------------------------------------------------------------


def _environment(
    manifest: Manifest, target: Target, extras: Sequence[str], wheels: Path, say: Say
) -> Members:
    """The wheels, found to be complete, and what installs them."""
    files = {path: file_digest(path).sha256 for path in sorted(wheels.iterdir())}
    listed = requirements(files)
    say("trying the wheels without an index")
    try_out(listed, wheels, say)
    record: Json = {
        "release": manifest.release,
        "manifest_sha256": file_digest(target.directory(manifest.release) / MANIFEST).sha256,
        "base_model": as_json(manifest.base_model),
        "demonstration": manifest.demonstration,
        "extras": list(extras),
        "packages": packages(files),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "system": platform.system(),
        "machine": platform.machine(),
    }
    return {
        "README.md": _text(_readme(record).encode()),
        "bundle.json": _text(pretty_json(record)),
        "install.py": _file(Path(install.__file__)),
        "requirements.txt": _text(listed.encode()),
        **{f"wheels/{path.name}": Member(sha, path) for path, sha in files.items()},
    }


def _release(target: Target, manifest: Manifest) -> Members:
    """A folder target that holds this release: what chat, serve and verify read of it."""
    tag, directory = manifest.release, target.directory(manifest.release)
    earlier = _ancestors(target, manifest)
    members = {f"{tag}/{path}": Member(file.sha256, directory / path)
               for path, file in manifest.files.items()}  # fmt: skip
    members[f"{tag}/{MANIFEST}"] = _file(directory / MANIFEST)
    members["HEAD"] = _text(f"{tag}\n".encode())
    for name in (tag, *earlier):
        members[f"refs/{name}"] = _text(f"{name}\n".encode())
    for name, ancestor in earlier.items():
        members[f"{name}/{MANIFEST}"] = _text(pretty_json(ancestor))
    for entry in manifest.leaves.values():
        for sha in filter(None, (entry.data_hash, entry.asked_hash)):
            members[f"blobs/{sha}"] = Member(sha, lambda sha=sha: target.read_blob(sha))  # type: ignore[misc]
    signature = target.signature(tag)
    if signature is not None:
        members[f"signatures/{tag}"] = _text(signature)
    stones = target.tombstones()
    if stones:
        members["tombstones.json"] = _text(pretty_json(stones))
    return {f"releases/{path}": member for path, member in members.items()}


def _ancestors(target: Target, manifest: Manifest) -> dict[str, Manifest]:
    """Every release before it, whether users had it or its weights were continued."""
    found: dict[str, Manifest] = {}
    pending = [manifest]
    while pending:
        one = pending.pop()
        for tag in filter(None, (one.previous, one.continues)):
            if tag not in found:
                found[tag] = target.manifest(tag)
                pending.append(found[tag])
    return found


def _base(target: Target, manifest: Manifest) -> Members:
    """The base's files, where Graft will look for them."""
    model = manifest.base_model
    if model.on_hub:
        files = model_files(fetch_model(model.id, model.revision))
        place = f"huggingface/hub/{cached_at(model.id, model.revision)}"
        return {f"{place}/{path}": _file(file) for path, file in files.items()}
    folder = target.base(model.revision)
    digests = tree_digests(folder)
    place = f"releases/bases/{model.revision}"
    return {f"{place}/{path}": Member(file.sha256, folder / path)
            for path, file in digests.items()}  # fmt: skip


def _text(data: bytes) -> Member:
    return Member(sha256(data), lambda: data)


def _file(path: Path) -> Member:
    return Member(file_digest(path).sha256, path)


def _readme(record: Mapping[str, Json]) -> str:
    demonstration = (
        "\nThe model demonstrates the machinery; it is not a useful chatbot.\n"
        if record["demonstration"]
        else ""
    )
    python = f"python{record['python']}"
    return f"""\
# Release {record["release"]}, for a machine without a network

Python {record["python"]} on {record["system"]} {record["machine"]} is all that has to be there:

    {python} install.py        # compares all files with SHA256SUMS, then installs into .venv here
    ./graft chat                 # in this folder: it finds releases/ here
    ./graft serve                # OpenAI's API on http://127.0.0.1:8000/v1
    ./graft release verify
{demonstration}
`{python} install.py --check`, or `sha256sum --check SHA256SUMS`, compares again at any time.
SHA256SUMS came with the files: that nobody changed both is told by the digest of the archive, which
`graft export --bundle` prints. Of earlier releases the manifests came along, and no weights.
"""


# --- the archive -----------------------------------------------------------------------------


def _summed(members: Members) -> Members:
    """All members with the list of their digests, in the order of their names."""
    strange = [path for path in members if not plain_path(path) or not path.isprintable()]
    if strange:
        raise ReleaseError(f"A file with the name {strange[0]!r} is not packed; rename it.")
    lines = [f"{members[path].sha256}  {path}\n" for path in sorted(members)]
    return dict(sorted({**members, SUMS: _text("".join(lines).encode())}.items()))


def _check_space(members: Members, place: Path) -> None:
    wanted = sum(member.size for member in members.values()) + SPARE
    free = shutil.disk_usage(place).free
    if wanted > free:
        raise ReleaseError(
            f"The archive takes {wanted / 1e6:.0f} MB, and {place.parent} has {free / 1e6:.0f} MB free; "
            "free the disk or name another place."
        )


class _Stream(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(slots=True)
class _Read:
    """A file whose digest is taken while it is read."""

    stream: _Stream
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.digest.update(data)
        return data


@dataclass(slots=True)
class _Written:
    """The same, of what is written."""

    stream: IO[bytes]
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.stream.write(data)


def _write(members: Members, top: str, place: Path) -> str:
    with place.open("wb") as stream:
        written = _Written(stream)
        with tarfile.open(
            fileobj=written, mode="w|", format=tarfile.PAX_FORMAT, bufsize=PIECE
        ) as archive:  # type: ignore[call-overload]
            for path, member in members.items():
                _add(archive, f"{top}/{path}", member)
        stream.flush()
        os.fsync(stream.fileno())
    return written.digest.hexdigest()


def _add(archive: tarfile.TarFile, name: str, member: Member) -> None:
    """One file without time or owner; refused where it is no longer what its digest says."""
    about = tarfile.TarInfo(name)
    about.mode = 0o644
    source = member.source
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source()) as stream:
        about.size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        read = _Read(stream)
        archive.addfile(about, read)
    if read.digest.hexdigest() != member.sha256:
        raise ReleaseError(f"{name} changed while it was packed; run the same command again.")
