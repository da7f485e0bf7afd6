"""Speeds: what was noted is read back; nothing that is wrong with the file stops anybody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.recipe import Teacher
from pipelines.speeds import measured, note
from pipelines.spending import EXTRACTIVE_CALLS, ask_speed, calls_per_second
from tests.generate.support import recipe


def test_the_last_rate_of_a_name_counts(tmp_path: Path) -> None:
    assert measured(tmp_path, "a") is None
    note(tmp_path, "a", 100, 4.0)
    note(tmp_path, "b", 7, 1.0)
    note(tmp_path, "a", 100, 2.0)
    assert (measured(tmp_path, "a"), measured(tmp_path, "b")) == (50.0, 7.0)


@pytest.mark.parametrize(("units", "seconds"), [(0, 9.0), (5, 0.1)])
def test_what_tells_nothing_is_passed_over(tmp_path: Path, units: float, seconds: float) -> None:
    note(tmp_path, "a", units, seconds)
    assert measured(tmp_path, "a") is None


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"a": "fast"}', b'{"a": -1.0}', b"\xff"])
def test_a_file_that_is_no_note_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "speeds.json").write_bytes(content)
    assert measured(tmp_path, "a") is None
    note(tmp_path, "a", 10, 1.0)
    assert measured(tmp_path, "a") == 10.0


def test_a_plan_takes_the_measured_speed_before_the_assumed_one(tmp_path: Path) -> None:
    other = replace(recipe(), teacher=Teacher("openai_api", "m", "1", concurrency=20))
    assert calls_per_second(recipe(), tmp_path) == EXTRACTIVE_CALLS
    assert calls_per_second(other, tmp_path) == 2.0
    note(tmp_path, ask_speed(other.teacher), 90, 10.0)
    assert calls_per_second(other, tmp_path) == 9.0
