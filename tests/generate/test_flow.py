"""Flows on disk: prompts and variables agree, every step is known, text put in stays text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.backends.extractive import TASKS
from pipelines.errors import RecipeError
from pipelines.generate import data_key
from pipelines.generate import flow as flows
from pipelines.generate.comparing import Comparison
from pipelines.generate.filters import FILTERS
from pipelines.generate.flow import EXAM_FLOWS, FLOWS, flow_names, flows_of, load_flow
from pipelines.generate.steps import Ask, Keep
from pipelines.recipe import Flows
from pipelines.records import Kind
from pipelines.yaml_source import read_yaml
from tests.generate.support import first_ask, recipe

FOLDER = Path(flows.__file__).parent / "flows"
NAMES = sorted(path.name for path in FOLDER.iterdir())
USED = {name for flows in (FLOWS, EXAM_FLOWS) for names in flows.values() for name in names}
LAB = ["lab_freeform", "lab_grounded", "lab_knowledge"]
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


def test_every_flow_is_known_and_those_that_are_used_by_default_are_there() -> None:
    assert flow_names() == NAMES == sorted([*USED, *LAB])


@pytest.mark.parametrize("name", NAMES)
def test_each_prompt_of_a_flow_has_exactly_its_variables_and_shows_its_tags(name: str) -> None:
    asks = [step for step in load_flow(name).steps if isinstance(step, Ask)]
    assert asks
    for ask in asks:
        filled = ask.render({variable: f"<{variable}>" for variable in ask.variables})[0].content
        assert "{{" not in filled
        assert all(f"<{variable}>" in filled for variable in ask.variables)
        # What the prompt shows as the form of an answer is what the parser reads.
        if "[END]" in filled:
            shown = filled[filled.index("[") :].rsplit("[END]", 1)[0] + "[END]"
            assert ask.parse(shown)[0], ask.name


@pytest.mark.parametrize("name", NAMES)
def test_each_file_of_a_flow_is_used(name: str) -> None:
    text = (FOLDER / name / "flow.yaml").read_text(encoding="utf-8")
    prompts = {path.name for path in (FOLDER / name).iterdir()} - {"flow.yaml"}
    assert [prompt for prompt in prompts if f"prompt: {prompt}" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_flow_s_steps_are_all_known_and_the_leak_gate_is_one(name: str) -> None:
    flow = load_flow(name)
    assert (
        name in (*LAB, *EXAM_FLOWS["grounded_skill"], *EXAM_FLOWS["freeform_skill"])
        or first_ask(flow).name in TASKS
    )
    gated = "not_an_exam_question" in [step.name for step in flow.steps]
    assert gated is (flow.phase not in ("exam", "choice"))
    for step in flow.steps:
        if isinstance(step, Keep):
            assert step.name in FILTERS or isinstance(step.test, Comparison)


@pytest.mark.parametrize("name", NAMES)
def test_no_flow_lets_a_teacher_add_what_nobody_may_read(name: str) -> None:
    """Rows are taught, exam questions are shown in reports: both pass the same filters at last."""
    steps = load_flow(name).steps
    written = max(
        place for place, step in enumerate(steps) if isinstance(step, Ask) and step.role != "judge"
    )
    after = {step.name for step in steps[written:]}
    assert {"no_personal_data", "not_abusive"} <= after


@pytest.mark.parametrize(
    ("exam", "lab", "first"),
    [
        ("exam_freeform", "lab_freeform", "examine_skill"),
        ("exam_grounded", "lab_grounded", "examine_context"),
    ],
)
def test_an_exam_s_flow_keeps_step_with_the_one_whose_manner_it_has(
    exam: str, lab: str, first: str
) -> None:
    """It is the same but for its first call, whose name makes it another, and the leak gate."""
    asked, taught = (
        read_yaml((FOLDER / name / "flow.yaml").read_bytes(), name).source for name in (exam, lab)
    )
    assert asked is not None
    assert taught is not None
    known = [
        {
            **step,
            **({"prompt": f"../{lab}/{step['prompt']}"} if "prompt" in step else {}),
            **({"ask": first} if place == 0 else {}),
        }
        for place, step in enumerate(taught.data["steps"])
        if step.get("keep") != "not_an_exam_question"
    ]
    known[0].pop("samples", None)  # an exam takes one text a seed
    assert asked.data["steps"] == known
    assert asked.data["rows"] == taught.data["rows"]


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


@pytest.mark.parametrize("name", LAB)
def test_lab_s_flows_say_which_steps_need_a_judge(name: str) -> None:
    flow = load_flow(name)
    judges = [step for step in flow.steps if isinstance(step, Ask) and step.role == "judge"]
    assert judges
    assert len(flow.judged) == len(judges)
    assert flow.judged <= {step.name for step in flow.steps if isinstance(step, Keep)}


def test_a_recipe_names_the_flows_of_each_kind_of_leaf() -> None:
    one = recipe()
    other = replace(one.generate, flows=Flows(knowledge=("lab_knowledge",)))
    lab = replace(one, generate=other)
    assert [flow.name for flow in flows_of(one, "knowledge")] == list(FLOWS["knowledge"])
    assert [flow.name for flow in flows_of(lab, "knowledge")] == ["lab_knowledge"]
    assert [flow.name for flow in flows_of(lab, "grounded_skill")] == ["grounded"]
    assert data_key(lab) != data_key(one)


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("knowledge", "lab_freeform", r"lab_freeform reads .*seed_question"),
        ("freeform_skill", "lab_grounded", r"lab_grounded reads seed_context"),
        ("freeform_skill", "knowledge", "begins with chunks of a document"),
        ("knowledge", "no_such_flow", "There is no flow no_such_flow"),
    ],
)
def test_a_flow_that_does_not_fit_its_leaves_is_refused(kind: Kind, name: str, told: str) -> None:
    one = recipe()
    flows = replace(one.generate, flows=replace(Flows(), **{kind: (name,)}))
    with pytest.raises(RecipeError, match=told):
        flows_of(replace(one, generate=flows), kind)
