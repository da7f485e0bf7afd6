"""TRL's SFTTrainer on the common rows; see ``common``.

Variants: ``plain`` as it is by default; ``grouped``, rows of like length in a step; ``packed``, its
best-fit packing, which keeps rows apart by their positions; ``wrapped``, packing that cuts rows where a
sequence is full and lets them read each other. Gradient checkpointing, on by default, is off for
everyone: it takes time for memory.
"""

import common  # first: it finds the settings

# isort: split
import logging
import tempfile

import trl
from datasets import Dataset, disable_progress_bars
from trl import SFTConfig, SFTTrainer

WRAPPED = 512  # tokens of a sequence, as many as the student reads


def _config(settings, variant, out):
    given = common.arguments(settings, variant, out)
    tokens = settings["tokens_per_step"]
    if variant.startswith("packed"):
        more = {"packing": True, "max_length": tokens, "per_device_train_batch_size": 1}
    elif variant.startswith("wrapped"):
        length = min(tokens, WRAPPED)
        more = {
            "packing": True,
            "packing_strategy": "wrapped",
            "max_length": length,
            "per_device_train_batch_size": tokens // length,
        }
    else:
        more = {"max_length": None}
    return SFTConfig(**{**given, **more})


def run(folder, settings, variant, watch):
    logging.disable(logging.WARNING)
    disable_progress_bars()
    common.threads(settings)
    model, tokenizer = common.base(folder, settings)
    data = Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": row["question"]}],
                "completion": [{"role": "assistant", "content": row["answer"]}],
            }
            for row in common.rows(folder)
        ]
    )
    with tempfile.TemporaryDirectory() as out:
        trainer = SFTTrainer(
            model=model,
            args=_config(settings, variant, out),
            train_dataset=data,
            processing_class=tokenizer,
            peft_config=common.lora(),
        )
        common.watched(trainer, watch).train()
    return {"version": trl.__version__}


if __name__ == "__main__":
    common.main(run)
