"""Stage directories, atomic files and locks, with processes that are really killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import artifacts
from pipelines.errors import GraftError
from pipelines.records import FileDigest, Message, Sample

INPUTS = {"data": "abc"}


def sample(name: str, *texts: str) -> Sample:
    turns = tuple(
        Message("assistant" if place % 2 else "user", text) for place, text in enumerate(texts)
    )
    return Sample(name, turns, "seeds", "h", ("s",), "", None, None, "f", ("c",), "extractive")


def make(directory: Path, text: str = "rows", inputs: dict[str, str] = INPUTS) -> None:
    with artifacts.stage(directory, inputs=inputs, version=1, section={"a": 1}) as out:
        (out / "deep").mkdir()
        (out / "deep" / "rows.txt").write_text(text)


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    )


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL once the process has said that it is where the test wants it."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_digest_depends_on_the_value_and_not_on_the_order_of_keys() -> None:
    assert artifacts.digest({"a": 1, "b": [2]}) == artifacts.digest({"b": (2,), "a": 1})
    assert artifacts.digest({"a": 1}) != artifacts.digest({"a": "1"})
    assert artifacts.canonical_json({"é": "日", "a": 1}) == '{"a":1,"é":"日"}'.encode()


def test_rows_have_one_byte_form_in_whatever_order_they_come() -> None:
    rows = [sample("b", "q", "a"), sample("a", "q", "a")]
    data = artifacts.rows_to_bytes(rows)
    assert data == artifacts.rows_to_bytes(reversed(rows))
    assert [json.loads(line)["id"] for line in data.splitlines()] == ["a", "b"]


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=3))
def test_conversations_come_back_from_rows_as_they_were(texts: list[str]) -> None:
    row = sample("a", *texts)
    assert artifacts.conversations(artifacts.rows_to_bytes([row])) == [row.messages]


def test_stored_rows_are_those_of_the_bytes_and_read_when_they_are_wanted() -> None:
    made = [sample(name, f"{name}?\n\u2028", "an answer") for name in "abc"]
    data = artifacts.rows_to_bytes(made)
    asked = []

    def read() -> bytes:
        asked.append(len(asked))
        return data

    rows = artifacts.StoredRows(read)
    assert not asked
    assert [*rows] == [*rows] == artifacts.conversations(data)
    assert len(asked) == 2


@pytest.mark.parametrize("size", [0, 1, (1 << 18) - 1, 1 << 18, 3 * (1 << 18) + 5])
def test_a_copy_and_its_digest_come_from_one_reading(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(os.urandom(size))
    found = artifacts.copy_digest(tmp_path / "file", tmp_path / "below" / "copy")
    assert found == artifacts.file_digest(tmp_path / "file")
    assert (tmp_path / "below" / "copy").read_bytes() == (tmp_path / "file").read_bytes()
    with pytest.raises(FileExistsError):  # nothing is written over
        artifacts.copy_digest(tmp_path / "file", tmp_path / "below" / "copy")


def test_a_finished_stage_says_what_it_was_made_from(tmp_path: Path) -> None:
    make(tmp_path / "runs" / "dataset")
    place = tmp_path / "runs" / "dataset"
    marker = json.loads((place / "stage.json").read_bytes())
    assert marker["stage"] == "dataset"
    assert marker["inputs"] == INPUTS
    assert marker["section"] == {"a": 1}
    digest = artifacts.sha256(b"rows")
    assert marker["outputs"] == {"deep/rows.txt": {"sha256": digest, "size": 4}}
    assert artifacts.tree_digests(place) == {"deep/rows.txt": FileDigest(digest, 4)}
    assert artifacts.finished(place, INPUTS, 1)
    assert os.listdir(tmp_path / "runs") == ["dataset"]


def test_a_stage_is_not_finished_for_other_inputs_versions_or_files(tmp_path: Path) -> None:
    place = tmp_path / "dataset"
    assert not artifacts.finished(place, INPUTS, 1)
    make(place)
    assert not artifacts.finished(place, {"data": "abd"}, 1)
    assert not artifacts.finished(place, {}, 1)
    assert not artifacts.finished(place, INPUTS, 2)
    (place / "deep" / "rows.txt").write_text("row")
    assert not artifacts.finished(place, INPUTS, 1)
    (place / "deep" / "rows.txt").unlink()
    assert not artifacts.finished(place, INPUTS, 1)


@pytest.mark.parametrize("marker", [b"", b"{", b"null", b"[]", b"{}", b'{"outputs": 3}'])
def test_a_marker_that_is_broken_is_no_finished_stage(tmp_path: Path, marker: bytes) -> None:
    make(tmp_path / "dataset")
    (tmp_path / "dataset" / "stage.json").write_bytes(marker)
    assert not artifacts.finished(tmp_path / "dataset", INPUTS, 1)


def test_a_stage_replaces_the_one_before_and_its_digest_follows_the_files(tmp_path: Path) -> None:
    place = tmp_path / "dataset"
    make(place)
    first = artifacts.output_digest(place)
    make(place, inputs={"data": "other"})
    assert artifacts.output_digest(place) == first
    make(place, "other rows")
    assert artifacts.output_digest(place) != first
    assert (place / "deep" / "rows.txt").read_text() == "other rows"


def test_a_failed_stage_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "dataset"

    def fail() -> None:
        with artifacts.stage(place, inputs={}, version=1) as out:
            (out / "half").write_text("half")
            raise GraftError("no row is left")

    with pytest.raises(GraftError, match="no row is left"):
        fail()
    assert os.listdir(tmp_path) == []
    make(place)
    with pytest.raises(GraftError, match="no row is left"):
        fail()
    assert artifacts.finished(place, INPUTS, 1)
    assert os.listdir(tmp_path) == ["dataset"]


def test_a_killed_stage_is_absent_and_swept_away_by_the_next(tmp_path: Path) -> None:
    place = tmp_path / "dataset"
    code = (
        "import sys, time; from pathlib import Path; from pipelines.artifacts import stage\n"
        "with stage(Path(sys.argv[1]), inputs={}, version=1) as out:\n"
        "    (out / 'half').write_text('half'); print('ready', flush=True); time.sleep(60)\n"
    )
    kill(child(code, str(place)))
    assert not place.exists()
    assert len(os.listdir(tmp_path)) == 1
    make(place)
    assert os.listdir(tmp_path) == ["dataset"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    with pytest.raises(GraftError, match=r"cannot be written: .*--run") as caught:
        make(tmp_path / "runs" / "dataset")
    assert "\n" not in str(caught.value)
    with pytest.raises(GraftError, match="cannot be written"):
        artifacts.write_atomic(tmp_path / "runs" / "plan.json", b"{}")
    assert (tmp_path / "runs").read_text() == "a file where a folder should be"


def test_an_atomic_file_is_whole_readable_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "latest"
    artifacts.write_atomic(path, b"one")
    artifacts.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["latest"]


def test_a_lock_keeps_others_out_until_its_process_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "run" / ".lock"
    code = (
        "import sys, time; from pathlib import Path; from pipelines.artifacts import lock\n"
        "with lock(Path(sys.argv[1]), 'the run'):\n"
        "    print('ready', flush=True); time.sleep(60)\n"
    )
    holder = child(code, str(path))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    with pytest.raises(GraftError, match="at work on the run"), artifacts.lock(path, "the run"):
        raise AssertionError("two processes hold one lock")
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with artifacts.lock(path, "the run"):
        pass


def test_the_ids_of_rows_are_theirs_and_nothing_in_their_texts() -> None:
    ids = ["a" * 32, "b" * 32]
    text = f'"id":"{"c" * 32}"'
    rows = [{"id": one, "messages": [{"content": text}], "calls": []} for one in ids]
    assert artifacts.row_ids(
        b"".join(artifacts.canonical_json(row) + b"\n" for row in rows)
    ) == set(ids)
