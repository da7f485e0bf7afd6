"""Whose probes decide where a branch and its base have other values, and what stops a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import GraftError
from pipelines.examined import Values
from pipelines.situation import look
from pipelines.values import united
from tests.check.test_values import PROBES, SOUND, text, values
from tests.support.flow import Site, new_site


def test_what_a_branch_leaves_out_is_asked_and_what_it_adds_does_not_count() -> None:
    base = values(SOUND, words=["grubling"])
    head = values({**SOUND, "probes": [*PROBES[1:], {"ask": "A new one?"}]}, words=["other"])
    found = united(base, head)
    assert found.probes[:6] == base.probes
    assert [(p.prompts, p.decides) for p in found.probes[6:]] == [(("A new one?",), False)]
    assert found.words == ("grubling",)
    assert united(base, Values()) == base
    assert not any(probe.decides for probe in united(Values(), head).probes)
    many = values({**SOUND, "probes": [{"ask": f"{n}?"} for n in range(500)]})
    assert len(united(base, many).probes) == 106


def save(site: Site, content: str, message: str) -> None:
    (site.taxonomy / "values.yaml").write_text(content, encoding="utf-8")
    site.repo.commit(message)


def test_the_tip_of_the_base_decides_not_where_the_branch_left_it(tmp_path: Path) -> None:
    site = new_site(tmp_path / "site")
    assert look(site.options()).values == Values()
    site.repo.branch("leaf")
    save(site, text({**SOUND, "probes": PROBES[:2]}), "The branch's own")
    site.repo.git("checkout", "main")
    save(site, text(SOUND), "main's")
    assert all(probe.decides for probe in look(site.options()).values.probes)
    site.repo.git("checkout", "leaf")
    found = look(site.options("main")).values
    assert [probe.decides for probe in found.probes] == [True] * 6
    assert len(look(site.options()).values.probes) == 2


def test_a_file_that_cannot_be_used_stops_a_run_with_its_place(tmp_path: Path) -> None:
    site = new_site(tmp_path / "site")
    save(site, "version: 1\nprinciples: 3\n", "Broken")
    with pytest.raises(GraftError, match=r"values\.yaml:2:13: .*Run `graft check`"):
        look(site.options())
