"""``make bench-evaluate``: what an exam costs, beside ``generate`` one by one and lm-eval.

    python benchmarks/evaluate.py [tiny|middle|leaf …] [--rounds N] [--prompts N] [--alone N] [--taxonomy DIR]

``tiny``, ``middle``: models of random weights, whose answers end at a set of tokens, so that they differ in
length as a student's do; the same greedy answers for all, which is checked. Everyone by turns in one
process, tokens of answers per second of the clock and of the processors; one by one, which takes longest,
answers every so manieth prompt alone. lm-eval: a ``generate_until`` task over the prompts. ``leaf``: ``graft
evaluate`` of a change of one leaf with the recipe tiny, beside the whole taxonomy's exam. Output: Markdown.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1"}
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from benchmarks.generated import words  # noqa: E402
from benchmarks.one_by_one import one_by_one  # noqa: E402
from benchmarks.training.subjects import MIDDLE, TINY, Subject, make  # noqa: E402
from pipelines.backends.local import Student  # noqa: E402
from tests.support.repositories import Repo  # noqa: E402

SUBJECTS = {"tiny": TINY, "middle": MIDDLE}
Engine = Callable[[Student, Sequence[str]], list[str]]
NEW_TOKENS = 48
WARM = 8  # prompts that everyone answers before the clock runs
ZERO_TOKENS = 60_000
ENDS = 40  # one in so many tokens ends an answer
TASK = """\
task: bench_prompts
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
output_type: generate_until
test_split: test
doc_to_text: "{{{{prompt}}}}"
doc_to_target: ""
generation_kwargs: {{until: [], max_gen_toks: {tokens}, do_sample: false}}
metric_list: [{{metric: exact_match}}]
"""


@dataclass(frozen=True, slots=True)
class Took:
    """One engine's answers, and what they took."""

    answers: list[str]
    clock: float
    processors: float


def ended(student: Student) -> Student:
    """The student with many tokens that end an answer, which everyone heeds, and none that its tokenizer
    lacks: of those nothing would be seen in an answer, and so nothing counted."""
    vocabulary = len(student.tokenizer)
    with torch.no_grad():
        student.model.get_output_embeddings().weight[vocabulary:] = 0
    ends = sorted({student.tokenizer.eos_token_id, *range(7, vocabulary, ENDS)})
    student.model.generation_config.eos_token_id = ends
    student._ends = frozenset(ends)
    return student


def lm_eval(folder: Path, batch: int) -> Engine:
    """lm-eval's evaluation of a task with these prompts; its reading of the task is not counted."""
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    logging.disable(logging.WARNING)

    def answer(student: Student, prompts: Sequence[str]) -> list[str]:
        place = folder / str(len(prompts))
        if not place.exists():
            place.mkdir()
            data = place / "prompts.jsonl"
            lines = [json.dumps({"prompt": student._asked(prompt)}) for prompt in prompts]
            data.write_text("\n".join(lines) + "\n", encoding="utf-8")
            text = TASK.format(data=data, tokens=NEW_TOKENS)
            (place / "bench.yaml").write_text(text, encoding="utf-8")
            managers[place] = TaskManager(include_path=str(place), include_defaults=False)
        model = HFLM(pretrained=student.model, tokenizer=student.tokenizer, batch_size=batch)
        told: Any = simple_evaluate(
            model=model, tasks=["bench_prompts"], task_manager=managers[place], bootstrap_iters=0
        )
        rows = sorted(told["samples"]["bench_prompts"], key=lambda row: row["doc_id"])
        return [row["resps"][0][0].strip() for row in rows]

    managers: dict[Path, Any] = {}
    return answer


def took(engine: Engine, student: Student, prompts: Sequence[str]) -> Took:
    clock, processors = time.monotonic(), time.process_time()
    answers = engine(student, prompts)
    return Took(answers, time.monotonic() - clock, time.process_time() - processors)


def measure(subject: Subject, rounds: int, many: int, alone: int) -> list[str]:
    """The rows of one subject's table; ``alone``: how many prompts are answered one by one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(subject, folder, 4_000)
        student = ended(Student(folder / "base", None, NEW_TOKENS, subject.threads))
        draw = random.Random(3)
        prompts = [f"{words(draw, draw.randint(6, 40))}?" for _ in range(many)]
        (folder / "task").mkdir()
        some = prompts[:: max(1, many // alone)][:alone]
        engines: dict[str, tuple[Engine, list[str]]] = {
            "Graft": (lambda student, prompts: student.answers(prompts), prompts),
            f"generate, one by one, {len(some)} prompts": (one_by_one, some),
            "lm-eval, batches of 128": (lm_eval(folder / "task", 128), prompts),
        }
        found: dict[str, list[Took]] = {name: [] for name in engines}
        for engine, asked in engines.values():  # warms everyone up
            engine(student, asked[:: max(1, len(asked) // WARM)][:WARM])
        for _ in range(rounds):
            for name, (engine, asked) in engines.items():
                found[name].append(took(engine, student, asked))
        ours = dict(zip(prompts, found["Graft"][0].answers, strict=True))
        return [
            _row(subject, name, student, found[name], [ours[prompt] for prompt in asked])
            for name, (_, asked) in engines.items()
        ]


def _row(
    subject: Subject, name: str, student: Student, runs: Sequence[Took], ours: list[str]
) -> str:
    tokens = sum(len(ids) for ids in student.tokenizer(ours)["input_ids"])
    clock = median(run.clock for run in runs)
    processors = median(run.processors for run in runs)
    same = sum(a == b for a, b in zip(runs[0].answers, ours, strict=True))
    return (
        f"| {subject.name.split(':')[0]} | {name} | {tokens / clock:,.0f} | {tokens / processors:,.0f} "
        f"| {same} of {len(ours)} |"
    )


def one_leaf(taxonomy: Path) -> list[str]:
    """``graft evaluate`` after the example leaf of docs/ was added, as a night finds it and from nothing.

    Release zero is trained for a moment only: its answers do not end by themselves and take the longest
    that answers can, so what is measured is an upper bound.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(taxonomy, folder / "repo" / "taxonomy")
        recipe = yaml.safe_load((ROOT / "pipelines" / "recipes" / "tiny.yaml").read_text("utf-8"))
        recipe["bootstrap"]["tokens"] = ZERO_TOKENS
        recipe["evaluate"]["margin"] = 1.0  # whatever it is, it is released
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
        repository = Repo(folder / "repo")
        repository.commit("The taxonomy")
        graft(folder, "run")
        repository.branch("leaf")
        shutil.copytree(
            ROOT / "docs" / "examples" / "taxonomy",
            folder / "repo" / "taxonomy",
            dirs_exist_ok=True,
        )
        repository.commit("A leaf")
        graft(folder, "train", "--base", "main")
        night = graft(folder, "evaluate", "--base", "main")
        run = folder / "runs" / (folder / "runs" / "latest").read_text("utf-8").strip()
        shutil.rmtree(run / "evaluation")
        shutil.rmtree(folder / ".graft" / "answers")
        fresh = graft(folder, "evaluate", "--base", "main")
        asked = [
            len((run / "evaluation" / f"{kind}.jsonl").read_bytes().splitlines())
            if (run / "evaluation" / f"{kind}.jsonl").is_file()
            else 0
            for kind in ("items", "choices", "values")
        ]
    told = "{} questions, {} multiple choice, {} value probes".format(*asked)
    return [
        f"| a night: the old release's answers are kept | {told} | {night:.1f} |",
        f"| nothing is kept: three students answer all | {told} | {fresh:.1f} |",
    ]


def graft(folder: Path, command: str, *more: str) -> float:
    """The seconds that a command takes, the start of Python included."""
    words = [sys.executable, "-m", "pipelines", command, "--taxonomy", "repo/taxonomy",
             "--recipe", "recipe.yaml", "--target", "folder:releases", *more]  # fmt: skip
    started = time.monotonic()
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        raise SystemExit(f"graft {command} failed: {done.stderr[-2000:]}")
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subjects", nargs="*", choices=[[], *SUBJECTS, "leaf"], default=[])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument(
        "--alone", type=int, default=24, help="prompts that are answered one by one"
    )
    parser.add_argument("--taxonomy", type=Path, default=ROOT / "taxonomy", help="for leaf")
    given = parser.parse_args()
    chosen = given.subjects or [*SUBJECTS, "leaf"]
    print("| model | engine | tokens/s | tokens per processor second | same answers |")
    print("|---|---|---|---|---|")
    for name in SUBJECTS:
        if name in chosen:
            for row in measure(SUBJECTS[name], given.rounds, given.prompts, given.alone):
                print(row, flush=True)
    if "leaf" in chosen:
        print("\n| `graft evaluate` of one leaf more | asked | seconds |\n|---|---|---|")
        print("\n".join(one_leaf(given.taxonomy)), flush=True)


if __name__ == "__main__":
    main()
