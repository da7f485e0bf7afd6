"""graft.yaml → ``Policy``: what a taxonomy accepts.

In: the path of the file, which may be absent: then the default holds, which is also what every key
left out means. Out: a frozen ``Policy``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.check.schemas import violations
from pipelines.errors import GraftError
from pipelines.policy import DocumentPolicy
from pipelines.policy import Policy as Policy
from pipelines.yaml_source import as_error, read_yaml


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
    reading = read_yaml(data, str(path))
    if reading.source is None or reading.findings:
        raise as_error(reading.findings[0])
    for violation in violations(reading.source.data, "policy"):
        line, column = violation.place(reading.source)
        raise GraftError(f"{path}:{line}:{column}: {violation.message} {violation.hint}".rstrip())
    given = reading.source.data
    default = Policy()
    return Policy(
        licences=tuple(given.get("licences", default.licences)),
        documents=DocumentPolicy(**_tuples(given.get("documents", {}))),
    )


def _tuples(given: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
