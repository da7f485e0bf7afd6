"""The blocks of InstructLab's that ask a model → ``Ask`` steps.

A prompt file's five parts make one user message, rendered in Jinja's sandbox. Which model is asked, and
in which chat template, is the recipe's and the server's affair: those keys are read and told of, no more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import yaml

from pipelines.backends import Sampling
from pipelines.errors import CallError
from pipelines.generate import reshapes
from pipelines.generate.draft import At, Column, Draft
from pipelines.generate.instructlab.answers import Tags, matched, message, tagged
from pipelines.generate.instructlab.block import Block, fits, value
from pipelines.generate.parsing import pattern_groups
from pipelines.generate.prompts import names, rendering
from pipelines.generate.steps import Ask, Parser, Reshape
from pipelines.records import Json, Message

PARTS = ("system", "introduction", "principles", "examples", "generation")
MOST_TOKENS = 4096
UNUSED = ("model_id", "model_family", "model_prompt")
_KEYS = {
    **dict.fromkeys(UNUSED, str),
    "gen_kwargs": dict,
    "parser_kwargs": dict,
    "batch_kwargs": dict,
}
Render = Callable[[Mapping[str, str]], str]


def _llm(draft: Draft, block: Block) -> None:
    """One prompt for every row."""
    config, at = block.config, block.at
    if fits(draft, config, at, {"config_path": str, "output_cols": list}, _KEYS):
        prompt = _prompt(draft, config["config_path"], (*at, "config_path"))
        _asks(draft, block, prompt, {"": prompt}, None)


def _conditional(draft: Draft, block: Block) -> None:
    """The prompt that the row's selector column names; a lone prompt for All is for every row."""
    config, at = block.config, block.at
    needed = {"config_paths": list, "output_cols": list, "selector_column_name": str}
    if not fits(draft, config, at, needed, _KEYS):
        return
    pairs = config["config_paths"]
    if not pairs or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        draft.wrong((*at, "config_paths"), "Each entry must be a list of a path and a key.")
        return
    prompts = {str(key): _prompt(draft, path, (*at, "config_paths")) for path, key in pairs}
    first = next(iter(prompts.values()))
    if [key for _, key in pairs] == ["All"]:
        _asks(draft, block, first, {"": first}, None)
        return
    selector = config["selector_column_name"]
    draft.reads(selector, (*at, "selector_column_name"))
    _asks(draft, block, first, prompts, selector)


def _asks(
    draft: Draft, block: Block, first: Json, prompts: Mapping[str, Json], selector: str | None
) -> None:
    """The step, once the column ``num_samples`` is there; tags are those of the first prompt."""
    config = block.config
    _unused(draft, block)
    number = value(config, "batch_kwargs", {}).get("num_samples")
    if number is not None and "num_samples" not in draft.columns:
        fill = reshapes.fill("num_samples", json.dumps(number))
        draft.adds(Reshape(f"{block.name}: num_samples", fill), block.here)
        draft.writes("num_samples", Column(is_json=True))
    variables: set[str] = set() if selector is None else {selector}
    renders: dict[str, Render] = {}
    for key, prompt in prompts.items():
        made = _render(draft, prompt, block)
        if made is not None:
            renders[key] = made[0]
            variables |= made[1]
    parse = _parser(draft, block, first)
    sampling, samples = _sampling(draft, block)
    for column in config["output_cols"]:
        draft.writes(column, Column())
    if parse is not None and len(renders) == len(prompts):
        render = partial(_user, renders, selector)
        ask = Ask(
            block.name, tuple(sorted(variables)), render, parse,
            samples=samples * block.times, sampling=sampling,
        )  # fmt: skip
        draft.adds(ask, block.here)


def _user(
    renders: Mapping[str, Render], selector: str | None, values: Mapping[str, str]
) -> tuple[Message, ...]:
    key = "" if selector is None else values[selector]
    if key not in renders:
        raise CallError(f"{selector} is {key[:60]!r}, for which there is no prompt")
    return (Message("user", renders[key](values)),)


def _unused(draft: Draft, block: Block) -> None:
    given = [key for key in UNUSED if block.config.get(key)]
    given += ["gen_kwargs.model"] if value(block.config, "gen_kwargs", {}).get("model") else []
    if given:
        draft.wrong(
            block.at,
            f"{', '.join(given)}: not used; the recipe names the model, the server its chat template.",
            severity="warning",
        )


def _prompt(draft: Draft, path: str, at: At) -> Json:
    """A prompt file; empty where it cannot be read."""
    text = draft.text(path, at)
    if text is None:
        return {}
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        draft.wrong(at, f"{path} is no YAML: {' '.join(str(error).split())}.")
        return {}
    missing = [part for part in PARTS if not isinstance(found, dict) or part not in found]
    if missing:
        draft.wrong(
            at, f"{path} lacks {', '.join(missing)}.", "A part may be empty, as `examples:`."
        )
        return {}
    return dict(found)


def _render(draft: Draft, prompt: Json, block: Block) -> tuple[Render, set[str]] | None:
    """How a prompt is rendered, and the columns that go into it."""
    if not prompt:
        return None
    from jinja2 import TemplateSyntaxError

    at = (*block.at, "config_path" if "config_path" in block.config else "config_paths")
    template = "\n".join(str(value(prompt, part, "")) for part in PARTS)
    try:
        wanted, optional = names(template)
    except TemplateSyntaxError as error:
        draft.wrong(at, f"The prompt is no Jinja template: {error}.")
        return None
    for name in sorted(wanted - optional):
        draft.reads(name, at)
    for name in optional:
        draft.may_read(name)
    there = wanted & set(draft.columns)
    read = {name: reshapes.reader(True) for name in there if draft.columns[name].is_json}
    return rendering(template, read), there


def _parser(draft: Draft, block: Block, prompt: Json) -> Parser | None:
    columns, at = block.config["output_cols"], block.at
    given = value(block.config, "parser_kwargs", {})
    if given.get("parser_name") == "custom":
        regex = given.get("parsing_pattern")
        if not isinstance(regex, str):
            draft.wrong((*at, "parser_kwargs"), "`parsing_pattern` is missing.")
            return None
        groups = pattern_groups(draft, regex, (*at, "parser_kwargs", "parsing_pattern"))
        if groups is None:
            return None
        if max(groups, 1) < len(columns):
            draft.wrong(
                (*at, "parser_kwargs", "parsing_pattern"),
                f"The pattern has {groups} groups for {len(columns)} columns, so no row can come.",
            )
            return None
        return matched(regex, columns, value(given, "parser_cleanup_tags", ()))
    starts, ends = value(prompt, "start_tags", []), value(prompt, "end_tags", [])
    tags = [Tags(c, s or "", e or "") for s, e, c in zip(starts, ends, columns, strict=False)]
    if prompt and len(tags) < len(columns):
        draft.wrong(
            (*at, "output_cols"),
            f"The prompt has tags for {len(tags)} of {len(columns)} columns.",
            "Give it start_tags and end_tags, or the block parser_kwargs.",
        )
    return tagged(tags)


def _sampling(draft: Draft, block: Block, usual: float = 0.0) -> tuple[Sampling, int]:
    """How answers are drawn, and how many."""
    given = dict(value(block.config, "gen_kwargs", {}))
    number = given.pop("n", 1)
    number = block.scaled if number == "scaled" else number
    stop = given.pop("stop", None) or ()
    given.pop("model", None)
    extra = given.pop("extra_body", None) or {}
    try:
        sampling = Sampling(
            float(given.pop("temperature", usual)),
            int(given.pop("max_tokens", MOST_TOKENS)),
            (stop,) if isinstance(stop, str) else tuple(stop),
            {**given, **extra},
        )
        return sampling, int(number)
    except (TypeError, ValueError) as error:
        draft.wrong((*block.at, "gen_kwargs"), f"`gen_kwargs` cannot be read: {error}.")
        return Sampling(), 1


def _messages(draft: Draft, block: Block) -> None:
    """A column that holds a conversation → its next turn."""
    config, at = block.config, block.at
    optional = {"model_id": str, "gen_kwargs": dict}
    if not fits(draft, config, at, {"input_col": str, "output_col": str}, optional):
        return
    _unused(draft, block)
    column = config["input_col"]
    draft.reads(column, (*at, "input_col"))
    sampling, samples = _sampling(draft, block)
    if samples > 1:
        if sampling.temperature <= 0:
            sampling = Sampling(0.7, sampling.most_tokens, sampling.stop, sampling.other)
        draft.wrong(
            (*at, "gen_kwargs"), "`n` answers become `n` rows, not one row with a list.",
            severity="warning",
        )  # fmt: skip
    draft.writes(config["output_col"], Column())
    ask = Ask(
        block.name, (column,), partial(_conversation, column), message(config["output_col"]),
        samples=samples * block.times, sampling=sampling,
    )  # fmt: skip
    draft.adds(ask, block.here)


def _conversation(column: str, values: Mapping[str, str]) -> tuple[Message, ...]:
    try:
        turns: Any = json.loads(values[column])
        found = tuple(Message(turn["role"], turn["content"]) for turn in turns)
    except (ValueError, TypeError, KeyError) as error:
        raise CallError(f"{column} holds no conversation") from error
    if not found or not all(isinstance(turn.content, str) for turn in found):
        raise CallError(f"{column} holds no conversation of texts")
    return found


ASKING: dict[str, Callable[[Draft, Block], None]] = {
    "LLMBlock": _llm,
    "ConditionalLLMBlock": _conditional,
    "LLMLogProbBlock": _llm,  # which in InstructLab does what LLMBlock does
    "LLMMessagesBlock": _messages,
}
