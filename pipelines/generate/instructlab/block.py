"""One block of an InstructLab flow while it is translated, and the check of its configuration's shape."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.generate.draft import At, Draft
from pipelines.records import Json

_KINDS = {str: "text", list: "a list", dict: "keys with values", int: "a whole number"}


@dataclass(frozen=True, slots=True)
class Block:
    """``times`` is how often an IterBlock repeats it, ``scaled`` what ``n: scaled`` means."""

    name: str
    config: Json
    at: At
    scaled: int
    times: int = 1

    @property
    def here(self) -> At:
        """Where its name stands."""
        return (*self.at[:-1], "name")


def fits(
    draft: Draft,
    data: object,
    at: At,
    needed: Mapping[str, type],
    optional: Mapping[str, type] | None,
) -> bool:
    """Whether ``data`` has the keys that are needed, and no others than the optional ones (None: any)."""
    if not isinstance(data, dict):
        draft.wrong(at, "There must be keys with values here.")
        return False
    good = True
    for key in needed:
        if key not in data:
            draft.wrong(at, f"`{key}` is missing.", f"Add `{key}:`.")
            good = False
    known: dict[str, type] = {**needed, **(optional or {})}
    for key, value in data.items():
        if key not in known:
            if optional is not None:
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f"Is `{close[0]}` meant?" if close else f"Known: {', '.join(known)}."
                draft.wrong((*at, key), f"This type of block takes no `{key}`.", hint)
                good = False
            continue
        kind = known[key]
        if kind is not object and value is not None and not isinstance(value, kind):
            draft.wrong((*at, key), f"`{key}` must be {_KINDS.get(kind, kind.__name__)}.")
            good = False
    return good


def value(data: Mapping[str, Any], key: str, default: Any) -> Any:
    """The value at ``key``; the default also where nothing stands there."""
    found = data.get(key)
    return default if found is None else found
