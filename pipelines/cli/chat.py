"""``graft chat``: talk to a release or a run, on a terminal or through a pipe.

Answers go to standard output, all else to standard error. On a pipe each line is a question, and its
answer ends with an empty line.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.common import TARGET, cache, printable, say, target_option
from pipelines.errors import EXIT_OK, BackendError, UsageError

if TYPE_CHECKING:
    from pipelines.backends.local import Student
    from pipelines.talk.conversation import Conversation
    from pipelines.talk.subject import Subject

HELP = "talk to a release, or to what a run trained"
SHOWN = 10  # leaves that the greeting names
PROMPT = "> "
NARROW = 60  # columns below which two answers do not fit side by side


def arguments(parser: argparse.ArgumentParser) -> None:
    subject_options(parser)
    parser.add_argument(
        "--tokens",
        type=int,
        default=0,
        metavar="N",
        help="longest answer (default: 512; a demonstration's: that of its exam)",
    )


def subject_options(parser: argparse.ArgumentParser) -> None:
    """Which model: for ``chat`` and ``serve`` alike."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--release", metavar="TAG", help="a release (default: the last)")
    which.add_argument(
        "--run",
        type=Path,
        metavar="DIR",
        help="what a run trained: its folder, or that of all runs",
    )
    parser.add_argument(
        "--recipe", help="whose threads and hardware count here (default: the model's own recipe)"
    )
    target_option(parser)


def subject(args: argparse.Namespace) -> Subject:
    """The model that the options name, checked."""
    from pipelines.release.targets import open_target
    from pipelines.talk.subject import of_release, of_run

    target = open_target(args.target or TARGET, cache())
    if args.run is not None:
        return of_run(args.run, target, args.recipe)
    return of_release(target, args.release, args.recipe)


def command(args: argparse.Namespace) -> int:
    from pipelines.talk.conversation import Conversation

    if args.tokens < 0:
        raise UsageError("--tokens must be at least 1.")
    about = subject(args)
    say(greeting(about))
    longest = args.tokens or about.longest
    student = about.student()
    talk = Talk(about, student, Conversation(student, longest), longest)
    terminal = sys.stdin.isatty()
    if terminal:
        import readline  # noqa: F401  input() edits lines and recalls them then
    for line in _typed() if terminal else _piped():
        if not talk.hear(line):
            break
    return EXIT_OK


def greeting(about: Subject) -> str:
    """Which model this is and what it knows, in a few lines."""
    lines = [f"You talk to the {about.told}. It learnt {_leaves(len(about.leaves))}:"]
    lines += [f"  {leaf}" for leaf in about.leaves[:SHOWN]]
    if len(about.leaves) > SHOWN:
        lines.append(f"  and {len(about.leaves) - SHOWN} more; /leaves lists them all.")
    lines += yanked(about)
    if about.demonstration:
        lines.append(
            "It demonstrates the machinery: no useful chatbot, and best asked one question."
        )
    lines.append("/help tells the commands; Ctrl-C stops an answer, Ctrl-D ends.")
    return printable("\n".join(lines))


def yanked(about: Subject) -> list[str]:
    """Why nobody should use the model, a line a reason."""
    return [f"YANKED, do not use it: {reason}" for reason in about.against]


def _leaves(count: int) -> str:
    return f"{count} {'leaf' if count == 1 else 'leaves'}"


def _typed() -> Iterator[str]:
    """Lines from a terminal, until Ctrl-D; Ctrl-C drops the line that is being written."""
    while True:
        try:
            yield input(PROMPT)
        except KeyboardInterrupt:
            print()
        except EOFError:
            print()
            return


def _piped() -> Iterator[str]:
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", "replace").rstrip("\r\n")


@dataclass(slots=True)
class Talk:
    """What the user is told and shown, line by line."""

    about: Subject
    student: Student
    conversation: Conversation
    longest: int
    _bare: Student | None = field(default=None, init=False)
    _forgotten: int = field(default=0, init=False)

    def hear(self, line: str) -> bool:
        """Act on one line; False where it is the last."""
        word, _, rest = line.strip().partition(" ")
        if not word:
            return True
        if word == "/quit":
            return False
        if word in COMMANDS:
            COMMANDS[word][1](self, rest.strip())
        elif word.startswith("/"):
            say(f"There is no command {word}; /help lists them.")
        else:
            self._answer(line.strip())
        return True

    def _answer(self, question: str) -> None:
        try:
            for piece in _pieces(self.conversation, question):
                print(printable(piece), end="", flush=True)
        except KeyboardInterrupt:
            print(flush=True)
            say("(stopped)")
            return
        except BackendError as error:
            say(f"graft: {error}")
            return
        print("\n", flush=True)
        if self.conversation.forgotten > self._forgotten:
            self._forgotten = self.conversation.forgotten
            say("(the beginning of this conversation no longer fits, and is forgotten)")

    def leaves(self, rest: str) -> None:
        say("\n".join(self.about.leaves))

    def help(self, rest: str) -> None:
        say("\n".join(f"{name:10}{text}" for name, (text, _) in COMMANDS.items()))
        say(f"{'/quit':10}end, as Ctrl-D does")

    def reset(self, rest: str) -> None:
        self.conversation.reset()
        self._forgotten = 0
        say("(a new conversation)")

    def compare(self, question: str) -> None:
        """Both answers to one question, or to the last one; apart from the conversation."""
        asked = [turn.content for turn in self.conversation.turns if turn.role == "user"]
        question = question or (asked[-1] if asked else "")
        if not question:
            say("Ask something first, or write the question after /compare.")
            return
        if self.about.adapter is None:
            say(f"The {self.about.told} is a bare base: there is nothing to compare it with.")
            return
        try:
            if self._bare is None:
                self._bare = self.about.student(bare=True)
            base, own = (self._once(model, question) for model in (self._bare, self.student))
        except KeyboardInterrupt:
            say("(stopped)")
            return
        print("\n".join(beside("base", base, self.about.name, own)), end="\n\n", flush=True)

    def _once(self, student: Student, question: str) -> str:
        from pipelines.talk.conversation import Conversation

        return "".join(_pieces(Conversation(student, self.longest), question)).strip()


def _pieces(conversation: Conversation, question: str) -> Iterator[str]:
    """An answer's pieces. Ctrl-C ends it, and is raised once the model rests: never amid the stopping."""
    heard: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if callable(before):  # else Ctrl-C is not for this process
        signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with contextlib.closing(conversation.answer(question)) as pieces:
            for piece in pieces:
                yield piece
                if heard:
                    break
    finally:
        signal.signal(signal.SIGINT, before)
    if heard:
        raise KeyboardInterrupt


def beside(left: str, base: str, right: str, own: str) -> list[str]:
    """Two answers with their names: side by side on a wide terminal, else one after the other."""
    width = shutil.get_terminal_size().columns
    if not sys.stdout.isatty() or width < NARROW:
        return [f"{left}: {_flat(base)}", f"{right}: {_flat(own)}"]
    half = (width - 3) // 2
    columns = [[left, "-" * half, *_wrapped(base, half)], [right, "-" * half, *_wrapped(own, half)]]
    longest = max(map(len, columns))
    rows = [[column[n] if n < len(column) else "" for column in columns] for n in range(longest)]
    return [f"{one:{half}} | {other}".rstrip() for one, other in rows]


def _flat(text: str) -> str:
    return printable(" ".join(text.split()))


def _wrapped(text: str, width: int) -> list[str]:
    lines = printable(text).expandtabs(4).split("\n")
    return [part for line in lines for part in textwrap.wrap(line, width) or [""]]


COMMANDS: dict[str, tuple[str, Callable[[Talk, str], None]]] = {
    "/leaves": ("list all leaves that the model learnt", Talk.leaves),
    "/compare": (
        "a question's answers by base and release; with no question, those to the last one",
        Talk.compare,
    ),
    "/reset": ("forget this conversation", Talk.reset),
    "/help": ("these commands", Talk.help),
}
