"""`/graft …` on a pull request: who may, at which commit, and what the following jobs are told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.github.conftest import Graft
from tests.support.flow import Site, zero_site
from tests.support.github import BOT, TOKEN, Hub

OTHER = "c" * 40


def said(body: str, login: str = "rea", **more: Any) -> dict[str, Any]:
    """An `issue_comment` payload; what it claims of its author's standing is not looked at."""
    issue = {"number": 5, "pull_request": {"url": "x"}}
    comment = {"id": 1, "body": body, "user": {"login": login}, "author_association": "OWNER"}
    return {"action": "created", "issue": issue, "comment": comment, **more}


def outputs(tmp_path: Path) -> dict[str, str]:
    text = (tmp_path / "output").read_text(encoding="utf-8")
    found = re.findall(r"^(\w+)<<(\S+)\n(.*?)\n\2$", text, re.MULTILINE | re.DOTALL)
    return {name: value for name, _, value in found}


@pytest.fixture
def asked(hub: Hub) -> Hub:
    """Pull requests 5 and 6, both checked; `rea` may write."""
    head = hub.git("rev-parse", "main")
    hub.permissions.update(rea="write", mai="maintain", tri="triage")
    for number in (5, 6):
        hub.pull(number, head)
        hub.add_comment(number, BOT, f"<!-- graft:report head={head} check=1 checks=pass -->\nx")
    return hub


def test_a_preview_of_several_pull_requests_is_bound_to_their_heads(
    asked: Hub, graft: Graft, tmp_path: Path
) -> None:
    head = asked.git("rev-parse", "main")
    code, _, _ = graft("command", event=said(f"/graft preview #6 {head[:8]}\nplease"))
    assert code == 0
    assert outputs(tmp_path) == {"command": "preview", "heads": f"5:{head} 6:{head}"}


def test_precheck(asked: Hub, graft: Graft, tmp_path: Path) -> None:
    graft("command", event=said("/graft precheck"))
    assert outputs(tmp_path)["command"] == "precheck"


@pytest.mark.parametrize("login", ["mallory", "tri", "../rea", "rea/permission?x=", ""])
def test_who_may_not_write_is_passed_over_without_a_word(
    asked: Hub, graft: Graft, tmp_path: Path, login: str
) -> None:
    before = dict(asked.comments)
    assert graft("command", event=said("/graft preview", login))[0] == 0
    assert outputs(tmp_path) == {"command": "", "heads": ""}
    assert asked.comments == before


@pytest.mark.parametrize(
    "event",
    [
        said("/graft preview", action="edited"),
        said("/graft preview", issue={"number": 5}),
        said("please /graft preview"),
        said("> /graft preview"),
        said("/grafted preview"),
        said(""),
    ],
)
def test_what_is_no_command(
    asked: Hub, graft: Graft, tmp_path: Path, event: dict[str, Any]
) -> None:
    assert graft("command", event=event)[0] == 0
    assert outputs(tmp_path)["command"] == ""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("/graft preview 1234567", "newest commit is"),
        (f"/graft precheck {OTHER}", "newest commit is"),
        ("/graft preview $(touch owned)", "neither a commit nor a pull request"),
        ("/graft preview #77", "There is no pull request 77"),
        ("/graft fly", "There is no command of that name"),
        ("/graft", "There is no command of that name"),
        ("/graft veto", "Write /graft veto"),
        ("/graft veto 0123456789 \x1b[2J", "cannot be shown"),
        ("/graft trace", "Write /graft trace"),
        ("/graft preview " + " ".join(f"#{n}" for n in range(6, 30)), "at most 10"),
    ],
)
def test_what_cannot_be_is_answered(
    asked: Hub, graft: Graft, tmp_path: Path, body: str, told: str
) -> None:
    assert graft("command", event=said(body))[0] == 0
    assert outputs(tmp_path) == {"command": "", "heads": ""}
    assert told in asked.said(5)[-1].replace("\\", "").replace("\u200b", "")


def test_a_push_after_the_checks_voids_them(asked: Hub, graft: Graft, tmp_path: Path) -> None:
    asked.pulls[6]["head"]["sha"] = OTHER
    graft("command", event=said("/graft preview #6"))
    assert outputs(tmp_path)["command"] == ""
    assert "have not passed at cccccccccc" in asked.said(5)[-1]


def test_trace_and_veto_of_a_row_of_a_release(
    hub: Hub,
    graft: Graft,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: Site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "grown")
    monkeypatch.chdir(made.path / "repo")
    monkeypatch.setenv("TARGET", f"folder:{made.path / 'releases'}")
    hub.permissions["rea"] = "admin"
    hub.pull(5, hub.git("rev-parse", "main"))
    leaf = next((made.path / "repo/taxonomy/knowledge").rglob("qna.yaml")).parent
    name = leaf.relative_to(made.path / "repo/taxonomy").as_posix()
    graft("command", event=said(f"/graft trace {name}"))
    told = hub.said(5)[-1]
    [row, *_] = re.findall(r"^  ([0-9a-f]{32})  ", told, re.MULTILINE)
    graft("command", event=said(f"/graft veto {row[:10]} the year is @wrong"))
    [veto] = [pull for number, pull in hub.pulls.items() if number != 5]
    branch = veto["head"]["ref"]
    line = json.loads(hub.git("show", f"{branch}:vetoes.jsonl"))
    assert line == {"row": row, "leaf": name, "reason": "the year is @wrong", "by": "rea"}
    assert hub.git("show", "-s", "--format=%an", branch) == "rea"
    assert "@wrong" not in veto["body"]
    # Asked for twice, it is one.
    graft("command", event=said(f"/graft veto {row[:10]} the year is wrong"))
    assert len(hub.pulls) == 2
    assert hub.tokens == {f"Bearer {TOKEN}"}
