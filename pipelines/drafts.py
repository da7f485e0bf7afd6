"""The line that marks a leaf as a draft: ``author`` writes it, ``check`` finds it.

A comment at the top of qna.yaml, so that no reader of the leaf's values meets it.
"""

MARK = "# DRAFT"
NOTICE = f"{MARK}: proposed by a program. Read it, mend it, and delete this line."


def draft_line(text: str) -> int:
    """The line (from 1) of the mark among the comments at the top of a qna.yaml; 0 without one."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.startswith("#"):
            return 0
        if line.startswith(MARK):
            return number
    return 0
