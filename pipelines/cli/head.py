"""``--head`` and ``--base``: leaves of a commit that is not checked out, as a pull request brings them.

In: two refs. Out: a ``Head``: the tree that Git holds, the paths in it that are new, and who wrote them.
Code, recipe and policy stay those of the work tree, so that a stranger's commit is data and nothing
else: no file of it is ever written to disk, and no link in it is followed.
"""

from __future__ import annotations

import argparse
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.common import prefix as shown
from pipelines.errors import UsageError
from pipelines.leaf_files import LEAF_FILE, ROOTS

if TYPE_CHECKING:
    from pipelines.findings import Finding
    from pipelines.git import Commit, Repository
    from pipelines.policy import Policy
    from pipelines.trees import CommitTree

TOO_MANY = "Split it into several pull requests, or let an owner raise the limit in graft.yaml."
_SIGNED = re.compile(r"^signed-off-by:[^<\n]*<([^>\n]*)>\s*$", re.I | re.M)


@dataclass(frozen=True)
class Head:
    """``changed``: what differs from the base, from the taxonomy's root; None where no base is named."""

    tree: CommitTree
    changed: tuple[str, ...] | None
    repository: Repository
    base: str | None
    commit: str

    @property
    def whole(self) -> bool:
        return self.changed is None


def head_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--head",
        metavar="REF",
        help="read the leaves from this commit; it is not checked out, and everything else stays",
    )
    parser.add_argument(
        "--base",
        metavar="REF",
        help="with --head: only what it changed since it left this branch",
    )


def head(args: argparse.Namespace, root: Path) -> Head | None:
    """What ``--head`` names; None where it is not given."""
    if args.head is None:
        if args.base is not None:
            raise UsageError("--base says what --head left from; name that commit too.")
        return None
    if args.paths:
        raise UsageError("--head reads a commit whole, with --base what it changed; name no path.")
    from pipelines.git import open_repository
    from pipelines.trees import changed_names

    repository = open_repository(root)
    prefix = repository.prefix(root)
    commit = repository.resolve(args.head)
    tree = repository.tree(commit, prefix)
    if args.base is None:
        return Head(tree, None, repository, None, commit)
    fork = repository.merge_base(args.base, commit)
    found = changed_names(repository.tree(fork, prefix), tree)
    return Head(tree, tuple(found), repository, fork, commit)


def crowded(head: Head, policy: Policy) -> Finding | None:
    """The finding that stands for all others where the commit touches more leaves than the policy permits."""
    from pipelines.findings import Finding

    said = policy.limits.exceeded(head.changed or ())
    where = f"commit {head.commit[:10]}"
    return Finding("change-size", "error", where, 1, 1, said, TOO_MANY) if said else None


def misplaced(head: Head, root: Path) -> Iterator[Finding]:
    """A finding for each leaf that came beside the taxonomy's folder: in a new folder, or a root's name."""
    from pipelines.check.strays import outside
    from pipelines.trees import changed_names

    prefix = head.repository.prefix(root)
    if not prefix:
        return
    old, new = (head.repository.tree(commit, "") for commit in (head.base, head.commit))
    known = set(old.names("")) - set(ROOTS)
    up = posixpath.join(shown(root), *[".."] * (prefix.count("/") + 1))
    for path in changed_names(old, new):
        inside = path.startswith(f"{prefix}/") or path.split("/")[0] in known
        if posixpath.basename(path) == LEAF_FILE and new.is_file(path) and not inside:
            yield outside(posixpath.normpath(posixpath.join(up, path)), shown(root))


def unsigned(head: Head) -> Iterator[Finding]:
    """A finding for each commit since the base that its author did not sign off; merges say nothing."""
    from pipelines.findings import Finding

    for one in head.repository.commits(head.base, head.commit):
        signed = {address.strip().casefold() for address in _SIGNED.findall(one.message)}
        if one.parents < 2 and one.address.casefold() not in signed:
            yield Finding("sign-off", "error", f"commit {one.sha[:10]}", 1, 1, *_words(one))


def _words(one: Commit) -> tuple[str, str]:
    subject = one.message.split("\n", 1)[0][:72]
    return (
        f'The commit "{subject}" is not signed off by its author.',
        f"Its message needs the line `Signed-off-by: {one.name} <{one.address}>`; "
        "`git rebase --signoff BASE` adds it to every commit.",
    )
