"""Paths of new leaves: rules, suggestions, names that are nearly a neighbour's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.author.place import (
    Places,
    kind_of,
    nearly_the_same,
    place,
    slug,
    suggestions,
)
from pipelines.errors import UsageError

LEAVES = (
    "knowledge/engineering/canals/panama_canal",
    "knowledge/earth/rivers/danube",
    "compositional_skills/writing/rhymes",
    "compositional_skills/grounded/extraction/order_total",
    "foundational_skills/language/colour",
    "knowledge/Old-Names/x/leaf",
)


def _folders() -> frozenset[str]:
    found = {""}
    for leaf in LEAVES:
        parts = leaf.split("/")
        found |= {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return frozenset(found - {""})


PLACES = Places(_folders(), frozenset(LEAVES))


@pytest.mark.parametrize(
    ("kind", "path", "whole"),
    [
        ("knowledge", "earth/rivers/rhine", "knowledge/earth/rivers/rhine"),
        ("knowledge", "/knowledge/earth//rivers/rhine/", "knowledge/earth/rivers/rhine"),
        ("grounded", "mail/sender", "compositional_skills/grounded/mail/sender"),
        ("grounded", "compositional_skills/grounded/mail/sender", None),
        ("freeform", "writing/limericks", "compositional_skills/writing/limericks"),
        ("foundational", "language/sound", "foundational_skills/language/sound"),
        ("knowledge", "Old-Names/x/new_leaf", "knowledge/Old-Names/x/new_leaf"),
        ("knowledge", "地理/川/利根川", "knowledge/地理/川/利根川"),
        ("knowledge", "earth/rivers/saône", "knowledge/earth/rivers/saône"),
    ],
)
def test_a_path_is_completed(kind: str, path: str, whole: str | None) -> None:
    assert place(kind, path, PLACES) == (whole or path)


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        ("fact", "a/b", "There is no kind 'fact'"),
        ("knowledge", "", "name an area and a leaf"),
        ("knowledge", "rhine", "name an area and a leaf"),
        ("knowledge", "earth/Rhine River", "write rhine_river"),
        ("knowledge", "earth/../x", "cannot be a folder's name"),
        ("knowledge", "earth/.hidden", "write hidden"),
        ("knowledge", "earth/a\nb", "write a_b"),
        ("knowledge", "earth/con", "on Windows"),
        ("knowledge", "earth/" + "x" * 70, "too long"),
        ("knowledge", "old-names/x/new", "differs from knowledge/old-names only in case"),
        ("knowledge", "earth/rivers/danube", "exists already"),
        ("knowledge", "earth/rivers/danube/delta", "inside the leaf knowledge/earth/rivers/danube"),
        (
            "knowledge",
            "earth/rivers",
            "is a folder with leaves, such as knowledge/earth/rivers/dan",
        ),
        ("knowledge", "compositional_skills/a/b", "--kind freeform"),
        ("freeform", "compositional_skills/grounded/a/b", "--kind grounded"),
        ("freeform", "writing/knowledge/x", "no folder of a skill may be called knowledge"),
        ("foundational", "knowledge/a/b", "belongs below foundational_skills/"),
    ],
)
def test_a_bad_path_is_one_sentence(kind: str, path: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        place(kind, path, PLACES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("knowledge/enginering/canals/suez", "knowledge/engineering"),
        ("knowledge/engineering/canal/suez", "knowledge/engineering/canals"),
        ("knowledge/earth/rivers/danub", "knowledge/earth/rivers/danube"),
        ("knowledge/earth/rivers/daunbe", "knowledge/earth/rivers/danube"),
        ("knowledge/earth/rivers/dan_ube", "knowledge/earth/rivers/danube"),
        ("knowledge/earth/rivers/rhine", None),
        ("knowledge/earth/rivers/danube_2", None),
        ("knowledge/art/x/y", None),
        ("knowledge/engineering/canals/suez", None),
    ],
)
def test_a_name_that_is_nearly_a_neighbours(path: str, meant: str | None) -> None:
    assert [near for _, near in nearly_the_same(path, PLACES)] == ([meant] if meant else [])


def test_suggestions_are_folders_of_the_kind_that_are_no_leaves() -> None:
    assert suggestions("grounded", PLACES) == ["compositional_skills/grounded/extraction/"]
    assert suggestions("freeform", PLACES) == ["compositional_skills/writing/"]
    assert "knowledge/earth/rivers/" in suggestions("knowledge", PLACES)
    assert "knowledge/earth/rivers/danube/" not in suggestions("knowledge", PLACES)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("The Panama Canal", "the_panama_canal"),
        ("Giant's Causeway!", "giants_causeway"),
        ("Dunărea — São", "dunarea_sao"),
        ("利根川", "利根川"),
        ("C++ & Go", "c_go"),
        ("…", ""),
        ("word " * 40, "_".join(["word"] * 12)),
    ],
)
def test_slugs(title: str, name: str) -> None:
    assert slug(title) == name


@given(st.text(max_size=80))
def test_a_slug_is_always_a_permitted_name(title: str) -> None:
    name = slug(title)
    if name and not re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", name):
        assert place("knowledge", f"new/area/{name}", PLACES).endswith(name)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("knowledge/a/b", "knowledge"),
        ("compositional_skills/a/b", "freeform"),
        ("compositional_skills/grounded/a/b", "grounded"),
        ("foundational_skills/a/b", "foundational"),
        ("a/b", ""),
        ("", ""),
    ],
)
def test_the_kind_that_a_path_speaks_of(path: str, kind: str) -> None:
    assert kind_of(path) == kind
