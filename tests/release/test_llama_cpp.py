"""GGUF files under llama.cpp: the same tokens as transformers, one by one; and the exam that they sit."""

from __future__ import annotations

import functools
import json
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipelines import deploy as deployment
from pipelines.backends.gguf import GgufStudent, quantize
from pipelines.backends.local import Student
from pipelines.deploy import Order, deploy
from pipelines.errors import ReleaseError
from pipelines.evaluate import read_evaluation
from pipelines.release.gguf import write_gguf
from pipelines.schemas import violations
from tests.release.models import like_llama3, like_qwen2
from tests.support.flow import ROOT, Site, grown_site
from tests.support.tiny_model import tiny_model

pytestmark = pytest.mark.slow
QUESTIONS = [f"What is part {number} of the river?" for number in range(12)]


@pytest.fixture
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.getbasetemp())


@functools.cache
def grouped(scratch: Path) -> Path:
    return like_llama3(scratch / "like-llama3-in-32-bits")


@functools.cache
def qwen2(scratch: Path) -> Path:
    return like_qwen2(scratch / "like-qwen2")


def opened(path: Path, **options: Any) -> Any:
    from llama_cpp import Llama

    return Llama(str(path), n_ctx=256, n_threads=2, verbose=False, **options)


def prompts(tokenizer: Any) -> Iterator[list[int]]:
    for question in QUESTIONS:
        turns = [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        yield tokenizer(text, add_special_tokens=False)["input_ids"]


def greedy(model: Any, ids: list[int], count: int, end: int) -> list[int]:
    """The next tokens by transformers."""
    with torch.inference_mode():
        out = model.generate(
            torch.tensor([ids]), max_new_tokens=count, do_sample=False, pad_token_id=0
        )
    found: list[int] = out[0, len(ids) :].tolist()
    return found[: found.index(end)] if end in found else found


def greedy_there(model: Any, ids: list[int], count: int) -> list[int]:
    """The same by llama.cpp."""
    found: list[int] = []
    model.reset()
    for token in model.generate(ids, temp=0.0):
        if token == model.token_eos() or len(found) == count:
            break
        found.append(token)
    return found


def said_alike(folder: Path, there: Any) -> int:
    """The tokens of all answers, after llama.cpp was seen to give those of transformers."""
    here = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pairs = [
        (greedy(here, ids, 24, tokenizer.eos_token_id), greedy_there(there, ids, 24))
        for ids in prompts(tokenizer)
    ]
    assert len({tuple(want) for want, _ in pairs}) > 6
    assert [found for _, found in pairs] == [want for want, _ in pairs]
    return sum(len(want) for want, _ in pairs)


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0"])
def test_the_tiny_student_says_the_same_token_by_token(
    tiny: Path, tmp_path: Path, kind: str
) -> None:
    write_gguf(tiny, kind, tmp_path / "out.gguf", "tiny")
    assert said_alike(tiny, opened(tmp_path / "out.gguf")) > 40


@pytest.mark.parametrize("kind", ["F32", "F16"])
def test_a_random_qwen2_says_the_same_token_by_token(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    folder = qwen2(tmp_path_factory.getbasetemp())
    write_gguf(folder, kind, tmp_path / "out.gguf", "qwen2")
    assert said_alike(folder, opened(tmp_path / "out.gguf", type_k=0, type_v=0)) > 200


@pytest.mark.parametrize(
    ("model", "differs"),
    [
        # Only what is a number and no digit may differ (½, ², Ⅳ).
        (
            tiny_model,
            lambda line: any(sign.isnumeric() and not sign.isdecimal() for sign in line),
        ),
        # Letters that are not composed: Qwen2's tokenizer composes them, llama.cpp does not.
        (qwen2, lambda line: not unicodedata.is_normalized("NFC", line)),
    ],
)
def test_texts_are_cut_into_the_same_tokens(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    model: Callable[[Path], Path],
    differs: Callable[[str], bool],
) -> None:
    """Every leaf and document of the taxonomy."""
    folder = model(tmp_path_factory.getbasetemp())
    write_gguf(folder, "F16", tmp_path / "out.gguf", "it")
    there, tokenizer = opened(tmp_path / "out.gguf"), AutoTokenizer.from_pretrained(folder)
    lines = {
        line
        for path in sorted((ROOT / "taxonomy").rglob("*"))
        if path.suffix in (".yaml", ".md")
        for line in path.read_text(encoding="utf-8").splitlines()
        if not differs(line)
    }
    assert len(lines) > 1000
    special = "<|user|>Who?<|end|>\n\n  Tabs\tand  spaces  <|assistant|>"
    for line in [*sorted(lines), special, "naïve Größe 模型 🌲 don't WE'LL 12345 1,000.5"]:
        want = tokenizer(line, add_special_tokens=False)["input_ids"]
        assert there.tokenize(line.encode(), add_bos=False, special=True) == want, line


def test_grouped_heads_and_longer_texts_give_the_same_numbers(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = grouped(tmp_path_factory.getbasetemp())
    write_gguf(folder, "F32", tmp_path / "out.gguf", "grouped")
    # The cache in 32 bits too, as it is here.
    there = opened(tmp_path / "out.gguf", logits_all=True, type_k=0, type_v=0)
    here, ids = AutoModelForCausalLM.from_pretrained(folder), [n * 37 % 400 for n in range(200)]
    there.eval(ids)
    with torch.inference_mode():
        want = here(torch.tensor([ids])).logits[0].numpy()
    found = np.array(there.scores[: len(ids)])
    np.testing.assert_allclose(found, want, atol=2e-3 * np.abs(want).max())
    assert (found.argmax(1) == want.argmax(1)).mean() > 0.99
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "  Don't WE'LL 12345 naïve\n\n模型 🌲\t ½"
    assert there.tokenize(text.encode(), add_bos=False) == tokenizer(text)["input_ids"]


@pytest.mark.parametrize("model", [grouped, qwen2])
def test_four_bits_where_the_shape_allows(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, model: Callable[[Path], Path]
) -> None:
    folder = model(tmp_path_factory.getbasetemp())
    write_gguf(folder, "F32", tmp_path / "whole.gguf", "it")
    quantize(tmp_path / "whole.gguf", tmp_path / "small.gguf", 2)
    whole, small = ((tmp_path / f"{name}.gguf").stat().st_size for name in ("whole", "small"))
    assert small < whole / 3
    assert isinstance(GgufStudent(tmp_path / "small.gguf", 4, 256, 2).answers(["Who?"])[0], str)


def test_the_file_answers_as_the_student_does(tiny: Path, tmp_path: Path) -> None:
    """Through its own template and tokenizer, as whoever loads it is answered."""
    write_gguf(tiny, "F16", tmp_path / "out.gguf", "tiny")
    found = GgufStudent(tmp_path / "out.gguf", 24, 128, 2).answers(QUESTIONS)
    assert found == Student(tiny, None, 24, 2).answers(QUESTIONS)
    assert any(answer.startswith("It is river") for answer in found)


@pytest.fixture
def site(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return grown_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")


def test_each_file_sits_the_exam_of_its_release(site: Site) -> None:
    said: list[str] = []
    order = Order(("gguf-f16", "gguf-q8_0"), site.path / "out", site.path / ".graft")
    record = deploy(site.target, site.head().release, order, said.append)
    assert violations(record, "deploy") == []
    assert [exam["sat"] for exam in record["exams"]] == [True, True]
    for exam, least in zip(
        record["exams"], (0.9, 0.6), strict=True
    ):  # it has learnt little, so ties are near
        evaluation, items = read_evaluation((order.out / exam["evaluation"]).parent)
        assert (
            violations(json.loads((order.out / exam["evaluation"]).read_bytes()), "evaluation")
            == []
        )
        assert evaluation.changed is None
        assert {result.item.leaf for result in items} == set(site.head().leaves)
        same = [result.candidate == result.previous for result in items]
        assert sum(same) / len(same) > least
    assert sum("margin" in line for line in said) == 2


def test_a_file_that_is_worse_is_not_handed_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of the base in the place of the release's, and a margin that nothing keeps."""
    real = deployment._source
    monkeypatch.setattr(
        deployment,
        "_source",
        lambda *words: replace(
            real(*words),
            recipe=replace(
                real(*words).recipe, evaluate=replace(real(*words).recipe.evaluate, margin=-1.0)
            ),
        ),
    )
    order = Order(("gguf-q8_0",), site.path / "out", site.path / ".graft")
    with pytest.raises(
        ReleaseError, match=r"Q8_0\.gguf is not handed out: token F1 .* Leave Q8_0 out"
    ):
        deploy(site.target, site.head().release, order, lambda line: None)
    assert not order.out.exists()
