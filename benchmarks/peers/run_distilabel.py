"""distilabel on the common rows; see ``common``. Each of its steps is a process of its own."""

import common  # first: it looks at the clock

# isort: split
import importlib.metadata
import logging
import re
import warnings

warnings.simplefilter("ignore")

from distilabel.models import OpenAILLM  # noqa: E402
from distilabel.pipeline import Pipeline  # noqa: E402
from distilabel.steps import LoadDataFromDicts, StepInput, step  # noqa: E402
from distilabel.steps.tasks import TextGeneration  # noqa: E402


@step(inputs=["generation"], outputs=["question", "answer"])
def Pairs(inputs: StepInput):
    """The pairs of each answer, a row each; repeated questions of a batch left out."""
    found, seen = [], set()
    for row in inputs:
        for question, answer in re.findall(common.PATTERN, row["generation"] or "", re.DOTALL):
            if question not in seen:
                seen.add(question)
                kept = {"document": row["document"], "question": question, "answer": answer}
                found.append(kept)
    yield found


@step(inputs=["generation"], outputs=["verdict"])
def Supported(inputs: StepInput):
    """The rows that the judge lets pass."""
    kept = []
    for row in inputs:
        verdicts = re.findall(common.VERDICT, row["generation"] or "", re.DOTALL)
        if verdicts[:1] == ["YES"]:
            kept.append({**row, "verdict": "YES"})
    yield kept


def _llm(url):
    return OpenAILLM(
        model=common.MODEL,
        base_url=url,
        api_key="none",
        generation_kwargs={"max_new_tokens": 2048, "temperature": 0.0},
    )


def run(url, inputs, concurrency):
    logging.disable(logging.WARNING)
    with Pipeline("bench") as pipeline:
        load = LoadDataFromDicts(data=inputs, batch_size=concurrency)
        ask = TextGeneration(
            name="ask_pairs",
            llm=_llm(url),
            template=common.ASK,
            columns=["document", "seed_question", "seed_answer"],
            input_batch_size=concurrency,
            add_raw_output=False,
            add_raw_input=False,
        )
        pairs = Pairs(name="pairs", input_batch_size=concurrency)
        judge = TextGeneration(
            name="judge",
            llm=_llm(url),
            template=common.JUDGE,
            columns=["document", "question", "answer"],
            input_batch_size=concurrency,
            add_raw_output=False,
            add_raw_input=False,
        )
        keep = Supported(name="supported", input_batch_size=concurrency)
        load >> ask >> pairs >> judge >> keep
    return len(pipeline.run(use_cache=False)["default"]["train"])


if __name__ == "__main__":
    common.main(lambda: importlib.metadata.version("distilabel"), run)
