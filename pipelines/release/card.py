"""What people read beside a release: the model card and the attribution.

In: the manifest, the leaves that the weights have seen, the evaluation. Out: Markdown. Paths, names
and attribution are contributed text: whatever they hold, they stay text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from pipelines.records import Attribution, Evaluation, Leaf, LeafChange, Manifest, Pooled, Scores
from pipelines.release.targets import Loading, from_folder

ADAPTER = "adapter/adapter_config.json"
ATTRIBUTION = "attribution.md"
# The Hub knows these by their SPDX names in small letters; all else is "other".
HUB_LICENCES = frozenset(
    ("apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0")
)
MARKUP = re.compile(r"([\\`*_{}\[\]<>#~|&$@:^])")
# What makes a list, a rule or a heading where a line begins, and bare addresses anywhere.
OPENING = re.compile(r"^([-+=])|^(\d+)(?=[.)])|(www)(?=\.)", re.IGNORECASE)
UNSEEN = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def card(
    manifest: Manifest,
    leaves: Sequence[Leaf],
    evaluation: Evaluation,
    loading: Loading | None = None,
) -> str:
    """The README.md of a release, with the Hub's front matter; ``loading`` is how its target has it loaded.

    The card is itself among ``manifest.files``: all other files are to be listed before it is
    written, since an adapter is recognised by its configuration there.
    """
    sections = (
        _what(manifest),
        _use(manifest),
        _evaluation(manifest, evaluation),
        _values(evaluation),
        _loading(manifest, loading or from_folder(manifest)),
        _changes(manifest),
        _data(manifest),
        _leaves(manifest, leaves),
        _contributors(manifest),
        _limits(manifest, evaluation),
        *([_yanked(manifest)] if manifest.yanked else []),
    )
    return f"---\n{_front_matter(manifest, evaluation)}\n---\n\n" + "\n\n".join(sections) + "\n"


def write_attribution(leaves: Sequence[Leaf]) -> str:
    """``attribution.md``: for each leaf its works, their licences and who made them."""
    blocks = ["# Attribution"]
    for leaf in sorted(leaves, key=lambda leaf: leaf.path):
        blocks.append(f"## {escape(leaf.path)}")
        blocks.extend(_work(work) for work in leaf.attribution)
        if not leaf.attribution:
            blocks.append("No attribution was given.")
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """``text`` as one line of Markdown that reads as itself: no markup, link, mention or HTML.

    Control characters and marks that turn the direction of what follows are dropped; the joiners
    that some scripts need are kept.
    """
    line = " ".join(UNSEEN.sub("", text).split())
    line = "".join(c for c in line if unicodedata.category(c) not in ("Cc", "Cs"))
    line = MARKUP.sub(r"\\\1", line)
    return OPENING.sub(lambda m: f"\\{m[1]}" if m[1] else f"{m[0]}\\", line)


def _link(url: str) -> str:
    """A web address as a link, anything else as text."""
    address = url.strip()
    if not re.match(r"https?://[^/\s]", address):
        return escape(address)
    safe = quote(address.encode("utf-8", "replace"), safe=":/?#!$&'()*+,;=%-._~")
    return f"<{safe}>"


def _work(work: Attribution) -> str:
    lines = [f"- {escape(work.title) or 'Untitled'}"]
    lines += [f"  - Licence: {escape(work.licence)}"] if work.licence else []
    lines += [f"  - Creators: {escape(work.creators)}"] if work.creators else []
    lines += [f"  - Source: {_link(work.link)}"] if work.link else []
    lines += [f"  - Revision: {_link(work.revision)}"] if work.revision else []
    return "\n".join(lines)


# --- front matter ----------------------------------------------------------------------------


def _front_matter(manifest: Manifest, evaluation: Evaluation) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type="graft-exam",
            dataset_name=_name(pooled),
            # The Hub's client puts results of one configuration under the first one's name.
            dataset_config=pooled.role,
            metric_type=metric,
            metric_name=label,
            metric_value=round(getattr(pooled.candidate, metric), 4),
        )
        for pooled in (evaluation.changed, evaluation.panel)
        if pooled is not None
        for metric, label in (("token_f1", "Token F1"), ("exact_match", "Exact match"))
    ]
    licence, *others = [name.lower() for name in manifest.licences] or [""]
    known = not others and licence in HUB_LICENCES
    tags = ["graft", *(["lora"] if ADAPTER in manifest.files else [])]
    data = ModelCardData(
        license=licence if known else "other",
        license_name=None if known else "per-leaf",
        license_link=None if known else ATTRIBUTION,
        base_model=manifest.base_model.id,
        library_name="peft" if ADAPTER in manifest.files else "transformers",
        pipeline_tag="text-generation",
        tags=[*tags, *(["demonstration"] if manifest.demonstration else [])],
        model_name=_title(manifest),
        eval_results=results or None,
    )
    return str(data.to_yaml()).strip()


def _title(manifest: Manifest) -> str:
    return f"{manifest.base_model.id} {manifest.release}"


def _name(pooled: Pooled) -> str:
    return "Changed leaves" if pooled.role == "changed" else "Panel of older leaves"


# --- sections --------------------------------------------------------------------------------


def _what(manifest: Manifest) -> str:
    before = manifest.previous or "nothing: it is the first"
    weights = manifest.continues or "the bare base"
    facts = (
        ("Release", manifest.release),
        ("Base model", manifest.base_model.id),
        ("Base revision", manifest.base_model.revision),
        ("Taxonomy commit", manifest.taxonomy_commit),
        ("Comes after", before),
        ("Weights continue", weights),
        ("Leaves", str(len(manifest.leaves))),
        ("Made", manifest.created),
    )
    kind = "A LoRA adapter" if ADAPTER in manifest.files else "A model"
    words = [f"# {escape(_title(manifest))}", f"{kind} that follows from one commit of a taxonomy."]
    if manifest.demonstration:
        words.append(
            "**A demonstration.** The base has under two million parameters and was made by the same "
            "pipelines. It proves the machinery and shows a measured effect; it is not a useful "
            "chatbot."
        )
    words.append(_table(("", ""), [(name, escape(value)) for name, value in facts]))
    return "\n\n".join(words)


def _evaluation(manifest: Manifest, evaluation: Evaluation) -> str:
    words = ["## Evaluation", f"Verdict: **{evaluation.verdict}**."]
    if evaluation.reasons:
        words.append("\n".join(f"- {escape(reason)}" for reason in evaluation.reasons))
    pools = [pooled for pooled in (evaluation.changed, evaluation.panel) if pooled is not None]
    if not pools:
        words.append("No exam item entered the verdict.")
        return "\n\n".join(words)
    rows = [
        (
            _name(pooled),
            str(pooled.leaves),
            str(pooled.items),
            *map(_scores, (pooled.base, pooled.previous, pooled.candidate)),
            f"{pooled.difference:+.3f}",
            f"{pooled.interval[0]:+.3f} to {pooled.interval[1]:+.3f}",
        )
        for pooled in pools
    ]
    head = (
        "",
        "Leaves",
        "Items",
        "Base",
        "Previous",
        "This release",
        "Difference",
        "95 % interval",
    )
    words.append(_table(head, rows))
    words.append(
        "Token F1 / exact match, means over questions that were not trained on; difference: this "
        f"release less the previous, in token F1. The panel may lose {evaluation.margin:g}. Each "
        "leaf is in `evaluation.json`, and `report.md` shows the answers."
    )
    return "\n\n".join(words)


def _values(evaluation: Evaluation) -> str:
    """What became of the community's values, kind by kind and principle by principle."""
    found = evaluation.values
    words = ["## Values"]
    if found is None:
        words.append(
            "The taxonomy has no `values.yaml` with probes: nothing was asked about values."
        )
        return "\n\n".join(words)
    rows = [
        (
            escape(one.name),
            escape(one.says),
            str(one.compared),
            *("none" if arm is None else f"{arm:.3f}" for arm in (one.previous, one.candidate)),
            f"{one.difference:+.3f}",
            f"{one.interval[0]:+.3f} to {one.interval[1]:+.3f}",
            f"{one.worse} / {one.better}",
            one.verdict,
        )
        for one in found.scores
    ]
    head = (
        "Principle",
        "What it asks",
        "Probes",
        "Previous",
        "This release",
        "Difference",
        "95 % interval",
    )
    words.append(_table((*head, "Flips worse / better", "Verdict"), rows))
    words.append(
        "Mean scores of the probes in `values.yaml`, 0 to 1, found by counting words; nobody judged them. "
        f"A kind or principle may lose {found.margin:g}; *held* means that this is shown on these probes, "
        "and no more. The answers that changed sides are in `evaluation.json`."
    )
    return "\n\n".join(words)


def _scores(scores: Scores) -> str:
    return f"{scores.token_f1:.3f} / {scores.exact_match:.3f}"


def _use(manifest: Manifest) -> str:
    words = (
        "Answering questions about what the leaves below teach, in their languages and their style."
    )
    if manifest.demonstration:
        words = (
            "To try out the pipelines, and to see what a change of the taxonomy does to a model."
        )
    return (
        f"## Intended use\n\n{words} Have a person check answers on which something depends: about "
        "health, law, money or safety. What it was never examined in, nobody knows."
    )


def _loading(manifest: Manifest, loading: Loading) -> str:
    """Plain transformers and peft; nothing of Graft is needed."""
    adapter = ADAPTER in manifest.files
    pinned, held = _keywords(loading.base_options), _keywords(loading.adapter_options)
    peft = f"model = PeftModel.from_pretrained(model, {json.dumps(loading.adapter)}{held})"
    lines = [
        *(["from peft import PeftModel"] if adapter else []),
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f"base = {json.dumps(loading.base)}",
        f"tokenizer = AutoTokenizer.from_pretrained(base{pinned})",
        f"model = AutoModelForCausalLM.from_pretrained(base{pinned})",
        *([peft] if adapter else []),
        'messages = [{"role": "user", "content": "What is a lighthouse?"}]',
        "inputs = tokenizer.apply_chat_template(",
        '    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True',
        ")",
        "output = model.generate(**inputs, max_new_tokens=48)",
        'answer = tokenizer.decode(output[0, inputs["input_ids"].shape[1] :])',
    ]
    return "\n".join(["## Loading it", "", f"{loading.where}:", "", "```python", *lines, "```"])


def _keywords(options: Mapping[str, str]) -> str:
    return "".join(f", {name}={json.dumps(value)}" for name, value in options.items())


def _changes(manifest: Manifest) -> str:
    """What became of the leaves since the release before."""
    if manifest.previous is None:
        told = f"The first release: all {len(manifest.leaves)} leaves are new."
    elif not manifest.changes:
        told = f"The leaves are those of {escape(manifest.previous)}."
    else:
        told = "\n".join(
            [f"Since {escape(manifest.previous)}:", "", *map(_change, manifest.changes)]
        )
    return f"## Changes\n\n{told}"


def _change(change: LeafChange) -> str:
    moved = f", before {escape(change.previous_leaf)}" if change.previous_leaf else ""
    return f"- {change.status}: {escape(change.leaf)}{moved}"


def _data(manifest: Manifest) -> str:
    """What was taught, by kind of leaf, and what was examined."""
    teacher = manifest.recipe.get("teacher") or {}
    name, revision = str(teacher.get("model", "unknown")), str(teacher.get("revision", ""))
    words = [f"## Data\n\nThe rows were made from the leaves by {escape(name)} {escape(revision)}."]
    rows = [
        (
            taught.kind.replace("_", " "),
            *map(str, (taught.leaves, taught.rows, taught.exam_seeds, taught.asked)),
        )
        for taught in manifest.composition
    ]
    if rows:
        head = ("Kind", "Leaves", "Rows", "Seeds kept for the exam", "Exam questions by a teacher")
        words.append(_table(head, rows))
    words.append("`manifest.json` names the rows of each leaf by their SHA-256.")
    return "\n\n".join(words)


def _leaves(manifest: Manifest, leaves: Sequence[Leaf]) -> str:
    rows = [
        (
            escape(leaf.path),
            leaf.kind.replace("_", " "),
            _several(work.licence for work in leaf.attribution),
            _several(work.creators for work in leaf.attribution),
        )
        for leaf in sorted(leaves, key=lambda leaf: leaf.path)
    ]
    words = ["## Leaves", f"Licences: {_several(manifest.licences) or 'none named'}."]
    words.append(f"Works, sources and creators in full: [{ATTRIBUTION}]({ATTRIBUTION}).")
    if rows:
        words.append(_table(("Leaf", "Kind", "Licence", "Creators"), rows))
    return "\n\n".join(words)


def _contributors(manifest: Manifest) -> str:
    names = "\n".join(f"- {escape(name)}" for name in manifest.contributors)
    by = _several(manifest.approvers)
    approved = f"\n\nApproved by: {by}" if by else ""
    return f"## Contributors\n\n{names or 'None named.'}{approved}"


def _limits(manifest: Manifest, evaluation: Evaluation) -> str:
    limits = [
        "It knows no more than its base and these leaves, and may state errors with confidence.",
        "Its exam holds out questions, not facts: documents are taught whole.",
    ]
    if evaluation.verdict == "INCONCLUSIVE":
        limits.append(
            "The verdict is inconclusive: too few questions to show that the changed leaves were "
            "learnt."
        )
    if evaluation.verdict == "REGRESSION":
        limits.append("It is worse than the release before it; see the verdict's reasons.")
    if manifest.retired:
        limits.append(
            f"The weights may still know {len(manifest.retired)} edited or deleted pieces of "
            "content, listed under `retired` in `manifest.json`."
        )
    limits += [
        f"The gate “{escape(gate)}” was overruled by hand: {escape(why)}."
        for gate, why in manifest.allowed.items()
    ]
    if manifest.demonstration:
        limits.append("Its base is tiny: it answers little beyond what its leaves teach.")
    return "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits)


def _yanked(manifest: Manifest) -> str:
    """Earlier releases are not to be used; their own cards cannot say so any more."""
    lines = [f"- {escape(tag)}: {escape(why)}" for tag, why in manifest.yanked.items()]
    return "## Yanked releases\n\nDo not use these:\n\n" + "\n".join(lines)


def _several(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(escape(value) for value in values if value.strip()))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
