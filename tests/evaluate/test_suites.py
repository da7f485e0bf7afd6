"""Public suites through lm-eval's own evaluation, on a local task over local data; and what they gate."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from pipelines.backends.local import Student
from pipelines.errors import GraftError, UsageError
from pipelines.evaluate import evaluate, not_worse, read_evaluation
from pipelines.evaluate.remembered import Remembered
from pipelines.evaluate.suites import Graded, compare, grade, sentence
from pipelines.records import ExamItem
from tests.evaluate.support import item
from tests.evaluate.test_choices import Chooses
from tests.evaluate.test_evaluate import SCHEMA, SETTINGS
from tests.support.tiny_model import tiny_model

TASK = """\
task: river_parts
dataset_path: json
dataset_kwargs:
  data_files: {{test: {data}}}
output_type: multiple_choice
test_split: test
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{right}}}}"
metric_list:
  - metric: acc
  - metric: acc_norm
"""


def graded(*values: float) -> Graded:
    return Graded("s", "acc", {f"t {place}": value for place, value in enumerate(values)})


def local_task(folder: Path) -> Path:
    """A suite of lm-eval's in a folder, its data beside it."""
    folder.mkdir()
    docs = [
        {
            "question": f"What is part {number} of the river?",
            "choices": [f"answer {number}", "no", "yes"],
            "right": number % 3,
        }
        for number in range(12)
    ]
    data = folder / "docs.jsonl"
    data.write_text("".join(json.dumps(doc) + "\n" for doc in docs), encoding="utf-8")
    (folder / "river.yaml").write_text(TASK.format(data=data), encoding="utf-8")
    return folder


def test_a_suite_that_fell_is_a_regression(tmp_path: Path) -> None:
    items: list[ExamItem] = [item("knowledge/new", "changed", n // 2, n) for n in range(16)]
    items += [item(f"knowledge/old{n}", "panel", 0, n) for n in range(9)]
    old = [f"knowledge/old{n}" for n in range(9)]
    base, candidate = Chooses(items, *old), Chooses(items, *old, "knowledge/new")
    students = {"base": base, "previous": base, "candidate": candidate}

    def verdict(name: str, *suites: Graded) -> tuple[str, bool]:
        place = tmp_path / name
        place.mkdir()
        before = graded(*[1.0] * 200)
        scores = [compare(before, one, 0.02) for one in suites]
        found = evaluate(items, students, SETTINGS, place, suites=scores)
        jsonschema.validate(
            json.loads((place / "evaluation.json").read_bytes()), json.loads(SCHEMA.read_bytes())
        )
        assert read_evaluation(place)[0] == found
        return found.verdict, not_worse(found)

    assert verdict("none") == ("PASS", True)
    assert verdict("held", graded(*[1.0] * 200)) == ("PASS", True)
    assert verdict("fell", graded(*[1.0] * 150, *[0.0] * 50)) == ("REGRESSION", False)
    unclear = graded(*[1.0] * 196, *[0.0] * 4)
    assert verdict("unclear", unclear) == ("INCONCLUSIVE", False)


def test_what_is_said_of_a_suite() -> None:
    score = compare(graded(1, 1, 0, 0), graded(1, 1, 1, 0), 0.5)
    assert (score.previous, score.candidate, score.items) == (0.5, 0.75, 4)
    assert "acc 0.500 before, 0.750 now (4 documents" in sentence(score)


def test_a_name_is_a_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name of a suite"):
        grade(None, "../pull/task.yaml")  # type: ignore[arg-type]


def test_without_lm_eval_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from importlib import metadata

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(GraftError, match=r"pip install 'graft-taxonomy\[suites\]'"):
        grade(None, "mmlu")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # lm-eval and what it brings warn of their own affairs
def test_lm_eval_examines_a_student(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    tasks = local_task(tmp_path / "tasks")
    model = tiny_model(tmp_path_factory.getbasetemp())
    found = grade(Student(model, None, 16, 2), "river_parts", tasks)
    assert (found.suite, found.metric, len(found.values)) == ("river_parts", "acc", 12)
    assert found == grade(Student(model, None, 16, 2, batch=5), "river_parts", tasks)
    score = compare(found, found, 0.02)
    assert (score.difference, score.verdict) == (0.0, "held")
    with pytest.raises(GraftError, match="knows no suite nowhere"):
        grade(Student(model, None, 16, 2), "nowhere", tasks)

    asked: list[str] = []

    def loaded() -> Student:
        asked.append("loaded")
        return Student(model, None, 16, 2)

    monkeypatch.setattr("pipelines.evaluate.remembered.grade", lambda s, n: grade(s, n, tasks))
    one = Remembered("key", tmp_path / "answers", loaded)
    assert one.graded("river_parts") == found
    assert Remembered("key", tmp_path / "answers", loaded).graded("river_parts") == found
    assert asked == ["loaded"]
