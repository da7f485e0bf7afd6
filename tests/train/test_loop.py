"""The loop on models small enough to look into."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, Gemma2Config, GraniteConfig, LlamaForCausalLM

from pipelines.errors import TrainError
from pipelines.train.checkpoint import Progress
from pipelines.train.data import Encoded, batch, encode, micro_batches
from pipelines.train.data import steps as in_steps
from pipelines.train.loop import Course, _check_course, train
from pipelines.train.optimizers import scratch_optimizers
from pipelines.train.supervised import Supervised
from pipelines.train.world import ALONE
from tests.train.support import TOKENS, fresh, rows


def steps(limit: int = 256, weight: float = 1.0) -> Iterator[list[Encoded]]:
    found = encode(TOKENS, [(row, weight) for row in rows("river")], 128, source="river")
    epoch = 0
    while True:
        yield from in_steps(found, limit, epoch)
        epoch += 1


def trained(
    student: LlamaForCausalLM,
    given: Iterator[list[Encoded]] | None = None,
    optimizers: Sequence[torch.optim.Optimizer] = (),
    say: Any = lambda line: None,
    **course: Any,
) -> Progress:
    return train(
        Supervised(student),
        dict(student.named_parameters()),
        optimizers or scratch_optimizers(student, 0.005, 0.004),
        steps() if given is None else given,
        Course(**{"tokens": 900, **course}),
        say,
        ALONE,
    )


def plain_loss(student: Any, step: Sequence[Encoded]) -> torch.Tensor:
    """The mean loss as transformers itself computes it: no hooks, all logits, labels masked."""
    found, weight = [], 0.0
    for row in step:
        labels = [-100] * len(row.ids)
        for start, end in row.said:
            labels[start:end] = row.ids[start:end]
        logits = student(input_ids=torch.tensor([row.ids])).logits[0, :-1].float()
        targets = torch.tensor(labels[1:])
        found.append(row.weight * functional.cross_entropy(logits, targets, reduction="sum"))
        weight += row.weight * int((targets >= 0).sum())
    return torch.stack(found).sum() / weight


def test_the_loss_falls_and_is_said() -> None:
    student = fresh()
    said: list[str] = []
    before = plain_loss(student, next(steps())).item()
    done = trained(student, say=said.append, tokens=6000)
    assert plain_loss(student, next(steps())).item() < 0.6 * before
    assert done.loss < before
    assert said[-1].startswith("train: 100 %")
    assert len(said) <= 20
    assert done.history[0][1] == pytest.approx(before, rel=1e-5)


def test_training_ends_with_its_budget_and_with_its_rows() -> None:
    given: list[int] = []

    def counted() -> Iterator[list[Encoded]]:
        for step in steps():
            given.append(sum(len(row.ids) for row in step))
            yield step

    done = trained(fresh(), counted(), tokens=500)
    seen = sum(given[:-1])  # the last was looked at and not taken
    assert done.tokens == seen
    assert 500 <= seen < 500 + max(given)
    assert trained(fresh(), islice(steps(), 2), tokens=10**6).step == 2


def test_only_what_the_assistant_says_can_change_the_weights() -> None:
    def head_after(step: list[Encoded]) -> torch.Tensor:
        student = fresh()
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        trained(student, iter([step]), [optimizer])
        found: torch.Tensor = student.lm_head.weight.detach().clone()
        return found

    step = next(steps())
    first = replace(step[0], said=((*step[0].said[0][:1], step[0].said[0][0] + 1),))
    silent = [replace(row, weight=0.0) for row in step[1:]]
    assert torch.allclose(head_after([first]), head_after([first, *silent]), atol=1e-6)
    assert not torch.allclose(head_after([first]), head_after(step), atol=1e-6)


def test_a_weight_counts_only_beside_other_weights() -> None:
    def loss(weight: float) -> float:
        student = fresh()
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        return trained(student, islice(steps(weight=weight), 3), [optimizer]).loss

    assert loss(2.0) == pytest.approx(loss(1.0), rel=1e-5)


def gradients(student: Any, step: Sequence[Encoded], micro: int, ranks: int = 1) -> torch.Tensor:
    """The gradient of a step's mean loss, put together from every process's micro-batches."""
    student.zero_grad()
    module = Supervised(student)
    weight = sum(row.weight * (end - start) for row in step for start, end in row.said)
    for rank in range(ranks):
        for one in micro_batches(step, micro, rank, ranks):
            (module(one) / weight).backward()
            module.forget()
    return torch.cat([p.grad.flatten() for p in student.parameters() if p.grad is not None])


@pytest.mark.parametrize(("micro", "ranks"), [(40, 1), (1, 1), (0, 2), (40, 3), (0, 30)])
def test_accumulated_gradients_are_those_of_the_whole_step(micro: int, ranks: int) -> None:
    student = fresh()
    step = [replace(row, weight=1.0 + at % 3) for at, row in enumerate(next(steps(512)))]
    whole = gradients(student, step, 0)
    student.zero_grad()
    plain_loss(student, step).backward()
    plain = torch.cat([p.grad.flatten() for p in student.parameters() if p.grad is not None])
    assert (gradients(student, step, micro, ranks) - whole).abs().max() < 1e-6
    assert (whole - plain).abs().max() < 1e-6


@pytest.mark.parametrize("config", [Gemma2Config, GraniteConfig])
def test_an_architecture_that_alters_its_logits_is_trained_on_them(config: Any) -> None:
    shape = {
        "vocab_size": len(TOKENS), "hidden_size": 32, "num_hidden_layers": 2, "head_dim": 16,
        "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 64,
        "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None,
    }  # fmt: skip
    special = (
        {"logits_scaling": 8.0} if config is GraniteConfig else {"final_logit_softcapping": 3.0}
    )
    torch.manual_seed(0)
    student = AutoModelForCausalLM.from_config(config(**shape, **special))
    step = next(steps())
    module = Supervised(student.train(False))
    found = module(batch(step)) / sum(end - start for row in step for start, end in row.said)
    assert found.item() == pytest.approx(plain_loss(student, step).item(), rel=1e-4)


def test_gradient_checkpointing_and_many_logits_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = next(steps())

    def found(checkpointing: bool) -> torch.Tensor:
        student = fresh().train()
        if checkpointing:
            student.activation_checkpointing_enable({"use_reentrant": False})
        module = Supervised(student, checkpointing)
        module(batch(step)).backward()
        module.forget()
        return torch.cat([p.grad.flatten() for p in student.parameters() if p.grad is not None])

    plain = found(checkpointing=False)
    assert torch.allclose(found(checkpointing=True), plain, atol=1e-4)
    monkeypatch.setattr("pipelines.train.supervised._POSITIONS", 7)
    assert torch.allclose(found(checkpointing=False), plain, atol=1e-4)


def test_no_hook_is_left_behind() -> None:
    student = fresh()
    trained(student, islice(steps(), 1))
    assert not student.model.layers[-1].mlp._forward_hooks
    assert not student.model.layers[-1].mlp._forward_pre_hooks


def test_weights_that_are_not_finite_stop_with_the_step() -> None:
    student = fresh()
    with torch.no_grad():
        student.lm_head.weight.fill_(float("nan"))
    with pytest.raises(TrainError, match=r"The loss is nan at step 0, for every row: lower the"):
        trained(student)


def test_a_row_that_breaks_the_loss_is_named_and_nothing_is_moved_by_it() -> None:
    student = fresh()
    before = {name: p.clone() for name, p in student.state_dict().items()}
    step = next(steps(512))
    poisoned = [replace(step[0], weight=float("inf")), *step[1:]]
    with pytest.raises(TrainError) as stopped:
        trained(student, iter([poisoned]))
    told = str(stopped.value)
    assert "The loss is" in told
    assert f"it comes from {step[0].origin}: mend or veto" in told
    assert all(torch.equal(p, before[name]) for name, p in student.state_dict().items())


def test_a_training_that_diverges_is_stopped() -> None:
    student = fresh()
    uphill = torch.optim.SGD(student.parameters(), lr=0.1, maximize=True)
    with pytest.raises(
        TrainError, match=r"diverges: the mean loss was [\d.]+ .* Lower the recipe's"
    ):
        trained(student, optimizers=[uphill], tokens=60_000)


def test_what_is_known_well_may_go_up_and_down() -> None:
    """A chain's replay begins with a loss near nothing, of which small steps see now more, now less."""
    low, high = ([float(n), loss, 1.0, 1.0] for n, loss in ((1, 0.09), (2, 0.4)))
    _check_course(Progress(80, 80, [low] * 20 + [high] * 60))
    with pytest.raises(TrainError, match="diverges"):
        _check_course(Progress(80, 80, [low] * 20 + [[2.0, 0.7, 1.0, 1.0]] * 60))


def test_sigterm_ends_after_the_step_and_the_handler_of_before_is_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    taken = []

    def stopped() -> Iterator[list[Encoded]]:
        for number, step in enumerate(steps()):
            if number == 2:
                os.kill(os.getpid(), signal.SIGTERM)  # to all, and by way of who started it
                os.kill(os.getpid(), signal.SIGTERM)
            taken.append(number)
            yield step

    with pytest.raises(KeyboardInterrupt):
        trained(fresh(), stopped(), tokens=10**6)
    assert taken == [0, 1, 2]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_rate_rises_then_falls(schedule: str) -> None:
    course = Course(1000, schedule, warmup=0.1)
    factors = [course.factor(share / 100) for share in range(101)]
    peak = factors.index(max(factors))
    assert 5 <= peak <= 12
    assert factors[:peak] == sorted(factors[:peak])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert 0 < factors[0] < 0.2
    assert factors[-1] == 0.02


def test_a_fresh_student_follows_from_its_seed() -> None:
    first, again, other = fresh(3).state_dict(), fresh(3).state_dict(), fresh(4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["model.embed_tokens.weight"], other["model.embed_tokens.weight"])
