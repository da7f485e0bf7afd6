"""A release made ready to be served elsewhere: ``graft export --deploy``.

In: a release on a target, the kinds that are wanted. Out: one folder, finished or absent: merged weights,
GGUF files, and the files that each tool is given, with ``deploy.json`` (schema/deploy.json), which tells
what they come from. A GGUF file is written otherwise than the release was examined: it sits the
release's exam itself, and one that is worse by more than the margin is not handed out.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from pipelines.artifacts import (
    conversations,
    digest,
    finished,
    pretty_json,
    sha256,
    stage,
    tree_digests,
)
from pipelines.backends import gguf as llama_cpp
from pipelines.backends.merge import merge
from pipelines.errors import ReleaseError, UsageError
from pipelines.evaluate import Answerer, evaluate, not_worse
from pipelines.evaluate.leaks import marked
from pipelines.exam import questions
from pipelines.export import released_leaf
from pipelines.recipe import Recipe, read_recipe
from pipelines.records import Evaluation, ExamItem, Json, Manifest, as_json
from pipelines.release import modelcar
from pipelines.release.deploy import WRITERS, check_image, kserve, model_name
from pipelines.release.deploy.subject import Subject
from pipelines.release.deploy.vllm import as_module
from pipelines.release.gguf import check_rows, read_shape, write_gguf
from pipelines.release.manifest import MANIFEST
from pipelines.release.targets import Target
from pipelines.release.verify import wrong_files
from pipelines.students import adapter_files, adapter_folder, base_folder, student

GGUF = {"gguf-f16": "F16", "gguf-q8_0": "Q8_0", "gguf-q4_k_m": "Q4_K_M"}
KINDS = ("merged", *GGUF, *WRITERS, "modelcar")
# These are built from the merged weights, which therefore stay beside them.
OF_MERGED = frozenset({"merged", "container", "kserve", "modelcar"})
RECORD = "deploy.json"
VERSION = 1

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted. ``image``: where images will be pushed, "" for this machine's own; ``base_image``:
    what a ModelCar is laid on, an OCI layout or a reference; ``push``: whether it is pushed at once;
    ``cache``: where answers are kept."""

    kinds: tuple[str, ...]
    out: Path
    cache: Path
    image: str = ""
    base_image: str = ""
    push: bool = False


@dataclass(frozen=True)
class Source:
    """The release, found sound."""

    target: Target
    manifest: Manifest
    recipe: Recipe
    adapter: Path | None

    @cached_property
    def base(self) -> Path:
        """The base's folder; vLLM fetches one of the Hub by itself, so it is asked for when it is needed."""
        return base_folder(self.target, self.manifest.base_model)


def deploy(target: Target, tag: str, order: Order, say: Say) -> Json:
    """Write what ``order`` wants of the release ``tag``; the record, as in ``deploy.json``."""
    source = _source(target, tag)
    written = (target.directory(tag) / MANIFEST).read_bytes()
    wanted = [order.kinds, order.image, order.base_image, llama_cpp.available()]
    inputs = {"manifest": sha256(written), "order": digest(wanted)}
    _check_place(order.out)
    if finished(order.out, inputs, VERSION):
        say(f"{order.out} holds just this already")
    else:
        with stage(order.out, inputs=inputs, version=VERSION, section=order.kinds) as place:
            subject = _subject(source, order, place, sha256(written))
            exams = _write(source, subject, order, place, say)
            _record(subject, order, place, exams)
    record: Json = json.loads((order.out / RECORD).read_bytes())
    if order.push:
        reference = f"{record['image']}:{tag}{kserve.SUFFIX}"
        modelcar.push(order.out / "modelcar", reference)
        say(f"pushed {reference}")
    return record


def _source(target: Target, tag: str) -> Source:
    manifest = target.manifest(tag)
    withdrawn = {stone.content_hash for stone in target.tombstones()} & manifest.seen
    if withdrawn:
        raise ReleaseError(
            f"The release {tag} has seen content that was withdrawn since; deploy a later one."
        )
    problems = wrong_files(target.directory(tag), manifest.files)
    if problems:
        raise ReleaseError(f"The release {tag} is damaged: {problems[0]}.")
    recipe = read_recipe(manifest.recipe, f"the recipe of {tag}")
    return Source(target, manifest, recipe, adapter_folder(target, tag))


def _check_place(out: Path) -> None:
    """Only what an earlier export wrote is ever replaced."""
    if out.exists() and not (out / RECORD).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already and holds other things; name a new folder.")


def _subject(source: Source, order: Order, place: Path, manifest_sha256: str) -> Subject:
    name = model_name(source.manifest)
    wanted = [GGUF[kind] for kind in GGUF if kind in order.kinds]
    smallest = wanted[-1] if wanted else "F16"
    return Subject(
        source.manifest,
        manifest_sha256,
        name,
        check_image(order.image) if order.image else f"localhost/{name}",
        place / "merged",
        source.adapter,
        f"{name}-{smallest}.gguf",
    )


def _write(source: Source, subject: Subject, order: Order, place: Path, say: Say) -> list[Json]:
    wanted = [GGUF[kind] for kind in GGUF if kind in order.kinds]
    if "ollama" in order.kinds and not wanted:
        wanted = ["F16"]
    if wanted:  # before anything long begins
        _check_ggufs(source, wanted)
    kept = bool(OF_MERGED & set(order.kinds)) or ("vllm" in order.kinds and not as_module(subject))
    if kept or wanted:
        say("merging base and adapter")
        merge(source.base, source.adapter, subject.merged)
    for kind in wanted:
        say(f"writing GGUF as {kind}")
        _write_gguf(subject, kind, place, source.recipe.threads)
    exams = [_examine(source, subject, kind, order.cache, place, say) for kind in wanted]
    for kind in order.kinds:
        if kind in WRITERS:
            for path, text in WRITERS[kind](subject).items():
                (place / path).write_text(text, encoding="utf-8")
                (place / path).chmod(0o755 if path.endswith(".sh") else 0o644)
    if "vllm" in order.kinds and as_module(subject) and source.adapter:
        shutil.copytree(source.adapter, place / "adapter")
    if wanted and not kept:
        shutil.rmtree(subject.merged)
    if "modelcar" in order.kinds:
        say("building the ModelCar")
        modelcar.build(subject.merged, order.base_image or kserve.BASE, place / "modelcar")
    return exams


# --- GGUF files and their exam ---------------------------------------------------------------


def _check_ggufs(source: Source, kinds: Sequence[str]) -> None:
    shape = read_shape(source.base)
    for kind in kinds:
        check_rows(shape, kind)
    if "Q4_K_M" in kinds and not llama_cpp.available():
        raise ReleaseError(f"Q4_K_M is made by llama.cpp: {llama_cpp.MISSING}.")


def _write_gguf(subject: Subject, kind: str, place: Path, threads: int) -> None:
    out = place / f"{subject.name}-{kind}.gguf"
    if kind != "Q4_K_M":
        write_gguf(subject.merged, kind, out, subject.name)
        return
    whole = place / ".whole.gguf"
    write_gguf(subject.merged, "F32", whole, subject.name)
    llama_cpp.quantize(whole, out, threads)
    whole.unlink()


def _examine(
    source: Source, subject: Subject, kind: str, cache: Path, place: Path, say: Say
) -> Json:
    """Let a GGUF file sit the release's exam, against the release as it was examined."""
    file = f"{subject.name}-{kind}.gguf"
    if not llama_cpp.available():
        say(f"{file} has sat no exam: {llama_cpp.MISSING}")
        return {"file": file, "sat": False, "why": llama_cpp.MISSING}
    exam = _exam(source)
    if not exam:
        return {"file": file, "sat": False, "why": "the release keeps no exam questions"}
    say(f"{file} sits the exam of {len(exam)} questions")
    recipe, manifest = source.recipe, source.manifest
    home = (source.base, manifest.base_model.revision)
    base = student(recipe, cache, home, None, {})
    released = base
    if source.adapter is not None:
        released = student(recipe, cache, home, source.adapter, adapter_files(manifest))
    sitting = llama_cpp.GgufStudent(
        place / file, recipe.evaluate.new_tokens, recipe.student.positions, recipe.threads
    )
    students: dict[str, Answerer] = {"base": base, "previous": released, "candidate": sitting}
    done = evaluate(exam, students, recipe.evaluate, place / "exam" / kind)
    if not not_worse(done):
        raise ReleaseError(f"{file} is not handed out: {_told(done)} Leave {kind} out.")
    say(f"{file}: {_told(done)}")
    return {"file": file, "sat": True, "evaluation": f"exam/{kind}/evaluation.json"}


def _told(done: Evaluation) -> str:
    panel = done.panel
    if panel is None:
        return "no question of its exam counts."
    low, high = panel.interval
    return (
        f"token F1 {panel.candidate.token_f1:.3f}, the release itself {panel.previous.token_f1:.3f} "
        f"(difference {low:+.3f} to {high:+.3f}, margin {done.margin:g}, {panel.items} questions)."
    )


def _exam(source: Source) -> list[ExamItem]:
    """All exam questions of the release's leaves; all are panel: what matters is that none got worse."""
    target, leaves = source.target, source.manifest.leaves
    directory = target.directory(source.manifest.release)
    found: list[ExamItem] = []
    own = {}
    for entry in leaves.values():
        leaf = released_leaf(directory, entry.content_hash)
        own[leaf.path] = entry.content_hash
        asked = partial(target.read_blob, entry.asked_hash) if entry.asked_hash else None
        found += questions(leaf, entry.exam, "panel", asked)
    rows = (
        (entry.content_hash, conversations(target.read_blob(entry.data_hash)))
        for entry in leaves.values()
    )
    # Multiple choice enters no verdict, and llama.cpp's library has no cheap way to weigh answers.
    return marked([item for item in found if not item.choices], own, rows)


def _record(subject: Subject, order: Order, place: Path, exams: list[Json]) -> None:
    record = {
        "release": subject.tag,
        "manifest_sha256": subject.manifest_sha256,
        "base_model": as_json(subject.manifest.base_model),
        "demonstration": subject.manifest.demonstration,
        "name": subject.name,
        "image": subject.image,
        "kinds": list(order.kinds),
        "exams": exams,
        "files": as_json(tree_digests(place)),
    }
    (place / RECORD).write_bytes(pretty_json(record))
