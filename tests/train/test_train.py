"""Release zero and adapters: deterministic, safetensors, loaded by nothing but public calls."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipelines.artifacts import tree_digests
from pipelines.backends.local import Student
from pipelines.errors import BackendError, TrainError
from pipelines.records import Json
from pipelines.train.adapter import adapt
from pipelines.train.order import Order
from pipelines.train.scratch import bootstrap
from tests.generate.support import Teacher, dataset, talks, taxonomy, work_of
from tests.support import forks
from tests.train.support import NOWHERE, Talk, adapt_here, recipe, rows, talk

TEXTS = {".json", ".jinja"}


def quiet(line: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("adapters") / "one"
    adapt_here(base, out)
    return out


def continued(
    base: Path, adapter: Path | None, out: Path, corrected: Collection[str] = ()
) -> dict[str, int]:
    new, old = {"d": rows("fjord", 6)}, {"a": rows("canal"), "b": rows("river")}
    out.mkdir()
    return adapt(Order(base, adapter, corrected), new, old, recipe(), out, quiet)


def record(directory: Path) -> Json:
    found: Json = json.loads((directory / "training.json").read_bytes())
    return found


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def logits(base: Path, adapter: Path | None) -> torch.Tensor:
    """What plain transformers and peft make of the directories."""
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    ids = AutoTokenizer.from_pretrained(base)("What is part 3 of the canal?", return_tensors="pt")
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(input_ids=ids["input_ids"]).logits
    return found


def test_release_zero_of_real_leaves_is_the_same_bytes_twice(tmp_path: Path) -> None:
    tree = taxonomy(tmp_path / "taxonomy")
    dataset(tmp_path / "dataset", tree, work_of(tree), Teacher())
    told = talks(tmp_path / "dataset")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        bootstrap(NOWHERE, told, recipe(3000), tmp_path / name, quiet)
    found = tree_digests(tmp_path / "one")
    assert found == tree_digests(tmp_path / "two")
    assert record(tmp_path / "one")["rows"] == sum(map(len, told.values()))


def test_release_zero_depends_on_the_recipe_s_seed_and_not_on_the_order_of_leaves(
    base: Path, tmp_path: Path
) -> None:
    bootstrap(NOWHERE, {"c": rows("delta"), "b": rows("river")}, recipe(), tmp_path, quiet)
    assert tree_digests(tmp_path) == tree_digests(base)


def test_weights_are_safetensors_and_nothing_else(base: Path, adapter: Path) -> None:
    for directory, weights in ((base, "model"), (adapter, "adapter_model")):
        others = {path.name for path in directory.rglob("*") if path.suffix not in TEXTS}
        assert others == {f"{weights}.safetensors", "training.jsonl"}
        assert load_file(directory / f"{weights}.safetensors")


def test_an_adapter_is_the_same_bytes_in_another_process_that_stays_offline(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    # Sets come in another order there: each process draws its own unless it is told PYTHONHASHSEED.
    words = ["tests.train.support", str(base), str(tmp_path / "two")]
    environment = {name: os.environ[name] for name in os.environ if name != "PYTHONHASHSEED"}
    done = forks.run(words, tmp_path, environment)
    assert done.returncode == 0, done.stderr
    assert tree_digests(tmp_path / "two") == tree_digests(adapter)


def test_an_adapter_loads_plainly_changes_the_answers_and_leaves_the_base_alone(
    base: Path, adapter: Path
) -> None:
    bare = logits(base, None)
    assert bare.isfinite().all()
    assert not torch.allclose(bare, logits(base, adapter), atol=1e-3)
    assert torch.equal(bare, logits(base, None))
    config = json.loads((adapter / "adapter_config.json").read_bytes())
    assert config["base_model_name_or_path"] == "graft-fast"
    assert config["target_modules"] == sorted(config["target_modules"])
    assert config["r"] == recipe().train.rank
    names = load_file(adapter / "adapter_model.safetensors")
    assert any("embed_tokens" in name for name in names)


def test_an_adapter_is_continued_and_stays_one_adapter(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    before = tree_digests(adapter)
    continued(base, adapter, tmp_path / "on")
    continued(base, adapter, tmp_path / "again")
    continued(base, None, tmp_path / "fresh")
    assert tree_digests(adapter) == before
    assert tree_digests(tmp_path / "on") == tree_digests(tmp_path / "again")
    first, second = (
        load_file(path / "adapter_model.safetensors") for path in (adapter, tmp_path / "on")
    )
    assert {name: value.shape for name, value in first.items()} == {
        name: value.shape for name, value in second.items()
    }
    assert any(not torch.equal(first[name], second[name]) for name in first)
    on, fresh = logits(base, tmp_path / "on"), logits(base, tmp_path / "fresh")
    assert not torch.allclose(on, fresh, atol=1e-3)


def test_continued_weights_begin_where_the_last_ones_ended(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    still = replace(recipe(), train=replace(recipe().train, rate=0.0, embedding_rate=0.0))
    adapt(Order(base, adapter), {"d": rows("fjord", 3)}, {}, still, tmp_path, quiet)
    before, after = (load_file(p / "adapter_model.safetensors") for p in (adapter, tmp_path))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_as_many_steps_are_taken_of_a_small_change_as_the_recipe_wants(
    base: Path, tmp_path: Path
) -> None:
    wanted = replace(recipe().train, tokens_per_step=10_000, steps=9)
    for name, settings in {"one": replace(wanted, steps=0), "nine": wanted}.items():
        (tmp_path / name).mkdir()
        new, old = {"d": rows("fjord", 60)}, {"a": rows("canal", 60)}
        adapt(Order(base), new, old, replace(recipe(), train=settings), tmp_path / name, quiet)
    taken = {n: len(_lines(tmp_path / n / "training.jsonl")) for n in ("one", "nine")}
    assert taken["one"] == 1
    assert taken["nine"] == pytest.approx(9, abs=1)  # rows and their padding fill no step quite
    assert record(tmp_path / "one")["tokens"] == record(tmp_path / "nine")["tokens"]


def test_rows_that_correct_weigh_more(base: Path, adapter: Path, tmp_path: Path) -> None:
    continued(base, adapter, tmp_path / "plain")
    continued(base, adapter, tmp_path / "corrected", corrected=["d"])
    weights = "adapter_model.safetensors"
    plain, corrected = (tree_digests(tmp_path / name) for name in ("plain", "corrected"))
    assert plain[weights] != corrected[weights]
    assert record(tmp_path / "plain")["rows"] == record(tmp_path / "corrected")["rows"]


def test_old_leaves_are_replayed_each_in_its_share(base: Path, tmp_path: Path) -> None:
    seen = continued(base, None, tmp_path / "out")
    assert seen == record(tmp_path / "out")["seen"]
    assert seen["d"] == 6
    assert abs(seen["a"] - seen["b"]) <= 1
    assert 0 < seen["a"] + seen["b"] <= 6


@pytest.mark.parametrize("old", [{}, {"b": []}])
def test_without_old_rows_nothing_is_replayed(
    base: Path, tmp_path: Path, old: dict[str, list[Talk]]
) -> None:
    seen = adapt(Order(base), {"d": rows("fjord", 3)}, old, recipe(), tmp_path, quiet)
    assert seen == {"d": 3}


def test_embeddings_move_as_far_as_the_use_of_their_token_is_new(
    base: Path, tmp_path: Path
) -> None:
    continued(base, None, tmp_path / "out")
    start = load_file(base / "model.safetensors")["model.embed_tokens.weight"]
    saved = load_file(tmp_path / "out" / "adapter_model.safetensors")
    (moved,) = [rows for name, rows in saved.items() if "embed_tokens" in name]
    distance = (moved - start).norm(dim=1)
    ids = AutoTokenizer.from_pretrained(base)
    new, both, never = (set(ids(text)["input_ids"]) for text in ("fjord", "What is part", "delta"))
    assert distance[list(never - new - both)].max() == 0
    assert distance[list(new - both)].min() > 1.5 * distance[list(both)].max() > 0


def test_nothing_to_train_on_is_one_sentence(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="no row to train release zero on"):
        bootstrap(NOWHERE, {"a": []}, recipe(), tmp_path, quiet)
    with pytest.raises(TrainError, match="the changed leaves gave none"):
        adapt(Order(base), {"a": []}, {"b": rows("river")}, recipe(), tmp_path, quiet)
    assert list(tmp_path.iterdir()) == []


def test_rows_that_do_not_fit_are_told_and_the_rest_is_trained_on(
    base: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    long = talk("Recite the ballad.", "verse " * 200)
    seen = adapt(Order(base), {"d": [*rows("fjord", 6), long]}, {}, recipe(), tmp_path, said.append)
    assert seen == {"d": 6}
    assert any("1 rows are left out, longer than the student's 128 tokens" in line for line in said)
    with pytest.raises(TrainError, match="none that fits the student's 128 tokens"):
        adapt(Order(base), {"d": [long]}, {}, recipe(), tmp_path, quiet)
    with pytest.raises(TrainError, match="No row fits the student's 128 tokens"):
        bootstrap(NOWHERE, {"d": [long]}, recipe(), tmp_path, quiet)


def test_a_pickled_base_is_never_loaded(base: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    for path in base.iterdir():
        if path.suffix in TEXTS:
            (pickled / path.name).write_bytes(path.read_bytes())
    torch.save(load_file(base / "model.safetensors"), pickled / "pytorch_model.bin")
    with pytest.raises(BackendError, match="cannot be loaded"):
        Student(pickled, None, 4, 2)
    with pytest.raises(TrainError, match="cannot be loaded"):
        adapt(Order(pickled), {"a": rows("canal")}, {}, recipe(), tmp_path, quiet)


def test_a_student_answers_in_order_with_and_without_its_adapter(base: Path, adapter: Path) -> None:
    prompts = ["What is part 1 of the river?", "Why?", "What is part 2 of the delta, so far away?"]
    for student in (Student(base, None, 6, 2), Student(base, adapter, 6, 2)):
        together = student.answers(prompts)
        assert together == [student.answers([prompt])[0] for prompt in prompts]
        assert all("<|" not in answer for answer in together)
    assert Student(base, None, 6, 2).answers([]) == []
