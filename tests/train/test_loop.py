"""The optimiser and the loop on models small enough to look into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch.nn import functional
from transformers import LlamaForCausalLM

from pipelines.errors import TrainError
from pipelines.train.data import Batch, batches, encode
from pipelines.train.loop import Muon, _last_mlp_on_answers, _orthogonal, scratch_optimizers, train
from pipelines.train.student import fresh_model
from tests.train.support import recipe, rows, tokenizer

TOKENS = tokenizer()


def model(seed: int = 0) -> LlamaForCausalLM:
    return fresh_model(recipe().student, TOKENS, seed)


def steps(limit: int = 256, weight: float = 1.0) -> Iterator[Batch]:
    found = encode(TOKENS, [(row, weight) for row in rows("river")], 128)
    epoch = 0
    while True:
        yield from batches(found, limit, epoch)
        epoch += 1


def loss_of(student: LlamaForCausalLM, batch: Batch) -> float:
    with torch.no_grad():
        logits = student(input_ids=batch.ids).logits[batch.rows, batch.columns]
        return float(functional.cross_entropy(logits, batch.targets))


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 64, 24), (2, 24, 64), (1, 8, 128)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    # Near one for all but the directions that hardly carry any of the update.
    stack = torch.randn(shape, generator=generator) * 100
    found = _orthogonal(stack)
    assert found.shape == stack.shape
    before, after = torch.linalg.svdvals(stack), torch.linalg.svdvals(found)
    strong = before > 0.02 * before[:, :1]
    assert after.max() < 1.3
    assert after[strong].min() > 0.6


def test_orthogonalising_keeps_the_directions() -> None:
    left, _ = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(1)))
    spread = left @ torch.diag(torch.linspace(1, 9, 16)) @ left.T
    aligned = left.T @ _orthogonal(spread[None])[0] @ left
    assert torch.allclose(aligned, torch.diag(aligned.diagonal()), atol=1e-4)
    assert aligned.diagonal().min() > 0.6
    assert torch.isfinite(_orthogonal(torch.zeros(1, 4, 4))).all()


def test_muon_moves_each_matrix_alike_whatever_its_gradient_s_size() -> None:
    matrices = [torch.nn.Parameter(torch.zeros(8, 8)) for _ in range(3)]
    generator = torch.Generator().manual_seed(2)
    gradient = torch.randn(8, 8, generator=generator)
    optimizer = Muon(matrices, 0.1)
    for scale, matrix in zip((1.0, 1000.0), matrices[:2], strict=True):
        matrix.grad = gradient * scale
    optimizer.step()
    assert torch.allclose(matrices[0], matrices[1], atol=1e-5)
    assert torch.equal(matrices[2], torch.zeros(8, 8))
    assert float((matrices[0].detach() * gradient).sum()) < 0


def test_each_weight_of_a_fresh_student_has_one_optimiser() -> None:
    student = model()
    muon, adam = scratch_optimizers(student, 0.005, 0.004)
    found = [[id(p) for g in o.param_groups for p in g["params"]] for o in (muon, adam)]
    assert sorted(found[0] + found[1]) == sorted(id(p) for p in student.parameters())
    assert id(student.get_input_embeddings().weight) in found[1]
    assert all(p.ndim == 2 for g in muon.param_groups for p in g["params"])


def test_the_loss_falls_and_is_said() -> None:
    student = model()
    said: list[str] = []
    before = loss_of(student, next(steps()))
    found = train(student, scratch_optimizers(student, 0.005, 0.004), steps(), 6000, said.append)
    assert loss_of(student, next(steps())) < 0.6 * before
    assert found < before
    assert said[-1].startswith("train: 100 %")
    assert len(said) <= 20


def test_training_ends_with_its_budget_and_with_its_batches() -> None:
    student = model()
    given = []

    def counted() -> Iterator[Batch]:
        for batch in steps():
            given.append(batch.tokens)
            yield batch

    train(student, scratch_optimizers(student, 0.005, 0.004), counted(), 500, lambda line: None)
    seen = sum(given[:-1])  # the last was looked at and not taken
    assert 500 <= seen < 500 + max(given)
    few = list(islice(steps(), 2))
    train(student, scratch_optimizers(student, 0.005, 0.004), few, 10**6, lambda line: None)


def test_only_what_the_assistant_says_can_change_the_weights() -> None:
    def trained(batch: Batch) -> torch.Tensor:
        student = model()
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        train(student, [optimizer], [batch], 10**6, lambda line: None)
        found: torch.Tensor = student.lm_head.weight.detach().clone()
        return found

    batch = next(steps())
    nothing = replace(batch, rows=batch.rows[:1], columns=batch.columns[:1],
                      targets=batch.targets[:1], weights=batch.weights[:1])  # fmt: skip
    zeroed = replace(batch, weights=torch.zeros_like(batch.weights).index_fill(
        0, torch.tensor([0]), 1.0))  # fmt: skip
    assert torch.allclose(trained(nothing), trained(zeroed), atol=1e-6)
    assert not torch.allclose(trained(nothing), trained(batch), atol=1e-6)


def test_a_weight_counts_only_beside_other_weights() -> None:
    def trained(weight: float) -> float:
        student = model()
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        return train(student, [optimizer], islice(steps(weight=weight), 3), 900, lambda line: None)

    assert trained(2.0) == pytest.approx(trained(1.0), rel=1e-5)


def test_a_loss_that_is_not_finite_stops_with_the_step() -> None:
    student = model()
    with torch.no_grad():
        student.lm_head.weight.fill_(float("nan"))
    with pytest.raises(TrainError, match=r"The loss is nan at step 0: lower the recipe's rate\."):
        train(student, scratch_optimizers(student, 0.005, 0.004), steps(), 900, lambda line: None)


def test_a_fresh_student_follows_from_its_seed() -> None:
    first, again, other = model(3).state_dict(), model(3).state_dict(), model(4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


def test_the_last_mlp_sees_answers_alone_and_the_gradients_are_those_of_the_whole() -> None:
    batch = next(steps())
    found = []
    student = model()
    for context in (nullcontext(), _last_mlp_on_answers(student.model, batch)):
        student.zero_grad()
        with context:
            states = student.model(input_ids=batch.ids).last_hidden_state
        logits = student.lm_head(states[batch.rows, batch.columns])
        functional.cross_entropy(logits, batch.targets).backward()
        found.append([p.grad.clone() for p in student.parameters() if p.grad is not None])
    for whole, narrow in zip(*found, strict=True):
        assert torch.allclose(whole, narrow, atol=1e-5)
    assert not student.model.layers[-1].mlp._forward_hooks
