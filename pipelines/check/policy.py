"""graft.yaml → ``Policy``: what a taxonomy accepts.

In: the path of the file, which may be absent: then the default holds, which is also what every key
left out means. Out: a frozen ``Policy``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.check.schemas import violations
from pipelines.errors import GraftError
from pipelines.yaml_source import as_error, read_yaml


@dataclass(frozen=True, slots=True)
class Policy:
    """``licences``: the SPDX identifiers that an attribution.txt may name."""

    licences: tuple[str, ...] = (
        "CC0-1.0",
        "CDLA-Permissive-2.0",
        "CC-BY-4.0",
        "CC-BY-SA-4.0",
        "Apache-2.0",
        "MIT",
    )


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
    return Policy(licences=tuple(given.get("licences", Policy().licences)))
