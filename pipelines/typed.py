"""Plain values as dataclasses: a person's YAML with every key and type checked, and our own JSON.

In: what a YAML file holds, a dataclass. Out: one of it; ``RecipeError`` names the key and what to mend.
``from_json`` takes what was written of a record, whose form a schema has checked.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from pipelines.errors import RecipeError

T = TypeVar("T")
_Read = Callable[[Any], Any]


def build(cls: type[T], data: Any, path: str, at: str) -> T:
    """``data`` as the dataclass ``cls``: every key known, those without a default there, types right."""
    if not isinstance(data, dict):
        raise RecipeError(f"{path}: {at or 'the recipe'} must be a mapping of keys to values.")
    hints = typing.get_type_hints(cls)
    unknown = sorted(str(key) for key in data.keys() - hints.keys())
    missing = sorted(_needed(cls) - data.keys())
    if unknown:
        raise RecipeError(
            f"{path}: unknown key {at}{unknown[0]}; known here: {', '.join(sorted(hints))}."
        )
    if missing:
        raise RecipeError(f"{path}: the key {at}{missing[0]} is missing.")
    values = {
        key: _value(hint, data[key], path, f"{at}{key}")
        for key, hint in hints.items()
        if key in data
    }
    return cls(**values)


def _needed(cls: Any) -> set[str]:
    """The keys without a default."""
    none = dataclasses.MISSING
    fields = dataclasses.fields(cls)
    return {f.name for f in fields if f.default is none and f.default_factory is none}


def _value(hint: Any, value: Any, path: str, at: str) -> Any:
    if isinstance(hint, types.UnionType):  # X | None: a section that may be left out
        (hint,) = [part for part in typing.get_args(hint) if part is not types.NoneType]
        if value is None:
            return None
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise RecipeError(f"{path}: {at} must be a list.")
        inner = typing.get_args(hint)[0]
        return tuple(_value(inner, v, path, f"{at}[{n}]") for n, v in enumerate(value))
    if typing.get_origin(hint) is Mapping:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise RecipeError(f"{path}: {at} must be a mapping of names to values.")
        inner = typing.get_args(hint)[1]
        return {key: _value(inner, v, path, f"{at}.{key}") for key, v in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, path, f"{at}.")
    if typing.get_origin(hint) is Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            raise RecipeError(f"{path}: {at} is {value!r}; it may be {', '.join(allowed)}.")
        return value
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise RecipeError(f"{path}: {at} is {value!r}; it must be of type {hint.__name__}.")
    if hint in (int, float) and not 0 <= value < math.inf:
        raise RecipeError(f"{path}: {at} is {value}; it must be finite and not negative.")
    return value


def from_json(cls: Callable[..., T], data: Mapping[str, Any]) -> T:
    """The record that was written as the JSON ``data``; a field with a default may be missing.

    ``TypeError`` or ``ValueError`` where it is of another record.
    """
    changed = {key: read(data[key]) for key, read in _readers(cls) if key in data}
    return cls(**{**data, **changed})


@functools.cache
def _readers(cls: Hashable) -> list[tuple[str, _Read]]:
    """What must be done to those fields that JSON has in another form."""
    found = ((key, _reader(hint)) for key, hint in typing.get_type_hints(cls).items())
    return [(key, read) for key, read in found if read is not None]


def _reader(hint: Any) -> _Read | None:
    """None where the value is as JSON has it."""
    outer, inner = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return functools.partial(from_json, hint)
    if outer is types.UnionType:
        read = next(filter(None, map(_reader, inner)), None)
        return read and (lambda value: None if value is None else read(value))
    if outer is Mapping:
        one = _reader(inner[1])
        return one and (lambda value: {key: one(item) for key, item in value.items()})
    if outer not in (tuple, frozenset, Sequence):
        return None
    each = _reader(inner[0]) or (lambda value: value)
    made = list if outer is Sequence else outer
    return lambda value: made(map(each, value))
