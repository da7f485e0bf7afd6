"""Muon, and who optimises what."""

from __future__ import annotations

import pytest
import torch

from pipelines.train.optimizers import Muon, _orthogonal, scratch_optimizers
from tests.train.support import fresh as model


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
