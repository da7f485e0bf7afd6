"""Small knowledge leaves about things that nobody has heard of, the same each time: facts to be learnt.

In: a seeded source of chance. Out: a ``Thing``; ``write_leaf`` makes it a leaf with its document. Each has
twelve facts, of which an edit changes one; the words are few, so that a tiny student can learn them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.repositories import knowledge_leaf

KINDS = (
    "mill ferry tower bridge lighthouse chapel library market theatre harbour orchard mine".split()
)
TOWNS = "Quillon Marbeck Oostvar Tennish Ulvadal Brightsea Harrow Zelm Corvane Pellis".split()
FIRST = "Edmund Helena Oswald Marta Bruno Ines Tobias Clara Rufus Greta".split()
LAST = "Farrow Brandt Kettering Lindqvist Castell Waldorf Fernley Hollins Abbot Sorel".split()
STUFFS = "granite oak brick slate cedar limestone iron copper sandstone larch".split()
COLOURS = "amber scarlet violet ivory indigo olive silver white crimson blue".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


@dataclass(frozen=True)
class Thing:
    """A building, its town, and what is told of it: fact → value."""

    kind: str
    town: str
    facts: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"{self.kind} of {self.town}"

    @property
    def path(self) -> str:
        return f"knowledge/places/{self.town.lower()}/{self.kind}"


def invent(draw: random.Random, number: int) -> Thing:
    """The ``number``-th thing; no two share kind and town."""
    kind, town = KINDS[number % len(KINDS)], TOWNS[(number // len(KINDS) + number) % len(TOWNS)]
    return Thing(kind, town, {fact: _value(draw, fact) for fact in FACTS})


def edited(draw: random.Random, thing: Thing) -> Thing:
    """The same with another value of one fact."""
    fact = draw.choice(sorted(FACTS))
    new = thing.facts[fact]
    while new == thing.facts[fact]:
        new = _value(draw, fact)
    return replace(thing, facts={**thing.facts, fact: new})


def _value(draw: random.Random, fact: str) -> str:
    if fact in ("builder", "keeper", "painter"):
        return f"{draw.choice(FIRST)} {draw.choice(LAST)}"
    pools = {"stuff": STUFFS, "roof": STUFFS, "colour": COLOURS, "day": DAYS, "fair": DAYS}
    if fact in pools:
        return draw.choice(pools[fact])
    low, high = {"year": (1400, 1900), "cost": (100, 999), "steps": (20, 400)}.get(fact, (3, 99))
    return str(draw.randrange(low, high))


# Fact → the sentence that tells it, and three questions that it answers.
FACTS: dict[str, tuple[str, tuple[str, str, str]]] = {
    "builder": (
        "{Name} was built by {value}.",
        ("Who built {name}?", "Whose work is {name}?", "Name the builder of {name}."),
    ),
    "year": (
        "It was finished in {value}.",
        ("When was {name} finished?", "In which year was {name} ready?", "How old is {name}?"),
    ),
    "cost": (
        "The work cost {value} crowns.",
        ("What did {name} cost?", "How many crowns did {name} take?", "Tell the price of {name}."),
    ),
    "keeper": (
        "{value} was the first keeper.",
        ("Who kept {name} first?", "Name the first keeper of {name}.", "Who looked after {name}?"),
    ),
    "stuff": (
        "Its walls are made of {value}.",
        ("What are the walls of {name}?", "Which material has {name}?", "What is {name} made of?"),
    ),
    "roof": (
        "The roof is covered with {value}.",
        ("What covers {name}?", "What is on the roof of {name}?", "Of what is the roof of {name}?"),
    ),
    "colour": (
        "Its door was painted {value}.",
        (
            "Which colour is the door of {name}?",
            "How is the door of {name}?",
            "The door of {name}?",
        ),
    ),
    "painter": (
        "The ceiling was painted by {value}.",
        ("Who painted the ceiling of {name}?", "Whose ceiling has {name}?", "Who painted {name}?"),
    ),
    "day": (
        "Visitors come on {value}.",
        ("When may one visit {name}?", "On which day is {name} open?", "Which day for {name}?"),
    ),
    "fair": (
        "A fair is held there every {value}.",
        ("When is the fair at {name}?", "Which day is the fair of {name}?", "The fair at {name}?"),
    ),
    "steps": (
        "There are {value} steps to the top.",
        ("How many steps has {name}?", "Count the steps of {name}.", "The steps in {name}?"),
    ),
    "rooms": (
        "It has {value} rooms.",
        ("How many rooms has {name}?", "Count the rooms of {name}.", "The rooms in {name}?"),
    ),
}


# Questions on the same facts that no leaf asks, so that an exam may have as many as it needs.
MORE: dict[str, tuple[str, ...]] = {
    "builder": (
        "Please name who built {name}.",
        "Tell me the builder of {name}.",
        "{Name} was built by whom?",
        "Who was it that built {name}?",
    ),
    "year": (
        "What year was {name} finished in?",
        "{Name} was finished when?",
        "Tell me when {name} was finished.",
        "Do you know the year in which {name} was finished?",
    ),
    "cost": (
        "How many crowns did the work on {name} cost?",
        "The work at {name} cost how much?",
        "Tell me what {name} cost.",
        "What was the cost of {name} in crowns?",
    ),
    "keeper": (
        "Who was the first keeper of {name}?",
        "The first keeper of {name} was who?",
        "Tell me the first keeper of {name}.",
        "Which keeper did {name} have first?",
    ),
    "stuff": (
        "Of what are the walls of {name}?",
        "The walls of {name} are made of what?",
        "Tell me what the walls of {name} are made of.",
        "Which stuff are the walls at {name}?",
    ),
    "roof": (
        "What is the roof of {name} covered with?",
        "The roof at {name} is covered with what?",
        "Tell me what the roof of {name} is covered with.",
        "With what is the roof of {name} covered?",
    ),
    "colour": (
        "What colour was the door of {name} painted?",
        "The door at {name} was painted in which colour?",
        "Tell me the colour of the door at {name}.",
        "How was the door of {name} painted?",
    ),
    "painter": (
        "By whom was the ceiling of {name} painted?",
        "The ceiling at {name} was painted by whom?",
        "Tell me who painted the ceiling at {name}.",
        "Which painter did the ceiling of {name}?",
    ),
    "day": (
        "On which day do visitors come to {name}?",
        "Visitors come to {name} on what day?",
        "Tell me the day on which visitors come to {name}.",
        "When do visitors come to {name}?",
    ),
    "fair": (
        "On which day is a fair held at {name}?",
        "A fair is held at {name} every what?",
        "Tell me when a fair is held at {name}.",
        "Every which day does {name} hold a fair?",
    ),
    "steps": (
        "How many steps are there to the top of {name}?",
        "Tell me how many steps {name} has to the top.",
        "The top of {name} is how many steps up?",
        "To the top of {name}, how many steps are there?",
    ),
    "rooms": (
        "How many rooms are in {name}?",
        "Tell me how many rooms {name} has.",
        "{Name} has how many rooms?",
        "What is the number of rooms at {name}?",
    ),
}


def more_questions(thing: Thing) -> dict[str, str]:
    """Question → answer, four of each fact, none of them in the thing's leaf."""
    name = f"the {thing.name}"
    return {
        question.format(name=name, Name=f"The {thing.name}"): thing.facts[fact]
        for fact, asked in MORE.items()
        for question in asked
    }


def write_leaf(taxonomy: Path, path: str, thing: Thing) -> None:
    """The leaf of a thing at ``path``, with its document."""
    told = {fact: _sentence(thing, fact) for fact in FACTS}
    seeds = [
        (told[fact], [(q.format(name=f"the {thing.name}"), thing.facts[fact]) for q in asked])
        for fact, (_, asked) in FACTS.items()
    ]
    facts = list(told.values())
    text = "\n\n".join(
        f"## {title}\n\n{' '.join(facts[at : at + 4])}"
        for at, title in ((0, "Beginnings"), (4, "The building"), (8, "Today"))
    )
    knowledge_leaf(
        taxonomy,
        path,
        seeds=seeds,
        domain="places",
        outline=f"The {thing.name}",
        document=f"# The {thing.name}\n\n{text}\n",
    )


def _sentence(thing: Thing, fact: str) -> str:
    """Told so that it stands alone, as a document's sentences may be read apart."""
    sentence = FACTS[fact][0].format(Name=f"The {thing.name}", value=thing.facts[fact])
    return sentence if thing.town in sentence else f"{sentence[:-1]}, at the {thing.name}."
