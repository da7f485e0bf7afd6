"""The columns that an InstructLab flow ends with → the turns of a training row.

``question`` and ``response`` as they are; a flow without one of them has ``output``, whose text up to the
first question mark is the question and whose rest is the answer. ``context`` goes before the question,
where the flow wrote one and the question does not hold it already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.generate.draft import At, Column, Draft
from pipelines.generate.steps import Keep, Reshape, Row, Setting


def turns(draft: Draft, at: At) -> None:
    """The last steps: the row's turns, and none of them empty."""
    wanted = {"question": "question", "response": "answer"}
    if not all(name in draft.columns or "output" in draft.columns for name in wanted):
        draft.wrong(
            at,
            "The flow ends without the columns `question` and `response` (or `output`).",
            f"There are: {', '.join(sorted(draft.columns))}.",
        )
        return
    for name in ("question", "response", "output", "context"):
        draft.may_read(name)
    draft.adds(Reshape("as a training row", _turns), at)
    for name in ("context", "question", "answer"):
        draft.writes(name, Column())
    draft.adds(Keep("whole", _whole), at)


def _turns(row: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
    before, mark, after = row.get("output", "").partition("?")
    question = row.get("question", before.strip() + mark if mark else "")
    answer = row.get("response", after.strip() if mark else before.strip())
    context = row.get("context", "")
    made = {"question": question, "answer": answer}
    return [made if context in question else {"context": context, **made}]


def _whole(row: Row, setting: Setting) -> str:
    """A question and an answer."""
    empty = [name for name in ("question", "answer") if not row.columns[name].strip()]
    return f"the {empty[0]} is empty" if empty else ""
