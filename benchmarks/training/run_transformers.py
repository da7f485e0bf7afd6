"""transformers' Trainer with peft on the common rows; see ``common``.

Variants: ``plain``, rows drawn at random and padded to the longest of a step; ``grouped``, rows of like
length in a step (train_sampling_strategy, once group_by_length).
"""

import common  # first: it finds the settings

# isort: split
import tempfile

import transformers
from peft import get_peft_model
from torch.utils.data import Dataset
from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments


class Rows(Dataset):
    """Token ids, and as labels those of them that the assistant says."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        return self.rows[at]


def _encoded(tokenizer, rows):
    asked = [[{"role": "user", "content": row["question"]}] for row in rows]
    talks = [
        [*one, {"role": "assistant", "content": row["answer"]}]
        for one, row in zip(asked, rows, strict=True)
    ]
    prompts = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    wholes = tokenizer.apply_chat_template(talks, tokenize=False)
    short, full = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (prompts, wholes))
    return Rows(
        [
            {"input_ids": ids, "labels": [-100] * len(before) + ids[len(before) :]}
            for before, ids in zip(short, full, strict=True)
        ]
    )


def run(folder, settings, variant, watch):
    common.threads(settings)
    model, tokenizer = common.base(folder, settings)
    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(
            model=get_peft_model(model, common.lora()),
            args=TrainingArguments(**common.arguments(settings, variant, out)),
            train_dataset=_encoded(tokenizer, common.rows(folder)),
            data_collator=DataCollatorForSeq2Seq(tokenizer, padding=True),
        )
        common.watched(trainer, watch).train()
    return {"version": transformers.__version__}


if __name__ == "__main__":
    common.main(run)
