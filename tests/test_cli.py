"""The command line: what is printed where, and exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from pipelines.cli.common import say
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE
from tests.support.commands import Graft, assert_one_sentence, changed, commands, edit, site_in
from tests.support.flow import (
    COLOUR,
    FERRY,
    KEEPER,
    LEAVES,
    MILL,
    ROOT,
    TOWER,
    Site,
    add_tower,
    grown_site,
)


@pytest.fixture
def graft(capsys: pytest.CaptureFixture[str]) -> Graft:
    return commands(capsys)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return site_in(tmp_path / "site", monkeypatch)


@pytest.fixture
def grown(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Site:
    """Five leaves and release zero, and a branch with one more, released."""
    made = grown_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "grown")
    monkeypatch.chdir(made.path)
    monkeypatch.delenv("GRAFT_CACHE", raising=False)
    return made


# --- check ---------------------------------------------------------------------------------------


def test_check_of_a_sound_tree(graft: Graft, site: Site) -> None:
    code, out, err = graft("check", "--taxonomy", "repo/taxonomy")
    assert (code, out, err) == (EXIT_OK, "5 leaves checked: 0 errors, 0 warnings.\n", "")


def test_check_in_json_has_the_documented_shape(graft: Graft, site: Site) -> None:
    edit(site.taxonomy / MILL / "qna.yaml", "domain: science", "domain: 7\ndomian: science")
    edit(site.taxonomy / FERRY / "attribution.txt", "CC-BY-SA-4.0", "Proprietary")
    code, out, err = graft("check", "--taxonomy", "repo/taxonomy", "--format", "json")
    assert (code, err) == (EXIT_FINDINGS, "")
    found = json.loads(out)
    schema = json.loads((ROOT / "schema" / "findings.json").read_bytes())
    Draft202012Validator(schema).validate(found)
    assert found["checked"] == 5
    assert {finding["path"] for finding in found["findings"]} >= {
        f"repo/taxonomy/{MILL}/qna.yaml",
        f"repo/taxonomy/{FERRY}/attribution.txt",
    }
    places = [(f["path"], f["line"]) for f in found["findings"] if f["rule"] == "schema"]
    lines = (site.taxonomy / MILL / "qna.yaml").read_text("utf-8").splitlines()
    assert (f"repo/taxonomy/{MILL}/qna.yaml", lines.index("domain: 7") + 1) in places


def test_check_of_named_paths_only(graft: Graft, site: Site) -> None:
    (site.taxonomy / FERRY / "attribution.txt").unlink()
    words = ("check", "--taxonomy", "repo/taxonomy")
    assert graft(*words, f"repo/taxonomy/{MILL}")[0] == EXIT_OK
    code, out, _ = graft(*words, f"repo/taxonomy/{FERRY}/qna.yaml")
    assert code == EXIT_FINDINGS
    assert out.endswith("1 leaf checked: 1 error, 0 warnings.\n")
    missing = graft(*words, "repo/taxonomy/knowledge/nowhere")
    assert_one_sentence(missing, EXIT_USAGE, "there is no such file")
    outside = graft(*words, "fast.yaml")
    wanted = "fast.yaml is not inside the taxonomy repo/taxonomy; name the tree that holds it with --taxon"
    assert_one_sentence(outside, EXIT_USAGE, wanted)


def test_check_reads_the_policy_beside_the_tree(graft: Graft, site: Site) -> None:
    site.repo.write("graft.yaml", "licences:\n  - MIT\n")
    code, out, _ = graft("check", "--taxonomy", "repo/taxonomy")
    assert code == EXIT_FINDINGS
    assert "CC-BY-SA-4.0" in out


def test_the_tree_is_found_where_it_usually_is(
    graft: Graft, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_one_sentence(graft("check"), EXIT_USAGE, "There is no taxonomy/ here")
    for folder in ("repo", "repo/taxonomy"):
        monkeypatch.chdir(site.path / folder)
        assert graft("check")[0] == EXIT_OK
    nowhere = graft("check", "--taxonomy", "nowhere")
    assert_one_sentence(nowhere, EXIT_USAGE, "--taxonomy nowhere")


# --- diff ----------------------------------------------------------------------------------------


def test_diff_in_json_has_the_documented_shape(graft: Graft, site: Site) -> None:
    base = site.repo.git("rev-parse", "HEAD")
    changed(site)
    head = site.repo.commit("All kinds of change")
    words = ("diff", "main", "topic", "--taxonomy", "repo/taxonomy", "--format", "json")
    code, out, err = graft(*words)
    assert (code, err) == (EXIT_OK, "")
    found = json.loads(out)
    assert set(found) == {"base", "head", "changes"}
    assert (found["base"], found["head"]) == (base, head)
    keys = {"leaf", "kind", "status", "previous_leaf", "seeds", "invalidates"}
    assert all(set(change) == keys for change in found["changes"])
    warden = "compositional_skills/writing/warden"
    told = {
        change["leaf"]: (change["status"], change["previous_leaf"], change["invalidates"])
        for change in found["changes"]
    }
    assert told == {
        TOWER: ("added", None, "data"),
        COLOUR: ("modified", None, "data"),
        warden: ("renamed", KEEPER, "nothing"),
        FERRY: ("deleted", None, "data"),
    }
    seeds = {change["leaf"]: change["seeds"] for change in found["changes"]}
    assert [len(seeds[COLOUR][key]) for key in ("added", "removed", "changed")] == [0, 0, 1]
    assert [len(seeds[TOWER][key]) for key in ("added", "removed", "changed")] == [5, 0, 0]
    assert found["changes"] == sorted(found["changes"], key=lambda change: str(change["leaf"]))


def test_diff_with_the_work_tree_needs_no_commit(graft: Graft, site: Site) -> None:
    assert graft("diff", "--taxonomy", "repo/taxonomy") == (EXIT_OK, "No leaf changed.\n", "")
    changed(site)
    code, out, _ = graft("diff", "--taxonomy", "repo/taxonomy")
    assert code == EXIT_OK
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["renamed", "compositional_skills/writing/warden"],
        ["modified", COLOUR],
        ["added", TOWER],
        ["deleted", FERRY],
    ]
    assert f"(was {KEEPER})" in out
    assert "seeds +0 -0 ~1  redoes: data" in out


def test_diff_of_a_branch_is_told_from_where_it_left(graft: Graft, site: Site) -> None:
    site.repo.branch("topic").commit("Nothing yet")
    site.repo.checkout("main")
    add_tower(site.taxonomy)
    site.repo.commit("What main gained meanwhile")
    code, out, _ = graft("diff", "main", "topic", "--taxonomy", "repo/taxonomy")
    assert (code, out) == (EXIT_OK, "No leaf changed.\n")


# --- runs and releases ---------------------------------------------------------------------------


def test_a_plan_does_nothing(graft: Graft, site: Site) -> None:
    before = site.files()
    code, out, _ = graft(*site.words("run", "--plan"))
    assert code == EXIT_OK
    assert out.startswith("bootstrap: the target has no release yet")
    assert f"  learn {MILL}\n" in out
    assert site.files() == before


def test_a_second_run_says_that_nothing_is_to_do(graft: Graft, grown: Site) -> None:
    tag = grown.head().release
    code, out, err = graft(*grown.words("run", "--base", "main"))
    assert code == EXIT_OK
    assert out.startswith("verdict: INCONCLUSIVE\n")
    assert f"release: {tag}\n" in out
    assert out.endswith("Nothing to do.\n")
    assert err == f"plan: nothing: {tag} holds exactly these leaves\n"
    report = re.search(r"^report: +(.+)$", out, re.MULTILINE)
    assert report is not None
    assert (grown.path / report[1]).is_file()


def test_status_says_how_far_a_run_is(graft: Graft, site: Site, grown: Site) -> None:
    code, out, _ = graft("status")
    assert code == EXIT_OK
    first, *stages = out.splitlines()
    assert re.match(r"runs/[0-9a-f]{16}: continue: 1 of 6 leaves", first)
    assert [line.split(maxsplit=1) for line in stages] == [
        [stage, "finished"] for stage in ("dataset", "adapter", "evaluation", "report", "release")
    ]
    (grown.path / first.split(":")[0] / "report" / "stage.json").unlink()
    assert "  report     not yet\n" in graft("status", first.split(":")[0])[1]
    assert_one_sentence(graft("status", "repo"), EXIT_FINDINGS, "repo is not a run.")
    os.chdir(site.path)
    assert_one_sentence(graft("status"), EXIT_FINDINGS, "There is no run here yet.")


def test_log_lists_releases_newest_first(graft: Graft, site: Site, grown: Site) -> None:
    first, second = grown.target.tags()
    code, out, _ = graft("log")
    assert code == EXIT_OK
    lines = out.splitlines()
    assert lines[:2] == [
        f"{second}  6 leaves  INCONCLUSIVE  continues {first}  (what users have)",
        f"  added: {TOWER}",
    ]
    assert re.fullmatch(
        r"  token F1: changed leaves \d\.\d\d → \d\.\d\d, panel \d\.\d\d → \d\.\d\d", lines[2]
    )
    assert lines[3:5] == [
        f"{first}  5 leaves  INCONCLUSIVE  continues nothing",
        f"  added: {', '.join(sorted(LEAVES))}",
    ]
    empty = graft("log", "--target", f"folder:{site.path / 'elsewhere'}")
    assert empty == (EXIT_OK, "There is no release yet.\n", "")


def test_verify_finds_what_was_changed_since(graft: Graft, grown: Site) -> None:
    first, second = grown.target.tags()
    sound = (EXIT_OK, f"{second}: every digest agrees.\n{second}: not signed.\n", "")
    assert graft("release", "verify") == sound
    assert graft("release", "verify", first)[0] == EXIT_OK
    edit(grown.target.directory(second) / "README.md", "a", "b")
    code, out, _ = graft("release", "verify")
    said = f"README.md is not the file that the manifest names\n{second}: not signed.\n"
    assert (code, out) == (EXIT_FINDINGS, said)
    unknown = graft("release", "verify", "v1999.01.01")
    assert_one_sentence(unknown, EXIT_FINDINGS, "no release v1999.01.01", first, second)
    empty = graft("release", "verify", "--target", "folder:nowhere")
    assert_one_sentence(empty, EXIT_FINDINGS, "holds no release yet")
    strange = graft("log", "--target", "ftp:there")
    assert_one_sentence(strange, EXIT_FINDINGS, "'ftp:there' is not a release target")


def test_withdrawing_what_no_release_holds(graft: Graft, site: Site, grown: Site) -> None:
    words = ("release", "withdraw", "knowledge/nowhere")
    said = graft(*grown.words(*words))
    assert_one_sentence(said, EXIT_FINDINGS, "No release holds the leaf knowledge/nowhere")
    os.chdir(site.path)
    assert_one_sentence(graft(*site.words("release", "withdraw", MILL)), EXIT_FINDINGS, MILL)
    assert not (site.path / "releases").exists()


def test_doctor_says_what_this_machine_can_run(graft: Graft) -> None:
    code, out, err = graft("doctor")
    assert (code, err) == (EXIT_OK, "")
    lines = out.splitlines()
    assert lines[0].startswith(f"Python {sys.version_info.major}.{sys.version_info.minor}")
    assert any(re.fullmatch(r"torch \d+\.\d+.*", line) for line in lines)
    assert any(line.startswith("accelerator: ") for line in lines)
    assert lines[-2] == "recipe tiny: can run here"
    assert re.match(r"recipe laptop: can(not)? train here", lines[-1])


def test_a_light_installation_says_what_a_command_lacks() -> None:
    light = (
        "import sys; sys.modules['pygit2'] = None; from pipelines.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", light, "diff"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    assert done.stderr == (
        "graft: this command needs pygit2, which is not installed here; "
        "pip install 'graft-taxonomy[pipelines]' brings it.\n"
    )


def test_what_is_told_on_the_way_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("train: knowledge/\x1b]0;title\x07/leaf")
    assert capsys.readouterr().err == "train: knowledge/\\x1b]0;title\\x07/leaf\n"
