"""instructlab-sdg on the common rows; see ``common``.

Its package imports docling and torch for reading documents, which the engine measured here does not
use: the parent package is stood in for, so that neither is installed or counted. It is given what it is
tuned for, batches of 8 prompts in one request; the server counts prompts beside requests.
"""

import common  # first: it looks at the clock

# isort: split
import importlib.metadata
import importlib.util
import logging
import sys
import tempfile
import types
from pathlib import Path

import yaml

_FOUND = importlib.util.find_spec("instructlab")
_FOLDERS = [f"{folder}/sdg" for folder in _FOUND.submodule_search_locations]
_PACKAGE = types.ModuleType("instructlab.sdg")
_PACKAGE.__path__ = _FOLDERS
sys.modules["instructlab.sdg"] = _PACKAGE

from datasets import Dataset, disable_progress_bars  # noqa: E402
from instructlab.sdg.blocks import filterblock, llmblock  # noqa: E402, F401
from instructlab.sdg.pipeline import Pipeline, PipelineContext  # noqa: E402
from openai import OpenAI  # noqa: E402


def _block(folder, name, prompt, pattern, columns):
    empty = dict.fromkeys(("system", "introduction", "principles", "examples"), "")
    config = folder / f"{name}.yaml"
    config.write_text(yaml.safe_dump({**empty, "generation": prompt}))
    parser = {"parser_name": "custom", "parsing_pattern": pattern, "parser_cleanup_tags": []}
    return {
        "name": name,
        "type": "LLMBlock",
        "config": {
            "config_path": str(config),
            "output_cols": columns,
            "model_id": common.MODEL,
            "model_prompt": "",
            "gen_kwargs": {"max_tokens": 2048, "temperature": 0},
            "parser_kwargs": parser,
        },
    }


def run(url, inputs, concurrency):
    logging.disable(logging.WARNING)
    disable_progress_bars()
    client = OpenAI(base_url=url, api_key="none")
    client.server_supports_batched = True  # it would ask, once for each block
    context = PipelineContext(
        client, model_id=common.MODEL, batch_num_workers=concurrency, dataset_num_procs=1
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ask = _block(folder, "ask_pairs", common.ASK, common.PATTERN, ["question", "answer"])
        judge = _block(folder, "judge", common.JUDGE, common.VERDICT, ["verdict"])
        keep = {
            "name": "supported",
            "type": "FilterByValueBlock",
            "config": {"filter_column": "verdict", "filter_value": "YES", "operation": "eq"},
        }
        blocks = [{**ask, "drop_duplicates": ["question"]}, judge, keep]
        return len(Pipeline(context, str(folder), blocks).generate(Dataset.from_list(inputs)))


if __name__ == "__main__":
    common.main(lambda: importlib.metadata.version("instructlab-sdg"), run)
