"""The index of near-duplicates: which texts the leaves of a tree hold, and which are near each other.

In: ``LeafEntries``, put as they are read. Out: ``Twin`` s, leaf by leaf. Texts stand once however many
leaves hold them; each is compared once, when it is new, with those that share a signature. So an
unchanged leaf costs a look at its digest, and a renamed one no comparison.

SQLite, because it was measured against a packed file of sorted arrays (50,000 questions, 2 cores): that
one answers in 0.5 ms a leaf instead of 0.9, but is to be written whole for every changed leaf, and its
writers would have to wait for each other by rules of our own. Here a write is a transaction: a killed
process leaves the state before it.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from pipelines.near import sql
from pipelines.near.entries import Entry, EntryKind, LeafEntries
from pipelines.near.texts import (
    Text,
    agree,
    asks_else,
    near,
    sentences,
    signatures,
    slip,
    text_of,
)

Relation = Literal["same", "conflict", "near", "context"]

# A signature that more texts have says nothing ("what is the").
COMMON = 32
# Bounds on what hostile leaves can cost: texts that one is compared with, the best first; near texts
# that it may have; places of one text that are looked at.
COMPARISONS = 100
PARTNERS = 20
PLACES = 50
BATCH = 2000
SHOWN = 200
ANSWER = 2000
# Signatures and keys lie scattered: to write those of one leaf touches a page for each. So a change of up
# to ``SMALL`` texts leaves its signatures together in `delta` and its keys in an index of their own, and
# names in `gone` the texts that are to go. A check of the whole tree puts all where it belongs, and any
# once ``MOST_WAITING`` texts have come.
SMALL = 1000
MOST_WAITING = 1000

_KINDS: tuple[EntryKind, ...] = ("question", "grounded", "context")


class Place(NamedTuple):
    """Where a text stands: in which tree ("" is the one checked), leaf and line, and what it says."""

    tree: str
    leaf: str
    line: int
    column: int
    text: str
    answer: str


class Twin(NamedTuple):
    """Entry ``number`` of a leaf, and one of another leaf that says the same or nearly so."""

    number: int
    kind: EntryKind
    relation: Relation
    here: Place
    there: Place


class Index:
    """The index in an open SQLite database that has ``SCHEMA``."""

    def __init__(self, connection: sqlite3.Connection, close: Callable[[], None]) -> None:
        self._db = connection
        self.close = close
        self._db.execute(
            "CREATE TEMP TABLE IF NOT EXISTS probe(hash INTEGER, text INTEGER, "
            "PRIMARY KEY(hash, text)) WITHOUT ROWID"
        )

    def digests(self) -> dict[str, str]:
        """Each leaf of the checked tree with its digest."""
        rows = self._db.execute("SELECT path, digest FROM leaf WHERE tree = ''")
        return {_path(path): digest for path, digest in rows}

    def digest(self, path: str) -> str:
        """The digest of one leaf of the checked tree; "" where it is not known."""
        row = self._db.execute(
            "SELECT digest FROM leaf WHERE tree = '' AND path = ?", (_bytes(path),)
        ).fetchone()
        return "" if row is None else str(row[0])

    def put(self, leaves: Iterable[LeafEntries], tree: str = "") -> None:
        """Take these leaves in, each in place of what was known of it; all of them or none.

        A leaf with no digest is gone.
        """
        with self.transaction():
            orphans: set[int] = set()
            for leaf in leaves:
                orphans |= self._drop(tree, leaf.path)
                if leaf.digest:
                    self._put(tree, leaf)
            self._sweep(orphans)

    def keep(self, paths: Collection[str]) -> None:
        """Forget the leaves of the checked tree that are not among ``paths``."""
        wanted = set(paths)
        gone = [LeafEntries(path, "", ()) for path in self.digests() if path not in wanted]
        with self.transaction():
            self.put(gone)
            self._settle()

    def compare(self) -> int:
        """Compare each text that is new with all others; how many there were."""
        with self.transaction():
            total, last = 0, -1
            self._db.execute("DELETE FROM temp.probe")
            while rows := self._db.execute(sql.UNCOMPARED, (last, BATCH)).fetchall():
                marks = [(mark, at) for at, *row in rows for mark in signatures(_text(*row))]
                self._db.executemany("INSERT INTO temp.probe VALUES(?, ?)", sorted(marks))
                total, last = total + len(rows), rows[-1][0]
            if total:
                # No new text takes its place beside one that is to go and has the same key.
                if total > SMALL or self._db.execute(sql.HELD).fetchone()[0] > MOST_WAITING:
                    self._settle()
                table, state = (
                    ("signature", sql.SETTLED) if total > SMALL else ("delta", sql.WAITING)
                )
                self._db.execute(f"INSERT INTO {table} SELECT hash, text FROM temp.probe")
                self._db.executemany("INSERT OR IGNORE INTO pair VALUES(?, ?)", self._pairs())
                self._db.execute("UPDATE text SET state = ? WHERE state = 0", (state,))
        return total

    def twinned(self) -> list[tuple[str, str]]:
        """Tree and path of each leaf that may have twins in another, sorted."""
        return [(tree, _path(path)) for tree, path in self._db.execute(sql.TWINNED)]

    def twins(self, tree: str, path: str) -> list[Twin]:
        """What this leaf has in common with others, in its own order."""
        leaf = self._id(tree, path)
        rows = self._db.execute(
            "SELECT number, text, line, col, shown, answer FROM item WHERE leaf = ?", (leaf,)
        ).fetchall()
        found = []
        for number, text, line, column, shown, answer in rows:
            here = Place(tree, path, line, column, shown, answer)
            mine, mates = self._mates(leaf, text)
            for mate, there in mates:
                relation = _relation(mine, here, mate, there)
                if relation is not None:
                    found.append(Twin(number, mine.kind, relation, here, there))
        return found

    def counts(self, tree: str, path: str) -> tuple[int, int]:
        """How many questions and how many contexts a leaf has."""
        kinds = [
            kind
            for (kind,) in self._db.execute(
                "SELECT kind FROM item JOIN text ON text.id = item.text WHERE leaf = ?",
                (self._id(tree, path),),
            )
        ]
        contexts = kinds.count(_KINDS.index("context"))
        return len(kinds) - contexts, contexts

    def complete(self) -> bool:
        """Whether every leaf of the tree has once been put; else a build was broken off."""
        return bool(self._db.execute("SELECT 1 FROM meta WHERE name = 'complete'").fetchone())

    def completed(self) -> None:
        """Keep that every leaf has been put."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES('complete', 'yes')")

    @contextlib.contextmanager
    def transaction(self, *, undo: bool = False) -> Iterator[None]:
        """All that is done inside, or nothing: nothing too where ``undo`` says so. May be nested."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("ROLLBACK" if undo else "COMMIT")

    def _id(self, tree: str, path: str) -> int:
        row = self._db.execute(
            "SELECT id FROM leaf WHERE tree = ? AND path = ?", (tree, _bytes(path))
        ).fetchone()
        return -1 if row is None else int(row[0])

    def _put(self, tree: str, leaf: LeafEntries) -> None:
        added = self._db.execute(
            "INSERT INTO leaf(tree, path, digest) VALUES(?, ?, ?)",
            (tree, _bytes(leaf.path), leaf.digest),
        ).lastrowid
        items = [
            (added, number, self._known(text_of(entry)), entry.line, entry.column, *_shown(entry))
            for number, entry in enumerate(leaf.entries)
        ]
        self._db.executemany("INSERT INTO item VALUES(?, ?, ?, ?, ?, ?, ?)", items)

    def _known(self, text: Text) -> int:
        """The id of a text, which is taken in where it is new."""
        row = self._db.execute(sql.KNOWN, {"key": text.key}).fetchone()
        return int(row[0]) if row else self._add(text)

    def _add(self, text: Text) -> int:
        values = (text.key, _KINDS.index(text.kind), text.exact, text.first, text.context)
        added = self._db.execute(
            "INSERT INTO text(key, kind, exact, first, context) VALUES(?, ?, ?, ?, ?)", values
        )
        return added.lastrowid or 0

    def _drop(self, tree: str, path: str) -> set[int]:
        """Forget a leaf; its texts, which may now be nobody's."""
        leaf = self._id(tree, path)
        rows = self._db.execute("SELECT text FROM item WHERE leaf = ?", (leaf,)).fetchall()
        self._db.execute("DELETE FROM item WHERE leaf = ?", (leaf,))
        self._db.execute("DELETE FROM leaf WHERE id = ?", (leaf,))
        return {text for (text,) in rows}

    def _sweep(self, texts: set[int]) -> None:
        """Forget those of ``texts`` that no leaf holds any more, with all that was known of them."""
        for some in _parts(sorted(texts)):
            held = self._db.execute(
                f"SELECT DISTINCT text FROM item WHERE text IN ({_marks(some)})", some
            )
            orphans = sorted(set(some).difference(text for (text,) in held))
            these = f"IN ({_marks(orphans)})"
            pairs = self._db.execute(f"SELECT a, b FROM pair WHERE a {these}", orphans).fetchall()
            both = [pair for a, b in pairs for pair in ((a, b), (b, a))]
            self._db.executemany("DELETE FROM pair WHERE a = ? AND b = ?", both)
            self._db.execute(f"DELETE FROM text WHERE state = 0 AND id {these}", orphans)
            self._db.execute(f"INSERT INTO gone SELECT id FROM text WHERE id {these}", orphans)

    def _settle(self) -> None:
        """Empty ``delta`` and ``gone``: the signatures of new texts come in, those of others go."""
        gone = "IN (SELECT id FROM gone)"
        self._db.execute(
            f"INSERT INTO signature SELECT hash, text FROM delta WHERE NOT text {gone}"
        )
        self._db.execute("DELETE FROM delta")
        settled = self._db.execute(f"{sql.TEXT} WHERE id {gone} AND state = {sql.SETTLED}")
        for at, *row in settled.fetchall():
            marks = [(mark, at) for mark in signatures(_text(*row))]
            self._db.executemany("DELETE FROM signature WHERE hash = ? AND text = ?", marks)
        self._db.execute(f"DELETE FROM text WHERE id {gone}")
        self._db.execute("DELETE FROM gone")
        self._db.execute(
            f"UPDATE text INDEXED BY text_waiting SET state = {sql.SETTLED} "
            f"WHERE state < 2 AND state = {sql.WAITING}"
        )
        self._db.execute(
            "UPDATE meta SET value = (SELECT ifnull(max(id), 0) FROM text) WHERE name = 'settled'"
        )

    def _texts(self, ids: Sequence[int]) -> dict[int, Text]:
        rows = self._db.execute(f"{sql.TEXT} WHERE id IN ({_marks(ids)})", ids)
        return {at: _text(*row) for at, *row in rows}

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Near texts, each pair both ways, among the new ones and between these and the others."""
        candidates = self._db.execute(sql.CANDIDATES, {"common": COMMON})
        for one, group in itertools.groupby(candidates, key=lambda row: int(row[0])):
            others = [int(other) for _, other in itertools.islice(group, COMPARISONS)]
            texts = self._texts((one, *others))
            found = (other for other in others if near(texts[one], texts[other]))
            for other in itertools.islice(found, PARTNERS):
                yield one, other
                yield other, one

    def _mates(self, leaf: int, at: int) -> tuple[Text, list[tuple[Text, Place]]]:
        """A text, and in other leaves the places of it and of the texts near it."""
        mine = self._texts((at,))[at]
        found = [(mine, place) for place in self._places(leaf, at)]
        rows = self._db.execute("SELECT b FROM pair WHERE a = ? LIMIT ?", (at, PLACES)).fetchall()
        close = []
        for (other,) in rows:
            places = self._places(leaf, other)
            if places:
                text = self._texts((other,))[other]
                close += [(text, place) for place in places]
        return mine, found + sorted(close, key=lambda mate: _order(mate[1]))

    def _places(self, leaf: int, at: int) -> Sequence[Place]:
        rows = self._db.execute(
            "SELECT tree, path, line, col, shown, answer FROM item JOIN leaf ON leaf.id = item.leaf "
            "WHERE text = ? AND item.leaf != ? LIMIT ?",
            (at, leaf, PLACES),
        )
        return sorted((Place(row[0], _path(row[1]), *row[2:]) for row in rows), key=_order)


def _relation(mine: Text, here: Place, mate: Text, there: Place) -> Relation | None:
    """What two texts are to each other; None where near questions are two after all."""
    if mine.kind == "context":
        return "context"
    agreed = agree(here.answer, there.answer)
    if mate is mine:
        return "same" if agreed else "conflict"
    if agreed and asks_else(mine, mate):
        return "near" if sentences(here.answer, there.answer) else None
    return "near" if agreed or slip(mine, mate) else None


def _order(place: Place) -> tuple[str, str, int, int]:
    return place.tree, place.leaf, place.line, place.column


def _text(kind: int, exact: int, first: str, context: str) -> Text:
    return Text(0, _KINDS[kind], bool(exact), first, context)


def _marks(ids: Sequence[int]) -> str:
    return ", ".join("?" * len(ids))


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """So many at once as every SQLite takes in one statement."""
    return (ids[start : start + 500] for start in range(0, len(ids), 500))


def _shown(entry: Entry) -> tuple[str, str]:
    return entry.text[:SHOWN], entry.answer[:ANSWER]


# Names in a file system need not be Unicode; Python holds their bytes as lone surrogates.
def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _path(stored: Any) -> str:
    return bytes(stored).decode("utf-8", "surrogateescape")
