"""A filled-in form → the files of a leaf, with what is to be said about them; nothing is written here.

In: a ``Filled`` form, whose issue it is, and a ``Desk``: the tree, its policy, and whoever drafts questions.
Out: a ``Made``. What keeps a leaf from being made is a sentence for the contributor, never a traceback;
what `graft check` finds in it is among them.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines.attribution import ATTRIBUTION_FILE
from pipelines.author.drafting import Draft, outline
from pipelines.author.leaf import LEAST_PAIRS, LEAST_SEEDS, NewLeaf, NewSeed, tidied
from pipelines.author.near import Questions
from pipelines.author.place import Places, place, read_places, slug
from pipelines.author.plant import document_name, leaf_files
from pipelines.author.sound import sound
from pipelines.check import check
from pipelines.documents import Document
from pipelines.documents.convert import to_markdown
from pipelines.errors import DocumentError, GraftError
from pipelines.findings import Finding, Tree
from pipelines.github.areas import nearest_area
from pipelines.github.attachment import Attached, fetch, link_of
from pipelines.github.correction import corrected
from pipelines.github.form import Filled, Said, pairs
from pipelines.leaves import LEAF_FILE
from pipelines.policy import Policy
from pipelines.records import QuestionAnswer
from pipelines.text import count_words, normalise, too_close

MOST_TITLE = 200
MOST_WORDS = 20_000  # of a document: to propose questions takes some seconds for each thousand
LEAST_WORDS = 60  # fewer, with a link among them, speak of a document and are none
OWN_LICENCE = "Apache-2.0"  # of examples whose author wrote them in the form
_LINK = re.compile(r"https?://[^\s<>()\"]+")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a contribution is worked on with. ``draft`` asks the teacher for questions on a document."""

    tree: Tree
    policy: Policy
    draft: Callable[[Document], Draft]


@dataclass(frozen=True, slots=True)
class Made:
    """``files`` of the leaf ``path`` by name, none where ``problems`` say why.

    ``corrects``: the leaf is there already, and what was wrong with it before is not told of.
    ``drafted``: all seeds, where a program proposed questions of some, for their author to mend.
    """

    path: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    drafted: tuple[NewSeed, ...] = ()
    corrects: bool = False

    @property
    def fit(self) -> bool:
        """Whether it may become a pull request."""
        wrong = any(finding.severity == "error" for finding in self.findings)
        return bool(self.files) and not self.problems and not wrong


class Laid:
    """A tree with the files of one leaf laid over it; implements ``records.Tree``."""

    def __init__(self, below: Tree, path: str, files: Mapping[str, bytes]) -> None:
        self._below = below
        self._files = {f"{path}/{name}": data for name, data in files.items()}

    def read(self, path: str) -> bytes:
        return self._files[path] if path in self._files else self._below.read(path)

    def files(self, under: str = "") -> Iterator[str]:
        inside = {path for path in self._files if not under or path.startswith(f"{under}/")}
        yield from sorted({*self._below.files(under), *inside})


def make(filled: Filled, login: str, desk: Desk, known: str = "") -> Made:
    """The leaf that a form asks for. ``known``: the path that it had in an earlier state of the issue."""
    problems = [*filled.problems, *(_unfilled(filled) if filled.values else ())]
    if problems:
        return Made(problems=tuple(problems))
    try:
        if filled.kind == "correction":
            made = _correction(filled, desk)
        elif filled.kind == "skill":
            made = _skill(filled, login, desk, known)
        else:
            made = _knowledge(filled, login, desk, known)
    except DocumentError as error:
        return Made(problems=(f"{error.message} {error.hint}".strip(),))
    except GraftError as error:
        return Made(problems=(str(error),))
    return _checked(made, desk) if made.files else made


def _unfilled(filled: Filled) -> Iterator[str]:
    wanted = {
        "knowledge": ("title", "document", "source", "licence"),
        "skill": ("title", "description", "examples"),
        "correction": ("leaf", "wrong", "right"),
    }[filled.kind]
    for name in wanted:
        if not filled[name]:
            yield f"The field “{name}” is empty; fill it in."
    if "\n" in filled["title"] or len(filled["title"]) > MOST_TITLE:
        yield f"The title must be one line of at most {MOST_TITLE} characters."
    if not filled.signed:
        yield (
            "The box of the Developer Certificate of Origin is not ticked. Without it nobody may use "
            "the text; tick it if what it says is true."
        )


def _checked(made: Made, desk: Desk) -> Made:
    result = check(Laid(desk.tree, made.path, made.files), desk.policy, [made.path])
    # The mark of a draft and its questions are told of in words of their own.
    before = check(desk.tree, desk.policy, [made.path]) if made.corrects else None
    old = {(one.rule, one.message) for one in before.findings} if before else set()
    findings = tuple(
        found
        for found in result.findings
        if found.rule != "draft" and (found.rule, found.message) not in old
    )
    return replace(made, findings=findings)


# --- the three forms -----------------------------------------------------------------------------


def _correction(filled: Filled, desk: Desk) -> Made:
    path, data, notes = corrected(desk.tree, filled["leaf"], filled["wrong"], filled["right"])
    return Made(path, {LEAF_FILE: data}, notes=notes, corrects=True)


def _skill(filled: Filled, login: str, desk: Desk, known: str) -> Made:
    said, problems = pairs(filled["examples"])
    if not said:
        problems.append("There is no example: write each as “Q: …” and, on the next line, “A: …”.")
    with_context = sum(bool(one.context) for one in said)
    if 0 < with_context < len(said):
        problems.append(
            f"{with_context} of {len(said)} examples have a context (“C: …”); give one to all or to none."
        )
    if len(said) < LEAST_SEEDS:
        problems.append(f"{len(said)} of the {LEAST_SEEDS} examples that a skill needs at least.")
    if problems:
        return Made(problems=tuple(problems))
    kind = "grounded" if with_context else "freeform"
    text = " ".join([filled["title"], filled["description"], *(one.question for one in said)])
    path = known or _place(kind, filled["title"], text, desk)
    licences = desk.policy.licences
    leaf = NewLeaf(
        kind=kind,
        path=path,
        created_by=login,
        task=filled["description"],
        title=filled["title"],
        licence=OWN_LICENCE if OWN_LICENCE in licences else licences[0],
        creator=login,
        seeds=tuple(
            NewSeed(one.context, (QuestionAnswer(one.question, one.answer),)) for one in said
        ),
    )
    leaf = sound(tidied(leaf), licences)
    return Made(path, leaf_files(leaf), notes=tuple(_near(leaf, desk, path)))


def _knowledge(filled: Filled, login: str, desk: Desk, known: str) -> Made:
    said, problems = pairs(filled["questions"]) if filled["questions"] else ([], [])
    if problems:
        return Made(problems=tuple(problems))
    attached = _document(filled, desk.policy)
    text = to_markdown(attached.name, attached.data, desk.policy.documents)
    if count_words(text) > MOST_WORDS:
        raise GraftError(
            f"The document has more than {MOST_WORDS:,} words; send the part that matters most."
        )
    document = Document(attached.name, text, filled["title"])
    path = known or _place("knowledge", filled["title"], f"{filled['title']} {text}", desk)
    seeds, proposed, notes = _seeds(said, document, desk)
    link = _LINK.search(filled["source"])
    creator = _creator(filled["source"], link[0] if link else "", login)
    leaf = NewLeaf(
        kind="knowledge",
        path=path,
        created_by=login,
        domain=path.split("/")[1].replace("_", " "),
        outline=outline(document),
        title=filled["title"],
        link=link[0].rstrip(".,;") if link else "",
        licence=filled["licence"].split("\n")[0].strip(),
        creator=creator,
        seeds=seeds,
    )
    with tempfile.TemporaryDirectory(prefix="graft-issue-") as folder:
        file = Path(folder) / document_name(Path(attached.name))
        file.write_bytes(attached.data)
        leaf = sound(tidied(replace(leaf, document=str(file))), desk.policy.licences)
        files = leaf_files(leaf, draft=bool(proposed))
    told = (*notes, *_near(leaf, desk, path))
    return Made(path, files, notes=told, drafted=leaf.seeds if proposed else ())


def _document(filled: Filled, policy: Policy) -> Attached:
    """What was attached, or the text in the form under a name made from the title."""
    link = link_of(filled["document"])
    if link:
        found = fetch(link, policy.documents)
        return replace(found, name=_harmless_name(found.name, filled["title"]))
    if _LINK.search(filled["document"]) and count_words(filled["document"]) < LEAST_WORDS:
        raise GraftError(
            "The field “document” holds a link and something beside it: leave one link alone there, or "
            "paste the text itself."
        )
    name = f"{slug(filled['title']) or 'document'}.md"
    return Attached(name, f"{filled['document']}\n".encode())


def _harmless_name(name: str, title: str) -> str:
    """The ending alone is taken from an address, where it is one that a document may have."""
    ending = Path(name).suffix.lower()
    sound_ending = ending if re.fullmatch(r"\.[a-z0-9]{1,5}", ending) else ".md"
    return f"{slug(title) or 'document'}{'.md' if sound_ending == '.yaml' else sound_ending}"


def _creator(source: str, link: str, login: str) -> str:
    """Who wrote the document: the source's words beside its link, else the site, else the contributor."""
    words = " ".join(source.replace(link, " ").split()).strip(" ,;:-–—") if link else source
    words = re.sub(r"^by\s+", "", " ".join(words.split()), flags=re.IGNORECASE)
    if words:
        return words[:200]
    host = re.sub(r"^https?://(?:www\.)?", "", link).split("/")[0]
    return f"The authors of {host}" if host else login


# --- questions -----------------------------------------------------------------------------------


def _seeds(
    said: Sequence[Said], document: Document, desk: Desk
) -> tuple[tuple[NewSeed, ...], tuple[NewSeed, ...], list[str]]:
    """All seeds; those with proposed questions among them; notes. Enough given ones need no draft."""
    given: dict[str, list[QuestionAnswer]] = {}
    loose: list[QuestionAnswer] = []
    for one in said:
        pair = QuestionAnswer(one.question, one.answer)
        if one.context:
            given.setdefault(one.context, []).append(pair)
        else:
            loose.append(pair)
    own = tuple(NewSeed(context, tuple(found)) for context, found in given.items())
    if not loose and len(own) >= LEAST_SEEDS:
        return own, (), []
    notes: list[str] = []
    try:
        proposed = desk.draft(document).seeds
    except GraftError as error:
        raise GraftError(
            f"{error} Or write {LEAST_SEEDS} passages of it yourself in the field “questions”, each as "
            f"“C: …” and below it {LEAST_PAIRS} times “Q: …” and “A: …”; nothing is proposed then."
        ) from None
    drafted = [seed for seed in proposed if not _covered(seed, own)]
    for pair in loose:
        at = _passage(pair, drafted)
        if at is None:
            notes.append(
                f"Your question “{pair.question[:120]}” is not used yet: no passage that was chosen "
                "holds its answer. Write the passage, word for word, above it as “C: …”."
            )
        else:
            drafted[at] = _with(drafted[at], pair, loose)
    return (*own, *drafted), tuple(drafted), notes


def _covered(seed: NewSeed, own: Sequence[NewSeed]) -> bool:
    """Whether its author has written about this passage already."""
    words = normalise(seed.context)
    return any(words in normalise(one.context) or normalise(one.context) in words for one in own)


def _passage(pair: QuestionAnswer, seeds: Sequence[NewSeed]) -> int | None:
    """The seed whose context holds the answer and most words of the question."""
    answer, words = normalise(pair.answer), set(normalise(pair.question).split())
    fitting = [at for at, seed in enumerate(seeds) if answer in normalise(seed.context)]
    shared = {at: len(words & set(normalise(seeds[at].context).split())) for at in fitting}
    return max(fitting, key=lambda at: (shared[at], -at)) if fitting else None


def _with(seed: NewSeed, pair: QuestionAnswer, given: Sequence[QuestionAnswer]) -> NewSeed:
    """The seed with a given pair; the proposed ones make room, or go where they ask the same."""
    ours = [one for one in seed.pairs if one in given]
    proposed = [
        one for one in seed.pairs if one not in given and not too_close(one.question, pair.question)
    ]
    room = max(0, LEAST_PAIRS - len(ours) - 1)
    return replace(seed, pairs=(*ours, pair, *proposed[:room]))


def questions_text(seeds: Sequence[NewSeed]) -> str:
    """Seeds as the form's own plain text, to be mended there."""
    blocks = []
    for seed in seeds:
        lines = [f"C: {seed.context.strip()}"] if seed.context.strip() else []
        lines += [line for p in seed.pairs for line in (f"Q: {p.question}", f"A: {p.answer}")]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


# --- where it belongs ----------------------------------------------------------------------------


def _place(kind: str, title: str, text: str, desk: Desk) -> str:
    """A path for a new leaf: the area whose leaves are nearest, and the title as its name."""
    name = slug(title)
    if not name:
        raise GraftError("The title holds no letter or digit that could name the leaf.")
    places: Places = read_places(desk.tree)
    path = f"{nearest_area(kind, text, desk.tree, places)}/{name}"
    if path in places.leaves:
        raise GraftError(
            f"There is a leaf {path} already. To correct it use the form for corrections; for another "
            "subject take another title."
        )
    return place(kind, path, places)


def _near(leaf: NewLeaf, desk: Desk, path: str) -> Iterator[str]:
    """Which of its questions other leaves ask already; at most five are told."""
    places = read_places(desk.tree)
    questions = Questions(desk.tree, sorted(places.leaves - {path}))
    asked = (pair.question for seed in leaf.seeds for pair in seed.pairs)
    told = 0
    for question in asked:
        for near in questions.near(question)[:1]:
            told += 1
            if told <= 5:
                yield f"“{question[:120]}” is nearly a question that is there: {near}."


def document_names(files: Mapping[str, bytes]) -> list[str]:
    """The documents among a leaf's files."""
    return sorted(files.keys() - {LEAF_FILE, ATTRIBUTION_FILE})
