"""Questions on a terminal: the only module that knows questionary.

In: a question and a check of its answer, which gives a sentence or "". Out: the answer. Ctrl-C and the
end of input are both ``KeyboardInterrupt``, so that whoever asks has one way to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pipelines.author.scalars import on_one_line
from pipelines.errors import UsageError

Check = Callable[[str], str]


class Terminal:
    """Asks on standard input and output."""

    def __init__(self) -> None:
        try:
            import questionary
        except ImportError:
            raise UsageError(
                "Asking needs questionary: pip install 'graft-taxonomy[author]', or give flags; "
                "graft new --help lists them."
            ) from None
        self._questionary = questionary

    def say(self, text: str) -> None:
        print(text, flush=True)

    def text(self, question: str, check: Check, default: str = "") -> str:
        """One line; pasted text may run over several."""
        return str(
            _answered(self._questionary.text(question, default=default, validate=_valid(check)))
        )

    def passage(self, question: str, check: Check) -> str:
        """Several lines."""
        return str(
            _answered(
                self._questionary.text(
                    question,
                    validate=_valid(check),
                    multiline=True,
                    instruction="(Esc, then Enter, when it is done)\n",
                )
            )
        )

    def place(self, question: str, choices: Sequence[str], check: Check) -> str:
        """A path, completed from ``choices``."""
        if not choices:
            return self.text(question, check)
        found = self._questionary.autocomplete(
            question, choices=list(choices), validate=_valid(check), match_middle=True
        )
        return str(_answered(found))

    def file(self, question: str, check: Check) -> str:
        """The path of a file, completed from the disk."""
        return str(_answered(self._questionary.path(question, validate=_valid(check))))

    def select(self, question: str, choices: Sequence[tuple[str, str]]) -> str:
        """One of (what is shown, what it means)."""
        shown = [self._questionary.Choice(title, value) for title, value in choices]
        return str(_answered(self._questionary.select(question, choices=shown)))

    def confirm(self, question: str, default: bool) -> bool:
        shown = on_one_line(question)
        return bool(_answered(self._questionary.confirm(shown, default=default)))


def _answered(question: Any) -> Any:
    try:
        return question.unsafe_ask()
    except EOFError:
        raise KeyboardInterrupt from None


def _valid(check: Check) -> Callable[[str], bool | str]:
    return lambda text: check(text) or True
