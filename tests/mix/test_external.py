"""External conversations: what is read, from a file and from a Hub, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from pipelines.errors import RecipeError
from pipelines.mix.external import located, read_external
from pipelines.recipe import External
from pipelines.records import Message
from tests.support.hub import hub, used

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = External("skills", 10, hub="owner/talks", file="data/talks.jsonl", revision=COMMIT)


def line(number: int, **more: object) -> str:
    turns = [
        {"role": "user", "content": f"What is {number}?"},
        {"role": "assistant", "content": f"{number}"},
    ]
    return json.dumps({"messages": turns, **more}) + "\n"


def test_rows_are_drawn_without_replacement_whatever_their_order(tmp_path: Path) -> None:
    forwards, backwards = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    numbers = [*range(30), 3, 4, 5]  # three stand twice
    forwards.write_text("".join(map(line, numbers)) + "\n")
    backwards.write_text("".join(line(n, id=n, source="x") for n in reversed(range(30))))
    entry = External("skills", 12, path="x")
    rows = read_external(entry, forwards, 0).rows
    assert len(rows) == len(set(rows)) == 12
    assert read_external(entry, backwards, 0).rows == rows
    assert read_external(entry, forwards, 1).rows != rows
    every = read_external(External("skills", 99, path="x"), forwards, 0)
    assert len(every.rows) == 30
    assert (Message("user", "What is 7?"), Message("assistant", "7")) in every.rows


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ("[]", "needs messages"),
        ('{"messages": []}', "needs messages"),
        ('{"messages": [{"role": "user", "content": 3}, {}]}', "needs messages"),
        ('{"messages": [{"role": "bot", "content": "a"}, {"role": "user", "content": "b"}]}',
         "system, user, assistant"),
        ('{"messages": [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]}',
         "must be the assistant's"),
        ("\udcff", "is no JSON"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_conversation_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(line(1).encode() + text.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(RecipeError) as caught:
        read_external(External("skills", 9, path="x"), path, 0)
    assert told in str(caught.value)
    assert f"{path}:2" in str(caught.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="there is no such file"):
        located(External("skills", 9, path=str(tmp_path / "none.jsonl")), tmp_path)


def test_a_data_set_is_fetched_once_at_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = "".join(map(line, range(5))).encode()
    with hub(tmp_path / "hub") as stand_in:
        used(stand_in, monkeypatch, tmp_path / "home")
        commit = stand_in.seed("datasets/owner/talks", {"data/talks.jsonl": data})
        entry = dataclasses.replace(HUB, revision=commit)
        path = located(entry, tmp_path)
        assert path.read_bytes() == data
        asked = [path for _, path in stand_in.asked if "/resolve/" in path]
        assert asked
        assert all(f"/resolve/{commit}/" in path for path in asked)
        fetched = len(stand_in.asked)
        assert located(entry, tmp_path).read_bytes() == data
        assert len(stand_in.asked) == fetched
    # A pinned file in the cache needs no Hub.
    assert len(read_external(entry, located(entry, tmp_path), 0).rows) == 5


@pytest.mark.parametrize("files", [{}, {"other.jsonl": b""}])
def test_what_the_hub_lacks_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    with hub(tmp_path / "hub") as stand_in:
        used(stand_in, monkeypatch, tmp_path / "home")
        if files:
            stand_in.seed("datasets/owner/talks", files)
        with pytest.raises(RecipeError, match=r"data/talks.jsonl of the data set owner/talks") as e:
            located(HUB, tmp_path)
    assert "\n" not in str(e.value)
