"""The blocks of InstructLab's that ask nobody → our steps: filters, reshapes, the majority."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import yaml

from pipelines.generate import reshapes
from pipelines.generate.comparing import Comparison
from pipelines.generate.draft import Column, Draft
from pipelines.generate.instructlab.block import Block, fits, value
from pipelines.generate.steps import Keep, Majority, Reshape

OPERATIONS = {
    "eq": "equal",
    "ne": "unequal",
    "lt": "less",
    "le": "at_most",
    "gt": "more",
    "ge": "at_least",
    "contains": "contains",
}
TYPES: Mapping[str, tuple[Callable[[Any], Any], Any]] = {
    "int": (int, 0),
    "float": (float, 0.0),
    "bool": (bool, False),
}


def converted(kind: str, default: Any, is_json: bool, text: str) -> Any:
    """The column's value as that type; the default where it is none."""
    make, usual = TYPES[kind]
    try:
        return make(reshapes.value_of(is_json, text))
    except (ValueError, TypeError):
        return usual if default is None else make(default)


def _filter(draft: Draft, block: Block) -> None:
    """A comparison; where the column is converted first, it stays so."""
    config, at = block.config, block.at
    needed = {"filter_column": str, "filter_value": object, "operation": str}
    if not fits(draft, config, at, needed, {"convert_dtype": str, "default_value": object}):
        return
    column, kind = config["filter_column"], config.get("convert_dtype")
    operation = OPERATIONS.get(config["operation"].strip("_"))
    if operation is None or (kind and kind not in TYPES):
        key, known = ("operation", OPERATIONS) if operation is None else ("convert_dtype", TYPES)
        draft.wrong((*at, key), f"`{config[key]}` is not known.", f"Known: {', '.join(known)}.")
        return
    found = draft.reads(column, (*at, "filter_column"))
    given = config["filter_value"]
    values = given if isinstance(given, list) else [given]
    if kind:
        default = config.get("default_value")
        values = [converted(kind, default, False, v) for v in values]
        read = partial(converted, kind, default, found.is_json)
        draft.adds(Reshape(f"{block.name}: as {kind}", reshapes.convert(column, read)), block.here)
        draft.writes(column, Column(is_json=True))
        found = Column(is_json=True)
    test = Comparison(column, operation, tuple(values), reshapes.reader(found.is_json))
    draft.adds(Keep(block.name, test), block.here)


def _flatten(draft: Draft, block: Block) -> None:
    config = block.config
    if not fits(
        draft, config, block.at, {"var_cols": list, "value_name": str, "var_name": str}, {}
    ):
        return
    columns = [draft.reads(name, (*block.at, "var_cols")) for name in config["var_cols"]]
    for name in config["var_cols"]:
        draft.loses(name)
    draft.writes(config["value_name"], Column(is_json=all(c.is_json for c in columns)))
    draft.writes(config["var_name"], Column())
    change = reshapes.flatten(config["var_cols"], config["value_name"], config["var_name"])
    draft.adds(Reshape(block.name, change), block.here)


def _duplicate(draft: Draft, block: Block) -> None:
    if not fits(draft, block.config, block.at, {"columns_map": dict}, {}):
        return
    for source, target in block.config["columns_map"].items():
        draft.writes(target, draft.reads(source, (*block.at, "columns_map")))
    draft.adds(Reshape(block.name, reshapes.copy(block.config["columns_map"])), block.here)


def _rename(draft: Draft, block: Block) -> None:
    if not fits(draft, block.config, block.at, {"columns_map": dict}, {}):
        return
    columns = block.config["columns_map"]
    found = {new: draft.reads(old, (*block.at, "columns_map")) for old, new in columns.items()}
    for old in columns:
        draft.loses(old)
    for new, column in found.items():
        draft.writes(new, column)
    draft.adds(Reshape(block.name, reshapes.rename(columns)), block.here)


def _combine(draft: Draft, block: Block) -> None:
    config, needed = block.config, {"columns": list, "output_col": str}
    if not fits(draft, config, block.at, needed, {"separator": str}):
        return
    for name in config["columns"]:
        draft.reads(name, (*block.at, "columns"))
    draft.writes(config["output_col"], Column())
    separator = value(config, "separator", "\n\n")
    change = reshapes.combine(config["columns"], config["output_col"], separator)
    draft.adds(Reshape(block.name, change), block.here)


def _majority(draft: Draft, block: Block) -> None:
    if fits(draft, block.config, block.at, {"col_name": str}, {}):
        name = block.config["col_name"]
        draft.writes(name, draft.reads(name, (*block.at, "col_name")))
        draft.adds(Majority(block.name, name), block.here)


def _select(draft: Draft, block: Block) -> None:
    config = block.config
    needed = {"choice_map": dict, "choice_col": str, "output_col": str}
    if not fits(draft, config, block.at, needed, {}):
        return
    by = draft.reads(config["choice_col"], (*block.at, "choice_col"))
    choices = {_key(key, by.is_json): name for key, name in config["choice_map"].items()}
    found = [draft.reads(name, (*block.at, "choice_map")) for name in choices.values()]
    draft.writes(config["output_col"], Column(is_json=all(c.is_json for c in found)))
    known = reshapes.known(config["choice_col"], choices)
    draft.adds(Keep(f"{block.name}: known", known), block.here)
    change = reshapes.choose(config["choice_col"], choices, config["output_col"])
    draft.adds(Reshape(block.name, change), block.here)


def _key(key: Any, is_json: bool) -> str:
    return json.dumps(key) if is_json else str(key)


def _populate(draft: Draft, block: Block) -> None:
    """Each file's keys become columns of the rows whose column says the file's name."""
    config = block.config
    needed = {"config_paths": list, "column_name": str}
    if not fits(draft, config, block.at, needed, {"post_fix": str}):
        return
    by = config["column_name"]
    draft.reads(by, (*block.at, "column_name"))
    sets: dict[str, dict[str, Any]] = {}
    for path in config["config_paths"]:
        ending = value(config, "post_fix", "")
        file = path.replace(".yaml", f"_{ending}.yaml") if ending else path
        sets[path.split("/")[-1].split(".")[0]] = _set(draft, file, block)
    names = [set(columns) for columns in sets.values()]
    if any(found != names[0] for found in names):
        draft.wrong((*block.at, "config_paths"), "The files do not give the same columns.")
    is_text = {
        name: all(isinstance(found.get(name), str) for found in sets.values())
        for name in set().union(*names)
    }
    for name, text in is_text.items():
        draft.writes(name, Column(is_json=not text))
    texts = {
        key: {n: v if is_text[n] else json.dumps(v, default=str) for n, v in columns.items()}
        for key, columns in sets.items()
    }
    draft.adds(Keep(f"{block.name}: known", reshapes.known(by, texts)), block.here)
    draft.adds(Reshape(block.name, reshapes.populate(by, texts)), block.here)


def _set(draft: Draft, file: str, block: Block) -> dict[str, Any]:
    at = (*block.at, "config_paths")
    text = draft.text(file, at)
    try:
        data = {} if text is None else yaml.safe_load(text)
    except yaml.YAMLError as error:
        draft.wrong(at, f"{file} is no YAML: {' '.join(str(error).split())}.")
        return {}
    if not isinstance(data, dict):
        draft.wrong(at, f"{file} must hold keys with values.")
        return {}
    return {str(key): found for key, found in data.items()}


RESHAPING: dict[str, Callable[[Draft, Block], None]] = {
    "FilterByValueBlock": _filter,
    "FlattenColumnsBlock": _flatten,
    "DuplicateColumnsBlock": _duplicate,
    "RenameColumnsBlock": _rename,
    "CombineColumnsBlock": _combine,
    "SetToMajorityValueBlock": _majority,
    "SelectorBlock": _select,
    "SamplePopulatorBlock": _populate,
}
