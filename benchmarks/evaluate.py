"""``make bench-evaluate``: what an exam costs, beside ``generate`` one by one and lm-eval.

    python benchmarks/evaluate.py [tiny|middle …] [--rounds N] [--prompts N] [--site DIR]

Models of random weights, whose answers end at a set of tokens, so that they differ in length as a
student's do; the same prompts and the same greedy answers for all, which is checked. Everyone by turns in one
process, tokens of answers per second of the clock and of the processors. lm-eval: a ``generate_until`` task
over the prompts. With ``--site``, a folder with releases/ and a taxonomy's repository: the time of the exam
itself. Output: Markdown.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1"}
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from benchmarks.generated import words  # noqa: E402
from benchmarks.one_by_one import one_by_one  # noqa: E402
from benchmarks.training.subjects import MIDDLE, TINY, Subject, make  # noqa: E402
from pipelines.backends.local import Student  # noqa: E402

SUBJECTS = {"tiny": TINY, "middle": MIDDLE}
NEW_TOKENS = 48
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
    """The student with many tokens that end an answer, which everyone heeds."""
    vocabulary = len(student.tokenizer)
    ends = sorted({student.tokenizer.eos_token_id, *range(7, vocabulary, ENDS)})
    student.model.generation_config.eos_token_id = ends
    student._ends = frozenset(ends)
    return student


def lm_eval(folder: Path, batch: int) -> Callable[[Student, Sequence[str]], list[str]]:
    """lm-eval's evaluation of a task with these prompts; its reading of the task is not counted."""
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    logging.disable(logging.WARNING)
    data = folder / "prompts.jsonl"

    def answer(student: Student, prompts: Sequence[str]) -> list[str]:
        if not data.exists():
            lines = [json.dumps({"prompt": student._asked(prompt)}) for prompt in prompts]
            data.write_text("\n".join(lines) + "\n", encoding="utf-8")
            text = TASK.format(data=data, tokens=NEW_TOKENS)
            (folder / "bench.yaml").write_text(text, encoding="utf-8")
        manager = managers.setdefault(
            "one", TaskManager(include_path=str(folder), include_defaults=False)
        )
        model = HFLM(pretrained=student.model, tokenizer=student.tokenizer, batch_size=batch)
        told: Any = simple_evaluate(
            model=model, tasks=["bench_prompts"], task_manager=manager, bootstrap_iters=0
        )
        rows = sorted(told["samples"]["bench_prompts"], key=lambda row: row["doc_id"])
        return [row["resps"][0][0].strip() for row in rows]

    managers: dict[str, Any] = {}
    return answer


def took(
    engine: Callable[[Student, Sequence[str]], list[str]], student: Student, prompts: Sequence[str]
) -> Took:
    clock, processors = time.monotonic(), time.process_time()
    answers = engine(student, prompts)
    return Took(answers, time.monotonic() - clock, time.process_time() - processors)


def measure(subject: Subject, rounds: int, many: int) -> list[str]:
    """The rows of one subject's table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(subject, folder, 4_000)
        student = ended(Student(folder / "base", None, NEW_TOKENS, subject.threads))
        draw = random.Random(3)
        prompts = [f"{words(draw, draw.randint(6, 40))}?" for _ in range(many)]
        (folder / "task").mkdir()
        engines: dict[str, Callable[[Student, Sequence[str]], list[str]]] = {
            "Graft": lambda student, prompts: student.answers(prompts),
            "generate, one by one": one_by_one,
            "lm-eval, batches of 128": lm_eval(folder / "task", 128),
        }
        found: dict[str, list[Took]] = {name: [] for name in engines}
        for number in range(rounds + 1):
            for name, engine in engines.items():
                one = took(engine, student, prompts)
                if number:  # the first round warms everyone up
                    found[name].append(one)
        ours = found["Graft"][0].answers
        tokens = sum(len(ids) for ids in student.tokenizer(ours)["input_ids"])
    return [_row(subject, name, tokens, runs, ours) for name, runs in found.items()]


def _row(subject: Subject, name: str, tokens: int, runs: Sequence[Took], ours: list[str]) -> str:
    clock = median(run.clock for run in runs)
    processors = median(run.processors for run in runs)
    same = sum(a == b for a, b in zip(runs[0].answers, ours, strict=True))
    return (
        f"| {subject.name.split(':')[0]} | {name} | {tokens / clock:,.0f} | {tokens / processors:,.0f} "
        f"| {same} of {len(ours)} |"
    )


def exam(site: Path) -> None:
    """The time of ``graft evaluate --model`` on the head of a site's releases, started from nothing."""
    import subprocess

    head = (site / "releases" / "HEAD").read_text(encoding="utf-8").strip()
    command = [sys.executable, "-m", "pipelines", "evaluate", "--model", head, "--taxonomy",
               str(site / "repo" / "taxonomy"), "--format", "json"]  # fmt: skip
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=site,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)["total"]
    asked = sum((told[part] or {"items": 0})["items"] for part in ("people", "synthetic", "choice"))
    print(f"\nAn exam of {asked} questions, the start of Python included: "
          f"{time.monotonic() - started:.1f} s")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subjects", nargs="*", choices=[[], *SUBJECTS], default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--site", type=Path)
    given = parser.parse_args()
    print("| model | engine | tokens/s | tokens per processor second | same answers |")
    print("|---|---|---|---|---|")
    for name in given.subjects or SUBJECTS:
        for row in measure(SUBJECTS[name], given.rounds, given.prompts):
            print(row, flush=True)
    if given.site is not None:
        exam(given.site.resolve())


if __name__ == "__main__":
    main()
