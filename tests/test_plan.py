"""What a run decides to do, from manifests and content hashes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Literal

import pytest

from pipelines.artifacts import digest
from pipelines.changes import diff
from pipelines.errors import ReleaseError
from pipelines.leaves import WorkTree, read_leaves
from pipelines.plan import Past, branch_wanted, first_plan, make_plan, rebase_plan
from pipelines.recipe import load_recipe
from pipelines.records import ChangeSet, Leaf, Manifest, Plan, Retired
from pipelines.train.lineage import lineage_key
from tests.release.builders import manifest
from tests.support.repositories import skill_leaf

RECIPE = load_recipe("tiny")
V1, V2, V3 = "v2026.01.01", "v2026.01.02", "v2026.01.03"


def hashes(**leaves: str) -> dict[str, str]:
    return {leaf: digest(text) for leaf, text in leaves.items()}


def release(tag: str, continues: str | None = None, **leaves: str) -> Manifest:
    made = manifest(tag, leaves=leaves, previous=continues, continues=continues)
    day = tag[1:].replace(".", "-")
    return replace(made, lineage_key=lineage_key(RECIPE, made.base_model), created=day)


def planned(
    wanted: Mapping[str, str],
    chain: Sequence[Manifest],
    withdrawn: Sequence[str] = (),
    stale: Sequence[str] = (),
) -> Plan:
    past = Past(chain[0], chain, frozenset(digest(text) for text in withdrawn))
    return make_plan(wanted, past, RECIPE, [digest(text) for text in stale])


def test_with_no_release_everything_is_learnt_from_nothing() -> None:
    plan = first_plan(hashes(b="two", a="one"), RECIPE, None, "none yet")
    assert (plan.action, plan.continues, plan.reason) == ("bootstrap", None, "none yet")
    assert plan.learn == ["a", "b"]
    assert not plan.panel


def test_the_same_leaves_want_nothing() -> None:
    plan = planned(hashes(a="one", b="two"), [release(V1, a="one", b="two")])
    assert (plan.action, plan.learn, plan.retired) == ("nothing", [], ())


def test_a_renamed_leaf_wants_nothing() -> None:
    plan = planned(hashes(a="one", c="two"), [release(V1, a="one", b="two")])
    assert (plan.action, plan.learn, plan.retired) == ("nothing", [], ())
    assert plan.wanted == hashes(a="one", c="two")


def test_a_new_leaf_is_learnt_and_the_others_are_the_panel() -> None:
    plan = planned(hashes(a="one", b="two"), [release(V1, a="one")])
    assert (plan.action, plan.previous, plan.continues) == ("continue", V1, V1)
    assert (plan.learn, plan.panel, plan.corrected) == (["b"], ["a"], [])


def test_an_edited_leaf_is_corrected_and_its_old_content_retired() -> None:
    plan = planned(hashes(a="one", b="new"), [release(V1, a="one", b="old")])
    assert (plan.action, plan.learn, plan.corrected) == ("continue", ["b"], ["b"])
    assert plan.retired == (Retired("b", digest("old"), "edited"),)


def test_a_deleted_leaf_trains_nothing_and_drops_its_rows() -> None:
    plan = planned(hashes(a="one"), [release(V1, a="one", b="two")])
    assert (plan.action, plan.learn, plan.panel) == ("carry", [], ["a"])
    assert plan.retired == (Retired("b", digest("two"), "deleted"),)


def test_what_is_retired_stays_so_along_the_chain() -> None:
    before = replace(release(V2, V1, a="one"), retired=(Retired("b", digest("two"), "deleted"),))
    plan = planned(hashes(a="one", c="three"), [before, release(V1, a="one", b="two")])
    assert plan.action == "continue"
    assert plan.retired == (Retired("b", digest("two"), "deleted"),)


def test_content_that_comes_back_is_learnt_and_no_longer_retired() -> None:
    before = replace(release(V2, V1, a="one"), retired=(Retired("b", digest("two"), "deleted"),))
    plan = planned(hashes(a="one", b="two"), [before, release(V1, a="one", b="two")])
    assert (plan.action, plan.learn, plan.retired) == ("continue", ["b"], ())


def test_withdrawn_content_is_in_no_ancestor_of_the_rebuild() -> None:
    chain = [
        release(V3, V2, a="one", b="two", c="three"),
        release(V2, V1, a="one", b="two"),
        release(V1, a="one"),
    ]
    plan = planned(hashes(a="one", b="two", c="three"), chain, withdrawn=["two"])
    assert (plan.action, plan.previous, plan.continues) == ("rebuild", V3, V1)
    assert plan.cause == "withdrawn"
    assert plan.wanted == hashes(a="one", c="three")
    assert (plan.learn, plan.panel) == (["c"], ["a"])


def test_withdrawn_content_that_only_the_past_has_seen_rebuilds_too() -> None:
    before = replace(release(V2, V1, a="one"), retired=(Retired("b", digest("two"), "deleted"),))
    plan = planned(hashes(a="one"), [before, release(V1, a="one", b="two")], ["two"])
    assert plan.action == "bootstrap"
    assert plan.previous == V2


def test_a_rebuild_takes_no_ancestor_that_knows_what_is_no_longer_wanted() -> None:
    chain = [release(V2, V1, a="new", b="two"), release(V1, a="old")]
    plan = planned(hashes(a="new", b="two"), chain, withdrawn=["two"])
    assert (plan.action, plan.continues) == ("bootstrap", None)
    assert plan.wanted == hashes(a="new")


def test_an_edit_that_did_not_take_is_rebuilt_from_who_never_saw_the_old_content() -> None:
    chain = [
        release(V3, V2, a="one", b="old", c="three"),
        release(V2, V1, a="one", b="old"),
        release(V1, a="one"),
    ]
    wanted = hashes(a="one", b="new", c="three")
    assert planned(wanted, chain).action == "continue"
    plan = planned(wanted, chain, stale=["old"])
    assert (plan.action, plan.cause, plan.previous, plan.continues) == ("rebuild", "edits", V3, V1)
    assert (plan.learn, plan.corrected, plan.panel) == (["b", "c"], [], ["a"])
    assert plan.retired == ()
    assert plan.reason == "the old answers of an edit: continue from v2026.01.01 instead"


def test_an_edit_of_what_the_first_release_saw_is_rebuilt_from_nothing() -> None:
    plan = planned(hashes(a="new"), [release(V2, V1, a="old"), release(V1, a="old")], (), ["old"])
    assert (plan.action, plan.cause, plan.previous) == ("bootstrap", "edits", V2)
    assert plan.continues is None


def test_old_content_that_another_leaf_still_wants_is_in_nobodys_way() -> None:
    plan = planned(hashes(a="new", b="old"), [release(V1, a="old")], (), ["old"])
    assert (plan.action, plan.cause) == ("continue", "changes")


def rebased(
    wanted: Mapping[str, str],
    chain: Sequence[Manifest],
    rebase: Literal["never", "weekly", "monthly"] = "weekly",
    day: int = 9,
) -> Plan | None:
    recipe = replace(RECIPE, lineage=replace(RECIPE.lineage, rebase=rebase))
    return rebase_plan(wanted, Past(chain[0], chain, frozenset()), recipe, date(2026, 1, day))


def test_a_rebase_learns_everything_anew_from_release_zero() -> None:
    chain = [release(V3, V2, a="one", b="two"), release(V2, V1, a="one"), release(V1, a="one")]
    plan = rebased(hashes(a="one", b="two", c="three"), chain)
    assert plan is not None
    assert (plan.action, plan.cause, plan.previous, plan.continues) == ("rebuild", "rebase", V3, V1)
    assert (plan.learn, plan.panel, plan.retired) == (["b", "c"], ["a"], ())
    assert plan.reason == "weekly re-base: everything is learnt anew from v2026.01.01"


def test_a_rebase_that_folds_in_what_release_zero_saw_is_another_release_zero() -> None:
    chain = [release(V2, V1, a="new"), release(V1, a="old")]
    chain[0] = replace(chain[0], retired=(Retired("a", digest("old"), "edited"),))
    plan = rebased(hashes(a="new"), chain)
    assert plan is not None
    assert (plan.action, plan.cause, plan.continues) == ("bootstrap", "rebase", None)
    assert (plan.learn, plan.retired, plan.previous) == (["a"], (), V2)


@pytest.mark.parametrize(("rebase", "day"), [("never", 30), ("weekly", 8), ("monthly", 30)])
def test_no_rebase_before_its_time(rebase: Literal["never", "weekly", "monthly"], day: int) -> None:
    chain = [release(V3, V2, a="one", b="two"), release(V2, V1, a="one"), release(V1, a="one")]
    assert rebased(hashes(a="one", b="two"), chain, rebase, day) is None


def test_weights_of_another_shape_are_never_continued() -> None:
    other = replace(RECIPE, train=replace(RECIPE.train, rank=RECIPE.train.rank + 1))
    chain = [release(V1, a="one")]
    with pytest.raises(ReleaseError, match=r"another LoRA shape than the release v2026\.01\.01"):
        make_plan(hashes(a="one"), Past(chain[0], chain, frozenset()), other)


def test_the_input_digest_follows_contents_recipe_and_start_and_not_paths() -> None:
    first = planned(hashes(a="one", b="two"), [release(V1, a="one")])
    renamed = planned(hashes(a="one", c="two"), [release(V1, a="one")])
    edited = planned(hashes(a="one", b="2"), [release(V1, a="one")])
    later = planned(hashes(a="one", b="two"), [release(V2, a="one")])
    seeded = make_plan(
        hashes(a="one", b="two"),
        Past(release(V1, a="one"), [release(V1, a="one")], frozenset()),
        replace(RECIPE, seed=1),
    )
    assert first.input_digest == renamed.input_digest
    assert len({p.input_digest for p in (first, edited, later, seeded)}) == 4


# --- branches ----------------------------------------------------------------------------------


def leaves(root: Path, **tasks: str) -> dict[str, Leaf]:
    """Skill leaves with these task descriptions, read from disk."""
    for name, task in tasks.items():
        skill_leaf(root, f"compositional_skills/{name}", task=task)
    return read_leaves(WorkTree(root))


def changed(base: Mapping[str, Leaf], head: Mapping[str, Leaf]) -> ChangeSet:
    return diff(base, head, base_name="fork", head_name="branch")


def content(found: Mapping[str, Leaf]) -> dict[str, str]:
    return {path: leaf.content_hash for path, leaf in found.items()}


def test_a_branch_behind_main_trains_its_own_leaves_only(tmp_path: Path) -> None:
    fork = leaves(tmp_path / "fork", a="one", b="two")
    head = leaves(tmp_path / "head", a="one", b="edited", mine="three")
    main = leaves(tmp_path / "main", a="edited on main", b="two", theirs="four")
    wanted = branch_wanted(content(main), changed(fork, head), head)
    name = "compositional_skills/"
    assert wanted == {
        **content(main),
        f"{name}b": head[f"{name}b"].content_hash,
        f"{name}mine": head[f"{name}mine"].content_hash,
    }


def test_a_branch_deletes_and_renames_what_it_deleted_and_renamed(tmp_path: Path) -> None:
    fork = leaves(tmp_path / "fork", a="one", b="two", c="three")
    head = leaves(tmp_path / "head", b="two", d="three")
    assert branch_wanted(content(fork), changed(fork, head), head) == content(head)


def test_leaves_that_pass_their_names_on_all_stay_wanted(tmp_path: Path) -> None:
    fork = leaves(tmp_path / "fork", a="one", b="two", c="three")
    head = leaves(tmp_path / "head", b="one", c="two", d="three")
    assert branch_wanted(content(fork), changed(fork, head), head) == content(head)
