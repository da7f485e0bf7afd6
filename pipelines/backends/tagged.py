"""A teacher's tagged text → its blocks as fields: ``[QUESTION] … [ANSWER] … [END]``.

In: the raw answer to a ``Call``. Out: what could be read, and raw what could not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


def spoken(text: str) -> str:
    """The answer without the reasoning that some models write first, ``<think>…</think>``, of which a
    chat template may have given the opening mark. Reasoning that was cut off leaves nothing."""
    before, closed, after = text.partition("</think>")
    thinks = before.lstrip().startswith("<think>")
    if closed:
        return after if thinks or "<think>" not in before else text
    return "" if thinks else text


def parse(text: str, tags: Sequence[str]) -> tuple[list[dict[str, str]], list[str]]:
    """The tagged blocks of ``text`` as fields, and the raw blocks that could not be read.

    Every block must hold every tag once, in order, none empty, and be closed by its ``[END]``: an
    answer that was cut off is none. So one broken block never shifts the fields of the next.
    """
    good, bad = [], []
    pattern = re.compile(
        r"\s*" + r"\s*".join(rf"\[{tag.upper()}\]\s*(?P<{tag}>.*?)" for tag in tags) + r"\s*\Z",
        re.DOTALL,
    )
    marks = re.compile(r"\[(?:" + "|".join(tag.upper() for tag in tags) + r")\]")
    *closed, rest = text.split("[END]")
    for block in closed:
        if not block.strip():
            continue
        match = pattern.match(block)
        whole = match and all(match.group(tag).strip() for tag in tags)
        if match and whole and len(marks.findall(block)) == len(tags):
            good.append({tag: match.group(tag).strip() for tag in tags})
        else:
            bad.append(block.strip())
    return good, [*bad, rest.strip()] if rest.strip() else bad
