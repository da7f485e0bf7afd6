"""Any bytes at all: the readers find or refuse, within a second and 200 MB a case, and never crash.

Batches run in a child process under RLIMIT_AS and a clock for each case, so that the limits bind; the
child prints what broke.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import LeafError
from pipelines.leaves import read_leaf
from pipelines.records import Leaf
from pipelines.yaml_source import Reading, read_yaml
from tests.support.hostile import BytesTree, hostile_files
from tests.support.mutations import base_leaves

ROOT = Path(__file__).resolve().parents[1]
_PIECES = st.sampled_from(
    b"version: 3\n|- |  |\n|: |question: |&a |*a|\t|[|]|{|}|'|\"|!!int |!!binary |<<: |? |---\n|...|%TAG |#|"
    b"\xef\xbb\xbf|\xe2\x80\xa8|\xff|\x00|\r|12:30:45|.inf|2024-99-99|seed_examples:\n|document:\n|"
    b"\\x|=|~|0b|1e9999|_".split(b"|")
)
YAML_LIKE = st.lists(_PIECES | st.binary(max_size=3), max_size=40).map(b"".join)


def read_both(data: bytes) -> None:
    """Either reader, either mode: a result or findings, a leaf or a ``LeafError``."""
    for compat in (False, True):
        reading = read_yaml(data, "x/qna.yaml", compat=compat)
        assert isinstance(reading, Reading)
        assert (reading.source is None) <= bool(reading.findings)
        lines = data.count(b"\n") + data.count(b"\r") + 2
        for finding in reading.findings:
            assert finding.line >= 1
            assert finding.column >= 1
            assert finding.message.endswith(".")
            assert compat or finding.line <= lines
    for path in ("knowledge/a/b", "compositional_skills/a/b"):
        with contextlib.suppress(LeafError):
            assert isinstance(read_leaf(BytesTree(data), path), Leaf)


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes(data: bytes) -> None:
    read_both(data)


@given(YAML_LIKE)
@settings(max_examples=200, deadline=None)
def test_what_looks_like_yaml(data: bytes) -> None:
    read_both(data)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_leaves_with_pieces_put_in(data: st.DataObject) -> None:
    leaves = base_leaves()
    leaf = leaves[data.draw(st.sampled_from(sorted(leaves)))]
    at = data.draw(st.integers(0, len(leaf)))
    gone = data.draw(st.integers(0, 60))
    read_both(leaf[:at] + data.draw(YAML_LIKE) + leaf[at + gone :])


@pytest.mark.parametrize("batch", ["hostile", "mutations 200"])
def test_each_case_takes_less_than_a_second_and_200_megabytes(batch: str) -> None:
    _within_limits(batch)


@pytest.mark.slow
def test_many_mutations_within_the_limits() -> None:
    _within_limits("mutations 5000")


def _within_limits(batch: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile", *batch.split()],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "cases within the limits" in done.stdout


def test_the_limits_bind() -> None:
    """A case that takes a gigabyte, or for ever, would be seen."""
    for batch in ("too-large", "too-slow"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.hostile", batch],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert f"BROKE {batch}" in done.stdout


def test_the_hostile_files_are_what_they_claim() -> None:
    files = hostile_files()
    assert len(files["larger than 256 kB"]) > 256 * 1024
    assert files["nested 2000 deep"].count(b"[") == 2000
    assert all(len(data) <= 300 * 1024 for data in files.values())
