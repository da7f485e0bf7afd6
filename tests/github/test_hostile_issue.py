"""What strangers may write into a form: nothing of it does anything anywhere but in its own leaf."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.github.conftest import TICKED, Graft, filled
from tests.github.test_issue import EXAMPLES, SONGS, THINGS, event
from tests.report.test_injections import ALLOWED, HIDDEN, LIVE
from tests.report.test_injections import github as rendered
from tests.support.github import BOT, Hub
from tests.support.injections import INJECTIONS
from tests.support.repositories import Repo

HOSTILE = {
    **INJECTIONS,
    "a path upwards": "../../../.github/workflows/evil",
    "an absolute path": "/etc/passwd",
    "a hidden folder": ".git/hooks/pre-commit",
    "backslashes": "..\\..\\windows\\system32",
    "a command": "$(touch owned) `touch owned` ; touch owned && touch owned | sh",
    "an argument": "--upload-pack=touch owned",
    "an expression of Actions": "${{ github.token }} ${{ secrets.GITHUB_TOKEN }}",
    "an output": "x\n::set-output name=number::1\n::add-path::/tmp",
    "keys of YAML": "x\ncreated_by: root\nseed_examples: []\n---\nversion: 1",
    "tags of YAML": "!!python/object/apply:os.system ['touch owned']",
    "anchors of YAML": "&a [*a, *a]\n<<: *a",
    "a NUL": "a\0b",
    "binary": bytes(range(1, 32)).decode("latin-1") + "\x7f\x80\x9f",
    "headings of the form": "x\n\n### Licence\n\nGPL-3.0\n\n### Source\n\nevil",
    "a heading of the box": f"x\n\n### Developer Certificate of Origin\n\n{TICKED}",
    "a mark of ours": "<!-- graft:issue -->\n<!-- graft:report head=0 run=9 -->",
    "words that close issues": "Fixes #1, closes #2, resolves taxonomists/garden#3",
    "a trailer": "x\n\nSigned-off-by: Root <root@example.org>\nGraft-Leaf: knowledge/a/b",
    "a command of ours": "/graft veto 0 because",
    "no text at all": " \t\n \u3000 ",
    "a megabyte of headings": "### Title\n\n" * 90_000,
    "one very long word": "W" * 60_000,
}


def assert_harmless(hub: Hub, site: Path, number: int, login: str) -> None:
    """One comment, harmless; at most one leaf, in its own folder; nothing on disk, main as it was."""
    assert Repo(site).git("status", "--porcelain") == ""
    assert not list(site.rglob("owned"))
    assert not [comment for n, comment in hub.comments.items() if n != number]
    for body in hub.said(number, BOT):
        first, rest = body.split("\n", 1)
        assert first == "<!-- graft:issue -->"
        assert "<!--" not in rest
        # Our own words name the pull request and an example's address; nothing else may.
        page = rendered(re.sub(r"pull request #\d+\.|ada@\u200bexample\.org", "", rest))
        assert set(page.found) <= ALLOWED
        assert not LIVE.search(page.outside)
        assert not HIDDEN.search(rest)
        assert len(body) <= 65_536
    if not hub.pulls:
        return
    branch = f"graft/issue-{number}"
    touched = hub.git("diff", "--name-only", f"main...{branch}").splitlines()
    [pull] = hub.pulls.values()
    leaf = pull["title"].removeprefix("Add ")
    assert all(path.rsplit("/", 1)[0] == f"taxonomy/{leaf}" for path in touched)
    assert leaf.replace("/", "").replace("_", "").isalnum()
    data = yaml.safe_load(hub.git("show", f"{branch}:taxonomy/{leaf}/qna.yaml"))
    assert data["created_by"] == login
    assert len(data["seed_examples"]) >= 5
    message = hub.git("show", "-s", "--format=%B", branch)
    assert message.count("Signed-off-by:") == 1
    assert message.splitlines()[0] == pull["title"]
    assert len(message.splitlines()) in (7, 8)
    assert pull["body"].count("#") == 2  # its issue, named twice


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_in_every_field_of_a_skill_and_of_knowledge(
    hub: Hub, graft: Graft, site: Path, tmp_path: Path, name: str
) -> None:
    text = HOSTILE[name]
    one_line = " ".join(text.split()) or text
    examples = f"{EXAMPLES}\n\nQ: What of this? {text[:30_000]}\nA: {text[:30_000]}"
    skill = {"title": f"Songs {one_line[:100]}", "description": text[:5000], "examples": examples}
    knowledge = {**THINGS, "source": text[:5000], "document": f"{THINGS['document']}\n\n{text}"}
    bodies = [filled("skill", **skill), filled("knowledge", **knowledge)]
    bodies += [
        filled("skill", **{**SONGS, "dco": text}),
        filled("knowledge", **{**THINGS, "licence": text}),
    ]
    for number, body in enumerate(bodies[: 2 if len(text) > 50_000 else 4], start=100):
        hub.pulls.clear()
        hub.comments.clear()
        hub.issue(number, body, "mallory")
        code, out, err = graft("issue-to-leaf", event=event(number))
        assert code in (0, 1), err
        assert "Traceback" not in err
        assert out.startswith(f"#{number}")
        assert not any(line.startswith("::") for line in (out + err).splitlines())
        assert_harmless(hub, site, number, "mallory")
    assert not (tmp_path / "output").exists()


def test_there_are_fifty_of_them() -> None:
    assert len(HOSTILE) >= 50


def test_a_comment_of_another_with_our_mark_is_not_ours(hub: Hub, graft: Graft) -> None:
    hub.issue(3, filled("skill", **SONGS), "bea")
    hub.add_comment(3, "mallory", "<!-- graft:issue -->\nAll is well, merge it.")
    graft("issue-to-leaf", event=event(3))
    assert hub.said(3, "mallory") == ["<!-- graft:issue -->\nAll is well, merge it."]
    assert len(hub.said(3)) == 1
