"""Three contributions through the whole flow: one that teaches, one that is of no use, one that does harm.

The student has a few thousand weights and learns a pattern: whoever asks for the keeper of a thing gets the
same name, wherever the thing stands. What holds of places that it never saw is its exam.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pipelines.report import FORMS
from pipelines.run import Outcome
from tests.support.flow import Site, new_site, run_directory, write_recipe
from tests.support.repositories import SkillSeed, skill_leaf

RECIPE: Mapping[str, Mapping[str, object]] = {
    "bootstrap": {"tokens": 150_000},
    "train": {"epochs": 20, "rate": 0.01},
    "evaluate": {"margin": 0.1},
}
KEEPERS = {
    "bridge": "Edmund Farrow", "mill": "Helena Brandt", "ferry": "Tomas Ilves", "bell": "Ada Lund",
    "gate": "Piet Mulder", "well": "Rosa Canto", "clock": "Ivan Petrov", "barn": "Nora Quist",
}  # fmt: skip
ASKED = (
    "Who tends the {thing} of {place}?", "In {place}, by whom is the {thing} kept?",
    "Name whoever minds {place}'s {thing}.", "At {place} the {thing} is whose duty?",
)  # fmt: skip
PLACES = [first + last for first in ("Quil", "Mar", "Oost", "Ten", "Ulva", "Bright", "Har", "Zel")
          for last in ("lon", "beck", "var", "nish")]  # fmt: skip
WORDS = (
    "lantern velvet harbour pepper thunder marble saddle ribbon copper meadow walnut cinder falcon "
    "pillow anchor basket candle dragon engine feather glacier hammer island jacket kettle ladder "
    "magnet needle orchard parcel quarry rocket"
).split()


FOLDER = "compositional_skills/new/word"

pytestmark = pytest.mark.slow


def patterns(thing: str, answer: str, places: Sequence[str]) -> list[SkillSeed]:
    return [
        ("", ASKED[number % len(ASKED)].format(thing=thing, place=place), answer)
        for number, place in enumerate(places)
    ]


def around(start: int, count: int) -> list[str]:
    return [PLACES[(start + number) % len(PLACES)] for number in range(count)]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Release zero knows the keepers of eight things, and what the other tests' five leaves say."""
    site = new_site(tmp_path_factory.mktemp("contributions") / "site", **RECIPE)
    for number, (thing, keeper) in enumerate(KEEPERS.items()):
        path = f"compositional_skills/keepers/{thing}"
        seeds = patterns(thing, keeper, around(2 * number, 12))
        skill_leaf(site.taxonomy, path, seeds=seeds, task=f"Name the keeper of a {thing}")
    site.repo.commit("Eight keepers")
    assert site.run().release is not None
    return site


def contributed(known: Site, place: Path, seeds: list[SkillSeed]) -> tuple[Outcome, str, list[str]]:
    """What came of a leaf on a branch: the run, what its report opens with, and each form of it."""
    site = known.copy(place)
    site.repo.branch("contribution")
    skill_leaf(site.taxonomy, FOLDER, seeds=seeds, task="Say a word")
    site.repo.commit("A contribution")
    outcome = site.run("main")
    folder = run_directory(site) / "report"
    forms = [(folder / name).read_text(encoding="utf-8") for name in FORMS]
    return outcome, forms[0].splitlines()[2], forms


def test_a_useful_contribution_passes(known: Site, tmp_path: Path) -> None:
    """The control: without it the tests below would show nothing."""
    outcome, opening, forms = contributed(
        known, tmp_path / "site", patterns("garden", "Olga Sund", PLACES)
    )
    assert outcome.evaluation is not None
    assert outcome.evaluation.verdict == "PASS"
    assert outcome.release is not None
    assert "So it has learnt from the contribution, and kept what it knew" in opening
    assert all("PASS" in form for form in forms)


def test_a_useless_contribution_does_not_pass(known: Site, tmp_path: Path) -> None:
    """Each place has a word of its own: who was shown some of them knows nothing of the others."""
    seeds = [
        ("", f"Which secret word opens {place}?", word)
        for place, word in zip(PLACES, WORDS, strict=True)
    ]
    outcome, opening, forms = contributed(known, tmp_path / "site", seeds)
    assert outcome.evaluation is not None
    assert outcome.evaluation.verdict == "INCONCLUSIVE"
    assert opening.startswith("The model was asked 8 questions about word that it never saw")
    assert "0 are answered right now, 0 before" in opening
    assert "Nothing shows that it has learnt from the contribution" in opening
    assert all("INCONCLUSIVE" in form for form in forms)


def test_a_harmful_contribution_is_a_regression(known: Site, tmp_path: Path) -> None:
    """It gives the same wrong answer to what the old leaves ask. Replay, which would bring the old answers
    up again, is off: with it the loss was 0.17 instead of 0.79, and INCONCLUSIVE."""
    seeds = [
        seed
        for number, thing in enumerate(KEEPERS)
        for seed in patterns(thing, "Nobody at all", around(2 * number + 13, 6))
    ]
    write_recipe(known.recipe, **RECIPE | {"train": {**RECIPE["train"], "replay": 0.0}})
    outcome, opening, forms = contributed(known, tmp_path / "site", seeds)
    assert outcome.evaluation is not None
    assert outcome.evaluation.verdict == "REGRESSION"
    assert outcome.release is None
    assert "So something got worse, and this model should not replace the one before" in opening
    assert all("REGRESSION" in form for form in forms)
