"""Lists of words, looked for in a leaf and its documents: whole tokens, in any script.

In: a list of words and phrases, as ``sensitive.lexicon`` has them ready. Out: each place where one stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.check.passages import Passage, everything
from pipelines.check.subject import LeafSubject
from pipelines.sensitive.lexicon import Lexicon, find_phrases, find_unspaced, there
from pipelines.text import has_spaceless, normalise


def mentions(leaf: LeafSubject, words: Lexicon) -> Iterator[tuple[Passage, int, str]]:
    """Each passage, offset and spelling where one of ``words`` stands in the leaf or a document."""
    tokens = _tokens(leaf)
    held = there(words, tokens)
    for passage in everything(leaf) if held else ():
        for offset, spelling in find_phrases(passage.text, held):
            yield passage, offset, spelling
    for passage in _unspaced(leaf) if words.unspaced else ():
        for offset, spelling in find_unspaced(passage.text, words):
            yield passage, offset, spelling


def _unspaced(leaf: LeafSubject) -> list[Passage]:
    """The passages that hold a script without spaces."""
    if "unspaced" not in leaf.memo:
        texts = [passage for passage in everything(leaf) if not passage.text.isascii()]
        leaf.memo["unspaced"] = [passage for passage in texts if has_spaceless(passage.text)]
    found: list[Passage] = leaf.memo["unspaced"]
    return found


def _tokens(leaf: LeafSubject) -> frozenset[str]:
    """Every token of the leaf and its documents, normalised."""
    if "tokens" not in leaf.memo:
        found: set[str] = set()
        for passage in everything(leaf):
            found.update(passage.text.casefold().split())
        leaf.memo["tokens"] = frozenset(
            token for rough in found for token in _cleaned(rough.strip(".,:;!?()\"'"))
        )
    tokens: frozenset[str] = leaf.memo["tokens"]
    return tokens


def _cleaned(rough: str) -> Sequence[str]:
    """A run without spaces as normalised tokens; the quick way for nearly all."""
    return (rough,) if rough.isascii() and rough.isalnum() else normalise(rough[:200]).split()
