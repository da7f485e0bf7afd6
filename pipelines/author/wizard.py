"""The wizard: asks for a leaf, one thing at a time, and keeps every answer at once.

In: a ``Setting`` (the tree's places and questions, the policy's licences) and the leaf begun so far.
Out: the whole leaf. Only what is still empty is asked, so that an interrupted wizard goes on where it
stopped. Ctrl-C and the end of input come out as ``KeyboardInterrupt``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.author.asking import Terminal
from pipelines.author.kept import Kept
from pipelines.author.leaf import KINDS, LEAST_PAIRS, LEAST_SEEDS, NewLeaf, NewSeed, filled
from pipelines.author.near import Questions
from pipelines.author.place import Places, nearly_the_same, place, suggestions
from pipelines.author.plant import read_document
from pipelines.author.scalars import refuse_unwritable, tidy
from pipelines.author.sound import CONTEXT
from pipelines.errors import GraftError
from pipelines.records import QuestionAnswer
from pipelines.text import too_close


@dataclass(frozen=True, slots=True)
class Setting:
    """What the wizard knows of the tree and of the person."""

    places: Places
    questions: Questions
    licences: Sequence[str]
    author: str


class Wizard:
    """One leaf being asked for; ``leaf`` is what is known so far, kept on disk."""

    def __init__(self, terminal: Terminal, setting: Setting, kept: Kept) -> None:
        self._terminal = terminal
        self._setting = setting
        self._kept = kept
        self.leaf = NewLeaf()

    def run(self) -> NewLeaf:
        """Ask for all that is missing; the leaf when its author says that it is whole."""
        self.leaf = self._begun()
        self._kind_and_place()
        self._about()
        self._seeds()
        self._origin()
        return self.leaf

    def _begun(self) -> NewLeaf:
        found = self._kept.load()
        if found is None:
            return NewLeaf()
        asked = sum(len(seed.pairs) for seed in found.seeds)
        name = found.path or f"a {found.kind or 'new'} leaf"
        if self._terminal.confirm(f"Go on with {name}, begun before ({asked} questions)?", True):
            return found
        self._terminal.say(f"It is kept as {self._kept.set_aside()}.")
        return NewLeaf()

    def _set(self, **values: str) -> None:
        self.leaf = filled(self.leaf, values)
        self._kept.save(self.leaf)

    def _kind_and_place(self) -> None:
        if self.leaf.kind not in KINDS:
            choices = [(f"{kind}: {text}", kind) for kind, text in KINDS.items()]
            self._set(kind=self._terminal.select("What shall the model learn?", choices))
        if self.leaf.path and not _problem(self._place, self.leaf.path):
            return
        places = self._setting.places
        said = self._terminal.place(
            "Where does it belong? (area/topic/leaf)",
            suggestions(self.leaf.kind, places),
            lambda text: _problem(self._place, text),
        )
        path = self._place(said)
        for folder, neighbour in nearly_the_same(path, places):
            question = f"There is {neighbour} already. Do you mean that instead of {folder}?"
            corrected = neighbour + path[len(folder) :]
            meant = not _problem(self._place, corrected)
            if meant and self._terminal.confirm(question, True):
                path = corrected
        self._set(path=path)

    def _place(self, path: str) -> str:
        return place(self.leaf.kind, path, self._setting.places)

    def _about(self) -> None:
        if not self.leaf.is_knowledge:
            self._text("task", "What is the task, in one sentence?")
            return
        if not self.leaf.document:
            question = "The document's file (Markdown or plain text):"
            name = self._terminal.file(question, lambda name: _problem(_read, name))
            self._set(document=str(_file(name).resolve()))
        self._text("domain", "The domain, in a word or two (for example: geography):")
        self._text("outline", "What does the document cover, in one line?")

    def _text(self, name: str, question: str, default: str = "") -> None:
        if not getattr(self.leaf, name):
            self._set(**{name: tidy(self._terminal.text(question, _required, default))})

    # --- seeds -----------------------------------------------------------------------------------

    def _seeds(self) -> None:
        least = LEAST_PAIRS if self.leaf.is_knowledge else 1
        self._terminal.say(
            f"Now the examples: {LEAST_SEEDS} at least, eight or more are better"
            + (f"; each a passage with {least} questions." if self.leaf.is_knowledge else ".")
        )
        while self._finish_last(least) or self._begin_another():
            pass

    def _begin_another(self) -> bool:
        """Ask for the next seed; False where the author has no more."""
        number = len(self.leaf.seeds) + 1
        enough = number > LEAST_SEEDS
        end = "; empty to end" if enough else ""
        allowed = _optional if enough else _required
        context = ""
        if CONTEXT[self.leaf.kind] == "needed":
            context = self._context(f"Context {number}{end}:", allowed)
            if not context:
                return False
        if self.leaf.is_knowledge:
            self._add(NewSeed(context, ()))
            return True
        question = self._question(f"Question {number}{end if not context else ''}:", allowed)
        if not question and not context:
            return False
        self._add(NewSeed(context, (QuestionAnswer(question, ""),) if question else ()))
        return True

    def _finish_last(self, least: int) -> bool:
        """Ask for what the last seed lacks; False where it is whole."""
        if not self.leaf.seeds:
            return False
        last = self.leaf.seeds[-1]
        if last.pairs and not last.pairs[-1].answer:
            pair = last.pairs[-1]
            answer = tidy(self._terminal.text(f"Answer to “{pair.question[:60]}”:", _required))
            self._replace_last((*last.pairs[:-1], QuestionAnswer(pair.question, answer)))
            return True
        count = len(last.pairs)
        if count >= least and not self.leaf.is_knowledge:
            return False
        more = count >= least
        where = f"Question {count + 1} on context {len(self.leaf.seeds)}"
        question = self._question(
            f"{where}{'; empty for the next context' if more else ''}:",
            _optional if more else _required,
        )
        if not question:
            return not more
        self._replace_last((*last.pairs, QuestionAnswer(question, "")))
        return True

    def _question(self, message: str, valid: Callable[[str], str]) -> str:
        """A question, again until it is kept; "" where the author gives none."""
        while question := tidy(self._terminal.text(message, valid)):
            close = list(self._close(question))
            for line in close:
                self._terminal.say(line)
            if not close or self._terminal.confirm("Keep this question?", True):
                return question
        return ""

    def _close(self, question: str) -> Iterator[str]:
        for asked in self._setting.questions.near(question):
            yield f"  {asked}"
        for seed in self.leaf.seeds:
            for pair in seed.pairs:
                if too_close(pair.question, question):
                    yield f"  this leaf asks already: {pair.question}"

    def _context(self, message: str, valid: Callable[[str], str]) -> str:
        """A context, again until it stands in the document or its author insists; "" for none."""
        while context := tidy(self._terminal.passage(message, valid)):
            document = _read(self.leaf.document) if self.leaf.is_knowledge else context
            if " ".join(context.split()) in " ".join(tidy(document).split()):
                return context
            self._terminal.say("  These words do not stand in the document: copy them from it.")
            if self._terminal.confirm("Keep this context?", False):
                return context
        return ""

    def _add(self, seed: NewSeed) -> None:
        self.leaf = replace(self.leaf, seeds=(*self.leaf.seeds, seed))
        self._kept.save(self.leaf)

    def _replace_last(self, pairs: tuple[QuestionAnswer, ...]) -> None:
        last = NewSeed(self.leaf.seeds[-1].context, pairs)
        self.leaf = replace(self.leaf, seeds=(*self.leaf.seeds[:-1], last))
        self._kept.save(self.leaf)

    def _origin(self) -> None:
        work = "document" if self.leaf.is_knowledge else "examples"
        self._text("title", f"The title of the {work}, for attribution.txt:")
        self._text("link", "Where it can be found (- where it is your own):", "-")
        if not self.leaf.licence:
            choices = [(licence, licence) for licence in self._setting.licences]
            self._set(licence=self._terminal.select(f"The licence of the {work}:", choices))
        self._text("creator", f"Who wrote the {work}?")
        self._text("created_by", "Your name on GitHub:", self._setting.author)


def _problem(action: Callable[[str], object], text: str) -> str:
    """The sentence with which ``action`` refuses ``text``; "" where it does not."""
    try:
        action(text)
    except GraftError as error:
        return str(error)
    return ""


def _file(name: str) -> Path:
    return Path(name.strip()).expanduser()


def _read(name: str) -> str:
    return read_document(_file(name))


def _optional(text: str) -> str:
    return _problem(lambda found: refuse_unwritable(tidy(found), "This"), text)


def _required(text: str) -> str:
    return _optional(text) if tidy(text) else "This cannot be empty."
