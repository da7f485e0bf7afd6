"""An answer as the metrics read it.

In: an answer or a reference, any script. Out: its words, normalised by ``pipelines.text``, without
English articles. Where nothing else is left ("The", "A", "+"), it is kept: it may be the answer.
"""

from __future__ import annotations

import unicodedata

from pipelines.text import tokens

ARTICLES = frozenset({"a", "an", "the"})


def words(text: str) -> list[str]:
    """Words in order; empty only where ``text`` is blank."""
    found = tokens(text)
    without = [word for word in found if word not in ARTICLES]
    if without or found:
        return without or found
    bare = "".join(unicodedata.normalize("NFKC", text).split())
    return [bare] if bare else []
