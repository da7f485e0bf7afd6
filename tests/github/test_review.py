"""`graft github comment` suggests what `graft fix` would mend, beside the pull request's own lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipelines import cli
from pipelines.github.api import GitHub
from pipelines.github.client import Refused, open_client
from pipelines.github.review import MOST
from tests.check.builders import SKILL, skill, write
from tests.github.conftest import Graft
from tests.github.test_comment import artifact, findings, finished
from tests.report.test_injections import HIDDEN
from tests.report.test_injections import github as rendered
from tests.support.github import BOT, Hub
from tests.support.github_reviews import accept
from tests.support.injections import INJECTIONS
from tests.support.repositories import Repo

FILE = f"taxonomy/{SKILL}/qna.yaml"
NEW = "taxonomy/compositional_skills/writing/odes/qna.yaml"


def untidy(*lines: int, text: str = "") -> str:
    """A skill with spaces at the ends of these lines."""
    found = (text or skill()).splitlines()
    for line in lines:
        found[line - 1] += "   "
    return "\n".join(found) + "\n"


def lists(*names: str) -> str:
    """A fix.diff that claims to mend these files; what it would put there is a lie."""
    return "".join(f"--- a/{n}\n+++ b/{n}\n@@ -1 +1 @@\n-a\n+@all evil: 1\n" for n in names)


class Contributor:
    """Pushes commits to pull request 5, and lets validate.yml and report.yml do their part of each."""

    def __init__(self, site: Path, hub: Hub, graft: Graft, folder: Path, fix: Callable[[], str]):
        self.repo, self.hub, self.folder, self.graft, self.fix = Repo(site), hub, folder, graft, fix
        self.runs = 0

    def push(self, files: Mapping[str, str | bytes]) -> str:
        for path, content in files.items():
            write(self.repo.path, path, content)
        return self.pushed()

    def pushed(self, head: str = "") -> str:
        head = head or self.repo.commit("A leaf")
        self.repo.git("push", "--quiet", str(self.hub.git_dir), f"+{head}:refs/pull/5/head")
        if 5 not in self.hub.pulls:
            self.hub.pull(5, head)
        self.hub.pulls[5]["head"]["sha"] = head
        self.hub.diff(5)
        return head

    def reported(self, diff: str | None = None, **more: Any) -> str:
        """What the comment says after a run of report.yml; ``diff`` in place of `graft fix`'s own."""
        self.runs += 1
        folder = artifact(self.folder, findings=findings())
        (folder / "fix.diff").write_text(self.fix() if diff is None else diff, encoding="utf-8")
        head = self.hub.pulls[5]["head"]["sha"]
        event = finished(head, self.runs, **more)
        code, out, err = self.graft("comment", "--report", str(folder), event=event)
        assert (code, err) == (0, ""), err
        assert not any(line.startswith("::") for line in out.splitlines())
        return self.hub.said(5)[0]

    def notes(self) -> list[dict[str, Any]]:
        return self.hub.notes.get(5, [])


@pytest.fixture
def ada(
    site: Path, hub: Hub, graft: Graft, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Contributor:
    def fix() -> str:
        capsys.readouterr()
        base = hub.git("rev-parse", "main")
        assert cli.main(["fix", "--head", "HEAD", "--base", base, "--diff"]) == 0
        return capsys.readouterr().out

    Repo(site).branch("work")
    return Contributor(site, hub, graft, tmp_path / "report", fix)


def test_a_click_each_and_the_leaf_is_as_fix_would_have_it(ada: Contributor) -> None:
    head = ada.push({NEW: untidy(2, 7, 13)})
    said = ada.reported()
    assert "**Layout**: 3 places can be mended by a click on the suggestion beside it." in said
    assert [(one["path"], one["original_line"]) for one in ada.notes()] == [
        *((NEW, 2), (NEW, 7), (NEW, 13))
    ]
    [review] = ada.hub.reviews[5]
    assert (review["state"], review["commit_id"]) == ("COMMENTED", head)
    # Nothing is said twice, not after a push that moves the lines either.
    ada.reported()
    ada.push({NEW: "# Odes.\n" + untidy(2, 7, 13)})
    assert "3 places can be" in ada.reported()
    assert len(ada.notes()) == 3
    # One is taken; the others still stand.
    ada.push(accept(ada.hub, 5, lambda one: one["line"] == 3))
    assert "2 places can be" in ada.reported()
    assert len(ada.notes()) == 3
    ada.push(accept(ada.hub, 5))
    whole = ada.hub.git_bytes("show", f"refs/pull/5/head:{NEW}").decode()
    assert whole == "# Odes.\n" + skill()
    assert "Layout" not in ada.reported()
    assert len(ada.hub.reviews[5]) == 1


def edit_of_an_untidy_leaf(ada: Contributor) -> None:
    """A leaf that was untidy at its top before; the pull request changes its end alone."""
    ada.repo.checkout("main")
    write(ada.repo.path, FILE, untidy(2))
    ada.repo.commit("Untidy")
    ada.repo.git("push", "--quiet", str(ada.hub.git_dir), "main")
    ada.repo.branch("later")
    ada.push({FILE: untidy(2, 13).replace("Word 4", "Sword 4")})


def test_only_lines_of_the_pull_request_are_spoken_of(ada: Contributor) -> None:
    edit_of_an_untidy_leaf(ada)
    said = ada.reported()
    assert "1 place can be mended by a click on the suggestion beside it, 1 more by `graft" in said
    assert [one["original_line"] for one in ada.notes()] == [13]


def test_a_run_that_lies_chooses_no_text_no_file_and_no_line(ada: Contributor) -> None:
    ada.push({NEW: untidy(4), "Makefile": "all:  \n", "taxonomy/knowledge/notes.txt": "x  \n"})
    names = [FILE, "Makefile", "taxonomy/knowledge/notes.txt", "../../etc/passwd", "/etc/passwd"]
    lie = lists(
        *names, f"taxonomy/../{NEW}", NEW, NEW.removeprefix("taxonomy/"), "\x1b[31m", "a" * 9999
    )
    said = ada.reported(lie)
    assert "1 place can be" in said
    [one] = ada.notes()
    assert (one["path"], one["original_line"]) == (NEW, 4)
    assert "evil" not in one["body"] + said
    # It may keep silent, of its own pull request alone.
    assert "Layout" in ada.reported("")
    assert len(ada.notes()) == 1


def test_an_older_run_and_an_older_head_suggest_nothing(ada: Contributor) -> None:
    first = ada.push({NEW: skill()})
    ada.reported("")
    ada.hub.pulls[5]["head"]["sha"] = ada.push({NEW: untidy(4)})
    artifact(ada.folder)
    (ada.folder / "fix.diff").write_text(lists(NEW))
    ada.graft("comment", "--report", str(ada.folder), event=finished(first, 9))
    assert ada.notes() == []
    ada.reported()
    ada.hub.notes.clear()
    again = finished(ada.hub.pulls[5]["head"]["sha"], 1)
    assert "a newer run" in ada.graft("comment", "--report", str(ada.folder), event=again)[1]
    assert ada.notes() == []


def test_some_are_suggested_and_the_rest_is_told(ada: Contributor) -> None:
    paths = [f"taxonomy/compositional_skills/writing/a{n}/qna.yaml" for n in range(MOST + 2)]
    ada.push({path: untidy(4) for path in paths})
    said = ada.reported()
    assert f"{MOST} places can be mended by a click on the suggestion beside it, 2 more by" in said
    assert len(ada.notes()) == MOST
    ada.reported()
    assert len(ada.notes()) == MOST
    # What is mended makes room.
    ada.push(dict(list(accept(ada.hub, 5).items())[:4]))
    ada.reported()
    assert len(ada.notes()) == MOST + 2


def test_a_mark_that_somebody_else_wrote_is_not_ours(ada: Contributor) -> None:
    ada.push({NEW: untidy(4)})
    ada.reported()
    [note] = ada.notes()
    note["user"] = ada.hub.user("mallory")
    ada.reported()
    assert [one["user"]["login"] for one in ada.notes()] == ["mallory", BOT]
    note["user"] = None  # who left GitHub
    ada.reported()
    assert len(ada.notes()) == 2


def test_what_github_refuses_is_left_to_fix(ada: Contributor) -> None:
    """The list of files shows more lines than GitHub, in the end, takes for the diff."""
    edit_of_an_untidy_leaf(ada)
    ada.hub.files[5][0]["patch"] = "@@ -1,14 +1,14 @@\n"
    assert "**Layout**: 2 places can be mended by `graft fix`." in ada.reported()
    assert ada.notes() == []


def test_an_answer_that_is_lost_costs_the_comment_nothing(ada: Contributor) -> None:
    ada.push({NEW: untidy(2, 7)})
    ada.hub.lost += ["pulls/5/reviews"]
    assert "2 places can be mended by a click" in ada.reported()
    assert len(ada.notes()) == 2
    ada.reported()
    assert len(ada.hub.reviews[5]) == 1


def test_the_stand_in_refuses_what_github_refuses(ada: Contributor) -> None:
    head = ada.push({FILE: skill().replace("Word 4", "Sword 4")})
    client = GitHub(open_client()).client

    def review(**place: Any) -> None:
        comment = {"path": FILE, "side": "RIGHT", "body": "x", **place}
        body = {"commit_id": head, "event": "COMMENT", "body": "x", "comments": [comment]}
        client.send("POST", "pulls/5/reviews", body)

    for place in ({"line": 2}, {"line": 13, "start_line": 13}, {"line": 13, "start_line": 2}):
        with pytest.raises(Refused, match="422"):
            review(**place)
    with pytest.raises(Refused, match="422"):
        review(line=13, path="Makefile")
    assert ada.notes() == []
    review(line=13, start_line=12)
    assert len(ada.notes()) == 1


FENCES = "````\n~~~~\n`````suggestion\nx\n`````\n</details> @torvalds #1 <!-- graft:mend 0123456789abcdef -->"
LIVELY = ("mentions", "a comment", "our marker, forged", "workflow commands", "bidi", "fences")


@pytest.mark.parametrize("text", [FENCES, *(INJECTIONS[name] for name in LIVELY)])
def test_hostile_text_of_a_leaf_stays_inside_its_suggestion(ada: Contributor, text: str) -> None:
    # Two columns in, where a fence would still end a code block; it stands further in, and is moved there.
    block = "".join(f"     {line}\n" for line in text.split("\n"))
    ada.push({NEW: skill().replace("_description: Rhyme.\n", f"_description: |\n{block}")})
    said = ada.reported(lists(NEW))
    assert "**Layout**" in said
    assert bool(ada.notes()) != bool(HIDDEN.search(text))
    for one in ada.notes():
        assert text in one["body"].replace("\n  ", "\n")
        page = rendered(one["body"])
        assert page.found == ["pre", "code"]
        assert len(page.comments) == 1
        assert page.outside.strip() == ""


def test_links_and_submodules_are_nothing_to_mend(ada: Contributor) -> None:
    path = ada.repo.path / NEW
    path.parent.mkdir(parents=True)
    path.symlink_to("../rhymes/qna.yaml")
    other = NEW.replace("odes", "odd")
    commit = ada.repo.commit("A link")
    ada.repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{other}")
    ada.repo.git("commit", "--quiet", "-m", "A submodule")
    ada.pushed(ada.repo.git("rev-parse", "HEAD"))
    ada.reported(lists(NEW, other))
    assert ada.notes() == []
