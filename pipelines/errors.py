"""The errors that stop a command, each one clear sentence for the person who ran it.

    GraftError            exit 1: a user's mistake, a failed gate
    ├── UsageError        exit 2: the command line asks for something that cannot be
    ├── LeafError         a leaf cannot be read: carries path, line and column
    │   └── DocumentError its document cannot be had: tells which key of `document` is at fault
    ├── RecipeError       a recipe cannot be understood
    ├── BackendError      a teacher, judge or student cannot answer
    │   └── CallError     one call has no answer, however often it is asked: its row is set apart
    ├── TrainError        training cannot start or go on
    └── ReleaseError      a release cannot be read, verified or published

Findings (``records.Finding``) are data and are never raised. Anything that is not a ``GraftError``
is a bug: it keeps its traceback and exits with 70. An interrupted run exits with 75 and is resumed
by the same command.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_BUG = 70
EXIT_RESUMABLE = 75


class GraftError(Exception):
    """A stop that its reader can mend; ``str(error)`` is the whole sentence."""

    exit_code = EXIT_FINDINGS


class UsageError(GraftError):
    """The command line asks for something that cannot be."""

    exit_code = EXIT_USAGE


class LeafError(GraftError):
    """A leaf that cannot be read. ``line`` and ``column`` count from 1."""

    def __init__(
        self,
        message: str,
        *,
        rule: str = "yaml",
        path: str = "",
        line: int = 1,
        column: int = 1,
        hint: str = "",
    ) -> None:
        where = f"{path}:{line}:{column}: " if path else ""
        super().__init__(f"{where}{message}{' ' + hint if hint else ''}")
        self.message = message
        self.rule = rule
        self.path = path
        self.line = line
        self.column = column
        self.hint = hint


class DocumentError(LeafError):
    """A document that cannot be had. ``about`` is what names it wrongly: repo, commit or patterns."""

    def __init__(
        self, message: str, *, about: str = "repo", hint: str = "", path: str = ""
    ) -> None:
        super().__init__(message, rule="documents", path=path, hint=hint)
        self.about = about

    def of(self, path: str) -> DocumentError:
        """The same, said of a file."""
        return DocumentError(self.message, about=self.about, hint=self.hint, path=path)


class RecipeError(GraftError):
    """A recipe that cannot be understood."""


class BackendError(GraftError):
    """A teacher, judge or student that cannot answer."""


class CallError(BackendError):
    """One call that has no answer, however often it is asked."""


class TrainError(GraftError):
    """Training that cannot start or go on."""


class ReleaseError(GraftError):
    """A release that cannot be read, verified or published."""
