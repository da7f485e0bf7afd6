"""``make bench-train``: what training an adapter costs, beside transformers' Trainer and TRL.

    python benchmarks/train.py [SUBJECT …] [--rounds N] [--tokens N] [--environment DIR]

Subjects: ``tiny`` and ``middle`` (the same model, rows and tokens a step for everyone, float32, two
threads), ``small`` (tiny in the steps that a small change takes), ``laptop`` (the laptop recipe's shape:
memory and speed beside what a plan says), ``cuda`` (a Llama of 1.1 B in bfloat16, where there is such a
device). Each trainer is a process of its own, everyone by turns. TRL comes from PyPI into an environment
made on the first use. Output: Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.children import Cost, Failed, run  # noqa: E402
from benchmarks.training.subjects import CUDA, LAPTOP, MIDDLE, SMALL, TINY, Subject, make  # noqa: E402
from pipelines.train.cost import operations  # noqa: E402

SCRIPTS = ROOT / "benchmarks" / "training"
# What TRL needs beside what is installed here; torch and transformers are those of this environment.
TRL = "trl datasets pyarrow dill xxhash multiprocess pandas python-dateutil six".split()
Engine = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Given:
    """The command line; ``python`` of the environment with TRL, or None."""

    rounds: int
    tokens: int | None
    environment: Path


def with_trl(folder: Path) -> str:
    """The Python of an environment that sees this one's packages, and has TRL beside them."""
    python = folder / "bin" / "python"
    if (folder / "installed").is_file():
        return str(python)
    venv.create(folder, clear=True, with_pip=True, symlinks=True)
    mine = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})["purelib"]
    shared = sysconfig.get_paths()["purelib"]
    (Path(mine) / "shared.pth").write_text(f"{shared}\n", encoding="utf-8")
    pip = [str(python), "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt")]
    found = subprocess.run([*pip, "--no-deps", *TRL], capture_output=True, text=True, timeout=900)
    if found.returncode:
        raise Failed(f"cannot be installed: {' '.join(found.stderr.split())[-300:]}")
    (folder / "installed").touch()
    return str(python)


def _environment(given: Given) -> Iterator[str]:
    """Make TRL's, and say in a sentence where it cannot be had."""
    try:
        with_trl(given.environment)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        yield f"TRL {error}; everyone else is measured without it.\n"


def _pythons(subject: Subject, given: Given) -> dict[Engine, str]:
    trl = given.environment / "bin" / "python"
    there = (given.environment / "installed").is_file()
    return {
        engine: str(trl) if engine[0] == "trl" else sys.executable
        for engine in subject.engines
        if engine[0] != "trl" or there
    }


def _turns(
    subject: Subject, given: Given, folder: Path, failed: list[str]
) -> tuple[dict[Engine, list[dict[str, Any]]], list[float]]:
    """What each trainer told in each round, and how fast large products were beside them."""
    found: dict[Engine, list[dict[str, Any]]] = {}
    peaks = []
    pythons = _pythons(subject, given)
    for _ in range(given.rounds):
        peaks.append(_peak(subject))
        for engine, python in list(pythons.items()):
            name, variant = engine
            try:
                told = _trained(python, name, variant, folder, subject).told
                found.setdefault(engine, []).append(told)
            except Failed as error:
                failed.append(f"{name} {variant} did not run: {error}\n")
                del pythons[engine]
    return found, peaks


def _trained(python: str, name: str, variant: str, folder: Path, subject: Subject) -> Cost:
    words = [python, str(SCRIPTS / f"run_{name}.py"), str(folder), variant]
    return run(
        words,
        limit=7200,
        BENCH_STARTED=repr(time.time()),
        OMP_NUM_THREADS=str(subject.threads),
        OMP_WAIT_POLICY="PASSIVE",
        CUDA_VISIBLE_DEVICES=os.environ.get("CUDA_VISIBLE_DEVICES", "0"),
        TOKENIZERS_PARALLELISM="false",
    )


def _peak(subject: Subject) -> float:
    words = [sys.executable, str(SCRIPTS / "run_gemm.py"), subject.device, str(subject.threads)]
    return float(run(words, OMP_WAIT_POLICY="PASSIVE").told["speed"])


def beside(subject: Subject, given: Given) -> Iterator[str]:
    """Everyone on one subject, by turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = make(subject, folder, given.tokens or subject.tokens)
        yield f"{subject.name}; {steps} steps of at most {subject.tokens_per_step:,} tokens\n"
        failed: list[str] = []
        found, peaks = _turns(subject, given, folder, failed)
    yield from failed
    base = found.get(("graft", "plain"), [])
    names = (
        "trainer", "version", "useful tokens a second", "all rounds", "ours is times, paired", "steps",
        "tokens trained", "supervised", "padding", "to the end of the first step, s", "memory, MB",
    )  # fmt: skip
    yield f"| {' | '.join(names)} |"
    yield "|" + "---|" * len(names)
    for engine, told in found.items():
        yield _line(engine, told, base)
    if base:
        yield from ("", _share(subject, base, peaks))
        yield _same(base[-1], found)


def _line(engine: Engine, told: list[dict[str, Any]], base: list[dict[str, Any]]) -> str:
    rates = [one["rate"] for one in told]
    times = [mine["rate"] / rate for mine, rate in zip(base, rates, strict=False)]
    last = told[-1]
    cells: list[Any] = [
        " ".join(engine).removesuffix(" plain"), last["version"], f"{median(rates):,.0f}",
        " ".join(f"{rate:,.0f}" for rate in rates),
        f"{median(times):.2f}" if times else "", last["steps"], f"{last['tokens']:,}",
        f"{last['supervised']:,}", f"{last['padding']:.0%}",
        f"{median(one['first'] for one in told):.1f}", f"{max(one['memory'] for one in told):,.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _share(subject: Subject, base: list[dict[str, Any]], peaks: list[float]) -> str:
    """Counted: two operations a weight and token forward and two backward, of the layers, and of the
    head at 35 % of the tokens. Attention, the adapter and padding are not."""
    done = [operations(subject.shape, one["rate"]) for one in base]
    shares = [mine / peak for mine, peak in zip(done, peaks, strict=False)]
    return (
        f"Ours does {median(done) / 1e9:,.0f} of {median(peaks) / 1e9:,.0f} GFLOP/s that large products "
        f"reach beside it ({' '.join(f'{share:.0%}' for share in shares)}), useful tokens times "
        "cost.operations: frozen weights forward and backward; padding, attention and the adapter's own "
        "arithmetic not counted."
    )


def _same(ours: dict[str, Any], found: dict[Engine, list[dict[str, Any]]]) -> str:
    other = [
        " ".join(engine)
        for engine, told in found.items()
        if told[-1]["supervised"] != ours["supervised"]
    ]
    if not other:
        return "\nEveryone has as many supervised tokens."
    return f"\n**Not as many supervised tokens as ours**: {', '.join(other)}."


def laptop(given: Given) -> Iterator[str]:
    """Memory and speed of the laptop recipe's shape, beside what a plan would say."""
    from benchmarks.training.estimates import estimates

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = make(LAPTOP, folder, given.tokens or LAPTOP.tokens)
        yield f"{LAPTOP.name}; {steps} steps of at most {LAPTOP.tokens_per_step:,} tokens\n"
        yield "| what | measured | estimate | measured is times |"
        yield "|---|---|---|---|"
        for _, variant in LAPTOP.engines:
            told = _trained(sys.executable, "graft", variant, folder, LAPTOP).told
            expected = estimates(LAPTOP, variant, told["tokens"] / told["steps"])
            for what, measured, estimate, digits in (
                ("memory at most, GB", told["memory"] * 2**20 / 1e9, expected.memory / 1e9, 2),
                ("a step, s", told["step"], expected.seconds, 1),
                ("useful tokens a second", told["rate"], expected.rate, 1),
            ):
                label = f"{what}, {'every layer recomputed' if variant != 'plain' else 'as it is'}"
                yield (
                    f"| {label} | {measured:.{digits}f} | {estimate:.{digits}f} | "
                    f"{measured / estimate:.2f} |"
                )


def cuda(given: Given) -> Iterator[str]:
    """One Llama in bfloat16; MFU is the share of the large products' speed."""
    import torch

    if not torch.cuda.is_available():
        yield "There is no CUDA here, so nothing is measured in bfloat16."
        return
    yield f"{torch.cuda.get_device_name()}\n"
    yield from _environment(given)
    yield from beside(CUDA, given)


def _beside(subject: Subject) -> Callable[[Given], Iterator[str]]:
    def measured(given: Given) -> Iterator[str]:
        yield from _environment(given)
        yield from beside(subject, given)

    return measured


SUBJECTS: dict[str, Callable[[Given], Iterator[str]]] = {
    "tiny": _beside(TINY),
    "small": _beside(SMALL),
    "middle": _beside(MIDDLE),
    "laptop": laptop,
    "cuda": cuda,
}


def main(words: list[str]) -> int:
    """Measure the subjects that are named, or all."""
    parser = argparse.ArgumentParser(description="What training costs.")
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, help="of all rows (default: each subject's own)")
    parser.add_argument("--environment", type=Path, help="TRL's, a folder that is kept")
    given = parser.parse_args(words)
    unknown = [name for name in given.subjects if name not in SUBJECTS]
    if unknown:
        parser.error(f"there is no subject {unknown[0]}; there are {', '.join(SUBJECTS)}")
    with tempfile.TemporaryDirectory() as folder:
        kept = (given.environment or Path(folder) / "trl").absolute()
        print(f"Python {platform.python_version()}, {os.cpu_count()} cores.")
        for name in given.subjects or SUBJECTS:
            print(f"\n## {name} (load {os.getloadavg()[0]:.1f})\n", flush=True)
            for line in SUBJECTS[name](Given(given.rounds, given.tokens, kept)):
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
