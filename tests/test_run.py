"""``graft run`` from leaf to release: what each kind of change costs.

All of it on real repositories, with a student that trains in seconds.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipelines.artifacts import file_digest
from pipelines.errors import ReleaseError
from pipelines.leaves import WorkTree, read_leaf
from pipelines.run import run
from tests.support.flow import (
    COLOUR,
    FERRY,
    LEAVES,
    MILL,
    SOUND,
    TOWER,
    Site,
    add_knowledge,
    add_sound,
    add_tower,
    assert_nothing_to_do,
    assert_sound,
    calls,
    edit_answer,
    run_directory,
    weights_digest,
    write_recipe,
)

LATER = "knowledge/buildings/later"


# --- what a change costs -----------------------------------------------------------------------


def test_release_zero_then_nothing_to_do(zero: Site) -> None:
    manifest = zero.head()
    assert sorted(manifest.leaves) == sorted(LEAVES)
    assert (manifest.previous, manifest.continues) == (None, None)
    assert manifest.demonstration
    assert manifest.taxonomy_commit == zero.repo.git("rev-parse", "HEAD")
    assert_sound(zero, releases=1)
    assert_nothing_to_do(zero)


def test_release_zero_holds_no_exam_question(zero: Site) -> None:
    manifest = zero.head()
    for path, entry in manifest.leaves.items():
        leaf = read_leaf(WorkTree(zero.taxonomy), path)
        rows = zero.target.read_blob(entry.data_hash).decode()
        held_out = [seed for seed in leaf.seeds if seed.id in entry.exam.exam]
        assert len(held_out) == len(leaf.seeds) // 4
        if leaf.kind != "grounded_skill":  # there the question is the same for every context
            assert not any(pair.question in rows for seed in held_out for pair in seed.pairs)
        else:
            assert not any(json.dumps(seed.context)[1:-1] in rows for seed in held_out)


def test_a_leaf_added_on_a_branch_is_trained_and_released(grown: Site) -> None:
    first, second = grown.target.tags()
    manifest = grown.head()
    assert manifest.release == second
    assert (manifest.previous, manifest.continues) == (first, first)
    assert sorted(manifest.leaves) == sorted([*LEAVES, TOWER])
    old = grown.target.manifest(first)
    assert all(manifest.leaves[leaf] == old.leaves[leaf] for leaf in LEAVES)
    assert manifest.base_model == old.base_model
    rows = sorted((run_directory(grown) / "dataset" / "rows").iterdir())
    assert [path.stem for path in rows] == [manifest.leaves[TOWER].content_hash]
    record = json.loads((run_directory(grown) / "adapter" / "training.json").read_bytes())
    replayed = set(record["seen"]) - {manifest.leaves[TOWER].content_hash}
    assert replayed == {old.leaves[leaf].content_hash for leaf in LEAVES}
    assert_sound(grown, releases=2)
    assert_nothing_to_do(grown, "main")


def test_the_commit_that_was_released_is_tagged_once(grown: Site) -> None:
    tags = grown.target.tags()
    made = {tag: grown.repo.git("rev-parse", f"model/{tag}") for tag in tags}
    for tag in tags:
        manifest = file_digest(grown.target.directory(tag) / "manifest.json")
        message = grown.repo.git("tag", "-l", "--format=%(contents)", f"model/{tag}")
        assert f"manifest.json: sha256:{manifest.sha256}" in message
        commit = grown.repo.git("rev-parse", f"model/{tag}^{{commit}}")
        assert commit == grown.target.manifest(tag).taxonomy_commit
    grown.repo.git("tag", "-d", f"model/{tags[1]}")  # as a kill leaves it, right before the tag
    assert grown.run("main").plan.action == "nothing"
    assert {tag: grown.repo.git("rev-parse", f"model/{tag}") for tag in tags} == made


def test_a_release_is_dated_by_the_day_on_which_its_run_began(zero: Site) -> None:
    zero.repo.branch("tower")
    add_tower(zero.taxonomy)
    zero.repo.commit("A leaf about a tower")
    began = replace(zero.options("main"), today=date(2041, 1, 1), until="train")
    run(began, zero.said.append)
    ended = run(replace(began, today=date(2041, 1, 3), until=None), zero.said.append)
    assert ended.release == "v2041.01.01"
    assert zero.head().created == "2041-01-01"
    assert [(change.leaf, change.status) for change in zero.head().changes] == [(TOWER, "added")]


def test_the_adapter_of_a_release_loads_without_graft(grown: Site) -> None:
    manifest = grown.head()
    base = grown.target.base(manifest.base_model.revision)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base)
    turn = [{"role": "user", "content": "Who kept the tower of Ulvadal first?"}]
    text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
    with torch.inference_mode():
        bare = model(**ids).logits
        model = PeftModel.from_pretrained(
            model, grown.target.directory(manifest.release) / "adapter"
        )
        taught = model(**ids).logits
        output = model.generate(**ids, max_new_tokens=4, do_sample=False)
    assert bare.shape == taught.shape
    assert not torch.equal(bare, taught)
    assert output.shape[1] > ids["input_ids"].shape[1]


def test_a_renamed_leaf_does_nothing(grown: Site) -> None:
    grown.repo.move(f"taxonomy/{TOWER}", "taxonomy/knowledge/places/spire")
    grown.repo.commit("Another name")
    assert_nothing_to_do(grown)
    assert_nothing_to_do(grown, "main")


def test_a_branch_that_renames_a_leaf_keeps_what_main_edited_in_it(zero: Site) -> None:
    zero.repo.branch("names").move(f"taxonomy/{COLOUR}", "taxonomy/foundational_skills/paint")
    zero.repo.commit("Another name")
    zero.repo.checkout("main")
    edit_answer(zero, COLOUR, zero.head().leaves[COLOUR].exam.shown[0])
    zero.run()
    zero.repo.checkout("names")
    assert_nothing_to_do(zero, "main")


def test_formatting_author_and_attribution_do_nothing(zero: Site) -> None:
    path = zero.taxonomy / MILL / "qna.yaml"
    text = path.read_text(encoding="utf-8").replace("created_by: ada", "created_by: 'grace'  # me")
    path.write_text("# The mill\n" + text, encoding="utf-8")
    notes = zero.taxonomy / MILL / "attribution.txt"
    notes.write_text(notes.read_text("utf-8").replace("Revision: 1", "Revision: 2"), "utf-8")
    zero.repo.commit("Only its looks")
    assert_nothing_to_do(zero)


def test_a_deleted_leaf_trains_nothing_and_its_rows_go(grown: Site) -> None:
    before = grown.head()
    weights = weights_digest(grown)
    grown.repo.delete(f"taxonomy/{FERRY}")
    grown.repo.commit("No more ferry")
    outcome = grown.run()
    assert outcome.plan.action == "carry"
    assert not grown.trained
    assert calls(grown) == {"made": 0, "reused": 0}
    after = grown.head()
    assert set(before.leaves) - set(after.leaves) == {FERRY}
    assert before.leaves[FERRY].data_hash not in {e.data_hash for e in after.leaves.values()}
    gone = [(found.leaf, found.content_hash, found.reason) for found in after.retired]
    assert gone == [(FERRY, before.leaves[FERRY].content_hash, "deleted")]
    assert (after.previous, after.continues) == (before.release, before.release)
    assert weights_digest(grown) == weights
    assert_sound(grown, releases=3)
    assert_nothing_to_do(grown)


@pytest.mark.parametrize("leaf", [TOWER, COLOUR])
def test_an_edited_shown_seed_reuses_all_other_calls(grown: Site, leaf: str) -> None:
    before = grown.head()
    shown = before.leaves[leaf].exam.shown
    answer = edit_answer(grown, leaf, shown[0])
    outcome = grown.run()
    assert list(outcome.plan.learn) == [leaf]
    assert list(outcome.plan.corrected) == [leaf]
    assert grown.trained
    counted = calls(grown)
    assert 0 < counted["made"] <= 1.1 / len(shown) * (counted["made"] + counted["reused"])
    entry = grown.head().leaves[leaf]
    assert entry.exam == before.leaves[leaf].exam
    assert answer in grown.target.read_blob(entry.data_hash).decode()
    assert_sound(grown, releases=3)


def test_an_edited_exam_seed_trains_nothing(grown: Site) -> None:
    before = grown.head()
    weights = weights_digest(grown)
    answer = edit_answer(grown, TOWER, before.leaves[TOWER].exam.exam[0])
    grown.run()
    assert not grown.trained
    assert calls(grown)["made"] == 0
    assert weights_digest(grown) == weights
    entry = grown.head().leaves[TOWER]
    assert entry.content_hash != before.leaves[TOWER].content_hash
    assert entry.exam == before.leaves[TOWER].exam
    items = (run_directory(grown) / "evaluation" / "items.jsonl").read_text(encoding="utf-8")
    assert answer in items
    assert answer not in grown.target.read_blob(entry.data_hash).decode()


def test_a_branch_behind_main_trains_its_own_leaf_only(grown: Site) -> None:
    grown.repo.checkout("main").git("merge", "--quiet", "tower")
    grown.repo.branch("sound", "main~1")
    add_sound(grown.taxonomy)
    grown.repo.commit("A leaf about sounds")
    assert not (grown.taxonomy / TOWER).exists()
    before = grown.head()
    outcome = grown.run("main")
    assert list(outcome.plan.learn) == [SOUND]
    assert sorted(grown.head().leaves) == sorted([*LEAVES, TOWER, SOUND])
    assert grown.head().continues == before.release
    assert grown.head().retired == ()


def test_the_next_release_needs_taxonomy_recipe_and_target_alone(
    zero: Site, made_grown: Site, tmp_path: Path
) -> None:
    """With runs and cache wiped, in a fresh clone, the same branch gives the same release."""
    fresh = Site(tmp_path / "elsewhere")
    fresh.path.mkdir()
    shutil.copy(zero.recipe, fresh.recipe)
    shutil.copytree(zero.path / "releases", fresh.path / "releases")
    zero.repo.git("clone", "--quiet", str(made_grown.path / "repo"), str(fresh.path / "repo"))
    fresh.run("origin/main")
    assert fresh.head().leaves == made_grown.head().leaves
    assert weights_digest(fresh) == weights_digest(made_grown)
    assert_sound(fresh, releases=2)


def test_a_target_whose_releases_are_gone_is_not_begun_anew(grown: Site) -> None:
    """A disk that is not mounted: the folder is there, and empty."""
    releases, away = grown.path / "releases", grown.path / "away"
    add_sound(grown.taxonomy)
    grown.repo.commit("A leaf about sounds")
    grown.run()
    tag, run_folder = grown.head().release, run_directory(grown)
    releases.rename(away)
    releases.mkdir()
    with pytest.raises(ReleaseError) as told:
        grown.run()
    assert str(told.value) == (
        f"{grown.target_spec} has no release, and the run {run_folder} released {tag} there: bring its "
        "folder or repository back, or begin from nothing with another folder of --runs."
    )
    assert not [*releases.iterdir()]
    releases.rmdir()
    away.rename(releases)
    assert_nothing_to_do(grown)


# --- withdrawing -------------------------------------------------------------------------------


def test_a_withdrawn_leaf_is_rebuilt_away(grown: Site) -> None:
    """The next run continues an ancestor that never saw it, teaches what came since, asks no call."""
    add_sound(grown.taxonomy)
    grown.repo.commit("A leaf about sounds")
    grown.run()
    first, with_tower, with_sound = grown.target.tags()
    content = grown.head().leaves[TOWER].content_hash

    planned = grown.graft("release", "withdraw", TOWER, "--plan")
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.startswith("rebuild: ")
    assert re.search(rf"continues: +{first}\n", planned.stdout)
    assert f"learn {SOUND}\n" in planned.stdout
    assert grown.target.tombstones() == ()
    assert_nothing_to_do(grown)

    assert grown.graft("release", "withdraw", TOWER, "--reason", "no licence").returncode == 0
    assert [stone.content_hash for stone in grown.target.tombstones()] == [content]
    outcome = grown.run()  # the leaf still stands in the tree
    assert outcome.plan.action == "rebuild"
    assert list(outcome.plan.learn) == [SOUND]
    manifest = grown.head()
    assert (manifest.previous, manifest.continues) == (with_sound, first)
    assert sorted(manifest.leaves) == sorted([*LEAVES, SOUND])
    assert content not in json.dumps(manifest.recipe) + str(manifest.leaves) + str(manifest.retired)
    assert calls(grown) == {"made": 0, "reused": 0}
    assert with_tower != manifest.release
    assert_sound(grown, releases=4)
    assert_nothing_to_do(grown)


def test_a_leaf_of_release_zero_is_rebuilt_away_from_nothing(grown: Site) -> None:
    """No release is clean: a new base is trained, and compared with what users had."""
    before = grown.head()
    gone = sorted(set(before.leaves) - {TOWER})[0]
    assert grown.graft("release", "withdraw", gone, "--reason", "no licence").returncode == 0
    outcome = grown.run()
    assert outcome.plan.action == "bootstrap"
    manifest = grown.head()
    assert (manifest.previous, manifest.continues) == (before.release, None)
    assert sorted(manifest.leaves) == sorted(set(before.leaves) - {gone})
    assert manifest.base_model.revision != before.base_model.revision
    assert calls(grown) == {"made": 0, "reused": 0}
    assert outcome.directory is not None
    lines = (outcome.directory / "evaluation" / "items.jsonl").read_text("utf-8").splitlines()
    asked = [json.loads(line) for line in lines]
    assert any(item["previous"] != item["candidate"] for item in asked)
    assert_sound(grown, releases=3)
    assert_nothing_to_do(grown)


def test_a_rebuild_on_a_branch_that_lacks_a_leaf_takes_its_rows_from_the_release(
    grown: Site,
) -> None:
    add_knowledge(grown.taxonomy, LATER, "Harrow", 1902)
    grown.repo.commit("One more building")
    grown.run()
    tower = grown.head().leaves[TOWER]
    grown.target.withdraw(TOWER, tower.content_hash, "no licence")
    later = grown.head().leaves[LATER]
    grown.repo.branch("sound", "main")
    add_sound(grown.taxonomy)
    grown.repo.commit("A leaf about sounds")
    outcome = grown.run("main")
    assert sorted(outcome.plan.learn) == sorted([LATER, SOUND])
    assert not (grown.taxonomy / LATER).exists()
    assert grown.head().leaves[LATER] == later
    assert_sound(grown, releases=4)


# --- the gate ----------------------------------------------------------------------------------


def test_a_verdict_that_is_not_accepted_gives_no_release(zero: Site) -> None:
    write_recipe(zero.recipe, release={"accept": "pass"})
    zero.repo.branch("tower")
    add_tower(zero.taxonomy)
    zero.repo.commit("A leaf about a tower")
    first = zero.head().release
    done = zero.graft("run", "--base", "main")
    assert done.returncode == 1, done.stderr
    assert "verdict: INCONCLUSIVE\n" in done.stdout
    assert "release: none\n" in done.stdout
    assert zero.target.tags() == [first]
    again = zero.run("main")
    assert (again.accepted, again.release) == (False, None)
    assert not zero.trained
    (zero.path / "repo" / "graft.yaml").write_text("licences: [MIT]\n")
    not_ours = zero.graft("run", "--base", "main", "--allow", "verdict")
    assert "release: none: the licence 'CC-BY-SA-4.0' of " in not_ours.stderr
    (zero.path / "repo" / "graft.yaml").unlink()
    # What was refused on the branch is no news of the release that stands.
    zero.repo.checkout("main")
    assert zero.run().evaluation is None
    zero.repo.checkout("tower")
    by = ("--approved-by", "Ada [x](y)", "--approved-by", "Grace")
    done = zero.graft("run", "--base", "main", "--allow", "verdict", *by)
    assert done.returncode == 0, done.stderr
    assert zero.head().approvers == ("Ada [x](y)", "Grace")
    assert zero.head().allowed == {"verdict": "the verdict is INCONCLUSIVE"}
    card = (zero.target.directory(zero.head().release) / "README.md").read_text("utf-8")
    assert "The gate “verdict” was overruled by hand: the verdict is INCONCLUSIVE." in card
    assert "Approved by: Ada \\[x\\](y), Grace\n" in card
    assert_sound(zero, releases=2)


def test_the_verdict_of_another_release_is_not_shown(zero: Site, made_grown: Site) -> None:
    """The latest run may have released to another target."""
    shutil.rmtree(zero.path / "runs")
    shutil.copytree(made_grown.path / "runs", zero.path / "runs")
    outcome = zero.run()
    assert outcome.release == zero.head().release
    assert (outcome.directory, outcome.evaluation) == (None, None)
