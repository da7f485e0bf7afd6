"""Lists of words, looked for in a leaf and its documents: whole tokens, in any script.

In: a list of words and phrases, as ``sensitive.lexicon`` has them ready. Out: each place where one stands.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.passages import Passage, all_text, everything, folded_text
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
        some = () if all_text(leaf).isascii() else everything(leaf)
        leaf.memo["unspaced"] = [passage for passage in some if has_spaceless(passage.text)]
    found: list[Passage] = leaf.memo["unspaced"]
    return found


def _tokens(leaf: LeafSubject) -> frozenset[str]:
    """Every token of the leaf and its documents, normalised."""
    if "tokens" not in leaf.memo:
        leaf.memo["tokens"] = _normal(set(folded_text(leaf).split()))
    tokens: frozenset[str] = leaf.memo["tokens"]
    return tokens


def _normal(found: set[str]) -> frozenset[str]:
    """Runs without spaces as normalised tokens; nearly all are that already."""
    odd = [rough for rough in found if not (rough.isascii() and rough.isalnum())]
    # All at once, and past the memory of `normalise`: no other text is this one.
    rest = " ".join(rough.strip(".,:;!?()\"'")[:200] for rough in odd)
    return frozenset(found.difference(odd).union(normalise.__wrapped__(rest).split()))
