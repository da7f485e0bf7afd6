"""Whatever a server does, a run ends with a balanced ledger and the rows of the run without faults.

The real stage, the real client and a server in a process of its own that counts what arrives.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pipelines.backends.openai_api import OpenAI
from pipelines.documents import documents
from pipelines.errors import BackendError, CallError
from pipelines.generate import Teaching, generate
from pipelines.generate.completions import Completions
from pipelines.leaves import WorkTree
from pipelines.recipe import Flows, Recipe, Teacher
from pipelines.records import Json
from tests.generate.support import (
    CAPTIONS,
    FREEFORM,
    KNOWLEDGE,
    Work,
    lines,
    recipe,
    row_bytes,
    rows,
    taxonomy,
    work_of,
)
from tests.support.openai_profiles import PROFILES
from tests.support.openai_server import ALWAYS_GARBAGE, REFUSED, Server, start
from tests.support.repositories import TIDES, knowledge_leaf, skill_leaf

POISONED = "Say which tool {} cannot live without."


def asking(url: str, timeout: float) -> Recipe:
    """Chunks of a few words, so that a small document takes many calls."""
    one = recipe()
    teacher = Teacher(
        "openai_api", "stand-in", "1", url=url, timeout=timeout, retries=8, concurrency=16
    )
    return replace(one, teacher=teacher, generate=replace(one.generate, chunk_words=20))


def run(
    out: Path, tree: WorkTree, work: Work, server: Server, store: Path | None = None,
    timeout: float = 120.0,
) -> Path:  # fmt: skip
    """The stage, against a server; its folder."""
    return _run(out, tree, work, asking(server.url, timeout), store)


def run_lab(out: Path, tree: WorkTree, work: Work, server: Server) -> Path:
    """A flow of LAB's, whose steps hang on one another, with the same server for a judge."""
    wanted = asking(server.url, 120.0)
    amounts = replace(wanted.generate, flows=Flows(freeform_skill=("lab_freeform",)))
    return _run(out, tree, work, replace(wanted, judge=wanted.teacher, generate=amounts))


def _run(out: Path, tree: WorkTree, work: Work, wanted: Recipe, store: Path | None = None) -> Path:
    out.mkdir(parents=True)
    with Completions(store or out.with_suffix(".sqlite")) as calls:
        teacher = OpenAI(wanted.teacher, first_wait=0.01)
        judge = wanted.judge and OpenAI(wanted.judge, first_wait=0.01)
        teaching = Teaching(wanted, calls, teacher, judge)
        generate(work, partial(documents, tree), teaching, out, lambda line: None)
    return out


def ledger(out: Path) -> Json:
    found: Json = json.loads((out / "ledger.json").read_bytes())
    return found


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> WorkTree:
    """Leaves of each kind; the knowledge leaf has a longer document."""
    root = tmp_path_factory.mktemp("taxonomy")
    taxonomy(root)
    text = "\n\n".join(f"## Part {n}\n\n" + TIDES.replace("tide", f"tide {n}") for n in range(16))
    told = [
        (f"Fact {n} of the shore.", [(question, "Yes.")])
        for n, question in enumerate("Why wade? Who rows? When swim? What floats?".split("? "))
    ]
    knowledge_leaf(root, KNOWLEDGE, seeds=told, document=f"# Tides\n\n{text}\n")  # type: ignore[arg-type]
    return WorkTree(root)


@pytest.fixture(scope="module")
def work(tree: WorkTree) -> Work:
    return work_of(tree)


@pytest.fixture(scope="module")
def sound(tree: WorkTree, work: Work, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run without faults."""
    with start() as server:
        out = run(tmp_path_factory.mktemp("sound") / "dataset", tree, work, server)
        made = ledger(out)["calls"]["made"]
        assert server.counts().calls == made > 60  # each call is one request
    return out


def assert_same(out: Path, sound: Path) -> None:
    """Rows, rejects and ledger are those of the run without faults, byte for byte."""
    assert row_bytes(out) == row_bytes(sound)
    for name in ("rejects.jsonl", "summary.json", "ledger.json"):
        assert (out / name).read_bytes() == (sound / name).read_bytes()


@pytest.mark.parametrize(
    "profile",
    ["429:0.1", "500:0.1", "hang:0.05", "truncated:0.1", "cut:0.1", "page:0.1", "choices:0.1",
     "garbage:0.03", "faults", "no-hang:0.05"],
)  # fmt: skip
def test_every_fault_ends_in_the_rows_of_the_run_without_faults(
    profile: str, tree: WorkTree, work: Work, sound: Path, tmp_path: Path
) -> None:
    hangs = profile in ("hang:0.05", "faults")
    with start(profile, retry_after=0) as server:
        out = run(tmp_path / "dataset", tree, work, server, timeout=4.0 if hangs else 120.0)
        counts = server.counts()
    assert sum(counts.faults.values()) > 0
    needed = ledger(out)["calls"]["made"] + sum(counts.faults.values())
    # On a busy machine an answer may come too late for a client that waits seconds only.
    assert counts.calls >= needed if hangs else counts.calls == needed
    assert_same(out, sound)


def test_a_flow_of_many_steps_with_a_judge_comes_through_every_fault(tmp_path: Path) -> None:
    root = tmp_path / "taxonomy"
    skill_leaf(
        root, FREEFORM,
        seeds=[("", f"Name thing {n} of the list.", f"It is {n}.") for n in range(40)],
    )  # fmt: skip
    tree = WorkTree(root)
    work = work_of(tree)
    with start() as server:
        sound = run_lab(tmp_path / "sound", tree, work, server)
    with start("no-hang:0.05", retry_after=0) as server:
        out = run_lab(tmp_path / "dataset", tree, work, server)
        counts = server.counts()
    made = ledger(out)["calls"]["made"]
    assert len(counts.faults) == len(PROFILES["no-hang"].faults)
    assert counts.calls == made + sum(counts.faults.values())
    asked = [step["step"] for step in ledger(out)["steps"] if step["in"] > 60]
    assert {"judge_freeform_question", "answer_question", "judge_freeform_pair"} <= set(asked)
    assert_same(out, sound)


def test_a_server_that_takes_few_requests_at_once_is_asked_no_faster(
    tree: WorkTree, work: Work, sound: Path, tmp_path: Path
) -> None:
    with start("zero", latency=0.02, limit=3, retry_after=0) as server:
        out = run(tmp_path / "dataset", tree, work, server)
        counts = server.counts()
    assert counts.by_status["429"] > 0
    assert_same(out, sound)


@pytest.mark.parametrize("poison", [REFUSED, ALWAYS_GARBAGE])
@pytest.mark.parametrize("profile", ["zero", "no-hang"])
def test_a_poison_row_is_set_apart_and_no_other(
    poison: str, profile: str, tree: WorkTree, work: Work, sound: Path, tmp_path: Path
) -> None:
    root = tmp_path / "taxonomy"
    question = POISONED.format(poison)
    skill_leaf(root, FREEFORM, seeds=[*CAPTIONS, ("", question, "A comb.")])
    poisoned = WorkTree(root)
    ((content_hash, (leaf, sides)),) = work_of(poisoned).items()
    (bad,) = [seed.id for seed in leaf.seeds if seed.pairs[0].question == question]
    shown = tuple(seed.id for seed in leaf.seeds)
    others = replace(sides, exam=(), shown=shown)  # without an exam nobody asks for more of it
    with start(profile, retry_after=0) as server:
        out = run(tmp_path / "dataset", poisoned, {content_hash: (leaf, others)}, server)
    (asked, *_) = ledger(out)["steps"]
    assert (asked["failed"], asked["unparsed"]) == ((1, 0) if poison == REFUSED else (0, 1))
    assert asked["in"] == len(shown) == asked["parsed"] + 1
    found = {row["seeds"][0] for row in rows(out)}
    assert found == set(shown) - {bad}
    rejects = lines(out / "rejects.jsonl")
    if poison == REFUSED:
        (reject,) = [r for r in rejects if question in json.loads(r["text"] or "{}").values()]
        assert "refused by the content management policy" in reject["reason"]
    else:
        assert [r["reason"] for r in rejects].count("the block cannot be read") == 1


def test_a_run_that_a_dead_server_stopped_goes_on_where_it_was(
    tree: WorkTree, work: Work, sound: Path, tmp_path: Path
) -> None:
    """The server dies in the middle: one sentence, nothing half-made; the next run asks only the rest."""
    store = tmp_path / "calls.sqlite"
    some = dict(list(work.items())[:1])
    with start() as server:
        run(tmp_path / "first", tree, some, server, store)
        before = server.counts().calls
    with start("down") as server, pytest.raises(BackendError) as caught:
        run(tmp_path / "second", tree, work, server, store)
    assert not isinstance(caught.value, CallError)
    assert "calls in a row" in str(caught.value)
    assert not (tmp_path / "second" / "ledger.json").exists()
    with start() as server:
        out = run(tmp_path / "third", tree, work, server, store)
        again = server.counts().calls
    assert row_bytes(out) == row_bytes(sound)
    assert before + again == ledger(sound)["calls"]["made"]
    shared = ledger(sound)["calls"]["reused"]  # what several rows ask alike is asked once
    assert ledger(out)["calls"] == {"made": again, "reused": shared + before}
