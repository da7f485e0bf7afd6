"""sdg_hub on the common rows; see ``common``."""

import common  # first: it looks at the clock

# isort: split
import importlib.metadata
import logging
import os
import tempfile
from pathlib import Path

import yaml

os.environ.setdefault("LOG_LEVEL", "ERROR")
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would fetch a list of prices

import pandas
from sdg_hub import Flow


def _asking(folder, name, prompt, inputs, pattern, columns):
    (folder / f"{name}.yaml").write_text(yaml.safe_dump([{"role": "user", "content": prompt}]))

    def block(kind, **config):
        return {"block_type": kind, "block_config": config}

    return [
        block(
            "PromptBuilderBlock",
            block_name=f"{name}_prompt",
            input_cols=inputs,
            output_cols=f"{name}_messages",
            prompt_config_path=f"{name}.yaml",
            format_as_messages=True,
        ),
        block(
            "LLMChatBlock",
            block_name=f"{name}_ask",
            input_cols=f"{name}_messages",
            output_cols=f"{name}_response",
            async_mode=True,
            max_tokens=2048,
            temperature=0.0,
        ),
        block(
            "LLMResponseExtractorBlock",
            block_name=f"{name}_text",
            input_cols=f"{name}_response",
            field_prefix=f"{name}_",
            extract_content=True,
        ),
        block(
            "RegexParserBlock",
            block_name=f"{name}_parse",
            input_cols=f"{name}_content",
            output_cols=columns,
            parsing_pattern=pattern,
        ),
    ]


def _flow(folder):
    pairs = _asking(
        folder,
        "pairs",
        common.ASK,
        ["document", "seed_question", "seed_answer"],
        common.PATTERN,
        ["question", "answer"],
    )
    judge = _asking(
        folder,
        "judge",
        common.JUDGE,
        ["document", "question", "answer"],
        common.VERDICT,
        ["verdict"],
    )
    keep = {
        "block_type": "ColumnValueFilterBlock",
        "block_config": {
            "block_name": "supported",
            "input_cols": "verdict",
            "filter_value": "YES",
            "operation": "eq",
        },
    }
    metadata = {"name": "bench", "description": "bench", "version": "1.0.0", "author": "bench"}
    path = folder / "flow.yaml"
    path.write_text(yaml.safe_dump({"metadata": metadata, "blocks": [*pairs, *judge, keep]}))
    return path


def run(url, inputs, concurrency):
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        flow = Flow.from_yaml(str(_flow(Path(name))))
        flow.set_model_config(model=f"openai/{common.MODEL}", api_base=url, api_key="none")
        return len(flow.generate(pandas.DataFrame(inputs), max_concurrency=concurrency))


if __name__ == "__main__":
    common.main(lambda: importlib.metadata.version("sdg-hub"), run)
