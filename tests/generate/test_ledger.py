"""What a run writes down: rejects leaf by leaf, in bytes that no order of arrival changes."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

from pipelines.artifacts import canonical_json
from pipelines.generate.ledger import Book, gather
from pipelines.records import Reject

REJECTS = [
    Reject("b" * 64, "seeds", "short_enough", "too long", "z"),
    Reject("a" * 64, "seeds", "short_enough", "too long", 'x"\nü'),
    Reject("a" * 64, "knowledge", "grounded", "not in the text", "y"),
    Reject("b" * 64, "knowledge", "ask_document", "the answer is empty", ""),
]


def test_rejects_are_the_same_bytes_whatever_came_first(tmp_path: Path) -> None:
    expected = b"".join(sorted(canonical_json(reject) + b"\n" for reject in REJECTS))
    for number, order in enumerate(permutations(REJECTS)):
        book, file = Book(rejects=list(order)), tmp_path / f"{number}.jsonl"
        for content_hash in dict.fromkeys(reject.content_hash for reject in order):
            book.settle(content_hash, tmp_path / "parts")
        assert book.rejects == []
        gather(tmp_path / "parts", file)
        assert file.read_bytes() == expected
        assert not (tmp_path / "parts").exists()


def test_a_settled_leaf_leaves_the_others_rejects_alone(tmp_path: Path) -> None:
    book = Book(rejects=list(REJECTS))
    book.settle("a" * 64, tmp_path / "parts")
    book.settle("c" * 64, tmp_path / "parts")
    assert book.rejects == [REJECTS[0], REJECTS[3]]
    assert [part.name for part in (tmp_path / "parts").iterdir()] == ["a" * 64]


def test_a_run_without_rejects_has_an_empty_file(tmp_path: Path) -> None:
    gather(tmp_path / "parts", tmp_path / "rejects.jsonl")
    assert (tmp_path / "rejects.jsonl").read_bytes() == b""
