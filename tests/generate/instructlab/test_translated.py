"""InstructLab's flow YAML through our engine: what its blocks become, and what is told of a bad file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.backends import Call
from pipelines.errors import CallError, RecipeError
from pipelines.findings import Finding
from pipelines.generate.flow import load_flow, read_flow
from pipelines.generate.instructlab import BLOCKS
from pipelines.generate.prompts import names, rendering
from pipelines.generate.steps import Ask, Flow, Setting
from tests.generate.instructlab.rows import FIRST, FOLDER, flow, ours, said
from tests.generate.passing import Scripted, cut, passed

NAMES = ["knowledge.yaml", "grounded.yaml", "freeform.yaml"]
SEED = {
    "task_description": "Count",
    "seed_question": "How many?",
    "seed_response": "Three",
    "leaf_node_type": "freeform_skill",
    "leaf_node_path": "compositional_skills_count",
}
PROMPT = {
    "system": "Be brief.",
    "introduction": "Ask as in {{ seed_question }}.",
    "principles": None,
    "examples": "",
    "generation": "Ask.",
    "start_tags": ["[Q]", "[A]"],
    "end_tags": ["[/Q]", "[/A]"],
}
LLM = {
    "name": "ask",
    "type": "LLMBlock",
    "config": {"config_path": "p.yaml", "output_cols": ["question", "response"]},
}


def translated(
    root: Path, blocks: list[Any], prompt: dict[str, Any] | None = None, **top: Any
) -> tuple[Flow | None, list[Finding]]:
    """A flow file of these blocks, a key a line so that places can be told, and what was found."""
    root.mkdir(exist_ok=True)
    (root / "p.yaml").write_text(yaml.safe_dump({**PROMPT, **(prompt or {})}), encoding="utf-8")
    path = root / "flow.yaml"
    data = {"version": "1.0", **top, "blocks": blocks}
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return read_flow(path, "theirs", 5)


def sound(root: Path, blocks: list[Any], prompt: dict[str, Any] | None = None) -> Flow:
    found, findings = translated(root, blocks, prompt)
    assert found is not None, findings
    return found


def asks(of: Flow) -> list[Ask]:
    return [step for step in of.steps if isinstance(step, Ask)]


def with_config(block: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {**block, "config": {**block["config"], **config}}


def test_the_files_of_this_folder_have_a_block_of_every_type() -> None:
    used = {
        name
        for file in FOLDER.glob("*.yaml")
        for block in yaml.safe_load(file.read_text(encoding="utf-8"))["blocks"]
        for name in (block["type"], block["config"].get("block_type"))
    }
    assert used >= {*BLOCKS, "IterBlock"}


@pytest.mark.parametrize("name", NAMES)
def test_a_flow_s_rows_become_training_rows_and_each_lost_one_has_a_reason(
    name: str, tmp_path: Path
) -> None:
    one = flow(FOLDER / name)
    found = passed(one, FIRST[name], Scripted(said), tmp_path / "calls")
    assert found.columns
    for row in found.columns:
        assert set(row) - {"context"} == {"question", "answer"}
        assert all(text.strip() for text in (row["question"], row["answer"]))
    assert all(reason for _, reason in found.rejected)
    assert (one.rows, one.phase) == (
        ("chunk_and_seed", "knowledge") if name == "knowledge.yaml" else ("question", "skills")
    )


def test_the_context_goes_before_a_question_that_does_not_hold_it(tmp_path: Path) -> None:
    prompt = {"start_tags": ["[C]", "[Q]", "[A]"], "end_tags": ["[/C]", "[/Q]", "[/A]"]}
    block = with_config(LLM, output_cols=["context", "question", "response"])
    one = sound(tmp_path, [block], prompt)
    text = "[C]Ada left.[/C][Q]Who left?[/Q][A]Ada[/A][C]Bo ran.[/C][Q]Bo ran. Who?[/Q][A]Bo[/A]"
    found = passed(one, [SEED], Scripted(lambda call: text), tmp_path / "calls")
    assert found.columns == [
        {"context": "Ada left.", "question": "Who left?", "answer": "Ada"},
        {"question": "Bo ran. Who?", "answer": "Bo"},
    ]


def test_a_lone_output_is_split_at_its_first_question_mark(tmp_path: Path) -> None:
    prompt = {"start_tags": [""], "end_tags": [""]}
    one = sound(tmp_path, [with_config(LLM, output_cols=["output"])], prompt)
    texts = {"a": "How many? Three? Yes.", "b": "No question at all", "c": "Nothing after?"}
    backend = Scripted(lambda call: texts[call.variables["seed_question"]])
    rows = [{**SEED, "seed_question": name} for name in texts]
    found = passed(one, rows, backend, tmp_path / "calls")
    assert found.columns == [{"question": "How many?", "answer": "Three? Yes."}]
    assert found.rejected == [("whole", "the answer is empty"), ("whole", "the question is empty")]


def test_no_row_asks_what_the_exam_asks(tmp_path: Path) -> None:
    one = sound(tmp_path, [LLM])
    text = "[Q]Who first sailed round the cape?[/Q][A]Dias[/A][Q]Why salt?[/Q][A]Rivers[/A]"
    exam = Setting(["Who first sailed round the cape?"])
    found = passed(one, [SEED], Scripted(lambda call: text), tmp_path / "calls", exam)
    assert [row["question"] for row in found.columns] == ["Why salt?"]
    assert [step for step, _ in found.rejected] == ["not_an_exam_question"]


def test_a_prompt_file_is_one_user_message_and_gen_kwargs_say_how_it_is_asked(
    tmp_path: Path,
) -> None:
    gen = {"n": "scaled", "temperature": "0.5", "max_tokens": 7, "seed": 3, "stop": "END"}
    block = with_config(LLM, gen_kwargs={**gen, "top_p": 0.9, "extra_body": {"top_k": 4}})
    (ask,) = asks(sound(tmp_path, [block]))
    (message,) = ask.render({"seed_question": "Why {{ 7 * 7 }}?"})
    assert message.role == "user"
    assert message.content == "Be brief.\nAsk as in Why {{ 7 * 7 }}?.\n\n\nAsk."
    assert ask.samples == 5
    assert (ask.sampling.temperature, ask.sampling.most_tokens) == (0.5, 7)
    assert ask.sampling.stop == ("END",)
    assert ask.sampling.other == {"seed": 3, "top_p": 0.9, "top_k": 4}
    # A fixed seed would make five answers the same.
    assert [ask.drawn(number).other["seed"] for number in range(3)] == [3, 4, 5]
    (plain,) = asks(sound(tmp_path, [LLM]))
    assert (plain.sampling.temperature, plain.sampling.most_tokens) == (0.0, 4096)
    assert (plain.samples, plain.drawn(1)) == (1, plain.sampling)


def test_an_iterated_block_draws_its_answers_again_and_others_repeat_rows(tmp_path: Path) -> None:
    block = {
        "name": "ask",
        "type": "IterBlock",
        "config": {
            "num_iters": 2,
            "block_type": "IterBlock",
            **{"num_iters": 3, "block_type": "LLMBlock"},
            **LLM["config"],
            "gen_kwargs": {"n": 2},
        },
    }
    (ask,) = asks(sound(tmp_path, [block]))
    assert ask.samples == 6
    tags = "[Q]q{n}[/Q][A]a[/A]"
    backend = Scripted(lambda call: tags.format(n=call.sample))
    found = passed(sound(tmp_path, [block]), [SEED], backend, tmp_path / "calls")
    assert [row["question"] for row in found.columns] == [f"q{n}" for n in range(6)]


def test_several_chat_answers_are_as_many_rows_and_are_drawn_warm(tmp_path: Path) -> None:
    talk = [{"role": "system", "content": "Short."}, {"role": "user", "content": "Hello?"}]
    (tmp_path / "freeform_skill.yaml").write_text(yaml.safe_dump({"talk": talk}), "utf-8")
    blocks = [
        {
            "name": "add",
            "type": "SamplePopulatorBlock",
            "config": {"config_paths": ["freeform_skill.yaml"], "column_name": "leaf_node_type"},
        },
        {
            "name": "say",
            "type": "LLMMessagesBlock",
            "config": {"input_col": "talk", "output_col": "output", "gen_kwargs": {"n": 2}},
        },
    ]
    found, findings = translated(tmp_path, blocks)
    assert found is not None
    assert ["`n` rows" in finding.message for finding in findings] == [True]
    (ask,) = asks(found)
    assert (ask.samples, ask.sampling.temperature) == (2, 0.7)
    turns = ask.render({"talk": json.dumps(talk)})
    assert [(turn.role, turn.content) for turn in turns] == [
        ("system", "Short."),
        ("user", "Hello?"),
    ]
    for bad in ("[]", "no JSON", '[{"role": "user"}]', '[{"role": "user", "content": 3}]'):
        with pytest.raises(CallError, match="no conversation"):
            ask.render({"talk": bad})


def test_aliases_and_drops_of_what_is_not_there_are_taken(tmp_path: Path) -> None:
    sound(tmp_path, [LLM])
    (tmp_path / "flow.yaml").write_text(
        """version: "1.0"
blocks:
  - name: ask
    type: LLMBlock
    config: &config
      config_path: p.yaml
      output_cols: [question, response]
    drop_columns: [never_there]
  - name: again
    type: LLMBlock
    config: *config
""",
        encoding="utf-8",
    )
    one = load_flow(str(tmp_path / "flow.yaml"))
    text = "[Q]Why?[/Q][A]So[/A]"
    found = passed(one, [SEED], Scripted(lambda call: text), tmp_path / "calls")
    assert found.columns == [{"question": "Why?", "answer": "So"}]


# --- prompts from outside ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "{{ nothing }}",
        "{{ text.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ text.format.__globals__ }}",
        "{{ text + 1 }}",
        "{{ 1 // 0 }}",
        "{% for n in range(10 ** 9) %}x{% endfor %}",
    ],
)
def test_a_prompt_that_cannot_be_rendered_or_reaches_out_sets_its_row_apart(
    template: str,
) -> None:
    with pytest.raises(CallError, match="the prompt cannot be rendered"):
        rendering(template, {})({"text": "a"})


def test_what_a_prompt_asks_for_and_what_it_can_do_without() -> None:
    template = (
        "{{ a }}{% if b is defined %}{{ b }}{% endif %}{{ c | default('') }}{% set d = 1 %}{{ d }}"
    )
    assert names(template) == ({"a", "b", "c"}, {"b", "c"})
    assert names("{% for x in range(3) %}{{ loop.index }}{{ dict(a=1) }}{% endfor %}")[0] == set()


def test_a_row_for_which_there_is_no_prompt_is_set_apart(tmp_path: Path) -> None:
    block = {
        "name": "ask",
        "type": "ConditionalLLMBlock",
        "config": {
            "config_paths": [["p.yaml", "freeform_skill"]],
            "selector_column_name": "leaf_node_type",
            "output_cols": ["question", "response"],
        },
    }
    one = sound(tmp_path, [block])
    backend = Scripted(lambda call: "[Q]Why?[/Q][A]So[/A]")
    rows = [SEED, {**SEED, "leaf_node_type": "other"}]
    found = passed(one, rows, backend, tmp_path / "calls")
    assert len(found.columns) == 1
    assert found.rejected == [("ask", "leaf_node_type is 'other', for which there is no prompt")]
    assert found.ledger.steps[0].failed == 1


# --- what is wrong with a file -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blocks", "line", "told"),
    [
        ([{"name": "a", "type": "NoBlock", "config": {}}], 4, "no block of type `NoBlock`"),
        ([{"name": "a", "config": {}}], 3, "`type` is missing"),
        ([with_config(LLM, config_path="no.yaml")], 6, "no.yaml cannot be read"),
        ([with_config(LLM, output_col="x")], 10, "takes no `output_col`"),
        ([{**LLM, "config": {"config_path": "p.yaml"}}], 6, "`output_cols` is missing"),
        ([with_config(LLM, output_cols=["a", "b", "c"])], 8, "tags for 2 of 3 columns"),
        ([with_config(LLM, gen_kwargs={"n": "many"})], 11, "`gen_kwargs` cannot be read"),
        (
            [with_config(LLM, parser_kwargs={"parser_name": "custom", "parsing_pattern": "(a)"})],
            12,
            "1 groups for 2 columns",
        ),
        (
            [with_config(LLM, parser_kwargs={"parser_name": "custom", "parsing_pattern": "("})],
            12,
            "no regular expression",
        ),
        ([LLM, {**LLM, "drop_duplicates": ["question"]}], 10, "Two steps are called `ask`"),
        (
            [
                LLM,
                {
                    "name": "f",
                    "type": "FilterByValueBlock",
                    "config": {"filter_column": "score", "filter_value": 1, "operation": "eq"},
                },
            ],
            13,
            "no column `score` at this step",
        ),
        (
            [
                LLM,
                {
                    "name": "f",
                    "type": "FilterByValueBlock",
                    "config": {"filter_column": "question", "filter_value": 1, "operation": "like"},
                },
            ],
            15,
            "`like` is not known",
        ),
        ([{**LLM, "drop_columns": ["question"]}], 3, "ends without the columns"),
        ([], 2, "must be a list of blocks"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, blocks: list[Any], line: int, told: str
) -> None:
    found, findings = translated(tmp_path, blocks)
    assert found is None
    assert [f.line for f in findings if told in f.message] == [line], findings


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ({"generation": "{{ seed_answer }}"}, "There is no column `seed_answer`"),
        ({"generation": "{% if %}"}, "no Jinja template"),
        ({"start_tags": []}, "tags for 0 of 2 columns"),
    ],
)
def test_a_bad_prompt_is_told_of(tmp_path: Path, prompt: dict[str, Any], told: str) -> None:
    found, findings = translated(tmp_path, [LLM], prompt)
    assert found is None
    assert any(told in finding.message for finding in findings), findings


def test_a_prompt_file_without_a_part_is_told_of(tmp_path: Path) -> None:
    translated(tmp_path, [LLM])
    (tmp_path / "p.yaml").write_text("system: x\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"p\.yaml lacks introduction, principles, examples"):
        load_flow(str(tmp_path / "flow.yaml"))


@pytest.mark.parametrize(("version", "stops"), [("2.0", True), ("1.1", False), ("one", True)])
def test_a_version_that_is_not_known(tmp_path: Path, version: str, stops: bool) -> None:
    found, findings = translated(tmp_path, [LLM], None, version=version)
    assert (found is None) == stops
    assert findings


def test_keys_that_are_not_used_are_warned_of_and_stop_nothing(tmp_path: Path) -> None:
    block = with_config(LLM, model_id="m", model_family="mixtral", gen_kwargs={"model": "m"})
    found, findings = translated(tmp_path, [block], None, datamixing={})
    assert found is not None
    assert {finding.severity for finding in findings} == {"warning"}
    told = " ".join(finding.message for finding in findings)
    assert "model_id, model_family, gen_kwargs.model: not used" in told
    assert "`datamixing` is not used" in told


def test_a_flow_s_hash_follows_its_file_and_its_prompts(tmp_path: Path) -> None:
    first = sound(tmp_path, [LLM]).hash
    assert sound(tmp_path, [LLM]).hash == first
    others = {
        sound(tmp_path, [LLM], {"generation": "Do ask."}).hash,
        sound(tmp_path, [with_config(LLM, gen_kwargs={"n": 2})]).hash,
    }
    assert len({first, *others}) == 3


def test_a_call_s_values_are_those_that_its_prompt_shows(tmp_path: Path) -> None:
    def checked(call: Call) -> str:
        for value in call.variables.values():
            assert value.strip() in call.messages[0].content
        return said(call)

    one = cut(flow(FOLDER / "knowledge.yaml"), "as a training row")
    backend = Scripted(checked)
    found = passed(one, FIRST["knowledge.yaml"], backend, tmp_path / "calls")
    assert backend.asked
    assert found.columns == ours(FOLDER / "knowledge.yaml", tmp_path / "other").columns
