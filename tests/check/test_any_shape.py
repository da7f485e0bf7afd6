"""Whatever shape a leaf has, no rule crashes on it and every finding can be shown."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.check import INTERNAL, Policy, check
from pipelines.check.render import FORMATS
from pipelines.policy import Exemption

KEYS = st.sampled_from(
    [
        *("version", "created_by", "task_description", "domain", "document_outline", "document"),
        *("seed_examples", "questions_and_answers", "question", "answer", "context"),
        *("repo", "commit", "patterns", "x", ""),
    ]
)
TEXTS = st.sampled_from(
    [
        *(
            "",
            " ",
            "…",
            "TODO",
            "What is it",
            "C #1",
            ".",
            "HEAD",
            "../x",
            "a.md",
            "**",
            "3",
            "日本?",
        ),
        *("+49 30 901820", "bob@mail.org", "suicide", "自殺", "4111111111111111", "<your-name>"),
        *("git@x:y", "https://u:p4ssw0rd@h/x", "\u202e", "e\u0301", "😀" * 30, "word " * 300),
    ]
) | st.text(max_size=12)
SCALARS = TEXTS | st.integers(-3, 4) | st.none() | st.booleans()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5)
)
PLACES = st.sampled_from(
    ["knowledge/a", "compositional_skills/grounded/a", "compositional_skills/a/b", "knowledge/b/c"]
)


class Files:
    """A tree in memory."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        if path not in self._files:
            raise FileNotFoundError(path)
        return self._files[path]

    def files(self, under: str = "") -> Iterator[str]:
        return (path for path in sorted(self._files) if path.startswith(f"{under}/"))


@settings(max_examples=80, deadline=None)
@given(
    place=PLACES, data=st.dictionaries(KEYS, VALUES, max_size=6), text=st.text(), raw=st.binary()
)
def test_no_rule_crashes(place: str, data: dict[str, object], text: str, raw: bytes) -> None:
    leaf = json.dumps(data, ensure_ascii=False).encode(errors="replace")
    document = text.encode(errors="replace")
    files = {f"{place}/qna.yaml": leaf, f"{place}/a.md": document, f"{place}/attribution.txt": raw}
    policy = Policy(exceptions=(Exemption("topic", "**", "Never mind."),))
    result = check(Files(files), policy)
    assert [f for f in result.findings if f.rule == INTERNAL] == []
    for form in FORMATS.values():
        assert "".join(form(result)).endswith("\n")
