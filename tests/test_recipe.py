"""Recipes: what is read, and the one sentence for each way of getting one wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipelines.errors import RecipeError
from pipelines.recipe import EMBEDDED, Budget, External, Lineage, Teacher, load_recipe
from pipelines.records import as_json

FAST = Path(__file__).parent / "support" / "fast.yaml"


def changed(tmp_path: Path, key: str, value: object) -> str:
    """The fast recipe with one key set (``section.key``), or taken away by ``...``."""
    data = yaml.safe_load(FAST.read_text(encoding="utf-8"))
    *sections, last = key.split(".")
    place = data
    for section in sections:
        place = place[section]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", sorted(path.stem for path in EMBEDDED.glob("*.yaml")))
def test_embedded_recipes_are_read_by_name(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    given = yaml.safe_load((EMBEDDED / f"{name}.yaml").read_text("utf-8"))
    resolved = as_json(recipe)
    for section, value in given.items():  # what the file leaves out has its default
        if isinstance(value, dict):
            assert resolved[section] == resolved[section] | value
        else:
            assert resolved[section] == value


def test_a_recipe_is_read_by_path_and_a_whole_number_may_stand_for_a_float(tmp_path: Path) -> None:
    recipe = load_recipe(changed(tmp_path, "train.replay", 3))
    assert recipe.name == "fast"
    assert recipe.train.replay == 3.0
    assert isinstance(recipe.train.replay, float)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("rank", 4, "unknown key rank"),
        ("train.lora_rank", 4, "unknown key train.lora_rank"),
        ("train.rank", ..., "the key train.rank is missing"),
        ("student", ..., "the key student is missing"),
        ("train", 4, "train. must be a mapping"),
        ("train.rank", "4", "train.rank is '4'; it must be of type int"),
        ("train.rank", True, "train.rank is True; it must be of type int"),
        ("train.rank", 4.0, "train.rank is 4.0; it must be of type int"),
        ("train.train_embeddings", 1, "must be of type bool"),
        ("train.rate", -0.1, "train.rate is -0.1"),
        ("train.rate", float("nan"), "train.rate is nan"),
        ("train.rate", float("inf"), "train.rate is inf"),
        ("teacher.backend", "oracle", "it may be extractive"),
        ("teacher.backend", ["extractive"], "it may be extractive"),
        ("release.accept", "always", "it may be pass, not_worse"),
        ("threads", 0, "threads must be more than 0"),
        ("generate.chunk_words", 0, "generate.chunk_words must be more than 0"),
        ("train.rank", 0, "train.rank must be more than 0"),
        ("student.heads", 3, "student.hidden must be a multiple"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, key: str, value: object, told: str) -> None:
    path = changed(tmp_path, key, value)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert told in str(caught.value)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"- a\n", b"name: [", b"\xff\xfe\x00", b"a\x00b"])
def test_a_file_that_is_no_recipe_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_stands_twice_is_refused_and_its_line_told(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(f"{FAST.read_text('utf-8')}threads: 3\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"twice\.yaml:\d+:1: The key `threads` stands twice"):
        load_recipe(str(path))


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"No recipe gigantic: .*tiny"):
        load_recipe("gigantic")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(str(tmp_path))


def test_a_section_that_may_be_left_out_is_read_where_it_stands(tmp_path: Path) -> None:
    plain = load_recipe(str(FAST))
    assert (plain.mix, plain.budget) == (None, None)
    recipe = load_recipe(changed(tmp_path, "budget", {"calls": 40}))
    assert recipe.budget == Budget(calls=40)
    # What may be spent changes when a leaf is taught, never what it becomes.
    assert recipe.essence == plain.essence
    entry = {"phase": "skills", "rows": 5, "hub": "a/b", "file": "c.jsonl", "revision": "0" * 40}
    mix = {"per_leaf": 9, "replay": 1, "knowledge": 0.5, "external": [entry]}
    recipe = load_recipe(changed(tmp_path, "mix", mix))
    assert recipe.mix is not None
    assert recipe.mix.external == (
        External("skills", 5, hub="a/b", file="c.jsonl", revision="0" * 40),
    )
    assert recipe.essence != plain.essence


def test_how_releases_follow_each_other_is_no_part_of_what_a_run_makes(tmp_path: Path) -> None:
    data = yaml.safe_load(FAST.read_text(encoding="utf-8"))
    del data["lineage"]
    older = tmp_path / "older.yaml"
    older.write_text(yaml.safe_dump(data), encoding="utf-8")
    assert load_recipe(str(older)).lineage == Lineage("rebuild", "never")
    assert load_recipe("tiny").lineage == Lineage("report", "never")
    recipe = load_recipe(changed(tmp_path, "lineage", {"rebase": "monthly"}))
    assert recipe.lineage == Lineage("rebuild", "monthly")
    assert recipe.essence == load_recipe(str(FAST)).essence
    with pytest.raises(RecipeError, match=r"lineage\.rebase is 'daily'; it may be never, weekly"):
        load_recipe(changed(tmp_path, "lineage.rebase", "daily"))


def test_teacher_and_judge_are_configured_apart_and_tell_who_answers(tmp_path: Path) -> None:
    plain = load_recipe(str(FAST))
    assert plain.judge is None
    assert (plain.teacher.url, plain.teacher.key_env) == ("", "OPENAI_API_KEY")
    judge = {"backend": "openai_api", "model": "judge", "revision": "7", "url": "http://b/v1",
             "key_env": "JUDGE_KEY", "timeout": 30, "price_in": 1}  # fmt: skip
    recipe = load_recipe(changed(tmp_path, "judge", judge))
    assert recipe.teacher == plain.teacher
    assert recipe.judge == Teacher(
        "openai_api", "judge", "7", url="http://b/v1", key_env="JUDGE_KEY", timeout=30.0,
        price_in=1.0,
    )  # fmt: skip
    assert (recipe.judge.name, plain.teacher.name) == ("judge", "extractive")
    assert recipe.essence != plain.essence


def test_another_address_or_pace_makes_no_other_model_and_another_endpoint_does(
    tmp_path: Path,
) -> None:
    plain = load_recipe(str(FAST))
    reached = {"url": "https://b/v1", "key_env": "", "concurrency": 3, "timeout": 9, "retries": 0,
               "price_in": 1.5, "price_out": 2, "command": "serve"}  # fmt: skip
    for key, value in reached.items():
        other = load_recipe(changed(tmp_path, f"teacher.{key}", value))
        assert getattr(other.teacher, key) == value
        assert other.essence == plain.essence
    for key, value in {"completions": "legacy", "context": 9000, "model": "m"}.items():
        other = load_recipe(changed(tmp_path, f"teacher.{key}", value))
        assert other.essence != plain.essence
    legacy = load_recipe(changed(tmp_path, "teacher.completions", "legacy"))
    assert legacy.teacher.stamp != plain.teacher.stamp


@pytest.mark.parametrize("section", ["teacher", "judge"])
@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("url", "localhost:1", "url must begin with http"),
        ("url", "https://me:sk-secret@b/v1", "url may hold neither user"),
        ("url", "https://b/v1?key=sk-secret", "url may hold neither user"),
        ("key_env", "sk-secret", "key_env must be the name of an environment variable"),
        ("key_env", "5ec4e7sk", "key_env must be the name of an environment variable"),
        ("concurrency", 0, "concurrency must be at least 1"),
        ("timeout", 0, "timeout more than 0"),
        ("keyenv", "A", "unknown key {section}.keyenv"),
        ("completions", "new", "it may be chat, legacy"),
    ],
)
def test_how_a_teacher_is_reached_is_checked_before_anything_is_recorded(
    tmp_path: Path, section: str, key: str, value: object, told: str
) -> None:
    asked = {"backend": "openai_api", "model": "m", "revision": "1", key: value}
    with pytest.raises(RecipeError) as caught:
        load_recipe(changed(tmp_path, section, asked))
    assert told.format(section=section) in str(caught.value)
    assert section in str(caught.value)
    assert "sk-secret" not in str(caught.value)
    assert "5ec4e7sk" not in str(caught.value)


HUB = {"phase": "skills", "rows": 5, "hub": "a/b"}


@pytest.mark.parametrize(
    ("external", "told"),
    [
        ({}, "mix.external must be a list"),
        ([{"phase": "skills", "rows": 5}], "mix.external[0]: name either path, or hub"),
        ([{**HUB, "path": "x.jsonl"}], "name either path, or hub"),
        ([HUB], "name the file of the data set"),
        ([{**HUB, "file": "x", "revision": "main"}], "must be the 40 digits of a commit"),
        ([{**HUB, "file": "x"}], "must be the 40 digits of a commit"),
        ([{"phase": "chat", "rows": 5, "path": "x"}], "mix.external[0].phase is 'chat'"),
        ([{"rows": 5, "path": "x"}], "the key mix.external[0].phase is missing"),
        ([{"phase": "skills", "rows": 5, "path": "x", "file": "y"}], "belong to hub"),
    ],
)
def test_external_data_has_to_be_pinned(tmp_path: Path, external: object, told: str) -> None:
    mix = {"per_leaf": 9, "replay": 1, "knowledge": 0.5, "external": external}
    with pytest.raises(RecipeError) as caught:
        load_recipe(changed(tmp_path, "mix", mix))
    assert told in str(caught.value)
