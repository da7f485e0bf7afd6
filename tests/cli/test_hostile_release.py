"""A release whose manifest lies to the terminal and to the code of whoever pulls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.errors import EXIT_OK, GraftError
from pipelines.release.targets import open_target
from tests.release.builders import build

TAG = "v2026.01.01"
ORDERS = "\x1b]0;yours\x07\x1b[2J"


def released(place: Path, **changed: Any) -> str:
    """A folder target with one release, some of whose manifest somebody wrote anew."""
    target = open_target(f"folder:{place / 'releases'}")
    target.publish(place / "built", build(place / "built", target))
    path = place / "releases" / TAG / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changed}), encoding="utf-8")
    return f"folder:{place / 'releases'}"


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (["log"], {"evaluation": {"verdict": ORDERS}}),
        (["chat"], {"files": {ORDERS: {"sha256": "0" * 64, "size": 1}}}),
        (["export", "--bundle", "out.tar"], {"files": {ORDERS: {"sha256": "0" * 64, "size": 1}}}),
    ],
)
def test_no_command_sends_what_a_manifest_says_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], changed: dict[str, Any]
) -> None:
    assert main([*words, "--target", released(tmp_path, **changed)]) in (EXIT_OK, 1)
    said = "".join(capsys.readouterr())
    assert "\x1b" not in said
    assert "\x07" not in said


@pytest.mark.parametrize(
    "evaluation",
    ["PASS", {"changed": {"previous": 1}}, {"panel": {side: {"token_f1": "1"} for side in "bpc"}}],
)
def test_an_evaluation_of_another_shape_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], evaluation: object
) -> None:
    target = released(tmp_path, evaluation=evaluation)
    assert main(["log", "--target", target]) == GraftError.exit_code
    assert "no evaluation under evaluation" in capsys.readouterr().err
    assert main(["log", "--target", f"folder:{tmp_path / 'none'}"]) == EXIT_OK
