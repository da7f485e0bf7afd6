"""Whether a release's rows follow from its leaves and the stored answers: they are made again and compared.

In: a target and a tag, the taxonomy's repository, the cache. Out: sentences, each saying what differs or is
missing; an empty list is data that can be made again. Nobody is asked: a call whose answer the store lacks
is told.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipelines.artifacts import sha256
from pipelines.backends import Answer, Backend, Call
from pipelines.documents import Library, documents
from pipelines.errors import BackendError, GraftError
from pipelines.generate import Teaching, generate, read_summary
from pipelines.generate.completions import Completions
from pipelines.git import open_repository
from pipelines.leaves import leaf_from_json
from pipelines.policy import Policy
from pipelines.recipe import read_recipe
from pipelines.records import Json, Leaf, Manifest, ManifestLeaf, Tree
from pipelines.release.manifest import leaf_file
from pipelines.release.targets import Target
from pipelines.vetoes import Vetoes


class OnlyStored:
    """A backend that knows nothing: what is asked of it is missing in the store."""

    async def answer(self, call: Call) -> Answer:
        raise BackendError(f"the store lacks the answer to the call {call.task} {call.key[:12]}")

    async def close(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class _Work:
    """Where rows are made again, and with what."""

    tree: Callable[[str], Tree]
    library: Library
    store: Completions
    vetoes: Vetoes


def rebuilt(
    target: Target,
    tag: str,
    taxonomy: Path,
    cache: Path,
    policy: Policy,
    vetoes: Vetoes,
    say: Callable[[str], None],
) -> list[str]:
    """What is wrong with the rows of the release ``tag``."""
    manifest = target.manifest(tag)
    repository = open_repository(taxonomy)
    prefix = repository.prefix(taxonomy)
    path = cache / "calls.sqlite"
    problems: list[str] = []
    with Completions(path if path.is_file() else Path(":memory:")) as store:
        work = _Work(
            lambda commit: repository.tree(commit, prefix),
            Library(cache, policy.documents),
            store,
            vetoes,
        )
        history = _history(target, manifest)
        for number, (leaf, entry) in enumerate(manifest.leaves.items(), 1):
            maker = _maker(history, entry)
            wrong = _leaf_wrong(target, maker, leaf, entry, work)
            say(
                f"verify: {number} of {len(manifest.leaves)} leaves · {leaf} · {wrong or 'the same'}"
            )
            problems += [f"{leaf}: {wrong}"] if wrong else []
    return problems


def _history(target: Target, manifest: Manifest) -> list[Manifest]:
    """The release and all before it, as far as they are there, oldest first."""
    found = [manifest]
    while found[-1].previous is not None and found[-1].previous in target.tags():
        found.append(target.manifest(found[-1].previous))
    return found[::-1]


def _maker(history: list[Manifest], entry: ManifestLeaf) -> Manifest:
    """The release for which these rows were made: its recipe and commit are what they follow from."""
    return next(
        manifest
        for manifest in history
        if any(
            (one.content_hash, one.data_hash) == (entry.content_hash, entry.data_hash)
            for one in manifest.leaves.values()
        )
    )


def _leaf_wrong(
    target: Target, maker: Manifest, leaf: str, entry: ManifestLeaf, work: _Work
) -> str:
    """What is wrong with a leaf's rows, "" for nothing."""
    place = target.directory(maker.release) / leaf_file(entry.content_hash)
    try:
        made = _made(leaf_from_json(json.loads(place.read_bytes())), maker, entry, work)
    except (OSError, ValueError, LookupError, TypeError) as error:
        return f"its copy in {maker.release} cannot be read: {error}"
    except GraftError as error:
        return str(error)
    rows, asked = made
    if entry.data_hash not in rows:
        return f"its rows come out otherwise than {maker.release} has them"
    if asked != entry.asked_hash:
        return f"its exam questions come out otherwise than {maker.release} has them"
    return ""


def _made(leaf: Leaf, maker: Manifest, entry: ManifestLeaf, work: _Work) -> tuple[set[str], str]:
    """The digests of the leaf's rows and of its exam questions, made again as ``maker``'s run made them.

    Two of rows: with and without those that were vetoed, be it before or after that run.
    """
    recipe = read_recipe(maker.recipe, f"the recipe of {maker.release}")
    nobody: Backend = OnlyStored()
    judge = nobody if recipe.judge is not None else None
    teaching = Teaching(recipe, work.store, nobody, judge)
    read = partial(documents, work.tree(maker.taxonomy_commit), library=work.library)
    todo = {entry.content_hash: (leaf, entry.exam)}
    with tempfile.TemporaryDirectory() as place:
        out = Path(place)
        generate(todo, read, teaching, out, lambda line: None)
        found = read_summary(out)[entry.content_hash]
        rows = (out / "rows" / f"{entry.content_hash}.jsonl").read_bytes()
    kept = [line for line in rows.splitlines(keepends=True) if _may(line, work.vetoes)]
    return {sha256(rows), sha256(b"".join(kept))}, found.asked_hash


def _may(line: bytes, vetoes: Vetoes) -> bool:
    row: Json = json.loads(line)
    return row["id"] not in vetoes.by_row
