"""The real instructlab-schema 0.4.2, asked for its verdict on a file: error or not.

    real_verdict(file)      as its users call it: one yamllint process for a file
    real_verdicts(files)    the same for thousands: yamllint is run once, on all of them

Upstream takes each file at its own version. It starts ``yamllint`` by name for every file, which costs
a tenth of a second; ``real_verdicts`` has that very command look at all texts in one run and hands each
file its lines. yamllint (GPL-3) is only ever run as a program.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from instructlab.schema import taxonomy
from instructlab.schema.taxonomy import TaxonomyParser, TaxonomyReadingException


def real_verdict(file: Path, parser: TaxonomyParser | None = None) -> bool:
    """Whether upstream reports an error on ``file``, or fails on it."""
    parser = parser or _parser()
    with _tools_on_path(), contextlib.redirect_stdout(io.StringIO()):
        try:
            return bool(parser.parse(file).errors)
        except TaxonomyReadingException:
            return True


def real_verdicts(files: Sequence[Path]) -> list[bool]:
    """``real_verdict`` of each file, with one run of yamllint for all."""
    parser = _parser()
    said: dict[str, str] = {}
    asked: list[str] = []

    def run(command: Sequence[str], *, input: str, **_: Any) -> SimpleNamespace:
        assert command[0] == "yamllint"
        asked.append(input)
        return SimpleNamespace(stdout=said.get(input, ""))

    with _replaced(SimpleNamespace(**{**vars(subprocess), "run": run})):
        verdicts, waiting = [], {}
        for number, file in enumerate(files):
            asked.clear()
            verdicts.append(real_verdict(file, parser))
            # What is wrong already stays wrong; the others wait for what the linter says.
            if asked and not verdicts[-1]:
                waiting[number] = asked[0]
        said.update(_lint(set(waiting.values()), parser))
        for number in waiting:
            verdicts[number] = real_verdict(files[number], parser)
    return verdicts


def _parser() -> TaxonomyParser:
    parser = TaxonomyParser(schema_version=0, message_format="standard")
    # yq would only find the lines of errors, and a program of that name may be quite another.
    parser.yq_available = False
    return parser


def _lint(texts: set[str], parser: TaxonomyParser) -> dict[str, str]:
    """Each text → what the command that upstream would start says of it."""
    with tempfile.TemporaryDirectory() as folder, _tools_on_path():
        names = {}
        for number, text in enumerate(sorted(texts)):
            name = os.path.join(folder, f"{number}.yaml")
            Path(name).write_text(text, encoding="utf-8", newline="")
            names[name] = text
        config = ["-f", "parsable", "-d", parser.yamllint_config]
        done = subprocess.run(
            ["yamllint", *config, *names], capture_output=True, encoding="utf-8", check=False
        )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    said: dict[str, list[str]] = {text: [] for text in texts}
    for line in done.stdout.split("\n"):
        name = line.partition(":")[0]
        if name in names:
            said[names[name]].append(line)
    return {text: "\n".join(lines) for text, lines in said.items()}


@contextlib.contextmanager
def _tools_on_path() -> Iterator[None]:
    """``yamllint`` is found beside this interpreter; without it upstream would lint nothing."""
    before = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


@contextlib.contextmanager
def _replaced(stand_in: SimpleNamespace) -> Iterator[None]:
    before = taxonomy.subprocess
    taxonomy.subprocess = stand_in
    try:
        yield
    finally:
        taxonomy.subprocess = before
