"""The mix: quotas, phases, replay, distractors; on any rows, and the same whatever their order."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipelines.mix import (
    Ingredients,
    Located,
    Mixed,
    Phase,
    Source,
    Talk,
    mix,
    mixed,
    read_phase,
)
from pipelines.recipe import Mix
from pipelines.records import Message
from pipelines.text import estimate_tokens
from tests.generate.support import recipe

MIX = Mix(per_leaf=5, replay=0.5, knowledge=0.5)
LONGEST = 512


def talk(name: str, number: int) -> Talk:
    return (Message("user", f"{name} {number}?"), Message("assistant", f"It is {number}."))


def source(name: str, phase: Phase, count: int) -> Source:
    return Source(name, f"leaf/{name}", phase, [talk(name, number) for number in range(count)])


SOURCES = st.lists(
    st.tuples(st.sampled_from(["knowledge", "skills"]), st.integers(0, 9)), max_size=6
)


def sources(prefix: str, drawn: list[tuple[Phase, int]]) -> list[Source]:
    return [source(f"{prefix}{n}", phase, rows) for n, (phase, rows) in enumerate(drawn)]


def counted(rows: list[Mixed], role: str) -> Counter[str]:
    return Counter(row.source for row in rows if row.role == role)


@given(SOURCES, SOURCES, st.integers(1, 7), st.integers(0, 3))
def test_quotas_hold_and_no_row_comes_twice_in_a_role(
    new: list[tuple[Phase, int]], old: list[tuple[Phase, int]], per_leaf: int, seed: int
) -> None:
    found = Ingredients(sources("n", new), sources("o", old))
    made = mixed(found, replace(MIX, per_leaf=per_leaf), seed, LONGEST)
    for phase, rows in made.items():
        own = {one.name: min(per_leaf, len(one.rows)) for one in found.new if one.phase == phase}
        assert counted(rows, "new") == Counter(own)
        assert len(rows) == len({(row.role, row.talk) for row in rows})
        earlier = counted([row for row in rows if row.source.startswith("o")], "replay")
        assert all(count <= per_leaf for count in earlier.values())
        assert earlier.total() <= round(MIX.replay * sum(own.values()))
    again = [row for row in made["skills"] if row.role == "replay" and row.source.startswith("n")]
    assert {row.talk for row in again} <= {row.talk for row in made["knowledge"]}


@given(SOURCES, st.integers(0, 3))
def test_the_order_of_leaves_and_rows_does_not_matter(
    new: list[tuple[Phase, int]], seed: int
) -> None:
    found = Ingredients(sources("n", new), sources("o", new))
    turned = Ingredients(*(
        [replace(one, rows=one.rows[::-1]) for one in side[::-1]] for side in (found.new, found.old)
    ))  # fmt: skip
    assert mixed(turned, MIX, seed, LONGEST) == mixed(found, MIX, seed, LONGEST)


def test_another_leaf_changes_nothing_of_what_is_drawn_from_a_leaf() -> None:
    one, other = source("a", "knowledge", 40), source("b", "knowledge", 40)
    alone = mixed(Ingredients([one], []), MIX, 0, LONGEST)["knowledge"]
    both = mixed(Ingredients([other, one], []), MIX, 0, LONGEST)["knowledge"]
    assert [row for row in both if row.source == "a"] == alone
    assert alone != mixed(Ingredients([one], []), MIX, 1, LONGEST)["knowledge"]


def test_the_skills_phase_replays_knowledge_and_what_was_learnt_before() -> None:
    found = Ingredients(
        [source("k", "knowledge", 8), source("s", "skills", 4)],
        [source("old-k", "knowledge", 9), source("old-s", "skills", 9)],
    )
    made = mixed(found, MIX, 0, LONGEST)
    assert counted(made["knowledge"], "new") == {"k": 5}
    assert counted(made["knowledge"], "replay") == {"old-k": 2}
    assert counted(made["skills"], "new") == {"s": 4}
    assert counted(made["skills"], "replay") == {"old-s": 2, "k": 2}


# --- distractors ---

CHUNKS = {
    "a": [f"Chunk {n} of a tells of rivers." for n in range(4)],
    "b": [f"Chunk {n} of b tells of stars." for n in range(4)],
}


def raft(share: float, distractors: int, longest: int = LONGEST) -> list[Mixed]:
    new = [source("a", "knowledge", 4), source("b", "knowledge", 4)]
    rows = [
        Located(one, leaf.name, CHUNKS[leaf.name][number])
        for leaf in new
        for number, one in enumerate(leaf.rows)
    ]
    found = Ingredients(new, [], located=rows, chunks=CHUNKS)
    asked = Mix(9, 0, 0, raft=share, distractors=distractors)
    return [row for row in mixed(found, asked, 0, longest)["skills"] if row.role == "raft"]


def test_a_row_with_distractors_holds_its_own_chunk_and_others() -> None:
    own = {talk(name, n): CHUNKS[name][n] for name in "ab" for n in range(4)}
    rows = raft(1.0, 2)
    assert len(rows) == 8
    places = set()
    for row in rows:
        *shown, question = row.talk[0].content.split("\n\n")
        chunk = own[(Message("user", question), row.talk[1])]
        assert shown.count(chunk) == 1
        assert len(set(shown)) == 3
        assert set(shown) <= {text for chunks in CHUNKS.values() for text in chunks}
        places.add(shown.index(chunk))
    assert len(places) > 1  # the right one does not always stand first
    assert rows == raft(1.0, 2)


def test_distractors_are_as_many_as_the_recipe_and_the_student_allow() -> None:
    assert len(raft(0.5, 2)) == 4
    assert raft(0.5, 0) == []
    assert raft(0.0, 2) == []
    for longest in (20, 45, 60):
        for row in raft(1.0, 3, longest):
            tokens = sum(estimate_tokens(turn.content) for turn in row.talk)
            assert tokens <= longest or row.talk in source("a", "knowledge", 4).rows or (
                row.talk in source("b", "knowledge", 4).rows
            )  # fmt: skip


# --- files ---


def test_the_files_hold_the_mix_and_the_table_adds_up(tmp_path: Path) -> None:
    found = Ingredients(
        [source("k", "knowledge", 8), source("s", "skills", 4)],
        [source("old", "skills", 9)],
        [Source("external:x.jsonl", "x.jsonl", "skills", [talk("x", 1)])],
    )
    said: list[str] = []
    mix(found, replace(recipe(), mix=MIX), tmp_path, said.append)
    skills = read_phase(tmp_path, "skills")
    assert {name: len(rows) for name, rows in skills.items()} == {
        "s": 4, "replay:k": 2, "replay:old": 2, "external:external:x.jsonl": 1
    }  # fmt: skip
    table = json.loads((tmp_path / "composition.json").read_bytes())
    for phase in ("knowledge", "skills"):
        lines = (tmp_path / f"{phase}.jsonl").read_bytes().splitlines()
        assert sum(row["rows"] for row in table if row["phase"] == phase) == len(lines)
        assert all(row["tokens"] > 0 for row in table)
        assert all(set(json.loads(line)) == {"source", "role", "messages"} for line in lines)
    assert "mix: skills phase: 9 rows" in "\n".join(said)
    assert any("x.jsonl: 1 rows" in line for line in said)
