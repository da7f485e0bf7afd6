"""Rows that a release holds and that were vetoed since: dropped from the leaf's data, nobody asked.

In: a dataset that ``generate`` wrote, and the released rows of leaves. Out: the same dataset with those
leaves' other rows in it, the ledger and the rejects telling what went.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.artifacts import canonical_json, pretty_json, sha256
from pipelines.errors import GraftError
from pipelines.records import Json, Reject
from pipelines.vetoes import Veto

FLOW, STEP = "released", "veto"


@dataclass(frozen=True, slots=True)
class Released:
    """A leaf's rows as a release holds them, and the digest of its exam questions."""

    leaf: str
    rows: bytes
    asked_hash: str


def drop_vetoed(out: Path, released: Mapping[str, Released], vetoes: Mapping[str, Veto]) -> None:
    """Add what is left of each leaf, by content hash, to the dataset in ``out``.

    ``GraftError`` where a leaf is left without a single row.
    """
    summary = json.loads((out / "summary.json").read_bytes())
    rejects: list[bytes] = []
    into = filtered = 0
    for content_hash, held in released.items():
        kept = []
        for line in held.rows.splitlines(keepends=True):
            veto = vetoes.get(json.loads(line)["id"])
            if veto is None:
                kept.append(line)
            else:
                reject = Reject(content_hash, FLOW, STEP, veto.told, line.decode().strip())
                rejects.append(canonical_json(reject) + b"\n")
                filtered += 1
            into += 1
        if not kept:
            raise GraftError(f"{held.leaf}: every row of it is vetoed; delete the leaf instead.")
        data = b"".join(kept)
        (out / "rows" / f"{content_hash}.jsonl").write_bytes(data)
        summary[content_hash] = _entry(held, len(kept), sha256(data))
    ledger: Json = json.loads((out / "ledger.json").read_bytes())
    ledger["steps"].append(_line(into, filtered))
    (out / "ledger.json").write_bytes(pretty_json(ledger))
    (out / "summary.json").write_bytes(pretty_json(dict(sorted(summary.items()))))
    with (out / "rejects.jsonl").open("ab") as stream:
        stream.write(b"".join(sorted(rejects)))


def _entry(held: Released, rows: int, data_hash: str) -> Json:
    return {"leaf": held.leaf, "rows": rows, "data_hash": data_hash, "asked_hash": held.asked_hash}


def _line(into: int, filtered: int) -> Json:
    return {
        "flow": FLOW, "step": STEP, "in": into, "parsed": into, "unparsed": 0, "failed": 0,
        "out": into, "kept": into - filtered, "filtered": filtered, "duplicate": 0,
    }  # fmt: skip
