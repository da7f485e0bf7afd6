"""Answers of a student, kept by what it is: a night asks the bare base and the last release nothing twice.

In: a key that its weights and the way of asking follow from, a folder of the cache. Out: an ``Answerer``
that loads the student only where a question is new. A file that cannot be read counts as none.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from pipelines.artifacts import canonical_json, digest, sha256, write_atomic
from pipelines.errors import BackendError, GraftError
from pipelines.evaluate.choices import Choice
from pipelines.evaluate.suites import Graded, Testable, grade, version

A = TypeVar("A")
KEPT = 40  # students; the ones whose answers were written longest ago go


class Asked(Protocol):
    def answers(self, prompts: Sequence[str]) -> list[str]: ...

    def choose(self, asked: Sequence[Choice]) -> list[int]: ...


class Loaded(Asked, Testable, Protocol):
    """A student on this machine."""


class Remembered:
    """The student that ``load`` gives, or its answers of before."""

    def __init__(self, key: str, folder: Path, load: Callable[[], Loaded]) -> None:
        self._path = folder / f"{key}.json"
        self._load = load

    def answers(self, prompts: Sequence[str]) -> list[str]:
        """One answer a prompt, in order."""
        keys = [sha256(prompt.encode("utf-8", "surrogatepass"))[:32] for prompt in prompts]
        return self._known(keys, prompts, lambda new: self._load().answers(new))

    def choose(self, asked: Sequence[Choice]) -> list[int]:
        """For each prompt the place of the likeliest answer."""
        keys = [f"choice {digest(list(one))[:32]}" for one in asked]

        def chosen(new: list[Choice]) -> list[str]:
            places = self._load().choose(new)
            return [one[1][place] for one, place in zip(new, places, strict=True)]

        told = self._known(keys, asked, chosen)
        return [choices.index(said) for (_, choices), said in zip(asked, told, strict=True)]

    def graded(self, suite: str) -> Graded:
        """The student's score of each document of a public suite."""
        key = f"suite {suite} {version()}"

        def fresh(_: list[str]) -> list[str]:
            return [canonical_json(grade(self._load(), suite)).decode()]

        return Graded(**json.loads(self._known([key], [suite], fresh)[0]))

    def _known(
        self, keys: list[str], asked: Sequence[A], ask: Callable[[list[A]], list[str]]
    ) -> list[str]:
        known = self._read()
        missing = {key: one for key, one in zip(keys, asked, strict=True) if key not in known}
        if missing:
            given = ask(list(missing.values()))
            if len(given) != len(missing):
                raise BackendError(
                    f"A student gave {len(given)} answers to {len(missing)} questions; the evaluation "
                    "cannot pair them. Run it again, or mend the backend."
                )
            known.update(zip(missing, given, strict=True))
            self._write(known)
        return [known[key] for key in keys]

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {key: text for key, text in found.items() if isinstance(text, str)}

    def _write(self, known: dict[str, str]) -> None:
        with contextlib.suppress(GraftError, OSError):  # an accelerator: no result depends on it
            write_atomic(self._path, canonical_json(known))
            files = sorted(self._path.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for old in files[:-KEPT]:
                old.unlink(missing_ok=True)
