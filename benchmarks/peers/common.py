"""What every engine is given: the same rows, the same two prompts, the same pattern, the same report.

Standard library alone, since it is imported in each peer's own environment. The logical flow: ask for
pairs about a document, leave out repeated questions, ask whether each pair is supported, keep those
that are. The stand-in server gives three pairs an answer, so a row costs four calls.

A script here is started as

    python SCRIPT --url http://127.0.0.1:PORT/v1 --rows 200 --concurrency 64

and prints one line of JSON: ``ready`` (seconds of wall time from the start of Python until everything
is imported), ``run`` and ``cpu`` (seconds of the engine alone), ``rows`` (that came out), ``version``.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable

STARTED = time.perf_counter()
MODEL = "stand-in"
PATTERN = r"\[QUESTION\]\s*(.*?)\s*\[ANSWER\]\s*(.*?)\s*\[END\]"
VERDICT = r"\[VERDICT\]\s*(.*?)\s*\[END\]"
ASK = """\
You write practice questions about a text.

{{ document }}

Here is one question of the kind that is wanted, with its answer:

[QUESTION]
{{ seed_question }}
[ANSWER]
{{ seed_answer }}
[END]

Write further pairs in exactly this form, each from [QUESTION] to [END]."""
JUDGE = """\
You judge whether a text supports an answer.

{{ document }}

The question is: {{ question }}
The answer is: {{ answer }}

[VERDICT]
YES or NO
[END]

Judge in exactly this form, from [VERDICT] to [END]."""


def rows(count: int) -> list[dict[str, str]]:
    """``count`` rows, each with a document of its own of about 1,100 characters."""
    return [
        {
            "document": " ".join(_sentence(number, place) for place in range(14)),
            "seed_question": f"Where does the river of valley {number} rise?",
            "seed_answer": f"On hill {number % 89}.",
        }
        for number in range(count)
    ]


def _sentence(number: int, place: int) -> str:
    names = ("mill", "bridge", "weir", "ferry", "lock", "ford", "quay")
    years = 1200 + (number * 31 + place * 57) % 700
    return (
        f"The {names[(number + place) % 7]} of valley {number} at bend {place} was built in {years} "
        f"of oak and stone."
    )


def main(version: Callable[[], str], run: Callable[[str, list[dict[str, str]], int], int]) -> None:
    """Run an engine as the command line says and tell how long it took."""
    ready = time.perf_counter() - STARTED
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--concurrency", type=int, default=64)
    given = parser.parse_args()
    inputs = rows(given.rows)
    began, before = time.perf_counter(), _cpu()
    kept = run(given.url, inputs, given.concurrency)
    took, cpu = time.perf_counter() - began, _cpu() - before
    told = {"ready": ready, "run": took, "cpu": cpu, "rows": kept, "version": version()}
    print(json.dumps(told))


def _cpu() -> float:
    """Seconds of CPU of this process and of those that it started and waited for."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)
