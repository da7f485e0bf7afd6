"""JSON Schemas and what their violations mean to a person.

In: plain values and the name of a schema (``schema/NAME.json``). Out: ``Violation`` s: the path of
the value, one plain sentence and how to mend it; never jsonschema's own words. jsonschema-rs says at
once that all is well; jsonschema, slow to import and to run, is asked only when it does not.
"""

from __future__ import annotations

import difflib
import functools
import itertools
import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.errors import GraftError
from pipelines.yaml_source import MAX_FINDINGS, Source

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

# In a wheel the schemas lie inside the package, in a checkout beside it.
_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = (_PACKAGE / "schema", _PACKAGE.parent / "schema")

_WANTED = {
    "string": "text",
    "array": "a list",
    "object": "keys with values",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_SINGULAR = {
    "seed_examples": "seed example",
    "questions_and_answers": "question",
    "patterns": "pattern",
    "licences": "licence",
    "steps": "step",
    "principles": "principle",
    "probes": "probe",
}


class Violation(NamedTuple):
    """One breach of a schema, at a path of keys and indices; ``on_key``: at the key itself."""

    at: tuple[str | int, ...]
    on_key: bool
    message: str
    hint: str = ""

    def place(self, source: Source) -> tuple[int, int]:
        """Line and column, from 1."""
        return source.key_at(self.at) if self.on_key else source.value_at(self.at)


def violations(data: object, name: str) -> list[Violation]:
    """The breaches of the schema ``name``, in the schema's order; of very many, the first."""
    if _surely_valid(data, name):
        return []
    found: dict[Violation, None] = {}
    for error in _validator(name).iter_errors(data):
        for violation in _explain(error):
            found[violation] = None
            if len(found) == MAX_FINDINGS:
                return list(found)
    return list(found)


@functools.cache
def load_schema(name: str) -> dict[str, Any]:
    """The schema ``name`` as plain JSON; ``GraftError`` where the installation lacks it."""
    for folder in _FOLDERS:
        path = folder / f"{name}.json"
        if path.is_file():
            schema: dict[str, Any] = json.loads(path.read_bytes())
            return schema
    raise GraftError(f"The schema {name}.json is missing from this installation; install it again.")


def _surely_valid(data: object, name: str) -> bool:
    try:
        return bool(_verdict(name)(data))
    except (ValueError, TypeError):
        # Dates, bytes and keys that are no text are beyond it: jsonschema decides.
        return False


@functools.cache
def _verdict(name: str) -> Callable[[object], bool]:
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(load_schema(name)).is_valid


@functools.cache
def _validator(name: str) -> Any:
    # This import takes longer than all else that a check does: it waits until something is wrong.
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    validator: Any = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"uniqueItems": _unique_items}
    )
    return validator(load_schema(name))


def _unique_items(_: Any, unique: bool, items: Any, __: Any) -> Iterator[ValidationError]:
    """In place of jsonschema's, which compares every pair: a hostile file costs it minutes."""
    from jsonschema.exceptions import ValidationError

    seen: dict[Hashable, int] = {}
    for index, item in enumerate(items if unique and isinstance(items, list) else ()):
        first = seen.setdefault(_form(item), index)
        if first != index:
            yield ValidationError(str(first), path=[index])


def _form(value: object) -> Hashable:
    """Equal for what JSON Schema calls equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, dict):
        return "map", frozenset((key, _form(item)) for key, item in value.items())
    if isinstance(value, list):
        return "list", tuple(_form(item) for item in value)
    return isinstance(value, bool), value


def _explain(error: ValidationError) -> Iterator[Violation]:
    at = tuple(error.absolute_path)
    value: Any = error.instance
    keyword = str(error.validator)
    wanted: Any = error.validator_value
    name = describe(at)
    if keyword == "required":
        # jsonschema reports each missing key alone; all are told at once, and told once.
        for key in wanted if isinstance(wanted, list) else ():
            if key not in value:
                yield Violation(at, False, f"{describe(at)} lacks `{key}`.", f"Add `{key}:`.")
    elif keyword == "additionalProperties":
        known = _known(error)
        for key in value:
            if key not in known:
                yield Violation((*at, key), True, *_unknown(key, known, at))
    elif keyword == "type":
        yield Violation(at, False, *_wrong_type(name, wanted, value))
    elif keyword == "const":
        yield Violation(at, False, f"{name} is {show(value)}; it must be {show(wanted)}.")
    elif keyword == "enum":
        allowed = ", ".join(show(choice) for choice in wanted)
        yield Violation(at, False, f"{name} is {show(value)}; it may be {allowed}.")
    elif keyword == "minimum":
        yield Violation(at, False, f"{name} is {show(value)}; it must be {wanted} at least.")
    elif keyword == "dependentRequired":
        yield from _dependent(at, value, wanted)
    elif keyword == "minLength":
        yield Violation(at, False, f"{name} is empty.", "Fill it in.")
    elif keyword == "minItems":
        message = f"{name} has {len(value)} of the {wanted} items that it needs at least."
        yield Violation(at, True, message, "Add more.")
    elif keyword == "uniqueItems":
        first = describe((*at[:-1], int(error.message))).lower()
        yield Violation(at, False, f"{name} says the same as {first}.", "Change or delete it.")
    else:
        yield Violation(at, False, f"{name} breaks the schema's rule `{keyword}`.")


def _dependent(
    at: tuple[str | int, ...], value: dict[str, Any], wanted: dict[str, list[str]]
) -> Iterator[Violation]:
    for key, others in wanted.items():
        for other in others if key in value else ():
            if other not in value:
                message = f"{describe(at)} has `{key}` and lacks `{other}`."
                yield Violation(at, False, message, f"Add `{other}:`.")


def _known(error: ValidationError) -> Sequence[str]:
    schema: Any = error.schema
    return list(schema.get("properties", {}))


def _unknown(key: str, known: Sequence[str], at: tuple[str | int, ...]) -> tuple[str, str]:
    close = difflib.get_close_matches(key[:60], known, n=1)
    if close:
        hint = f"Is `{close[0]}` meant?"
    elif key == "task_description":
        hint = "Knowledge is described by `domain` and `document_outline`."
    else:
        hint = f"Known here: {', '.join(f'`{name}`' for name in known)}."
    return f"{describe(at)} may not hold the key {show(key)}.", hint


def _wrong_type(name: str, wanted: str | list[str], value: object) -> tuple[str, str]:
    wanted = [wanted] if isinstance(wanted, str) else wanted
    kinds = " or ".join(_WANTED.get(kind, kind) for kind in wanted)
    message = f"{name} must be {kinds}; it is {_kind(value)}."
    if value is None:
        return message, "Fill it in."
    if wanted == ["string"] and not isinstance(value, (list, dict)):
        return message, "Put the text in quotes."
    if wanted == ["string"]:
        return message, "Put text that holds a colon, brackets or a leading dash in quotes."
    return message, "Look at another file for the shape."


def _kind(value: object) -> str:
    """What YAML made of a value, and the value where that helps."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"{str(value).lower()} (YAML reads yes, no, on and off so)"
    if isinstance(value, (int, float)):
        return f"the number {show(value)}"
    if isinstance(value, str):
        return f"the text {show(value)}"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "keys with values"
    return "binary data" if isinstance(value, bytes) else f"the date {show(value)}"


def show(value: object) -> str:
    """A value in backticks, cut short."""
    text = str(value)
    return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"


def describe(at: Sequence[str | int]) -> str:
    """A path in words: "`answer` in seed example 3, question 2"; items are counted from 1."""
    if not at:
        return "The top of the file"
    items = [
        f"{_SINGULAR.get(str(before), 'item')} {index + 1}"
        for before, index in itertools.pairwise(at)
        if isinstance(index, int)
    ]
    if isinstance(at[-1], int):
        return ", ".join(items).capitalize()
    return f"`{at[-1]}`{' in ' if items else ''}{', '.join(items)}"
