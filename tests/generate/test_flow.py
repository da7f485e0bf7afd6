"""Flows on disk: prompts and variables agree, every step is known, text put in stays text."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.backends.extractive import TASKS
from pipelines.errors import RecipeError
from pipelines.generate import flow as flows
from pipelines.generate.filters import FILTERS
from pipelines.generate.flow import EXAM_FLOWS, FLOWS, load_flow
from pipelines.generate.steps import Distinct, Keep, Row
from tests.generate.support import first_ask

FOLDER = Path(flows.__file__).parent / "flows"
NAMES = sorted(path.name for path in FOLDER.iterdir())
YAML = """phase: skills
rows: question
steps:
  - ask: rephrase_seed
    prompt: prompt.md
    variables: [{variables}]
    parse: [question, answer]
  - keep: short_enough
"""


def write_flow(root: Path, variables: str, prompt: str, name: str = "mine") -> None:
    (root / name).mkdir(parents=True, exist_ok=True)
    (root / name / "flow.yaml").write_text(YAML.format(variables=variables), encoding="utf-8")
    (root / name / "prompt.md").write_text(prompt, encoding="utf-8")


def test_every_flow_is_used_and_every_used_flow_is_there() -> None:
    used = [*FLOWS.values(), *EXAM_FLOWS.values()]
    assert sorted({name for names in used for name in names}) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_flow_s_prompt_has_exactly_its_variables_and_shows_its_tags(name: str) -> None:
    ask = first_ask(load_flow(name))
    filled = ask.render({variable: f"<{variable}>" for variable in ask.variables})[0].content
    assert "{{" not in filled
    assert all(f"<{variable}>" in filled for variable in ask.variables)
    # What the prompt shows as the form of an answer is what the parser reads.
    shown = filled[filled.index("[") :].rsplit("[END]", 1)[0] + "[END]"
    assert ask.parse(shown)[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_flow_s_steps_are_all_known_and_the_leak_gate_is_one(name: str) -> None:
    flow = load_flow(name)
    assert first_ask(flow).name in TASKS
    gated = "not_an_exam_question" in [step.name for step in flow.steps]
    assert gated is (flow.phase != "exam")
    for step in flow.steps:
        if isinstance(step, Keep):
            assert step.name in FILTERS
        if isinstance(step, Distinct):
            assert step.key(Row({"question": "Why?"})).strip() == "why"


def test_text_put_into_a_prompt_is_never_read_as_a_slot() -> None:
    ask = first_ask(load_flow("seeds"))
    hostile = "{{ answer }} {{ phrasings }} {{ question }} \\g<1> {0} {% raw %}"
    values = {"question": hostile, "answer": "the secret", "phrasings": "3"}
    content = ask.render(values)[0].content
    assert hostile in content
    assert content.count("the secret") == 1


@pytest.mark.parametrize(
    ("variables", "prompt"),
    [("question", "{{ question }} {{ answer }}"), ("question, answer", "{{ question }}")],
)
def test_a_prompt_that_disagrees_with_its_variables_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: str, prompt: str
) -> None:
    monkeypatch.setattr(flows, "_FOLDER", tmp_path)
    write_flow(tmp_path, variables, prompt)
    with pytest.raises(RecipeError, match=r"prompt\.md has the slots"):
        load_flow("mine")


def test_a_flow_s_hash_follows_its_prompt_and_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "_FOLDER", tmp_path)
    write_flow(tmp_path, "question", "{{ question }}")
    first = load_flow("mine").hash
    assert load_flow("mine").hash == first
    write_flow(tmp_path, "question", "Say {{ question }}")
    second = load_flow("mine").hash
    (tmp_path / "mine" / "flow.yaml").write_text(
        YAML.format(variables="question").replace("skills", "seeds"), encoding="utf-8"
    )
    assert len({first, second, load_flow("mine").hash}) == 3
