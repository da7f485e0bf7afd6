"""What every target asks before it makes a release the head, so that none publishes what another would not.

In: a target, and a release that is about to be published on it or restored. Out: nothing, or one
``ReleaseError``.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.artifacts import pretty_json
from pipelines.errors import ReleaseError
from pipelines.records import Manifest
from pipelines.release.manifest import read_manifest, schema_problem, tag_order
from pipelines.release.targets import Target
from pipelines.release.verify import missing_leaves, unsafe_files, wrong_files


def standing(target: Target, manifest: Manifest) -> str | None:
    """The head, where it answers the same inputs already; refuses where another release is the head
    than the one that this run compared with."""
    head = target.head()
    if head is not None and target.manifest(head).input_digest == manifest.input_digest:
        return head
    if head != manifest.previous:
        raise ReleaseError(
            f"Someone else published {head or 'nothing'} meanwhile, and this run compared "
            f"with {manifest.previous or 'nothing'}; run again."
        )
    refuse_rolled_back(target, manifest.input_digest)
    return None


def refuse_rolled_back(target: Target, input_digest: str) -> None:
    """Refuse to make again what was rolled back: its inputs are a release already, newer than the head."""
    head = target.head()
    for tag in target.tags() if head is not None else ():
        if tag_order(tag) > tag_order(str(head)) and (
            target.manifest(tag).input_digest == input_digest
        ):
            raise ReleaseError(
                f"These leaves and this recipe are the release {tag} already, and users were given "
                f"{head} back instead; change the leaves, or `graft release rollback {tag}` brings "
                "it back."
            )


def publishable(target: Target, built: Path, manifest: Manifest, *, read: bool = True) -> None:
    """Refuse whatever ``verify`` would complain of later; without ``read`` the files' contents are for a
    target that takes their digests while it copies them."""
    tag = manifest.release
    problem = schema_problem(manifest)
    if problem:
        raise ReleaseError(f"The manifest of {built} leaves its schema at {problem}.")
    read_manifest(pretty_json(manifest), f"of {built}")
    if manifest.continues is not None:
        target.manifest(manifest.continues)
    refuse_withdrawn(target, manifest)
    problems = unsafe_files(built) + wrong_files(built, manifest.files, read=read)
    problems += missing_leaves(target, manifest, thorough=False)
    refuse(problems, f"The release {tag} cannot be published")


def refuse_withdrawn(target: Target, manifest: Manifest) -> None:
    """Refuse a release whose weights have seen what may never be taught again."""
    withdrawn = {stone.content_hash for stone in target.tombstones()} & manifest.seen
    if withdrawn:
        raise ReleaseError(
            f"The release {manifest.release} has seen withdrawn content, {min(withdrawn)}; run again."
        )


def refuse(problems: list[str], what: str) -> None:
    """Nothing where there are no problems."""
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise ReleaseError(f"{what}: {problems[0]}{more}.")
