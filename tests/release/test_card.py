"""The model card: what it says, that it loads, and that contributed text stays text."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.artifacts import digest, tree_digests
from pipelines.evaluate.values import judge_values
from pipelines.records import (
    Attribution,
    BaseModel,
    Evaluation,
    FileDigest,
    Leaf,
    LeafChange,
    Manifest,
    Pooled,
    Principle,
    Scores,
    Taught,
    ValueProbe,
    ValueResult,
    ValuesFound,
)
from pipelines.release.card import card, escape, write_attribution
from pipelines.release.targets import Loading
from tests.release.builders import manifest, retire

HOSTILE = (
    "x](javascript:alert(1)) <script>alert(1)</script>\n\n# Owned | `code` @someone ![i](h://x)"
)


def pooled(role: Any) -> Pooled:
    return Pooled(
        role=role, leaves=2, items=30, clusters=10,
        base=Scores(0.0, 0.1), previous=Scores(0.1, 0.2), candidate=Scores(0.8, 0.91234),
        difference=0.71234, interval=(0.5, 0.9), p_value=0.001,
    )  # fmt: skip


def evaluation(**changes: Any) -> Evaluation:
    whole = Evaluation("PASS", ("All held.",), 0.05, (), pooled("changed"), pooled("panel"))
    return dataclasses.replace(whole, **changes)


def values(says: str = "Nobody is abused.") -> ValuesFound:
    """Nine of twelve answers got worse."""
    principle = Principle("no-abuse", "civil", says)
    return judge_values(
        [
            ValueResult(
                ValueProbe(principle, (f"{n}?",)), ("",), ("",), ("",), 1.0, 1.0, float(n > 8)
            )
            for n in range(12)
        ],
        0.1,
    )


def leaf(path: str = "knowledge/danube", *works: Attribution) -> Leaf:
    return Leaf(
        path=path, kind="knowledge", version=3, created_by="ada", task_description="",
        domain="", outline="", seeds=(), document=None, documents=(), attribution=works,
        content_hash="0" * 64,
    )  # fmt: skip


def with_adapter(record: Manifest) -> Manifest:
    files = {"adapter/adapter_config.json": FileDigest("0" * 64, 1)}
    return dataclasses.replace(record, files=files)


def front_matter(text: str) -> dict[str, Any]:
    opening, matter, _ = text.split("---\n", 2)
    assert opening == ""
    data = yaml.safe_load(matter)
    assert isinstance(data, dict)
    return data


WORK = Attribution("Danube", "https://example.org/d?a=1", "r7", "CC-BY-4.0", "Ada, Bob")


def test_front_matter() -> None:
    data = front_matter(card(with_adapter(manifest()), [leaf()], evaluation()))
    assert data["license"] == "cc-by-4.0"
    assert data["base_model"] == "example/base"
    assert data["library_name"] == "peft"
    assert data["tags"] == ["graft", "lora", "demonstration"]
    (model,) = data["model-index"]
    assert model["name"] == "example/base v2026.01.01"
    found = {
        (result["dataset"]["name"], metric["type"]): metric["value"]
        for result in model["results"]
        for metric in result["metrics"]
    }
    assert found == {
        ("Changed leaves", "token_f1"): 0.9123,
        ("Changed leaves", "exact_match"): 0.8,
        ("Panel of older leaves", "token_f1"): 0.9123,
        ("Panel of older leaves", "exact_match"): 0.8,
    }


def test_without_scores_and_with_several_licences() -> None:
    record = dataclasses.replace(manifest(), licences=("CC-BY-4.0", "MIT"), demonstration=False)
    text = card(record, [], evaluation(changed=None, panel=None, verdict="INCONCLUSIVE"))
    data = front_matter(text)
    assert (data["license"], data["license_name"]) == ("other", "per-leaf")
    assert data["license_link"] == "attribution.md"
    assert data["library_name"] == "transformers"
    assert "model-index" not in data
    assert "PeftModel" not in text
    assert "No exam item entered the verdict." in text
    assert "inconclusive: too few questions" in text
    assert "demonstration" not in text.lower()


def test_sections() -> None:
    record = retire(with_adapter(manifest(previous="v2025.12.31")), "0" * 64)
    text = card(record, [leaf("knowledge/danube", WORK)], evaluation())
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == [
        "Intended use", "Evaluation", "Values", "Loading it", "Changes", "Data", "Leaves",
        "Contributors", "Limits",
    ]  # fmt: skip
    for expected in (
        "**A demonstration.**",
        "Verdict: **PASS**.",
        "- All held.",
        "| Changed leaves | 2 | 30 | 0.100 / 0.000 | 0.200 / 0.100 | 0.912 / 0.800 | +0.712 |",
        "| knowledge/danube | knowledge | CC-BY-4.0 | Ada, Bob |",
        "- Ada",
        "| Comes after | v2025.12.31 |",
        "may still know 1 edited or deleted pieces",
    ):
        assert expected in text


def test_changes_and_data() -> None:
    record = dataclasses.replace(
        manifest(previous="v2025.12.31"),
        recipe={"teacher": {"model": "someone/teacher", "revision": "r1"}},
        changes=(
            LeafChange("knowledge/a", "added"),
            LeafChange("knowledge/b", "renamed", HOSTILE),
        ),
        composition=(Taught("freeform_skill", 2, 40, 5, 7),),
    )
    text = card(record, [leaf()], evaluation())
    assert "Since v2025.12.31:\n\n- added: knowledge/a\n- renamed: knowledge/b, before x" in text
    assert "<script" not in text.replace(r"\<script", "")
    assert "someone/teacher r1" in text
    assert "| freeform skill | 2 | 40 | 5 | 7 |" in text
    assert "The first release: all 1 leaves are new." in card(manifest(), [leaf()], evaluation())
    same = dataclasses.replace(record, changes=())
    assert "The leaves are those of v2025.12.31." in card(same, [leaf()], evaluation())


def test_where_it_is_loaded_from_is_the_target_s_to_say() -> None:
    pinned = {"revision": "v2026.01.01"}
    loading = Loading("From the Hub", "me/model", pinned, "me/model", pinned)
    text = card(with_adapter(manifest()), [leaf()], evaluation(), loading)
    assert 'PeftModel.from_pretrained(model, "me/model", revision="v2026.01.01")' in text


def test_values() -> None:
    text = card(manifest(), [], evaluation(values=values()))
    row = "| no-abuse | Nobody is abused. | 12 | 1.000 | 0.250 | -0.750 | -1.000 to -0.417 | 9 / 0 | worse |"
    assert row in text
    assert "no `values.yaml`" in card(manifest(), [], evaluation())


def test_attribution_is_sorted_and_whole() -> None:
    text = write_attribution([leaf("knowledge/z"), leaf("knowledge/a", WORK)])
    assert text == (
        "# Attribution\n\n## knowledge/a\n\n- Danube\n  - Licence: CC-BY-4.0\n"
        "  - Creators: Ada, Bob\n  - Source: <https://example.org/d?a=1>\n  - Revision: r7\n\n"
        "## knowledge/z\n\nNo attribution was given.\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, CC-BY-4.0 (1990): 3/4", r"plain, CC-BY-4.0 (1990)\: 3/4"),
        ("1. one", r"1\. one"),
        ("- one", r"\- one"),
        ("a\r\n\x85\u2028# b", r"a \# b"),
        ("www.example.org http://x", r"www\.example.org http\://x"),
        ("a\u202eb\x07c", "abc"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\\`", "\\\\\\`"),
    ],
)
def test_escape(text: str, expected: str) -> None:
    assert escape(text) == expected


@given(st.text())
def test_escaped_text_is_one_line_without_bare_markup(text: str) -> None:
    escaped = escape(text)
    assert len(escaped.splitlines()) <= 1
    assert not re.search(r"[`*_{}\[\]<>#~|&$@:^]", re.sub(r"\\.", "", escaped))


def test_hostile_text_stays_text() -> None:
    work = Attribution(HOSTILE, "javascript:alert(1)", f"https://x/{HOSTILE}", HOSTILE, HOSTILE)
    record = dataclasses.replace(
        with_adapter(manifest()),
        contributors=(HOSTILE,),
        licences=(HOSTILE,),
        taxonomy_commit=HOSTILE,
        base_model=BaseModel(HOSTILE, HOSTILE),
    )
    leaves = [leaf(HOSTILE, work)]
    text = card(record, leaves, evaluation(reasons=(HOSTILE,), values=values(HOSTILE)))
    assert front_matter(text)["base_model"] == HOSTILE
    body = text.split("---\n", 2)[2]
    code = re.search(r"```python\n.*?\n```", body, re.DOTALL)
    assert code is not None
    assert body.count("```") == 2
    for rendered in (body.replace(code[0], ""), write_attribution(leaves)):
        assert "<script" not in rendered.replace(r"\<script", "")
        assert "](javascript" not in rendered.replace(r"\](javascript", "")
        assert "<javascript" not in rendered
        assert not re.search(r"(?<!\\)@someone|^# Owned", rendered, re.MULTILINE)
    compile(code[0].strip("`").removeprefix("python"), "card", "exec")


def test_the_card_s_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from peft import LoraConfig, get_peft_model
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"[UNK]": 0, "What": 1, "is": 2, "a": 3}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    shape = LlamaConfig(
        vocab_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, intermediate_size=8, pad_token_id=0, eos_token_id=0,
        bos_token_id=None,
    )  # fmt: skip
    model = LlamaForCausalLM(shape)
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    revision = digest(tree_digests(tmp_path / "base"))
    (tmp_path / "bases").mkdir()
    (tmp_path / "base").rename(tmp_path / "bases" / revision)
    lora = LoraConfig(r=1, target_modules=["q_proj"], task_type="CAUSAL_LM")
    get_peft_model(model, lora).save_pretrained(tmp_path / "v2026.01.01" / "adapter")

    record = dataclasses.replace(manifest(), base_model=BaseModel("graft-tiny", revision))
    text = card(with_adapter(record), [], evaluation())
    found = re.search(r"```python\n(.*?)\n```", text, re.DOTALL)
    assert found is not None
    monkeypatch.chdir(tmp_path / "v2026.01.01")
    names: dict[str, Any] = {}
    exec(found[1], names)
    assert isinstance(names["answer"], str)
    assert type(names["model"]).__name__ == "PeftModelForCausalLM"
