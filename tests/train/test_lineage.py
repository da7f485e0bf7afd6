"""Where a run starts: random chains, and 10,000 histories of a taxonomy lived through run by run."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass, field
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.artifacts import digest
from pipelines.records import ExamSplit, FileDigest, Manifest, ManifestLeaf, Retired
from pipelines.train.lineage import (
    bare_start,
    choose_start,
    course,
    is_bare,
    rebase_due,
)
from tests.release.builders import manifest, retire

CONTENTS = [digest(n) for n in range(5)]
HASHES = st.sets(st.sampled_from(CONTENTS))
NO_SPLIT = ExamSplit((), ())


# --- random chains, possible or not ----------------------------------------------------------


@st.composite
def chains(draw: st.DrawFn) -> list[Manifest]:
    """Releases with any leaves, retired content and one of two lineage keys."""
    chain = []
    for index in range(draw(st.integers(0, 5))):
        leaves = draw(st.sets(st.integers(0, 4)))
        retired = draw(st.sets(st.sampled_from(CONTENTS)))
        record = dataclasses.replace(
            manifest(f"v2026.01.0{9 - index}", leaves={}),
            leaves={str(n): ManifestLeaf(CONTENTS[n], CONTENTS[n], NO_SPLIT) for n in leaves},
            lineage_key=draw(st.sampled_from(["lineage", "lineage", "other"])),
        )
        chain.append(retire(record, *sorted(retired)))
    return chain


@given(chains(), HASHES, HASHES)
def test_a_start_and_all_that_it_stands_on_are_clean(
    chain: list[Manifest], wanted: set[str], barred: set[str]
) -> None:
    start = choose_start(chain, wanted, "lineage", barred)
    if start is None:
        return
    below = chain[[entry is start for entry in chain].index(True) :]
    assert all(entry.lineage_key == "lineage" for entry in below)
    heard = set().union(*(entry.seen for entry in below))
    assert heard.isdisjoint(barred)
    assert start is chain[0] or heard <= wanted


@given(chains(), HASHES)
def test_with_nothing_barred_the_previous_release_goes_on(
    chain: list[Manifest], wanted: set[str]
) -> None:
    if chain and all(entry.lineage_key == "lineage" for entry in chain):
        assert choose_start(chain, wanted, "lineage", ()) is chain[0]


def test_a_deleted_leaf_that_came_back_makes_an_older_ancestor_the_cheaper_one() -> None:
    """V2 has seen b and teaches it no more; V1 still does."""
    chain = [
        manifest("v2026.01.03", leaves={"a": "one", "x": "bad"}),
        retire(manifest("v2026.01.02", leaves={"a": "one"}), digest("two")),
        manifest("v2026.01.01", leaves={"a": "one", "b": "two"}),
    ]
    wanted = {"a": digest("one"), "b": digest("two")}
    start = choose_start(chain, wanted.values(), "lineage", {digest("bad")})
    assert start is chain[2]
    assert course(start, wanted).learn == []


def test_what_an_ancestor_of_the_ancestor_has_seen_counts_too() -> None:
    """V2's manifest does not tell of b, as an old one may not; V1's does."""
    chain = [
        manifest("v2026.01.03", leaves={"a": "one", "x": "bad"}),
        manifest("v2026.01.02", leaves={"a": "one"}),
        manifest("v2026.01.01", leaves={"a": "one", "b": "two"}),
    ]
    assert choose_start(chain, [digest("one")], "lineage", {digest("bad")}) is None


# --- histories -------------------------------------------------------------------------------


@dataclass
class World:
    """A taxonomy, its releases, and what each release's weights have in truth been taught."""

    draw: random.Random
    tree: dict[str, str] = field(default_factory=dict)
    releases: dict[str, Manifest] = field(default_factory=dict)
    truth: dict[str, set[str]] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    vetoed: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)  # for one run: an edit of it did not take
    head: str | None = None
    key: str = "key0"
    made: int = 0

    @property
    def wanted(self) -> dict[str, str]:
        return {path: c for path, c in self.tree.items() if c not in self.withdrawn}

    @property
    def barred(self) -> set[str]:
        return self.withdrawn | (self.stale - set(self.tree.values()))

    @property
    def chain(self) -> list[Manifest]:
        found, step = [], self.head
        while step is not None:
            found.append(self.releases[step])
            step = found[-1].continues
        return found

    def content(self) -> str:
        """New content, or at times what was there before: a revert."""
        if self.made and self.draw.random() < 0.25:
            return f"c{self.draw.randrange(self.made)}"
        self.made += 1
        return f"c{self.made - 1}"

    def change(self) -> None:
        """One commit, or one act of an operator."""
        paths = sorted(self.tree)
        path = self.draw.choice(paths) if paths else ""
        what = self.draw.choice(
            "add add edit edit delete delete rename withdraw veto stale key idle".split()
        )
        if what == "add" or not paths:
            self.tree[f"leaf{self.draw.randrange(8)}"] = self.content()
        elif what == "edit":
            self.tree[path] = self.content()
        elif what == "delete":
            del self.tree[path]
        elif what == "rename":
            self.tree[f"leaf{self.draw.randrange(8)}"] = self.tree.pop(path)
        elif what == "withdraw":
            self.withdrawn.add(self.tree[path])
        elif what == "veto":
            self.vetoed = {self.tree[path]}
        elif what == "stale":
            old = self.tree[path]
            self.tree[path] = self.content()
            self.stale = {old}
        elif what == "key" and self.draw.random() < 0.3:
            self.key += "'"

    def run(self, rebase: bool) -> Manifest:
        """Choose, check and release."""
        chain, wanted = self.chain, self.wanted
        barred = self.barred
        start = None
        if chain:
            choose = bare_start if rebase else choose_start
            start = choose(chain, wanted.values(), self.key, barred)
            expected = self.expected(chain, set(wanted.values()), barred, rebase)
            assert start is expected
        learn, retired = set(wanted.values()), ()
        if start is not None:
            todo = course(start, wanted, self.vetoed)
            learn = {wanted[leaf] for leaf in todo.learn}
            retired = todo.retired
            kept = (start.known & set(wanted.values())) - self.vetoed
            assert kept | learn == set(wanted.values()), "nothing needed is missing"
            assert kept.isdisjoint(learn), "nothing is learnt twice"
            assert {entry.content_hash for entry in retired}.isdisjoint(wanted.values())
            assert set(todo.corrected) == set(todo.learn) & set(start.leaves)
        return self.release(start, wanted, learn, retired)

    def expected(
        self, chain: list[Manifest], wanted: set[str], barred: set[str], rebase: bool
    ) -> Manifest | None:
        """The start by brute force, from what the weights were taught and not from the manifests."""
        clean = [
            entry
            for entry in chain
            if entry.lineage_key == self.key and self.truth[entry.release].isdisjoint(barred)
        ]
        whole = [entry for entry in clean if self.truth[entry.release] <= wanted]
        if rebase:
            return chain[-1] if chain[-1] in whole and is_bare(chain[-1]) else None
        if chain[0] in clean:
            return chain[0]
        return min(whole, key=lambda entry: len(wanted - entry.known), default=None)

    def release(
        self,
        start: Manifest | None,
        wanted: dict[str, str],
        learn: set[str],
        retired: tuple[Retired, ...],
    ) -> Manifest:
        tag = f"r{len(self.releases)}"
        made = dataclasses.replace(
            EMPTY,
            release=tag,
            previous=self.head,
            continues=start.release if start else None,
            lineage_key=self.key,
            leaves={path: ManifestLeaf(c, c, NO_SPLIT) for path, c in wanted.items()},
            retired=retired,
            files={"adapter/x": FileDigest("", 0)} if start else {},
        )
        self.releases[tag], self.head = made, tag
        self.truth[tag] = learn | (self.truth[start.release] if start else set())
        self.stale, self.vetoed = set(), set()
        return made


EMPTY = manifest("v2026.01.01", leaves={})


def live(seed: int) -> None:
    """One history; the properties are asserted after each of its runs."""
    world = World(random.Random(seed))
    for _ in range(world.draw.randint(2, 9)):
        for _ in range(world.draw.randint(1, 3)):
            world.change()
        rebase = world.draw.random() < 0.15
        barred = world.barred
        made = world.run(rebase)
        for ancestor in world.chain:
            taught = world.truth[ancestor.release]
            assert taught.isdisjoint(barred), "what is barred is in an ancestor"
            assert taught == ancestor.seen, "a manifest does not tell what its weights have seen"
            assert ancestor.lineage_key == world.key, "another lineage key was continued"
        assert {e.content_hash for e in made.leaves.values()} == set(world.wanted.values())
        assert made.retired == () or not rebase, "a re-base left something soft"


@pytest.mark.parametrize("part", range(10))
def test_ten_thousand_histories(part: int) -> None:
    for seed in range(part * 1000, part * 1000 + 1000):
        try:
            live(seed)
        except AssertionError as error:
            raise AssertionError(f"history {seed}: {error}") from error


# --- when a re-base is due -------------------------------------------------------------------


def dated(tag: str, continues: str | None, day: int, adapter: bool = True) -> Manifest:
    files = {"adapter/adapter_config.json": FileDigest("0" * 64, 1)} if adapter else {}
    made = manifest(tag, leaves={"a": "one"}, files=files, continues=continues)
    return dataclasses.replace(made, created=date(2026, 1, day).isoformat())


ZERO = dated("v2026.01.01", None, 1, adapter=False)
FIRST = dated("v2026.01.05", ZERO.release, 5)
SECOND = dated("v2026.01.06", FIRST.release, 6)


@pytest.mark.parametrize(
    ("chain", "day", "due"),
    [
        ([ZERO], 31, False),  # nothing stands on the bare base
        ([FIRST, ZERO], 31, False),  # learnt from it in one go
        ([retire(FIRST, "0" * 64), ZERO], 12, True),  # but with something soft in it
        ([retire(FIRST, "0" * 64), ZERO], 11, False),
        ([SECOND, FIRST, ZERO], 11, False),
        ([SECOND, FIRST, ZERO], 12, True),  # counted from the first adapter, not from release zero
        ([SECOND, dated("v2026.01.05", None, 5)], 12, True),  # a base from the Hub has no release
        ([dated("v2026.01.05", None, 5)], 31, False),
    ],
)
def test_a_rebase_is_due_by_the_age_of_the_first_adapter(
    chain: list[Manifest], day: int, due: bool
) -> None:
    assert rebase_due(chain, date(2026, 1, day), 7) is due


def test_a_rebase_starts_from_the_bare_base_or_from_nothing() -> None:
    wanted = [digest("one"), digest("two")]
    chain = [SECOND, FIRST, ZERO]
    assert bare_start(chain, wanted, "lineage", ()) is ZERO
    assert bare_start(chain, wanted, "other", ()) is None
    assert bare_start(chain, wanted[1:], "lineage", ()) is None
    assert bare_start(chain, wanted, "lineage", {digest("one")}) is None
    assert bare_start([dated("v2026.01.05", None, 5)], wanted, "lineage", ()) is None
