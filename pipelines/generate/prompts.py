"""Prompts: a template and a row's values in, the messages of a call out.

Our own prompts have slots, ``{{ name }}``, and nothing else. Prompts from outside are Jinja templates and
are rendered in its sandbox, where a name that is not there is an error. Text that is put in is never
read as a template again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipelines.errors import CallError
from pipelines.records import Message

if TYPE_CHECKING:
    from jinja2 import Environment

_SLOT = re.compile(r"\{\{ (\w+) \}\}")


def slots(prompt: str) -> set[str]:
    """The names of the slots of one of our own prompts."""
    return set(_SLOT.findall(prompt))


def stray(prompt: str) -> bool:
    """Whether the prompt holds braces that look like a slot and are none."""
    return "{{" in _SLOT.sub("", prompt)


def filled(prompt: str, values: Mapping[str, str]) -> tuple[Message, ...]:
    """The prompt with its slots filled."""
    return (Message("user", _SLOT.sub(lambda slot: values[slot.group(1)], prompt)),)


@lru_cache(maxsize=1)
def sandbox() -> Environment:
    """Jinja without access to what lies behind a value."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined)


def names(template: str) -> tuple[set[str], set[str]]:
    """The names that a Jinja template asks for, and those of them that it also does without.

    ``jinja2.TemplateSyntaxError`` where it is none.
    """
    from jinja2 import meta, nodes

    tree = sandbox().parse(template)
    optional = {
        found.node.name
        for found in tree.find_all((nodes.Test, nodes.Filter))
        if found.name in ("defined", "undefined", "default", "d")
        and isinstance(found.node, nodes.Name)
    }
    return meta.find_undeclared_variables(tree) - set(sandbox().globals), optional


def rendering(
    template: str, read: Mapping[str, Callable[[str], Any]]
) -> Callable[[Mapping[str, str]], str]:
    """A function that renders ``template``; ``read`` turns a column's text into its value.

    It raises ``CallError`` for a row that the template cannot be rendered with.
    """
    compiled = sandbox().from_string(template)

    def render(values: Mapping[str, str]) -> str:
        given = {name: read[name](text) if name in read else text for name, text in values.items()}
        try:
            return compiled.render(given).strip()
        except Exception as error:  # whatever an outside template does to a value
            raise CallError(f"the prompt cannot be rendered: {error}") from error

    return render
