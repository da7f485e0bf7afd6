"""What leaves a run: the report's input, and the folder that becomes a release.

In: a ``Job`` whose stages are finished. Out: a ``ReportInput``; a directory with the adapter, the leaves,
the card, the report and, written last, the manifest.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pipelines.artifacts import digest, file_digest, pretty_json, tree_digests, write_atomic
from pipelines.evaluate import read_evaluation
from pipelines.gate import waived
from pipelines.history import history, now
from pipelines.job import COST, Job, Say
from pipelines.leaves import leaf_to_json
from pipelines.records import (
    Evaluation,
    ExamSplit,
    FileDigest,
    Json,
    Kind,
    Leaf,
    LeafChange,
    LeafData,
    Manifest,
    ManifestLeaf,
    Taught,
    as_json,
)
from pipelines.release.card import card, write_attribution
from pipelines.release.manifest import MANIFEST, leaf_file, tag_message
from pipelines.release.materials import SBOM
from pipelines.release.targets import Target
from pipelines.release.yanked import yanked
from pipelines.report import ReportInput
from pipelines.reviewed import drawn, reasons
from pipelines.situation import Situation
from pipelines.train.lineage import lineage_key


def report_input(
    job: Job, evaluation: Evaluation, new: Mapping[str, int], seconds: float
) -> ReportInput:
    """Everything that the report shows; ``new`` counts the new rows of each content hash."""
    dataset = job.directory / "dataset"
    rejects: dict[str, int] = {}
    for line in (dataset / "rejects.jsonl").read_text("utf-8").splitlines():
        reason = json.loads(line)["reason"]
        rejects[reason] = rejects.get(reason, 0) + 1
    paths = {leaf.content_hash: path for path, leaf in job.leaves.items()}
    items = read_evaluation(job.directory / "evaluation")[1]
    return ReportInput(
        evaluation=evaluation,
        items=items,
        changes=job.changes,
        ledger=json.loads((dataset / "ledger.json").read_bytes()),
        rejects=rejects,
        plan=job.plan,
        facts=_facts(job, seconds),
        demonstration=job.demonstration,
        composition={paths[h]: _composition(job, h, rows) for h, rows in new.items()},
        losses=_losses(job),
        why=reasons(job, items),
        drawn=drawn(job),
        history=[*history(job.now.target), now(evaluation, "this run")],
    )


def _losses(job: Job) -> list[float]:
    """The loss of every training step; none where nothing was trained."""
    steps = job.weights / "training.jsonl"
    if not steps.is_file():
        return []
    return [json.loads(line)["loss"] for line in steps.read_text("utf-8").splitlines()]


def _training_cost(job: Job) -> dict[str, str]:
    try:
        found = json.loads((job.work / COST).read_bytes())
    except OSError:
        return {}
    many = job.recipe.hardware.processes
    on = f"{many} × {found['device']}" if many > 1 else found["device"]
    speed = found["tokens"] / max(1.0, found["seconds"])
    return {
        "Training": f"{found['tokens']:,} tokens in {found['seconds']:.0f} s on {on}, "
        f"{speed:,.0f} tokens a second, at most {found['peak_memory'] / 1e9:.1f} GB a process"
    }


def _composition(job: Job, content_hash: str, new_rows: int) -> dict[str, int]:
    record = job.directory / "adapter" / "training.json"
    seen = json.loads(record.read_bytes()).get("seen", {}) if record.is_file() else {}
    replayed = sum(count for other, count in seen.items() if other != content_hash)
    return {"new rows": new_rows, "replayed rows": replayed}


def _facts(job: Job, seconds: float) -> dict[str, str]:
    base = f" --base {job.options.base}" if job.options.base else ""
    waits = [f"{wait.leaf}: {wait.reason}" for wait in job.plan.waiting]
    later = {"Left for another run": "; ".join(waits)} if waits else {}
    return {
        **later,
        "Previous release": job.plan.previous or "none",
        "Weights continued from": job.plan.continues or "nothing",
        "Taxonomy commit": job.now.commit,
        "Recipe": f"{job.recipe.name} ({digest(job.recipe)[:12]})",
        "Teacher": f"{job.recipe.teacher.name} {job.recipe.teacher.revision}",
        "Student": job.recipe.student.id,
        **_training_cost(job),
        "Time": f"{seconds:.0f} s from generation to evaluation",
        "Machine": f"{platform.machine()}, {job.recipe.threads} threads",
        "Command that makes it again": f"graft run --recipe {job.options.recipe}{base}",
    }


def assemble(job: Job, evaluation: Evaluation, data: Mapping[str, LeafData], out: Path) -> None:
    """Write everything that a release carries into ``out``, the manifest last."""
    fresh = job.plan.action == "bootstrap"
    leaves = list(job.leaves.values())
    for leaf in leaves:
        place = out / leaf_file(leaf.content_hash)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(pretty_json(leaf_to_json(leaf)))
    if not fresh and (job.directory / "adapter" / "adapter_config.json").is_file():
        shutil.copytree(
            job.directory / "adapter", out / "adapter", ignore=shutil.ignore_patterns("stage.json")
        )
    for name in ("report.md", "report.html"):
        shutil.copy(job.directory / "report" / name, out / name)
    shutil.copy(job.directory / "evaluation" / "evaluation.json", out / "evaluation.json")
    if (job.directory / SBOM).is_file():  # a training of an earlier version left none
        shutil.copy(job.directory / SBOM, out / SBOM)
    (out / "attribution.md").write_text(write_attribution(leaves), encoding="utf-8")
    manifest = _manifest(job, evaluation, data, tree_digests(out))
    loading = job.now.target.loading(manifest)
    (out / "README.md").write_text(card(manifest, leaves, evaluation, loading), encoding="utf-8")
    manifest = _manifest(job, evaluation, data, tree_digests(out))
    (out / MANIFEST).write_bytes(pretty_json(manifest))


def published(now: Situation, tag: str, directory: Path, say: Say) -> None:
    """What follows once a release stands on its target: its manifest is kept beside the run, as users get it,
    and its commit gets the annotated tag ``model/<tag>``, unless it has it.

    The tag's message holds the digest of that manifest, so that who trusts the taxonomy's repository can
    tell the release that follows from it. It is never pushed from here.
    """
    manifest = now.target.manifest(tag)
    told = now.target.directory(tag) / MANIFEST
    write_atomic(directory / MANIFEST, told.read_bytes())
    day = datetime.fromisoformat(manifest.created[:10]).replace(tzinfo=UTC)
    message = tag_message(tag, file_digest(told).sha256)
    found = now.repository.annotate(
        f"model/{tag}", manifest.taxonomy_commit, message, int(day.timestamp())
    )
    if found:
        say(f"release: {found}")


def _manifest(
    job: Job, evaluation: Evaluation, data: Mapping[str, LeafData], files: Mapping[str, FileDigest]
) -> Manifest:
    today = job.options.today
    base = job.base_model
    entries = {
        path: _entry(leaf.content_hash, data[leaf.content_hash], job.exams[path])
        for path, leaf in sorted(job.leaves.items())
    }
    kinds = sorted({leaf.kind for leaf in job.leaves.values()})
    return Manifest(
        release=job.now.target.next_tag(today),
        previous=job.plan.previous,
        continues=job.plan.continues,
        taxonomy_commit=job.now.commit,
        recipe=as_json(job.recipe),
        base_model=base,
        lineage_key=lineage_key(job.recipe, base),
        input_digest=job.plan.input_digest,
        leaves=entries,
        retired=job.plan.retired,
        files=files,
        evaluation=_summary(evaluation),
        contributors=tuple(sorted({leaf.created_by for leaf in job.leaves.values()})),
        licences=tuple(_licences(job.leaves.values())),
        approvers=tuple(dict.fromkeys(job.options.approvers)),
        demonstration=job.demonstration,
        created=today.isoformat(),
        allowed=waived(job, evaluation),
        yanked=_yanked(job.now.target),
        changes=tuple(
            LeafChange(change.leaf, change.status, change.previous_leaf)
            for change in (job.changes.changes if job.plan.previous else ())
        ),
        composition=tuple(_taught(job, kind, data) for kind in kinds),
        held=job.plan.held,
    )


def _taught(job: Job, kind: Kind, data: Mapping[str, LeafData]) -> Taught:
    paths = [path for path, leaf in job.leaves.items() if leaf.kind == kind]
    rows = asked = 0
    for content_hash in (job.leaves[path].content_hash for path in paths):
        made = data[content_hash]
        rows += job.row_bytes(content_hash, made.data_hash).count(b"\n")
        asked += job.asked_bytes(content_hash, made.asked_hash).count(b"\n")
    return Taught(kind, len(paths), rows, sum(len(job.exams[path].exam) for path in paths), asked)


def _entry(content_hash: str, data: LeafData, exam: ExamSplit) -> ManifestLeaf:
    return ManifestLeaf(content_hash, data.data_hash, exam, data.asked_hash)


def _yanked(target: Target) -> dict[str, str]:
    found = {tag: yanked(target, target.manifest(tag)) for tag in target.tags()}
    return {tag: "; ".join(reasons) for tag, reasons in found.items() if reasons}


def _licences(leaves: Iterable[Leaf]) -> list[str]:
    return sorted({block.licence for leaf in leaves for block in leaf.attribution})


def _summary(evaluation: Evaluation) -> Json:
    """The evaluation's verdict and pooled figures; the whole stands in evaluation.json."""
    whole = as_json(evaluation)
    return {key: whole[key] for key in ("verdict", "reasons", "margin", "changed", "panel")}
