"""InstructLab's flow YAML, version 1.0 → ``Flow``: its blocks become our steps when the file is read.

In: the YAML as InstructLab reads it, unmodified, and its folder, from which prompts are named. Out: a flow
for the one engine, and what is wrong or differs. The format does not say which leaves a flow is for; that
follows from the columns that it reads. What comes after the blocks is ours: the result columns become the
turns of a training row, and no row passes that asks what the exam asks.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.artifacts import digest
from pipelines.generate.columns import INSTRUCTLAB
from pipelines.generate.draft import At, Draft
from pipelines.generate.filters import FILTERS
from pipelines.generate.instructlab import result
from pipelines.generate.instructlab.asking import ASKING
from pipelines.generate.instructlab.block import Block, fits
from pipelines.generate.instructlab.reshaping import RESHAPING
from pipelines.generate.reshapes import drop
from pipelines.generate.steps import Distinct, Flow, Keep, Reshape
from pipelines.records import Finding, Json, Kind
from pipelines.yaml_source import Source

BLOCKS = ASKING | RESHAPING
FILTERS_AFTER = (
    "no_control_token",
    "no_personal_data",
    "not_abusive",
    "not_an_exam_question",
)


def read_instructlab(
    name: str, source: Source, folder: Path, scaled: int
) -> tuple[Flow | None, list[Finding]]:
    """The flow called ``name``; ``scaled`` is what ``n: scaled`` means."""
    drafts = {kind: _draft(kind, source, folder, scaled) for kind in INSTRUCTLAB}
    kind, draft = min(drafts.items(), key=lambda found: len(found[1].errors()))
    if draft.errors():
        draft.wrong((), f"It was read as a flow for {kind} leaves.", severity="warning")
        return None, draft.findings
    text = json.dumps(source.data, default=str, sort_keys=True)
    flow = Flow(
        name,
        "knowledge" if kind == "knowledge" else "skills",
        "chunk_and_seed" if kind == "knowledge" else "question",
        tuple(draft.steps),
        digest(["instructlab", scaled, text, draft.texts]),
        inputs=frozenset(draft.inputs | draft.needs),
        needs=frozenset(draft.needs),
    )
    return flow, draft.findings


def _draft(kind: Kind, source: Source, folder: Path, scaled: int) -> Draft:
    draft = Draft(source, folder)
    draft.begin(INSTRUCTLAB[kind])
    data = source.data
    _version(draft, data.get("version"))
    if "datamixing" in data:
        draft.wrong(
            ("datamixing",), "`datamixing` is not used: the recipe says what is mixed.",
            severity="warning",
        )  # fmt: skip
    blocks = data["blocks"]
    if not isinstance(blocks, list) or not blocks:
        draft.wrong(("blocks",), "`blocks` must be a list of blocks.")
        return draft
    for number, entry in enumerate(blocks):
        _block(draft, entry, ("blocks", number), scaled)
    result.turns(draft, ("blocks", len(blocks) - 1))
    for filter_name in FILTERS_AFTER:
        draft.adds(Keep(filter_name, FILTERS[filter_name]), ("blocks",))
    return draft


def _version(draft: Draft, version: object) -> None:
    parts = str(version).split(".")
    if version is None or not all(part.isdecimal() for part in parts):
        draft.wrong(("version",), "`version` is missing or no number.", 'Write version: "1.0".')
    elif int(parts[0]) > 1:
        draft.wrong(("version",), f"Version {version} of the format is not known; 1.0 is.")
    elif int((*parts, "0")[1]) > 0:
        draft.wrong(
            ("version",), f"Version {version} may hold what 1.0 does not know.", severity="warning"
        )


def _block(draft: Draft, entry: Json, at: At, scaled: int) -> None:
    """One block, then the columns that it drops, then the duplicates."""
    shape = {"name": str, "type": str, "config": dict}
    if not fits(draft, entry, at, shape, None):
        return
    name, kind = entry["name"], entry["type"]
    _make(draft, kind, Block(name, entry["config"], (*at, "config"), scaled), (*at, "type"))
    dropped = entry.get("drop_columns") or []
    distinct = entry.get("drop_duplicates") or []
    if dropped:
        for column in dropped:
            draft.loses(column)
        draft.adds(Reshape(f"{name}: drop", drop(dropped)), at)
    if distinct:
        columns = [distinct] if isinstance(distinct, str) else distinct
        for column in columns:
            draft.reads(column, (*at, "drop_duplicates"))
        draft.adds(Distinct(f"{name}: distinct", tuple(columns), exact=True), at)


def _make(draft: Draft, kind: str, block: Block, at: At) -> None:
    if kind == "IterBlock":
        _iterated(draft, block)
    elif kind in BLOCKS:
        BLOCKS[kind](draft, block)
    else:
        known = ", ".join([*BLOCKS, "IterBlock"])
        draft.wrong(at, f"There is no block of type `{kind[:60]}`.", f"Known: {known}.")


def _iterated(draft: Draft, block: Block) -> None:
    """A block several times on the same rows: one that asks draws more answers, others repeat the rows."""
    if not fits(draft, block.config, block.at, {"num_iters": int, "block_type": str}, None):
        return
    config = dict(block.config)
    times, kind = config.pop("num_iters"), config.pop("block_type")
    asks = kind in ASKING or kind == "IterBlock"
    inner = Block(
        block.name, config, block.at, block.scaled, block.times * times if asks else 1
    )  # fmt: skip
    if not asks:
        from pipelines.generate.reshapes import repeat

        draft.adds(Reshape(f"{block.name}: repeat", repeat(block.times * times)), block.here)
    _make(draft, kind, inner, (*block.at, "block_type"))
