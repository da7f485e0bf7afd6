"""``--head``: a stranger's commit is read as data; code, recipe and policy stay those checked out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipelines.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE
from tests.support.commands import Graft, assert_one_sentence, changed, commands, edit, site_in
from tests.support.flow import COLOUR, MILL, TOWER, Site, add_tower

SIGNED = "A leaf\n\nSigned-off-by: Ada Lovelace <ada@example.org>\n"
TAXONOMY = ("--taxonomy", "repo/taxonomy")
HEAD = ("--head", "stranger", "--base", "main")
CHECK = ("check", *TAXONOMY, *HEAD)


@pytest.fixture
def graft(capsys: pytest.CaptureFixture[str]) -> Graft:
    return commands(capsys)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Five leaves on main; the branch ``stranger`` is begun and checked out."""
    made = site_in(tmp_path / "site", monkeypatch)
    made.repo.branch("stranger")
    return made


def brought(site: Site, message: str = SIGNED) -> None:
    """What is there becomes the stranger's commit; main is checked out, and nothing of it is there."""
    site.repo.commit(message)
    site.repo.checkout("main")
    assert not (site.taxonomy / TOWER).exists()


def findings(graft: Graft, *more: str) -> tuple[int, dict[str, object], list[dict[str, object]]]:
    code, out, _ = graft(*CHECK, "--format", "json", *more)
    told = json.loads(out)
    return code, told, told["findings"]


def test_only_what_the_commit_brings_is_checked(graft: Graft, site: Site) -> None:
    add_tower(site.taxonomy)
    brought(site)
    edit(site.taxonomy / MILL / "qna.yaml", "domain: science", "domain: 7")  # here, not there
    code, told, found = findings(graft)
    assert (code, told["checked"], found) == (EXIT_OK, 1, [])
    code, out, _ = graft("check", *TAXONOMY, "--head", "stranger")
    assert (code, out) == (EXIT_OK, "6 leaves checked: 0 errors, 0 warnings.\n")


def test_a_leaf_that_is_deleted_is_not_missed(graft: Graft, site: Site) -> None:
    site.repo.checkout("main")
    changed(site)  # one of each kind of change, on the branch topic
    site.repo.commit(SIGNED)
    site.repo.checkout("main")
    code, out, _ = graft("check", *TAXONOMY, "--head", "topic", "--base", "main")
    assert (code, out) == (EXIT_OK, "3 leaves checked: 0 errors, 0 warnings.\n")


def test_the_policy_of_the_commit_has_no_say(graft: Graft, site: Site) -> None:
    add_tower(site.taxonomy)
    edit(site.taxonomy / TOWER / "attribution.txt", "CC-BY-SA-4.0", "LicenseRef-mine")
    site.repo.write("graft.yaml", "licences: [LicenseRef-mine]\n")
    brought(site)
    code, _, found = findings(graft)
    assert code == EXIT_FINDINGS
    assert [one["rule"] for one in found] == ["attribution"]
    assert found[0]["path"] == f"repo/taxonomy/{TOWER}/attribution.txt"


def test_a_link_is_refused_and_told(graft: Graft, site: Site, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("token: abracadabra\n", encoding="utf-8")
    leaf = site.taxonomy / TOWER
    add_tower(site.taxonomy)
    (leaf / "qna.yaml").unlink()
    (leaf / "qna.yaml").symlink_to(secret)
    brought(site)
    code, told, found = findings(graft)
    assert code == EXIT_FINDINGS
    why = {str(one["path"]): str(one["message"]) for one in found}
    assert "a link" in why[f"repo/taxonomy/{TOWER}/qna.yaml"]
    assert "abracadabra" not in json.dumps(told)
    code, out, err = graft("fix", *TAXONOMY, *HEAD, "--diff")
    assert code == EXIT_FINDINGS
    assert "symlink" in err
    assert "abracadabra" not in out + err


def test_a_leaf_beside_the_taxonomy_is_told_and_one_of_the_docs_is_not(
    graft: Graft, site: Site
) -> None:
    site.repo.checkout("main")
    site.repo.write("docs/qna.yaml", "an: example\n")
    site.repo.commit(SIGNED)
    site.repo.branch("lost")
    for place in ("knowledge/sea/tides", "my_leaf", "docs/leaf"):
        shutil.copytree(site.taxonomy / MILL, site.repo.path / place)
    site.repo.commit(SIGNED)
    site.repo.checkout("main")
    code, out, _ = graft("check", *TAXONOMY, "--head", "lost", "--base", "main")
    assert code == EXIT_FINDINGS
    first, second, last = out.splitlines()
    assert first.startswith("repo/knowledge/sea/tides/qna.yaml:1:1: error: This leaf lies outside")
    assert "below repo/taxonomy/compositional_skills/" in first
    assert second.startswith("repo/my_leaf/qna.yaml:1:1: error: ")
    assert last == "0 leaves checked: 2 errors, 0 warnings."
    assert (
        graft("check", *TAXONOMY, "--head", "lost", "--base", "main", "--rule", "size")[0]
        == EXIT_OK
    )


def test_the_rest_of_the_tree_is_compared_where_its_index_is_there(
    graft: Graft, site: Site
) -> None:
    shutil.copytree(site.taxonomy / MILL, site.taxonomy / TOWER)
    brought(site)
    assert graft("check", *TAXONOMY)[0] == EXIT_OK  # main's index
    _, _, found = findings(graft)
    twins = [one for one in found if one["rule"] == "near-duplicate"]
    assert twins
    assert all(str(one["path"]).startswith(f"repo/taxonomy/{TOWER}/") for one in twins)
    assert MILL in json.dumps(twins)


def test_an_edited_leaf_is_no_twin_of_what_it_was(graft: Graft, site: Site) -> None:
    edit(site.taxonomy / COLOUR / "qna.yaml", "answer: amber", "answer: golden")
    brought(site)
    assert graft("check", *TAXONOMY)[0] == EXIT_OK
    assert findings(graft)[::2] == (EXIT_OK, [])


def test_commits_without_sign_off_are_told(graft: Graft, site: Site) -> None:
    add_tower(site.taxonomy)
    site.repo.commit(SIGNED)
    site.repo.write("notes.txt", "x\n")
    site.repo.commit(
        "Signed by another ::error::\n\nSigned-off-by: Ada Lovelace <bob@example.org>\n"
    )
    site.repo.checkout("main")
    code, _, found = findings(graft, "--signed-off")
    assert code == EXIT_FINDINGS
    assert [one["rule"] for one in found] == ["sign-off"]
    assert "Signed-off-by: Ada Lovelace <ada@example.org>" in str(found[0]["hint"])
    _, out, _ = graft(*CHECK, "--signed-off", "--format", "github")
    assert out.count("::error") == 1


def test_mends_are_shown_and_not_made(graft: Graft, site: Site) -> None:
    add_tower(site.taxonomy)
    edit(site.taxonomy / TOWER / "qna.yaml", "seed_examples:", "seed_examples:   ")
    brought(site)
    code, out, _ = graft("fix", *TAXONOMY, *HEAD, "--check", "--diff")
    assert code == EXIT_FINDINGS
    assert f"+++ b/repo/taxonomy/{TOWER}/qna.yaml" in out
    assert "1 would change" in out
    assert_one_sentence(graft("fix", *TAXONOMY, *HEAD), EXIT_USAGE, "--check or --diff")


def test_a_run_plans_for_the_commit_and_writes_none_of_its_files(graft: Graft, site: Site) -> None:
    add_tower(site.taxonomy)
    brought(site)
    recipe = ("--recipe", str(site.recipe), "--plan")
    code, out, err = graft("run", *TAXONOMY, "--head", "stranger", *recipe)
    assert code == EXIT_OK, err
    assert f"learn {TOWER}" in out
    assert f"learn {TOWER}" not in graft("run", *TAXONOMY, *recipe)[1]
    assert not (site.taxonomy / TOWER).exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--base", "main"), "--head"),
        (("--head", "main", "repo/taxonomy"), "name no path"),
        (("--signed-off",), "--base and --head"),
        (("--head", "main", "--signed-off"), "--base and --head"),
    ],
)
def test_what_does_not_go_together_is_said(
    graft: Graft, site: Site, words: tuple[str, ...], told: str
) -> None:
    assert_one_sentence(graft("check", *TAXONOMY, *words), EXIT_USAGE, told)


def test_of_more_leaves_than_the_policy_permits_none_is_read(graft: Graft, site: Site) -> None:
    """The policy is the base's: that the branch raises the limit says nothing."""
    site.repo.checkout("main")
    site.repo.write("graft.yaml", "limits: {changed_leaves: 1}\n")
    site.repo.commit("A limit")
    site.repo.branch("crowd")
    add_tower(site.taxonomy)
    edit(site.taxonomy / COLOUR / "qna.yaml", "seed_examples", "examples")  # not even looked at
    site.repo.write("graft.yaml", "limits: {changed_leaves: 9}\n")
    site.repo.commit(SIGNED)
    site.repo.checkout("main")
    said = "2 leaves are touched, and limits.changed_leaves of the policy permits 1 in one pull request."
    change = ("--head", "crowd", "--base", "main")
    code, out, _ = graft("check", *TAXONOMY, *change, "--format", "json")
    told = json.loads(out)
    assert (code, told["checked"]) == (EXIT_FINDINGS, 0)
    assert [(one["rule"], one["message"]) for one in told["findings"]] == [("change-size", said)]
    recipe = ("--recipe", str(site.recipe))
    for words in (("fix", "--check"), ("run", "--plan", *recipe), ("generate", "--plan", *recipe)):
        code, _, err = graft(*words, *TAXONOMY, *change)
        assert code == EXIT_FINDINGS
        assert err.startswith(f"graft: {said}")
