"""``graft export``: every format key by key, from a release and from a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipelines.cli import export as command
from pipelines.export import FORMATS, Exported, Provenance
from pipelines.records import Json
from tests.support.flow import COLOUR, LEAVES, MILL, TOWER, Site, grown_site, run_directory

ROW: Json = {
    "id": "abc",
    "messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}],
    "phase": "seeds", "content_hash": "c", "seeds": ["s"], "document": "d.md", "span": [3, 9],
    "chunk": 0, "flow": "f", "calls": ["k"], "teacher": "extractive", "scores": {},
}  # fmt: skip
KNOWLEDGE = Exported(ROW, Provenance("knowledge/a", "knowledge", "sha", "ada", ("MIT",), "people"))
SKILL = Exported(ROW, Provenance("skills/a", "freeform_skill", "sha", "ada", ("MIT",), ""))
USER, ASSISTANT = ROW["messages"]
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.fixture
def site(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return grown_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")


def lines(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_the_command_offers_every_format() -> None:
    assert sorted(command.FORMATS) == sorted(FORMATS)


def test_openai_reads_messages_and_nothing_else() -> None:
    assert FORMATS["openai"](KNOWLEDGE, "") == {"messages": [USER, ASSISTANT]}
    assert FORMATS["openai"](SKILL, "Be brief.") == {"messages": [SYSTEM, USER, ASSISTANT]}


def test_trl_reads_a_prompt_and_a_completion() -> None:
    assert FORMATS["trl"](SKILL, "") == {"prompt": [USER], "completion": [ASSISTANT]}
    assert FORMATS["trl"](SKILL, "Be brief.")["prompt"] == [SYSTEM, USER]


def test_messages_say_where_a_row_is_from() -> None:
    assert FORMATS["messages"](KNOWLEDGE, "") == {
        "id": "abc",
        "messages": [USER, ASSISTANT],
        "metadata": {
            "leaf": "knowledge/a", "commit": "sha", "contributor": "ada", "licences": ["MIT"],
            "phase": "knowledge", "document": "d.md", "span": [3, 9], "seeds": ["s"],
            "teacher": "extractive",
        },
    }  # fmt: skip


@pytest.mark.parametrize(("found", "unmask"), [(KNOWLEDGE, True), (SKILL, False)])
def test_instructlab_reads_what_its_own_generator_writes(found: Exported, unmask: bool) -> None:
    row = FORMATS["instructlab"](found, "")
    assert list(row) == ["id", "messages", "metadata", "unmask"]
    assert row["unmask"] is unmask
    assert [turn["role"] for turn in row["messages"]] == ["system", "user", "assistant"]
    assert all(set(turn) == {"role", "content"} for turn in row["messages"])
    assert isinstance(row["metadata"], str)
    assert json.loads(row["metadata"])["leaf"] == found.source.leaf


def test_a_release_is_exported_with_what_its_manifest_knows(site: Site) -> None:
    done = site.graft("export", "--target", "folder:releases", "rows.jsonl")
    assert done.returncode == 0, done.stderr
    rows = lines(site.path / "rows.jsonl")
    assert done.stderr == f"{len(rows)} rows in rows.jsonl\n"
    manifest = site.head()
    assert {row["metadata"]["leaf"] for row in rows} == {*LEAVES, TOWER}
    assert {row["metadata"]["commit"] for row in rows} == {manifest.taxonomy_commit}
    assert {row["metadata"]["contributor"] for row in rows} <= set(manifest.contributors)
    assert {tuple(row["metadata"]["licences"]) for row in rows} == {tuple(manifest.licences)}
    stored = [site.target.read_blob(entry.data_hash) for entry in manifest.leaves.values()]
    assert len(rows) == sum(len(data.splitlines()) for data in stored)


def test_an_earlier_release_lacks_what_came_later_and_what_was_withdrawn(site: Site) -> None:
    first = site.target.tags()[0]
    entry = site.head().leaves[MILL]
    site.target.withdraw(MILL, entry.content_hash, "no licence")
    done = site.graft("export", "--release", first, "--format", "openai", "-")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows
    assert all(set(row) == {"messages"} for row in rows)
    gone = [json.loads(line) for line in site.target.read_blob(entry.data_hash).splitlines()]
    assert not any(one["messages"] == row["messages"] for one in gone for row in rows)


def test_instructlab_gets_a_file_a_phase(site: Site) -> None:
    done = site.graft("export", "--format", "instructlab", "--system", "Be brief.", "out")
    assert done.returncode == 0, done.stderr
    tag = site.head().release
    names = sorted(path.name for path in (site.path / "out").iterdir())
    assert names == [f"{phase}_train_msgs_{tag}.jsonl" for phase in ("knowledge", "skills")]
    for name, unmask in zip(names, (True, False), strict=True):
        rows = lines(site.path / "out" / name)
        assert {row["unmask"] for row in rows} == {unmask}
        assert all(row["messages"][0] == SYSTEM for row in rows)
    skills = {json.loads(row["metadata"])["leaf"] for row in lines(site.path / "out" / names[1])}
    assert COLOUR in skills


def test_a_run_is_exported_before_anything_is_released(site: Site) -> None:
    done = site.graft("export", "--run", "runs", "rows.jsonl")
    assert done.returncode == 0, done.stderr
    rows = lines(site.path / "rows.jsonl")
    assert {row["metadata"]["leaf"] for row in rows} == {TOWER}
    made = (run_directory(site) / "dataset" / "rows").iterdir()
    assert len(rows) == sum(len(path.read_bytes().splitlines()) for path in made)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--release", "v1999.01.01", "x"], 1, "no release v1999.01.01"),
        (["--run", "nowhere", "x"], 1, "holds no rows"),
        (["--format", "instructlab", "-"], 2, "must be a folder"),
        (["repo"], 2, "is a folder"),
        (["--target", "folder:none", "x"], 1, "holds no release yet"),
        (["--run", "runs", "--release", "v1", "x"], 2, "not allowed with"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(
    site: Site, words: list[str], code: int, told: str
) -> None:
    done = site.graft("export", *words)
    assert done.returncode == code
    assert told in done.stderr
    assert not re.search("Traceback", done.stderr)
    assert not (site.path / "x").exists()
