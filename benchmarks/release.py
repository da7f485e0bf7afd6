"""What publishing a release and verifying it costs, beside the least that it could cost.

In: ``--megabytes``, ``--rounds``, ``--folder`` (on which disk). Out: the tables of benchmarks/README.md, by
`make bench-release`. Weights are random safetensors; everybody handles the same files, by turns. They are
read from memory, where a row does not say that they come from the disk.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile, rmtree

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import pytest  # noqa: E402

from pipelines.artifacts import sync_tree, tree_digests  # noqa: E402
from pipelines.records import Manifest  # noqa: E402
from pipelines.release.targets import Target, open_target  # noqa: E402
from pipelines.release.verify import verify  # noqa: E402
from tests.release.builders import build, rows, write  # noqa: E402
from tests.support.hub import hub, used  # noqa: E402
from tests.support.registry import registry  # noqa: E402

FIRST, SECOND = "v2026.01.01", "v2026.01.02"
SHARDS = 4
REMOTE = 64  # MB that the stand-ins are sent: the Hub's holds a request in memory


def safetensors(path: Path, size: int) -> None:
    """One tensor of random bytes."""
    head = {"weight": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for start in range(0, size, 1 << 24):
            stream.write(os.urandom(min(1 << 24, size - start)))


def release(folder: Path, target: Target, megabytes: int) -> Manifest:
    """A release with so many random weights, built in a folder and not published."""
    record = build(folder, target)
    for number in range(1, SHARDS + 1):
        size = megabytes * 1_000_000 // SHARDS
        safetensors(folder / f"adapter/model-{number}-of-{SHARDS}.safetensors", size)
    sync_tree(folder)
    return dataclasses.replace(record, files=tree_digests(folder))


def following(folder: Path, record: Manifest) -> Manifest:
    """The next release of the same weights: only its card is another."""
    write(folder / "README.md", f"# {SECOND}\n")
    files = tree_digests(folder)
    return dataclasses.replace(
        record, release=SECOND, previous=FIRST, continues=FIRST, input_digest="next", files=files
    )


def ratio(each: Sequence[float]) -> str:
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


# --- publishing ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds: of the clock until the last byte was written, until all was on the disk, of the processor."""

    bare: float
    flushed: float
    processor: float


def published(folder: Path, megabytes: int, rounds: int) -> Iterator[str]:
    """Publishing to a folder by turns with copying and hashing the same files."""
    built = folder / "built"
    record = release(built, open_target(f"folder:{folder / 'other'}"), megabytes)
    small = folder / "small"  # so that everything is imported
    _publishing(small / "built", release(small / "built", open_target(f"folder:{small}"), 1), small)
    ours: list[Cost] = []
    least: list[Cost] = []
    turns = [
        lambda: least.append(_copying(built, record, folder / "copied")),
        lambda: ours.append(_publishing(built, record, folder / "target")),
    ]
    for number in range(rounds):
        for turn in turns if number % 2 else reversed(turns):
            turn()
        for made in ("copied", "target"):
            rmtree(folder / made)
        os.sync()
    yield (
        f"| {megabytes} MB | clock, median of {rounds} | processor | publishing is times, by the clock | "
        "by the processor |"
    )
    yield "|---|---|---|---|---|"
    pairs = list(zip(ours, least, strict=True))
    busy = ratio([one.processor / other.processor for one, other in pairs])
    bare = ratio([one.flushed / other.bare for one, other in pairs])
    flushed = ratio([one.flushed / other.flushed for one, other in pairs])
    yield f"| copied and hashed, left in memory | {_told(least, 'bare')} | {bare} | {busy} |"
    yield f"| the same, and flushed to the disk | {_told(least, 'flushed')} | {flushed} | {busy} |"
    yield f"| published, which flushes | {_told(ours, 'flushed')} | | |"


def _told(costs: Sequence[Cost], name: str) -> str:
    clock = statistics.median(getattr(cost, name) for cost in costs)
    processor = statistics.median(cost.processor for cost in costs)
    return f"{clock:.2f} s | {processor:.2f} s"


def _copying(built: Path, record: Manifest, place: Path) -> Cost:
    """Copy every file, take the digest of each copy, flush."""
    started, before = time.perf_counter(), time.process_time()
    for path in record.files:
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        copyfile(built / path, place / path)
    for path, want in record.files.items():
        with (place / path).open("rb") as stream:
            assert hashlib.file_digest(stream, "sha256").hexdigest() == want.sha256
    bare = time.perf_counter() - started
    sync_tree(place)
    return Cost(bare, time.perf_counter() - started, time.process_time() - before)


def _publishing(built: Path, record: Manifest, place: Path) -> Cost:
    target = open_target(f"folder:{place}")
    target.put_blob(rows("knowledge/danube", "a river"))
    started, before = time.perf_counter(), time.process_time()
    target.publish(built, record)
    took = time.perf_counter() - started
    return Cost(took, took, time.process_time() - before)


# --- publishing again ------------------------------------------------------------------------


def repeated(folder: Path, megabytes: int, rounds: int) -> Iterator[str]:
    """Two releases of the same weights, on each kind of target: what the second one brings there."""
    yield "| target | weights | sent by the first release | by the second: another card, the same weights |"
    yield "|---|---|---|---|"
    place = folder / "again"
    yield _row(place, "folder", f"folder:{place / 'target'}", megabytes, lambda: _new(place))
    remote = min(REMOTE, megabytes)
    with hub(folder / "hub") as there, pytest.MonkeyPatch.context() as patch:
        used(there, patch, folder / "home")
        yield _row(folder / "to-hub", "hub", "hub:me/model", remote, lambda: there.received)
    with registry(folder / "registry") as found:
        spec = f"oci:{found.host}/me/model"
        yield _row(folder / "to-oci", "oci", spec, remote, lambda: found.received)


def _row(folder: Path, kind: str, spec: str, megabytes: int, received: Callable[[], int]) -> str:
    built = folder / "built"
    target = open_target(spec, folder / "cache")
    record = release(built, target, megabytes)
    target.publish(built, record)
    first = received()
    open_target(spec, folder / "cache").publish(built, following(built, record))
    second = received() - first
    return f"| {kind} | {megabytes} MB | {first / 1e6:.2f} MB | {second / 1e3:.1f} kB |"


def _new(folder: Path) -> int:
    """The bytes of a folder target, each file once however many names it has."""
    found = [path.stat() for path in (folder / "target").rglob("*") if path.is_file()]
    return sum({each.st_ino: each.st_size for each in found}.values())


# --- verifying -------------------------------------------------------------------------------


def verified(folder: Path, megabytes: int, rounds: int) -> Iterator[str]:
    """``graft release verify``'s work, by turns with ``sha256sum`` of the same files."""
    target = open_target(f"folder:{folder / 'verified'}")
    target.publish(folder / "built", release(folder / "built", target, megabytes))
    place = target.directory(FIRST)
    files = [path for path in place.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6

    def ours() -> None:
        assert verify(target, FIRST) == []

    def theirs() -> None:
        subprocess.run(["sha256sum", *files], stdout=subprocess.DEVNULL, check=True)

    def read() -> None:
        subprocess.run(["cat", *files], stdout=subprocess.DEVNULL, check=True)

    everybody = {"verify": ours, "sha256sum": theirs, "cat, which only reads": read}
    speeds: dict[str, list[list[float]]] = {what: [[], [], []] for what in everybody}
    for _ in range(rounds):
        for what, work in everybody.items():
            for found, taken in zip(speeds[what], _taken(work, files), strict=True):
                found.append(size / taken)
    yield (
        f"| {size:,.0f} MB | MB a second by the clock, from the disk, median of {rounds} | from memory | "
        "MB a second of the processor |"
    )
    yield "|---|---|---|---|"
    for what, each in speeds.items():
        yield f"| {what} | {' | '.join(f'{statistics.median(found):,.0f}' for found in each)} |"


def _taken(work: Callable[[], None], files: Sequence[Path]) -> tuple[float, float, float]:
    """Seconds of the clock where the kernel holds the files no longer, and where it does; of the
    processor then, children's included."""
    for path in files:
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    started = time.perf_counter()
    work()
    cold = time.perf_counter() - started
    started, before = time.perf_counter(), sum(os.times()[:4])
    work()
    return cold, time.perf_counter() - started, sum(os.times()[:4]) - before


SUBJECTS = {"published": published, "repeated": repeated, "verified": verified}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subject", nargs="*", help=", ".join(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to write; default: the usual one")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    for subject in options.subject:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            for line in SUBJECTS[subject](Path(folder), options.megabytes, options.rounds):
                print(line, flush=True)
        print(f"\nload {os.getloadavg()[0]:.1f}\n")


if __name__ == "__main__":
    main()
