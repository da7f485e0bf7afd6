"""graft.yaml → ``Policy``: what a taxonomy accepts.

In: the path of the file, which may be absent: then the default holds, which is also what every key
left out means; or its bytes, where it was read from a commit. Out: a frozen ``Policy``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.errors import GraftError
from pipelines.policy import DocumentPolicy, Exemption, LimitPolicy
from pipelines.policy import Policy as Policy
from pipelines.schemas import violations
from pipelines.yaml_source import Source, as_error, read_yaml

POLICY_FILE = "graft.yaml"


def load_policy(path: Path | None) -> Policy:
    """The policy in ``path``; the default where there is no file. ``GraftError`` on a bad one."""
    if path is None:
        return Policy()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Policy()
    except OSError as error:
        raise GraftError(f"The policy {path} cannot be read: {error.strerror or error}.") from error
    return parse_policy(data, str(path))


def parse_policy(data: bytes, name: str) -> Policy:
    """The policy in the bytes of a file called ``name``; ``GraftError`` on a bad one."""
    reading = read_yaml(data, name)
    if reading.source is None or reading.findings:
        raise as_error(reading.findings[0])
    for violation in violations(reading.source.data, "policy"):
        line, column = violation.place(reading.source)
        raise GraftError(f"{name}:{line}:{column}: {violation.message} {violation.hint}".rstrip())
    given = reading.source.data
    default = Policy()
    topics = given.get("topics")
    return Policy(
        licences=tuple(given.get("licences", default.licences)),
        documents=DocumentPolicy(**_tuples(given.get("documents", {}))),
        limits=LimitPolicy(**given.get("limits", {})),
        topics=default.topics if topics is None else tuple(_tuples(topics).items()),
        exceptions=tuple(_exemptions(given.get("exceptions", []), reading.source)),
        file=name,
    )


def _tuples(given: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}


def _exemptions(given: list[dict[str, str]], source: Source) -> list[Exemption]:
    places = [source.value_at(("exceptions", index)) for index in range(len(given))]
    return [
        Exemption(**entry, line=line, column=column)
        for entry, (line, column) in zip(given, places, strict=True)
    ]
