"""Multiple choice: from a teacher's row to an accuracy that decides nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from benchmarks.one_by_one import one_by_one
from pipelines.artifacts import canonical_json
from pipelines.backends import local
from pipelines.backends.local import Student
from pipelines.errors import BackendError
from pipelines.evaluate import evaluate, read_evaluation
from pipelines.evaluate.choices import Choice, choose, scores, sentences
from pipelines.evaluate.metrics import CHOICE_METRICS
from pipelines.evaluate.remembered import Remembered
from pipelines.exam import asked
from pipelines.records import ExamItem
from tests.evaluate.support import item
from tests.evaluate.test_evaluate import SCHEMA, SETTINGS, Knows
from tests.support.tiny_model import tiny_model
from tests.test_exam import leaf_of, seed

LETTERS = "abcd"


class Chooses(Knows):
    """Knows the references of some leaves, and takes the first choice of all others."""

    def choose(self, asked: Sequence[Choice]) -> list[int]:
        return [
            choices.index(self.known[prompt]) if prompt in self.known else 0
            for prompt, choices in asked
        ]


class Fickle:
    def choose(self, asked: Sequence[Choice]) -> list[int]:
        return [0]


def offered(leaf: str, role: str, number: int, *, leaked: bool = False) -> ExamItem:
    one = item(leaf, role, number // 2, number, leaked=leaked)  # type: ignore[arg-type]
    wrong = [f"wrong {letter}" for letter in LETTERS[:3]]
    place = number % 4
    choices = (*wrong[:place], one.reference, *wrong[place:])
    return replace(one, id=f"choice-{one.id}", synthetic=True, choices=choices)


@pytest.fixture
def items() -> list[ExamItem]:
    short = [item("knowledge/new", "changed", n // 2, n) for n in range(16)]
    panel = [item(f"knowledge/old{n}", "panel", 0, n) for n in range(9)]
    choice = [offered("knowledge/new", "changed", n, leaked=n == 15) for n in range(16)]
    return [*short, *panel, *choice, offered("knowledge/old0", "panel", 2)]


def test_it_is_told_apart_and_decides_nothing(tmp_path: Path, items: list[ExamItem]) -> None:
    old = [f"knowledge/old{n}" for n in range(9)]
    base, candidate = Chooses(items, *old), Chooses(items, *old, "knowledge/new")
    students = {"base": base, "previous": base, "candidate": candidate}
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    found = evaluate(items, students, SETTINGS, tmp_path / "with")
    plain = evaluate(
        [one for one in items if not one.choices], students, SETTINGS, tmp_path / "without"
    )
    assert (found.verdict, found.leaves, found.changed) == (
        plain.verdict,
        plain.leaves,
        plain.changed,
    )
    changed, panel, *leaves = found.choices
    assert (changed.leaf, changed.role, changed.items) == ("", "changed", 15)
    assert (changed.previous, changed.candidate) == (pytest.approx(4 / 15, abs=1e-6), 1.0)
    assert changed.interval[0] > 0
    assert (panel.items, panel.difference) == (1, 0.0)
    assert {one.leaf for one in leaves} == {"knowledge/new", "knowledge/old0"}
    told = [reason for reason in found.reasons if "Multiple choice" in reason]
    assert len(told) == 1
    assert "0.27 before, 1.00 now (15 questions" in told[0]

    written = json.loads((tmp_path / "with" / "evaluation.json").read_bytes())
    jsonschema.validate(written, json.loads(SCHEMA.read_bytes()))
    again, results = read_evaluation(tmp_path / "with")
    assert again == found
    assert len(results) == 25
    lines = (tmp_path / "with" / "choices.jsonl").read_bytes().splitlines()
    assert len(lines) == 17
    assert json.loads(lines[0])["candidate"].startswith("knowledge/new")
    assert not (tmp_path / "without" / "choices.jsonl").exists()


def test_an_evaluation_from_before_there_were_choices_is_read(
    tmp_path: Path, items: list[ExamItem]
) -> None:
    student = Chooses(items)
    students = dict.fromkeys(("base", "previous", "candidate"), student)
    evaluate(items, students, SETTINGS, tmp_path)
    file = tmp_path / "evaluation.json"
    data = json.loads(file.read_bytes())
    del data["choices"]
    file.write_bytes(canonical_json(data))
    lines = (tmp_path / "items.jsonl").read_bytes().split(b"\n")[:-1]
    old = [json.loads(line) for line in lines]
    for one in old:
        del one["item"]["choices"]
    (tmp_path / "items.jsonl").write_bytes(b"".join(canonical_json(one) + b"\n" for one in old))
    evaluation, results = read_evaluation(tmp_path)
    assert evaluation.choices == ()
    assert results[0].item.choices == ()


def test_the_accuracy() -> None:
    assert CHOICE_METRICS["choice_accuracy"]("1704", "1704") == 1.0
    assert CHOICE_METRICS["choice_accuracy"]("1705", "1704") == 0.0


def test_a_student_that_does_not_answer_all_is_an_error(items: list[ExamItem]) -> None:
    with pytest.raises(BackendError, match="candidate student chose 1 times"):
        choose([one for one in items if one.choices], {"candidate": Fickle()})
    assert scores([]) == ()
    assert sentences(()) == ()


def test_choices_are_shuffled_by_hash_and_hold_the_reference() -> None:
    leaf = leaf_of(*(seed(number) for number in range(4)))
    rows = b"".join(
        canonical_json(
            {
                "id": f"{number:032x}",
                "messages": [
                    {"role": "user", "content": f"Q{number}?"},
                    {"role": "assistant", "content": "right"},
                ],
                "document": "d.md",
                "chunk": 0,
                "seeds": [],
                "wrong": ["x", "y", "z"],
            }
        )
        + b"\n"
        for number in range(200)
    )
    found = asked(leaf, rows, "changed")
    assert found == asked(leaf, rows, "changed")
    places = [one.choices.index("right") for one in found]
    assert all(30 <= places.count(place) <= 70 for place in range(4))


def questions() -> list[Choice]:
    asked = []
    for number in range(1, 8):
        choices = tuple(f"Part {other} of the river is {other * 7}." for other in range(1, number))
        asked.append((f"What is part {number} of the river?", (*choices, "It is long", "no")))
    return asked


def test_any_batch_size_chooses_alike(tmp_path_factory: pytest.TempPathFactory) -> None:
    model = tiny_model(tmp_path_factory.getbasetemp())
    found = [Student(model, None, 16, 2, batch=size).choose(questions()) for size in (1, 2, 5, 64)]
    assert found[0] == found[1] == found[2] == found[3]
    answers = [
        Student(model, None, 16, 2, batch=size).answers([prompt for prompt, _ in questions()])
        for size in (1, 3, 64)
    ]
    assert answers[0] == answers[1] == answers[2]


def test_answers_are_those_of_generate(tmp_path_factory: pytest.TempPathFactory) -> None:
    student = Student(tiny_model(tmp_path_factory.getbasetemp()), None, 24, 2, batch=5)
    prompts = [prompt for prompt, _ in questions()]
    prompts += ["river", "Which part? " * 9, prompts[0]]
    wanted = one_by_one(student, prompts)
    assert len({len(text) for text in wanted}) > 1  # some rows end before others
    assert student.answers(prompts) == wanted


def test_what_a_student_says_is_what_it_chooses(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    student = Student(tiny_model(tmp_path_factory.getbasetemp()), None, 24, 2)
    prompts = [f"What is part {number} of the river?" for number in range(1, 8)]
    said = student.answers(prompts)
    assert all(said)
    asked = [(p, ("Nobody knows that.", right)) for p, right in zip(prompts, said, strict=True)]
    assert student.choose(asked) == [1] * len(prompts)


def random_model(kind: str, tokenizer_of: Path, place: Path) -> Path:
    """A model of random weights of another family, which scales what its head says in its own way."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_of)
    config = AutoConfig.for_model(
        kind, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=48, vocab_size=len(tokenizer), initializer_range=0.2,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
        **({"logits_scaling": 0.5} if kind == "granite" else {}),
    )  # fmt: skip
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


@pytest.mark.parametrize("kind", ["tiny", "qwen2", "granite"])
def test_the_likelihood_is_that_of_the_whole_answer(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """However many are read at once, and however few logits may be held."""
    import torch

    model = tiny_model(tmp_path_factory.getbasetemp())
    if kind != "tiny":
        model = random_model(kind, model, tmp_path)
    student = Student(model, None, 24, 2)
    rows = [student._choice(prompt, choice) for prompt, cs in questions() for choice in cs]
    wanted = []
    for before, after in rows:
        assert after[-1] == student.tokenizer.eos_token_id
        with torch.inference_mode():
            logits = student.model(torch.tensor([before + after])).logits[0].log_softmax(-1)
        at = range(len(before) - 1, len(before) + len(after) - 1)
        wanted.append(sum(float(logits[p, token]) for p, token in zip(at, after, strict=True)))
    for batch, most in ((1, 1 << 26), (5, 1 << 26), (128, 1 << 26), (128, 20_000), (128, 1)):
        monkeypatch.setattr(local, "LOGITS", most)
        student.batch = batch
        assert student._likelihoods(rows) == pytest.approx(wanted, abs=1e-3)


def test_a_batch_of_choices_computes_no_logits_but_those_it_reads(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = Student(tiny_model(tmp_path_factory.getbasetemp()), None, 24, 2)
    rows = [student._choice(prompt, choice) for prompt, cs in questions() for choice in cs]
    vocabulary = student.model.config.vocab_size
    computed: list[int] = []
    head = student.model.get_output_embeddings()
    head.register_forward_hook(lambda _, __, logits: computed.append(logits.numel()))
    student._likelihoods(rows)
    assert sum(computed) == sum(len(after) for _, after in rows) * vocabulary
    most = 30 * vocabulary
    monkeypatch.setattr(local, "LOGITS", most)
    computed.clear()
    student._likelihoods(rows)
    assert len(computed) > 1
    assert max(computed) <= most


def test_equal_choices_are_a_tie_that_the_first_wins(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    student = Student(tiny_model(tmp_path_factory.getbasetemp()), None, 24, 2)
    assert student.choose([("Who?", ("the same", "the same", "the same"))]) == [0]


def test_what_was_chosen_is_remembered(tmp_path: Path) -> None:
    class Counted:
        def __init__(self) -> None:
            self.asked = 0

        def answers(self, prompts: Sequence[str]) -> list[str]:
            return ["" for _ in prompts]

        def choose(self, asked: Sequence[Choice]) -> list[int]:
            self.asked += len(asked)
            return [len(choices) - 1 for _, choices in asked]

    counted = Counted()
    asked = [("Q?", ("a", "b", "c")), ("R?", ("a", "b"))]
    one = Remembered("key", tmp_path, lambda: counted)
    assert one.choose(asked) == [2, 1]
    assert one.answers(["Q?"]) == [""]
    assert Remembered("key", tmp_path, lambda: counted).choose(list(reversed(asked))) == [1, 2]
    assert counted.asked == 2
    assert one.choose([("Q?", ("c", "b", "a"))]) == [2]  # another order is another question
