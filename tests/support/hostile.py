"""Files that cost a naive reader minutes or gigabytes, and a child process that reads them in limits.

    python -m tests.support.hostile hostile|mutations N

In: the name of a batch. Out: exit code 0 and a count, or 1 and a line ``BROKE name: why`` for each case
that raised, took more than SECONDS of processor time for one reading, or wanted more than MEGABYTES
above the start.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from pipelines.check import How, Policy, check
from pipelines.errors import LeafError
from pipelines.leaves import read_leaf
from tests.support.mutations import base_leaves, mutations

SECONDS = 3.0  # a second on a machine of its own; beside other work it takes twice and more
MEGABYTES = 200
SKILL = "compositional_skills/a/b"
KNOWLEDGE = "knowledge/a/b"
_FULL = 256 * 1024 - 200


class BytesTree:
    """A ``Tree`` of two leaves, a skill and knowledge, that hold the same bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, path: str) -> bytes:
        if path.endswith("/qna.yaml"):
            return self._data
        raise FileNotFoundError(path)

    def files(self, under: str = "") -> Iterator[str]:
        for leaf in (SKILL, KNOWLEDGE):
            if f"{leaf}/".startswith(f"{under}/" if under else ""):
                yield f"{leaf}/qna.yaml"


def hostile_files() -> dict[str, bytes]:
    """What an attacker would send; no file is larger than 300 kB."""
    head = "version: 3\ncreated_by: ada\n"
    bomb = "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]\n" for n in range(12)
    )
    merged = "".join(f"b{n}: &b{n}\n  <<: [{', '.join(['*b0'] * 9)}]\n" for n in range(1, 9))
    seed = "  - {question: q, answer: a}\n"
    texts = {
        "alias bomb": bomb,
        "merge bomb": "b0: &b0 {x: y}\n" + merged,
        "recursive alias": "a: &a\n  - *a\n",
        "larger than 256 kB": head + "#" * 262_144,
        "nested 2000 deep": head + "a: " + "[" * 2000 + "]" * 2000 + "\n",
        "256 kB of brackets": "[" * _FULL,
        "256 kB of braces, with a tab": "\t" + "{" * _FULL,
        "256 kB of list items on one line": "- " * (_FULL // 2),
        "256 kB of keys without an end": "? " * (_FULL // 2),
        "stairs of block mappings": "".join(" " * n + "a:\n" for n in range(700)),
        "stairs of block mappings, with a tab": "# \t\n" + "".join(" " * n + "a:\n" for n in range(700)),
        "256 kB on one line": head + "a: " + "x " * (_FULL // 2) + "\n",
        "256 kB of short lines": head + "a: |\n" + "  x\n" * (_FULL // 4),
        "256 kB of blank lines": head + "\n" * _FULL,
        "256 kB of trailing spaces": head + "a: |\n" + "  x \n" * (_FULL // 5),
        "256 kB of tabs": head + "a: |\n" + "  \tx\n" * (_FULL // 5),
        "256 kB in quotes, with a tab": head + 'a: "\t' + "x\\x41 " * (_FULL // 6) + '"\n',
        "40000 equal seeds, at most": head + "seed_examples:\n" + seed * (_FULL // len(seed) - 9),
        "the same key 60000 times": "a: \n" * (_FULL // 4),
        "60000 keys": "".join(f"{n}:\n" for n in range(37_000)),
        "a number of 250000 digits": head + "a: " + "9" * (_FULL - 40) + "\n",
        "a sexagesimal number of 120000 parts": head + "a: 1" + ":1" * (_FULL // 2 - 30) + "\n",
        "a hexadecimal number": head + "a: 0x" + "f" * (_FULL - 40) + "\n",
        "a hexadecimal number that fits": head + "created_by: 0x" + "f" * 190 + "\n",
        "a float of underscores": head + "a: 1" + "_" * (_FULL - 40) + ".5\n",
        "a date of digits": head + "a: 2024-01-01 00:00:00." + "1" * (_FULL - 60) + "\n",
        "a key of 250 kB": "x" * _FULL + ": 1\n",
        "unknown keys of 5 kB": "".join(f"{'created_bz' * 500}{n}: x\n" for n in range(50)),
        "256 kB of NEL": head + "a: b" + "\x85" * (_FULL // 2 - 40),
        "256 kB of U+2028 in quotes": head + 'a: "' + "\u2028" * (_FULL // 3 - 40) + '"\n',
        "256 kB of anchors": "".join(f"- &a{n} x\n" for n in range(20_000)),
        "256 kB of tags": "- !a x\n" * (_FULL // 7),
        "256 kB of documents": "--- a\n" * (_FULL // 6),
        "256 kB of directives": "%FOO bar\n" * (_FULL // 9),
        "256 kB of single quotes": "'" * _FULL,
        "256 kB of question marks in brackets": "[" + "a? " * (_FULL // 3) + "]",
        "256 kB of flow pairs, with a tab": "[\t" + "a: b," * (_FULL // 5) + "]",
        "256 kB of flow scalars, with a tab": "[\t" + "a," * (_FULL // 2) + "]",
    }  # fmt: skip
    raw = {
        "NULs": b"\0" * _FULL,
        "0xFF": b"\xff" * _FULL,
        "invalid UTF-8 at the end": head.encode() + b"a: " + b"x" * (_FULL - 60) + b"\xc3",
        "UTF-16": head.encode("utf-16"),
        "a lone continuation byte": b"\x80",
    }
    return {name: text.encode() for name, text in texts.items()} | raw


def _batch(words: list[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    if words[0] == "hostile":
        for name, data in hostile_files().items():
            yield name, lambda data=data: _read_all(data)
    elif words[0] == "mutations":
        seed = int(os.environ.get("GRAFT_MUTATION_SEED", "7"))
        for mutation in mutations(base_leaves(), seed=seed, count=int(words[1])):
            yield f"{mutation.path} {mutation.edits}", lambda data=mutation.data: _read_all(data)
    elif words[0] == "too-large":
        yield words[0], lambda: bytearray(1 << 30)
    elif words[0] == "too-slow":
        yield words[0], _for_ever


def _for_ever() -> None:
    while True:
        pass


def _read_all(data: bytes) -> None:
    """All that ever reads a leaf's bytes: both modes of the check, and the reader of leaves."""
    tree = BytesTree(data)
    for compat in ("", "instructlab"):
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        result = check(tree, Policy(), [SKILL], how=How(compat))
        crashed = [finding for finding in result.findings if finding.rule == "internal"]
        assert not crashed, crashed[0].message
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    with contextlib.suppress(LeafError):
        read_leaf(tree, KNOWLEDGE)


def _limit_memory() -> None:
    """From here on no more than MEGABYTES more may be asked for."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEGABYTES * (1 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


class _TooSlow(BaseException):
    pass


def _ring(signum: int, frame: FrameType | None) -> None:
    raise _TooSlow(f"more than {SECONDS} s of processor time")


def main(words: list[str]) -> int:
    """Run a batch; the exit code."""
    signal.signal(signal.SIGPROF, _ring)
    _read_all(b"version: 3\nextra: 1\n")  # what is imported late is imported now
    _limit_memory()
    broken = count = 0
    for name, run in _batch(words):
        count += 1
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            run()
        except BaseException as error:
            broken += 1
            print(f"BROKE {name}: {type(error).__name__}: {str(error)[:300]}")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    print(f"{count - broken} of {count} cases within the limits")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
