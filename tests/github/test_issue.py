"""`graft github issue-to-leaf`: from a filled-in form to a draft pull request that follows the issue."""

from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from pipelines.check import Policy, check
from pipelines.github.form import read_forms
from pipelines.work_tree import WorkTree
from tests.github.conftest import FIELDS, Graft, filled
from tests.support.flow import ROOT
from tests.support.github import BAD_GATEWAY, SECONDARY, Hub
from tests.support.repositories import knowledge_seeds

EDDYSTONE = (
    ROOT
    / "docs/examples/taxonomy/knowledge/engineering/lighthouses/eddystone_lighthouse"
    / "eddystone_lighthouse.md"
).read_text(encoding="utf-8")
LEAF = "knowledge/unsorted/the_eddystone_lighthouse"
EXAMPLES = "\n\n".join(f"Q: How does song {n} go?\nA: It goes la {n}." for n in range(5))
SONGS = {"title": "Songs", "description": "Sing a song.", "examples": EXAMPLES}
# A document and questions on all of it, so that nothing is left for a program to propose.
SEEDS = knowledge_seeds()
DOCUMENT = "# Things\n\n" + "\n\n".join(context for context, _ in SEEDS)
QUESTIONS = "\n\n".join(
    "\n".join([f"C: {context}", *(f"Q: {q}\nA: {a}" for q, a in pairs)]) for context, pairs in SEEDS
)
THINGS = {
    "title": "Things",
    "document": DOCUMENT,
    "source": "my own",
    "licence": "CC-BY-4.0",
    "questions": QUESTIONS,
}


def words(text: str, count: int) -> str:
    """Whole paragraphs of at most ``count`` words."""
    kept: list[str] = []
    for paragraph in text.split("\n\n"):
        if sum(len(one.split()) for one in [*kept, paragraph]) > count:
            break
        kept.append(paragraph)
    return "\n\n".join(kept)


def eddystone(**more: str) -> str:
    values = {
        "title": "The Eddystone Lighthouse",
        "document": words(EDDYSTONE, 1000),
        "source": "https://example.org/eddystone by the Trinity society",
        "licence": "CC-BY-4.0",
    }
    return filled("knowledge", **{**values, **more})


def event(number: int) -> dict[str, object]:
    return {"action": "edited", "issue": {"number": number}, "sender": {"login": "ada"}}


def checked_out(hub: Hub, folder: Path, branch: str) -> Path:
    """The taxonomy of a branch, as a reviewer would have it."""
    hub.git("worktree", "add", "--quiet", "--force", str(folder), branch)
    return folder / "taxonomy"


def test_a_document_of_a_thousand_words_gives_a_draft_that_its_author_mends_in_plain_text(
    hub: Hub, graft: Graft, site: Path, tmp_path: Path
) -> None:
    hub.issue(7, eddystone(), "ada-l")
    code, out, _ = graft("issue-to-leaf", event=event(7))
    assert (code, out) == (0, f"#7: {LEAF} is in pull request #8.\n")
    assert [pull["draft"] for pull in hub.pulls.values()] == [True]
    tree = checked_out(hub, tmp_path / "draft", "graft/issue-7")
    found = check(WorkTree(tree), Policy(), [LEAF]).findings
    assert {finding.severity for finding in found} <= {"warning"}
    assert "draft" in {finding.rule for finding in found}
    # Author and sign-off are the contributor's, at the address that hides their own.
    address = f"{hub.user('ada-l')['id']}+ada-l@users.noreply.github.com"
    assert hub.git("show", "-s", "--format=%an <%ae>", "graft/issue-7") == f"ada-l <{address}>"
    assert f"Signed-off-by: ada-l <{address}>" in hub.git(
        "show", "-s", "--format=%B", "graft/issue-7"
    )
    attribution = hub.git("show", f"graft/issue-7:taxonomy/{LEAF}/attribution.txt")
    assert "Creator names: the Trinity society" in attribution
    assert "Link to work: https://example.org/eddystone\n" in attribution

    # What the answer proposes, copied into the form and mended there, is the author's own.
    [said] = hub.said(7)
    proposal = re.search(r"^```text\n(.*?)\n```$", said, re.DOTALL | re.MULTILINE)
    assert proposal
    mended = proposal[1].replace("\nA: ", "\nA: the ", 1)
    hub.issue(7, eddystone(questions=f"```\n{mended}\n```"), "ada-l")
    assert graft("issue-to-leaf", event=event(7))[0] == 0
    text = hub.git("show", f"graft/issue-7:taxonomy/{LEAF}/qna.yaml")
    assert not text.startswith("# DRAFT")
    assert len(yaml.safe_load(text)["seed_examples"]) == 8
    assert hub.git("rev-list", "--count", "main..graft/issue-7") == "2"
    assert len(hub.pulls) == 1
    assert "proposed by a program" not in hub.said(7)[0]


def test_questions_without_a_passage_are_put_to_the_one_that_answers_them(
    hub: Hub, graft: Graft
) -> None:
    asked = "Q: When did the Great Storm strike?\nA: on the night of 26 November 1703"
    nowhere = "Q: Who painted the lamp?\nA: nobody whom the text names"
    hub.issue(7, eddystone(questions=f"{asked}\n\n{nowhere}"), "ada")
    assert graft("issue-to-leaf", event=event(7))[0] == 0
    seeds = yaml.safe_load(hub.git("show", f"graft/issue-7:taxonomy/{LEAF}/qna.yaml"))[
        "seed_examples"
    ]
    [seed] = [one for one in seeds if "26 November 1703" in one["context"]]
    questions = [pair["question"] for pair in seed["questions_and_answers"]]
    assert questions[0] == "When did the Great Storm strike?"
    assert len(questions) == 3
    assert "Who painted the lamp?” is not used yet" in hub.said(7)[0]


def test_a_skill_and_its_edit(hub: Hub, graft: Graft) -> None:
    hub.issue(3, filled("skill", **SONGS), "bea")
    assert graft("issue-to-leaf", event=event(3))[0] == 0
    leaf = "compositional_skills/unsorted/songs"
    assert "A reviewer is next" in hub.said(3)[0]
    # Nothing new: no commit, no comment, no second pull request.
    before = hub.git("rev-parse", "graft/issue-3")
    hub.asked.clear()
    assert graft("issue-to-leaf", event=event(3))[0] == 0
    assert hub.git("rev-parse", "graft/issue-3") == before
    assert hub.counted("POST", "/git/commits") == 0
    assert hub.counted("POST|PATCH", "comments") == 0
    # Another title and answer: the leaf stays where it is.
    more = {**SONGS, "title": "Old songs", "examples": EXAMPLES.replace("la 4", "lo 4")}
    hub.issue(3, filled("skill", **more), "bea")
    assert graft("issue-to-leaf", event=event(3))[0] == 0
    assert "It goes lo 4." in hub.git("show", f"graft/issue-3:taxonomy/{leaf}/qna.yaml")
    assert len(hub.pulls) == 1
    assert len(hub.said(3)) == 1


def test_a_skill_on_given_texts_is_grounded(hub: Hub, graft: Graft) -> None:
    examples = "\n\n".join(
        f"C: Letter {n} is from Zoe.\nQ: Who wrote letter {n}?\nA: Zoe" for n in range(5)
    )
    hub.issue(3, filled("skill", **{**SONGS, "examples": examples}), "bea")
    _, out, _ = graft("issue-to-leaf", event=event(3))
    assert "compositional_skills/grounded/unsorted/songs is in pull request" in out


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"dco": "- [ ] I certify the above."}, "is not ticked"),
        ({"examples": EXAMPLES.rsplit("\n\n", 1)[0]}, "4 of the 5 examples"),
        ({"examples": "just sing"}, "stands above the first “Q:”"),
        ({"examples": EXAMPLES + "\n\nQ: And then?"}, "“And then?” has no answer"),
        ({"title": ""}, "“title” is empty"),
        ({"title": "🌳"}, "no letter or digit"),
        ({"title": "Con"}, "cannot be a folder's name on Windows"),
        ({"examples": EXAMPLES.replace("It goes la 3.", "TODO")}, "placeholder"),
    ],
)
def test_what_is_missing_is_said_and_no_pull_request_is_opened(
    hub: Hub, graft: Graft, values: dict[str, str], told: str
) -> None:
    hub.issue(3, filled("skill", **{**SONGS, **values}), "bea")
    assert graft("issue-to-leaf", event=event(3))[0] == 0
    [said] = hub.said(3)
    assert told in said.replace("\\", "")
    assert not hub.pulls
    # Mended, it goes through, and the same comment says so.
    hub.issue(3, filled("skill", **SONGS), "bea")
    graft("issue-to-leaf", event=event(3))
    assert len(hub.pulls) == 1
    assert len(hub.said(3)) == 1


def test_a_correction_changes_one_answer_and_nothing_else(hub: Hub, graft: Graft) -> None:
    leaf = "https://github.com/taxonomists/garden/blob/main/taxonomy/knowledge/earth/rivers/danube/qna.yaml"
    values = {
        "leaf": leaf,
        "wrong": "Q: What is 2.1?\nA: It is 1.",
        "right": "A: It is: '1', not #2",
    }
    hub.issue(5, filled("correction", **values), "cleo")
    _, out, _ = graft("issue-to-leaf", event=event(5))
    assert out == "#5: knowledge/earth/rivers/danube is in pull request #6.\n"
    change = hub.git("diff", "-U0", "main", "graft/issue-5").splitlines()
    assert [line for line in change if re.match(r"[-+] ", line)] == [
        "-        answer: It is 1.",
        "+        answer: \"It is: '1', not #2\"",
    ]
    assert hub.pulls[6]["title"] == "Correct knowledge/earth/rivers/danube"


def test_a_correction_that_can_mean_several_answers_asks_which(hub: Hub, graft: Graft) -> None:
    values = {"leaf": "knowledge/earth/rivers/danube", "wrong": "It is 1.", "right": "It is 3."}
    hub.issue(5, filled("correction", **values), "cleo")
    graft("issue-to-leaf", event=event(5))
    assert "5 questions of the leaf can be meant" in hub.said(5)[0]
    assert not hub.pulls


@pytest.mark.parametrize("leaf", ["../../etc/passwd", "/etc", "knowledge/../../graft.yaml", "x\ny"])
def test_a_correction_reaches_nothing_but_leaves(hub: Hub, graft: Graft, leaf: str) -> None:
    hub.issue(5, filled("correction", leaf=leaf, wrong="x", right="y"), "cleo")
    assert graft("issue-to-leaf", event=event(5))[0] == 0
    assert not hub.pulls


def test_what_is_no_form_or_closed_or_a_pull_request_is_left_alone(hub: Hub, graft: Graft) -> None:
    hub.issue(1, "The check is slow.", "ada")
    hub.issue(2, filled("skill", **SONGS), "ada", state="closed")
    hub.issue(3, filled("skill", **SONGS), "ada", pull_request={})
    for number in (1, 2, 3):
        assert graft("issue-to-leaf", event=event(number))[0] == 0
    assert not hub.comments
    assert not hub.pulls


def test_a_branch_that_a_reviewer_worked_on_and_a_closed_pull_request_are_left_alone(
    hub: Hub, graft: Graft
) -> None:
    hub.issue(3, filled("skill", **SONGS), "bea")
    graft("issue-to-leaf", event=event(3))
    [number] = hub.pulls
    ours = hub.git("rev-parse", "graft/issue-3")
    theirs = hub.git("commit-tree", f"{ours}^{{tree}}", "-p", ours, "-m", "Mended by a reviewer")
    hub.git("update-ref", "refs/heads/graft/issue-3", theirs)
    hub.issue(3, filled("skill", **{**SONGS, "description": "Hum."}), "bea")
    graft("issue-to-leaf", event=event(3))
    assert hub.git("rev-parse", "graft/issue-3") == theirs
    assert f"A reviewer has worked on pull request #{number}" in hub.said(3)[0]
    hub.git("update-ref", "refs/heads/graft/issue-3", ours)
    hub.pulls[number]["state"] = "closed"
    assert "was closed" in graft("issue-to-leaf", event=event(3))[1]
    assert hub.git("rev-parse", "graft/issue-3") == ours
    assert len(hub.pulls) == 1


def test_github_that_is_busy_is_asked_again_and_no_comment_is_made_twice(
    hub: Hub, graft: Graft, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    hub.issue(3, filled("skill", **SONGS), "bea")
    hub.fail += [BAD_GATEWAY, SECONDARY, (429, {"Retry-After": "7"}, {"message": "slow down"})]
    code, _, err = graft("issue-to-leaf", event=event(3))
    assert (code, err) == (0, "")
    assert len(hub.said(3)) == 1


def test_where_nothing_can_be_proposed_the_author_is_told_how_to_write_it_in_the_form(
    hub: Hub, graft: Graft
) -> None:
    german = "Das Haus wurde im Jahr 1880 eröffnet und im selben Jahr verkauft. " * 60
    hub.issue(3, filled("knowledge", **{**THINGS, "document": german, "questions": ""}), "bea")
    assert graft("issue-to-leaf", event=event(3))[0] == 0
    assert "more English prose" in hub.said(3)[0]
    assert "Or write 5 passages of it yourself in the field “questions”" in hub.said(3)[0]


class _Files(BaseHTTPRequestHandler):
    """A host of attachments on the loopback interface."""

    def do_GET(self) -> None:
        data = DOCUMENT.encode()
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved?to="))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path == "/long.md":
            data = b"word " * 21_000
        if self.path == "/huge.md":
            data = b"x" * (6 << 20)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        return None


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("{host}/things.md", ""),
        ("[things.md]({host}/moved?to=/things.md)", ""),
        ("{host}/huge.md", "larger than 5 MB"),
        ("{host}/long.md", "more than 20,000 words"),
        ("{host}/moved?to=/moved?to=/moved?to=/moved?to=/moved", "leads from one to another"),
        ("{host}/moved?to=http://169.254.169.254/latest/meta-data", "not taken from 169.254"),
        ("{host}/moved?to=file:///etc/passwd", "not taken from"),
        ("http://127.0.0.1:1/secret", "not taken from 127.0.0.1"),
        ("http://localhost/x", "not taken from localhost"),
        ("https://github.com@evil.example/user-attachments/files/1/a.md", "holds a login"),
        ("https://github.com/login/oauth/authorize", "no attached file"),
        ("https://evil.example/user-attachments/files/1/a.md", "not taken from evil.example"),
        ("Here it is: [things.md]({host}/things.md)", "leave one link alone there"),
        ("[a.md]({host}/things.md)\n[b.md]({host}/things.md)", "leave one link alone there"),
    ],
)
def test_attachments_come_from_allowed_hosts_in_limits(
    hub: Hub, graft: Graft, site: Path, link: str, told: str
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    host = f"127.0.0.1:{server.server_address[1]}"
    policy = f"licences: [CC-BY-4.0]\ndocuments:\n  allow_hosts: ['{host}']\n"
    (site / "graft.yaml").write_text(policy, encoding="utf-8")
    document = link.replace("{host}", f"http://{host}")
    hub.issue(3, filled("knowledge", **{**THINGS, "document": document}), "bea")
    try:
        assert graft("issue-to-leaf", event=event(3))[0] == 0
    finally:
        server.shutdown()
        server.server_close()
    assert told in hub.said(3)[0].replace("\\", "").replace("\u200b", "")
    assert len(hub.pulls) == (0 if told else 1)


def test_the_forms_of_this_repository_have_the_fields_that_are_read() -> None:
    for kind, fields in FIELDS.items():
        path = ROOT / f".github/ISSUE_TEMPLATE/{kind}.yml"
        if path.is_file():
            [found] = [one for one in read_forms(path.parent) if one.kind == kind]
            assert list(found.labels) == list(fields)
