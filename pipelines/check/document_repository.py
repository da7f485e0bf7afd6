"""Rule `document-repository`: documents lie beside the leaf or where the policy permits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import document_block
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.policy import DocumentPolicy
from pipelines.schemas import show

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(?:[^/@\s]*@)?(\[[^\]\s]*\]|[^/:@\s]+)\S*")
_SSH = re.compile(r"(?:[\w.-]+@)([\w.-]+):(?!//)(\S+)")
_BARE = re.compile(r"[\w-]+(?:\.[\w-]+)+/\S+")


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at a repository whose scheme or host is not permitted, or that is no address."""
    repository = document_block(leaf).get("repo")
    if leaf.source is None or not isinstance(repository, str) or not repository.strip():
        return
    problem = _problem(repository.strip(), policy.documents)
    if problem:
        place = leaf.source.value_at(("document", "repo"))
        yield Finding("document-repository", "error", leaf.file, *place, *problem)


def _problem(repository: str, policy: DocumentPolicy) -> tuple[str, str] | None:
    if repository == ".":
        return None
    permitted = " or ".join(f"{scheme}://" for scheme in policy.schemes) or "no address at all"
    beside = 'Put the documents beside the leaf and write `repo: "."`'
    address, ssh = _ADDRESS.fullmatch(repository), _SSH.fullmatch(repository)
    if address:
        scheme, host = address[1].lower(), address[2].lower()
    elif ssh:
        scheme, host = "ssh", ssh[1].lower()
    else:
        example = f"Write `https://{repository[:200]}`" if _BARE.fullmatch(repository) else beside
        message = (
            f"{show(repository)} is not the address of a Git repository; permitted: {permitted}."
        )
        return message, f"{example}."
    if scheme not in policy.schemes:
        message = f"Documents may not come over {show(scheme)} here; permitted: {permitted}."
        rest = repository.split("://", 1)[-1] if address else f"{host}/{ssh[2]}" if ssh else ""
        if "https" in policy.schemes and scheme in ("http", "git", "ssh"):
            plain = rest.rpartition("@")[2]
            return message, f"Write `https://{plain[:200]}`, if it can be had there."
        return message, f"{beside}."
    if policy.hosts and host not in {allowed.lower() for allowed in policy.hosts}:
        message = f"Documents may not come from {show(host)} here."
        return message, f"Permitted: {', '.join(policy.hosts)}."
    return None


RULE = LeafRule(
    check,
    About(
        "error",
        "`document.repo` is `.` or an address whose scheme and host the policy permits.",
        'Use an https:// address, or put the documents beside the leaf and write `repo: "."`.',
    ),
)
