"""``graft store`` on real stores: counting, pruning, and carrying answers to another machine."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from pipelines.artifacts import canonical_json, digest, pretty_json, write_atomic
from pipelines.backends import Answer, Call
from pipelines.cli import main
from pipelines.generate.completions import Completions
from pipelines.generate.portable import HEADER
from pipelines.generate.upkeep import named_calls
from pipelines.records import Json, Message
from tests.generate.support import Teacher
from tests.support.flow import ROOT

Graft = Callable[..., tuple[int, str, str]]


@pytest.fixture
def graft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Graft:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAFT_CACHE", "cache")

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


class Counted(Teacher):
    async def answer(self, call: Call) -> Answer:
        return Answer(f"answer {call.variables['n']}", 10, 2)


def call(number: int, model: str = "one") -> Call:
    said = (Message("user", f"prompt {number} für"),)
    return Call("ask" if number % 2 else "judge", {"n": str(number)}, said, model, "r1")


def filled(path: Path, numbers: range, model: str = "one") -> None:
    with Completions(path) as store:
        store.answers([call(number, model) for number in numbers], Counted())


def stored(path: Path) -> dict[str, tuple[str, int]]:
    db = sqlite3.connect(path)
    found = {k: (t, p) for k, t, p in db.execute("SELECT key, text, prompt_tokens FROM answers")}
    db.close()
    return found


def test_a_store_that_is_not_there_is_told_and_not_made(graft: Graft, tmp_path: Path) -> None:
    for words in (["stats"], ["prune", "--older-than", "3"], ["export", "x.gz"]):
        code, _, told = graft("store", *words)
        assert (code, "There is no call store" in told) == (1, True)
    assert not (tmp_path / "cache").exists()


def test_stats_counts_by_model_and_task(graft: Graft) -> None:
    filled(Path("cache/calls.sqlite"), range(5))
    filled(Path("cache/calls.sqlite"), range(2), "two")
    code, out, _ = graft("store", "stats", "--format", "json")
    told = json.loads(out)
    jsonschema.validate(told, json.loads((ROOT / "schema" / "store.json").read_bytes()))
    assert (code, told["answers"]) == (0, 7)
    assert told["size"] >= Path("cache/calls.sqlite").stat().st_size > 0
    assert 0 < told["oldest"] <= told["newest"]
    assert [(s["model"], s["task"], s["answers"], s["prompt_tokens"]) for s in told["shares"]] == [
        ("one", "ask", 2, 20), ("one", "judge", 3, 30), ("two", "ask", 1, 10), ("two", "judge", 1, 10)
    ]  # fmt: skip
    _, text, _ = graft("store", "stats")
    assert "7 answers" in text
    assert "one r1  judge  3 answers  30 + 6 tokens" in text


def test_prune_by_age_and_model(graft: Graft) -> None:
    path = Path("cache/calls.sqlite")
    filled(path, range(4))
    filled(path, range(4), "two")
    db = sqlite3.connect(path)
    db.execute("UPDATE answers SET at = at - 10 * 86400 WHERE text IN ('answer 0', 'answer 1')")
    db.commit()
    db.close()
    assert graft("store", "prune")[0] == 2
    assert graft("store", "prune", "--older-than", "soon")[0] == 2
    code, out, _ = graft("store", "prune", "--older-than", "9d", "--dry-run")
    assert (code, out) == (0, "4 answers would be deleted.\n")
    assert len(stored(path)) == 8
    assert graft("store", "prune", "--older-than", "9d", "--model", "two")[1].startswith("2 ")
    assert set(stored(path)) == {call(n).key for n in range(4)} | {
        call(n, "two").key for n in (2, 3)
    }
    assert graft("store", "prune", "--older-than", "11")[1].startswith("0 ")


def test_prune_gives_the_space_back(graft: Graft) -> None:
    path = Path("cache/calls.sqlite")
    filled(path, range(3000))
    before = path.stat().st_size
    graft("store", "prune", "--model", "one")
    assert stored(path) == {}
    assert path.stat().st_size < before / 10


def write_run(runs: Path, kept: list[str], rejected: list[str]) -> None:
    write_atomic(runs / "abc" / "plan.json", b"{}")
    dataset = runs / "abc" / "dataset"
    write_atomic(
        dataset / "rows" / "h.jsonl", b"".join(canonical_json({"calls": [k]}) + b"\n" for k in kept)
    )
    write_atomic(
        dataset / "rejects.jsonl", canonical_json({"calls": rejected, "text": "x"}) + b"\n"
    )


def test_prune_unused_keeps_what_rows_and_rejects_of_runs_name(graft: Graft) -> None:
    path = Path("cache/calls.sqlite")
    filled(path, range(6))
    write_run(Path("runs"), [call(1).key], [call(2).key, call(3).key])
    code, _, told = graft("store", "prune", "--unused")
    assert (code, "is not finished" in told) == (1, True)
    assert len(stored(path)) == 6
    write_atomic(Path("runs/abc/dataset/stage.json"), pretty_json({}))
    assert graft("store", "prune", "--unused")[1].startswith("3 answers deleted")
    assert set(stored(path)) == {call(n).key for n in (1, 2, 3)}


def test_calls_are_read_from_rows_and_nothing_else() -> None:
    one, two = digest(1), digest(2)
    row = {"calls": [one, two], "messages": [{"content": f'"calls":["{digest(3)}"]'}]}
    assert named_calls(canonical_json(row) + b"\n" + canonical_json({"calls": []})) == {one, two}


# --- carrying ------------------------------------------------------------------------------------


def test_an_export_is_the_same_bytes_and_imports_whole(graft: Graft) -> None:
    path = Path("cache/calls.sqlite")
    filled(path, range(20))
    assert graft("store", "export", "one.gz")[1] == "20 answers written to one.gz.\n"
    there = stored(path)
    path.rename("first.sqlite")
    filled(path, range(10, 30))  # another machine's, which knows some of them
    db = sqlite3.connect(path)
    db.execute("UPDATE answers SET text = 'mine' WHERE key = ?", (call(10).key,))
    db.commit()
    db.close()
    assert graft("store", "import", "one.gz")[1] == "10 answers imported, 10 known before.\n"
    assert stored(path)[call(10).key] == ("mine", 10)
    assert stored(path)[call(3).key] == there[call(3).key]
    with Completions(path) as store:
        assert store.prompt(call(3).key) == [{"role": "user", "content": "prompt 3 für"}]
    path.rename("second.sqlite")
    graft("store", "import", "one.gz")
    assert stored(path) == there
    graft("store", "export", "two.gz")
    assert Path("two.gz").read_bytes() == Path("one.gz").read_bytes()


def exported(*answers: object) -> bytes:
    lines = [canonical_json(HEADER), *map(canonical_json, answers)]
    return gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)


def answer(**changed: object) -> Json:
    whole: Json = {
        "key": digest(1), "text": "t", "task": "", "model": "", "revision": "", "prompt_tokens": 0,
        "completion_tokens": 0, "prompt": None, "at": 0,
    }  # fmt: skip
    return {**whole, **changed}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"not gzip at all", "2"),
        (gzip.compress(b'{"format":"other"}\n', mtime=0), "1"),
        (exported(answer())[:-12], ""),
        (gzip.compress(gzip.decompress(exported(answer()))[:-3]), "2"),
        (exported(answer(), answer(key="ABC")), "3"),
        (exported(answer(), answer(), answer(text=5)), "4"),
        (exported(answer(), answer(at=-1)), "3"),
        (exported(answer(), answer(at=2**70)), "3"),
        (exported(answer(), answer(at=True)), "3"),
        (exported(answer(), answer(prompt="x")), "3"),
        (exported(answer(), answer(prompt=[{"role": "root", "content": "x"}])), "3"),
        (exported(answer(), answer(extra=1)), "3"),
        (exported(answer(), [1]), "3"),
        (exported(answer(), answer()), None),
        (gzip.compress(canonical_json(HEADER) + b'\n{"text":"\\ud800"}\n', mtime=0), "2"),
        (gzip.compress(canonical_json(HEADER) + b"\n" + b"[" * 100_000 + b"\n", mtime=0), "2"),
        (gzip.compress(canonical_json(HEADER) + b"\n\xff\n", mtime=0), "2"),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_nothing_is_imported(
    graft: Graft, data: bytes, line: str | None
) -> None:
    Path("in.gz").write_bytes(data)
    code, out, told = graft("store", "import", "in.gz")
    if line is None:
        assert (code, out) == (0, "1 answers imported, 1 known before.\n")
        return
    assert code == 1
    assert told.startswith(f"graft: in.gz:{line}")
    assert "Traceback" not in told
    assert stored(Path("cache/calls.sqlite")) == {}
