"""The steps of a flow, as data: what happens to one row on its way, or to all rows of a leaf at once.

A row is an immutable mapping of columns. *Ask*, *Keep* and *Reshape* take one row and give none, one
or several, so rows stream through them independently; *Distinct*, *Near* and *Majority* wait for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from pipelines.backends import Sampling
from pipelines.backends.tagged import spoken
from pipelines.records import Json, Message
from pipelines.text import normalise

EXAM_PHASES = ("exam", "choice")  # whose rows are asked and never taught
# A raw answer → the columns of each row that could be read in it, and raw what could not.
Parser = Callable[[str], tuple[list[dict[str, str]], list[str]]]


class Unread(str):
    """Raw text that a parser could not read, with the reason in words."""

    __slots__ = ("reason",)
    reason: str

    def __new__(cls, raw: str, reason: str) -> Self:
        made = super().__new__(cls, raw)
        made.reason = reason
        return made


@dataclass(frozen=True, slots=True)
class Origin:
    """What a row is made from: a shown seed, and for knowledge a span of a document's text.

    ``source`` is that text; where there is none, the seed's own.
    """

    seed: str = ""
    document: str = ""
    chunk: int | None = None
    span: tuple[int, int] | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """``order`` is the row's place among all rows of its leaf, whenever it arrived: sorting by it
    makes the result independent of who answered first. ``calls`` are the keys of what was asked for it.
    """

    columns: Mapping[str, str]
    origin: Origin = Origin()
    order: tuple[int, ...] = ()
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """What filters may compare with: the leaf's exam questions (for skills: with their context).

    ``asked`` are those that a teacher wrote, by (document, chunk): a row of another chunk asks for
    something else, and comparing each row with each question would cost more than all other filters.
    """

    exam: Sequence[str] = ()
    asked: Mapping[tuple[str, int | None], Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """One call a row and sample; each block that ``parse`` finds in the answer becomes a row.

    ``render`` fills the prompt from the columns named by ``variables``.
    """

    name: str
    variables: tuple[str, ...]
    render: Callable[[Mapping[str, str]], tuple[Message, ...]]
    parse: Parser
    role: Literal["teacher", "judge"] = "teacher"
    samples: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    schema: Json | None = None

    def read(self, text: str) -> tuple[list[dict[str, str]], list[str]]:
        """The rows of an answer, and raw what could not be read; its reasoning is none of it."""
        return self.parse(spoken(text))

    def drawn(self, sample: int) -> Sampling:
        """How the sample of that number is drawn: a fixed seed moves on, or all would be the same."""
        seed = self.sampling.other.get("seed")
        if not sample or type(seed) is not int:
            return self.sampling
        return replace(self.sampling, other={**self.sampling.other, "seed": seed + sample})


@dataclass(frozen=True, slots=True)
class Keep:
    """A filter: ``test`` gives "" for a row that stays, else the reason in words."""

    name: str
    test: Callable[[Row, Setting], str]


@dataclass(frozen=True, slots=True)
class Reshape:
    """Columns renamed, copied, joined, chosen, or one row made several; no call, no loss of rows."""

    name: str
    change: Callable[[Mapping[str, str]], Sequence[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Distinct:
    """Of the rows of a leaf that agree in ``columns``, the first stays; normalised but for ``exact``."""

    name: str
    columns: tuple[str, ...]
    exact: bool = False

    def key(self, row: Row) -> str:
        """What may not recur."""
        if self.exact:
            return "\0".join(row.columns.get(column, "") for column in self.columns)
        return "\n".join(normalise(row.columns.get(column, "")) for column in self.columns)


@dataclass(frozen=True, slots=True)
class Near:
    """Of the rows of a leaf that are nearly the same in ``columns`` the first stays.

    Nearly: ROUGE-L (Lin 2004), the F measure of the longest common subsequence of tokens, reaches
    ``threshold``. Rows with other numbers are never nearly the same.
    """

    name: str
    columns: tuple[str, ...]
    threshold: float = 0.7

    def text(self, row: Row) -> str:
        """What is compared."""
        return "\n".join(row.columns.get(column, "") for column in self.columns)


@dataclass(frozen=True, slots=True)
class Majority:
    """``column`` becomes, in every row of the leaf, the value that most of them have."""

    name: str
    column: str


Step = Ask | Keep | Reshape | Distinct | Near | Majority


@dataclass(frozen=True, slots=True)
class Flow:
    """``rows`` says what a first row stands for: a shown question, a chunk, or a chunk and a shown seed.

    ``columns`` names the ones that make the training row: the user's turn is ``question`` after
    ``context`` where there is one. ``hash`` covers the flow and its prompts. ``inputs`` are the columns
    of the first row that it makes use of, where there are any (none said: all); without ``needs`` it
    cannot run.
    """

    name: str
    phase: str
    rows: Literal["chunk", "chunk_and_seed", "question"]
    steps: tuple[Step, ...]
    hash: str
    columns: Mapping[str, str] = field(
        default_factory=lambda: {"context": "context", "question": "question", "answer": "answer"}
    )
    judged: frozenset[str] = frozenset()  # keep steps that read a judge's column
    inputs: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()


def unjudged(flow: Flow) -> Flow:
    """The flow without its judge: neither the steps that ask one nor those that read what it said."""

    def stays(step: Step) -> bool:
        if isinstance(step, Ask):
            return step.role != "judge"
        return not (isinstance(step, Keep) and step.name in flow.judged)

    return replace(flow, steps=tuple(step for step in flow.steps if stays(step)))
