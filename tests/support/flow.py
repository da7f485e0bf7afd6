"""A taxonomy of five small leaves, a target, and ``graft run`` on them: all real, seconds a run.

In: an empty folder. Out: a ``Site``, whose folder holds a repository, ``releases/``, ``runs/`` and the
cache as a person's checkout would.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from pipelines.artifacts import digest, file_digest
from pipelines.generate import read_summary
from pipelines.leaves import WorkTree, read_leaf
from pipelines.records import Json, Manifest
from pipelines.release.targets import Target, open_target
from pipelines.release.verify import verify
from pipelines.run import Outcome, run
from pipelines.situation import Options
from tests.support import forks
from tests.support.once import once
from tests.support.repositories import KnowledgeSeed, Repo, SkillSeed, knowledge_leaf, skill_leaf

ROOT = Path(__file__).parents[2]
FAST = ROOT / "tests" / "support" / "fast.yaml"

MILL = "knowledge/buildings/mill"
FERRY = "knowledge/transport/ferry"
NOTE = "compositional_skills/grounded/reading/note"
KEEPER = "compositional_skills/writing/keeper"
COLOUR = "foundational_skills/language/colour"
LEAVES = (COLOUR, FERRY, KEEPER, MILL, NOTE)

STAGES = ("generate", "train", "evaluate", "report")

# Not in the taxonomy at first: what contributors bring.
TOWER = "knowledge/buildings/tower"
SOUND = "foundational_skills/language/sound"

ANIMALS = ["badger", "heron", "otter", "falcon", "salmon", "beetle", "lizard", "pigeon"]
TOWNS = ["Quillon", "Marbeck", "Oostvar", "Tennish", "Ulvadal", "Brightsea", "Harrow", "Zelm"]
COLOURS = ["amber", "scarlet", "violet", "copper", "ivory", "indigo", "olive", "silver"]
SOUNDS = ["barks", "croaks", "whistles", "howls", "splashes", "clicks", "hisses", "coos"]


def document(thing: str, town: str, year: int) -> str:
    """A document of a few facts about one thing."""
    return (
        f"# The {thing} of {town}\n\n## Beginnings\n\n"
        f"The {thing} of {town} was built in {year} by Edmund Farrow. "
        f"It cost {year - 900} crowns and took {year % 7 + 2} years. "
        f"The first keeper of the {thing} was Helena Brandt.\n\n## Later years\n\n"
        f"In {year + 80} a storm destroyed the roof. "
        f"The town council of {town} repaired it in {year + 83}. "
        f"Today the {thing} is open on Sundays from April to October.\n"
    )


def knowledge_seeds(thing: str, town: str, year: int) -> list[KnowledgeSeed]:
    """Five contexts of three questions; the words of each are its own."""
    told = [
        (f"Edmund Farrow built the {thing} in {year}.", "Edmund Farrow", f"{year}", "building"),
        (f"The {thing} cost {year - 900} crowns.", f"{year - 900}", "crowns", "price"),
        (f"Helena Brandt kept the {thing} first.", "Helena Brandt", "the first", "keeper"),
        (f"A storm took the roof in {year + 80}.", "a storm", f"{year + 80}", "damage"),
        (f"It opens on Sundays; {town} pays.", "on Sundays", town, "opening"),
    ]
    return [
        (
            context,
            [
                (f"Regarding its {about}, who or what is named for the {thing}?", first),
                (f"Which detail of the {about} of the {thing} in {town} is recorded?", second),
                (f"Sum up the {about} of {town}'s {thing} in a word.", about),
            ],
        )
        for context, first, second, about in told
    ]


def add_knowledge(taxonomy: Path, path: str, town: str, year: int) -> None:
    thing = path.rsplit("/", 1)[-1]
    knowledge_leaf(
        taxonomy,
        path,
        seeds=knowledge_seeds(thing, town, year),
        outline=f"The {thing} of {town}",
        document=document(thing, town, year),
    )


def add_tower(taxonomy: Path) -> None:
    add_knowledge(taxonomy, TOWER, "Ulvadal", 1694)


def add_sound(taxonomy: Path) -> None:
    seeds: list[SkillSeed] = [
        ("", f"Name the noise with which the {animal} is heard.", f"It {sound}.")
        for animal, sound in zip(ANIMALS, SOUNDS, strict=True)
    ]
    skill_leaf(taxonomy, SOUND, seeds=seeds, task="Say what an animal sounds like")


def write_leaves(taxonomy: Path) -> None:
    """The five leaves of the first commit."""
    add_knowledge(taxonomy, MILL, "Quillon", 1720)
    add_knowledge(taxonomy, FERRY, "Marbeck", 1811)
    note: list[SkillSeed] = [
        (f"Dear {town}, the {animal} comes at {hour} o'clock.", "When does it come?", f"at {hour}")
        for hour, (town, animal) in enumerate(zip(TOWNS[:5], ANIMALS[:5], strict=True), 1)
    ]
    skill_leaf(taxonomy, NOTE, seeds=note, task="Read a time in a note")
    keeper: list[SkillSeed] = [
        ("", f"Who looks after the bridge at {town}?", f"Keeper number {number}")
        for number, town in enumerate(TOWNS[:5], 11)
    ]
    skill_leaf(taxonomy, KEEPER, seeds=keeper, task="Name a keeper")
    colour: list[SkillSeed] = [
        ("", f"Give the paint of a {animal} in this book.", colour)
        for animal, colour in zip(ANIMALS, COLOURS, strict=True)
    ]
    skill_leaf(taxonomy, COLOUR, seeds=colour, task="Say a colour")


@dataclass(slots=True)
class Site:
    """A folder in which Graft is used; ``said`` is what the last ``run`` told on its way, ``spec`` a
    target other than its own folder."""

    path: Path
    spec: str = ""
    said: list[str] = field(default_factory=list)

    @property
    def repo(self) -> Repo:
        return Repo(self.path / "repo")

    @property
    def taxonomy(self) -> Path:
        return self.path / "repo" / "taxonomy"

    @property
    def recipe(self) -> Path:
        return self.path / "fast.yaml"

    @property
    def target(self) -> Target:
        return open_target(self.target_spec, self.path / ".graft")

    @property
    def target_spec(self) -> str:
        return self.spec or f"folder:{self.path / 'releases'}"

    def options(self, base: str | None = None) -> Options:
        return Options(
            taxonomy=self.taxonomy,
            recipe=str(self.recipe),
            base=base,
            target=self.target_spec,
            runs=self.path / "runs",
            cache=self.path / ".graft",
        )

    def run(self, base: str | None = None) -> Outcome:
        """``graft run`` in this process."""
        self.said = []
        return run(self.options(base), self.said.append)

    @property
    def trained(self) -> bool:
        """Whether the last ``run`` took a training step."""
        return any(re.match(r"train: \d+ %", line) for line in self.said)

    def head(self) -> Manifest:
        tag = self.target.head()
        assert tag is not None
        return self.target.manifest(tag)

    def words(self, *words: str, recipe: Path | None = None) -> list[str]:
        """The arguments of a command on this site, from its folder."""
        found = [*words, "--taxonomy", "repo/taxonomy"]
        if words[0] in ("run", *STAGES) or "withdraw" in words:
            found += ["--recipe", str(recipe or self.recipe)]
        return found

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def graft(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command, in a process of its own."""
        return forks.run(["pipelines", *self.words(*words)], self.path, self.environment())

    def start(self, *words: str, until: str) -> forks.Process:
        """A command that has just said a line that begins with ``until``."""
        process = forks.Process(["pipelines", *self.words(*words)], self.path, self.environment())
        heard = []
        for line in process.stderr:
            heard.append(line)
            if line.startswith(until):
                return process
        raise AssertionError(f"never said {until!r}: {''.join(heard)}")

    def copy(self, place: Path) -> Site:
        shutil.copytree(self.path, place, symlinks=True)
        return Site(place)

    def files(self) -> dict[str, str]:
        """Path → SHA-256 of everything here but Git's own files and the call store."""
        return {
            path.relative_to(self.path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.path.rglob("*"))
            if path.is_file() and not {".git", ".graft"} & set(path.parts)
        }

    def unfinished(self) -> list[str]:
        """What must not be left: the folder of a stage half-written, of a release half-published."""
        found = [path for top in ("runs", "releases") for path in (self.path / top).rglob(".*")]
        return [path.name for path in found if path.is_dir()]


def new_site(path: Path, **sections: Mapping[str, object]) -> Site:
    """A fresh site: one commit with the five leaves, no release. ``sections`` alter the recipe."""
    site = Site(path)
    path.mkdir(parents=True)
    write_recipe(site.recipe, **sections)
    write_leaves(site.taxonomy)
    site.repo.commit("Five leaves")
    return site


def write_recipe(path: Path, **sections: Mapping[str, object]) -> Path:
    """The fast recipe, its margin wide: a model this small answers at random, and none may fail."""
    recipe = yaml.safe_load(FAST.read_text(encoding="utf-8"))
    for name, section in {"evaluate": {"margin": 1.0}, **sections}.items():
        recipe[name] |= section
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


def zero_site(scratch: Path) -> Site:
    """A site with release zero: made once for the session, and only copied from."""

    def make(place: Path) -> None:
        assert new_site(place).run().release is not None

    return Site(once(scratch, "zero", make))


def grown_site(scratch: Path) -> Site:
    """Release zero, then the leaf TOWER on the branch ``tower``, released; only copied from."""

    def make(place: Path) -> None:
        site = zero_site(scratch).copy(place)
        site.repo.branch("tower")
        add_tower(site.taxonomy)
        site.repo.commit("A leaf about a tower")
        assert site.run("main").release is not None

    return Site(once(scratch, "grown", make))


def run_directory(site: Site) -> Path:
    """The latest run."""
    return site.path / "runs" / (site.path / "runs" / "latest").read_text("utf-8").strip()


def dataset_digest(site: Site) -> str:
    """One digest over the data hashes of the latest run."""
    return digest(read_summary(run_directory(site) / "dataset"))


def weights_digest(site: Site, tag: str | None = None) -> str:
    """SHA-256 of a release's adapter weights; the head's without a tag."""
    directory = site.target.directory(tag or site.head().release)
    return file_digest(directory / "adapter" / "adapter_model.safetensors").sha256


def assert_nothing_to_do(site: Site, base: str | None = None) -> None:
    """A run changes no file, asks nothing, trains nothing, and says that it need not."""
    before = site.files()
    outcome = site.run(base)
    assert outcome.plan.action == "nothing"
    assert outcome.accepted
    assert outcome.release == site.head().release
    assert [line.split(":")[:2] for line in site.said] == [["plan", " nothing"]]
    assert site.files() == before


def assert_sound(site: Site, releases: int) -> None:
    """So many releases, the head's digests and ancestry right, nothing half-written."""
    assert len(site.target.tags()) == releases
    assert verify(site.target, site.head().release) == []
    assert site.unfinished() == []


def calls(site: Site) -> Json:
    ledger = json.loads((run_directory(site) / "dataset" / "ledger.json").read_bytes())
    found: Json = ledger["calls"]
    return found


def edit_answer(site: Site, leaf: str, seed: str) -> str:
    """Change the first answer of a seed of a leaf, and commit; the new answer."""
    path = site.taxonomy / leaf / "qna.yaml"
    found = next(s for s in read_leaf(WorkTree(site.taxonomy), leaf).seeds if s.id == seed)
    old = f"question: {found.pairs[0].question}"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    at = text.index("answer: ", text.index(old))
    end = text.index("\n", at)
    new = "Walter Quist"
    path.write_text(f"{text[:at]}answer: {new}{text[end:]}", encoding="utf-8")
    site.repo.commit("Another answer")
    return new


def kill(site: Site, at: int, *run: str) -> int:
    words = site.words(*(run or ("run", "--base", "main")))
    command = ["tests.support.killed", str(at), *words]
    return forks.run(command, site.path, site.environment()).returncode
