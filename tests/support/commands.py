"""Commands of ``graft`` as they are typed, in this process, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import cli
from tests.support.flow import COLOUR, FERRY, KEEPER, Site, add_tower, new_site

Said = tuple[int, str, str]
Graft = Callable[..., Said]


def commands(capsys: pytest.CaptureFixture[str]) -> Graft:
    """A command in this process: exit code, standard output, standard error."""

    def run(*words: str) -> Said:
        capsys.readouterr()
        try:
            code = cli.main(words)
        except SystemExit as stop:  # argparse on a wrong command line
            code = int(str(stop.code))
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def site_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Five leaves in a repository, no release; the folder is the current one."""
    made = new_site(folder)
    monkeypatch.chdir(made.path)
    monkeypatch.delenv("GRAFT_CACHE", raising=False)
    return made


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def assert_one_sentence(said: Said, code: int, *parts: str) -> None:
    """The code, and nothing but one line on standard error, which holds every part."""
    found, out, err = said
    assert found == code, err
    assert out == ""
    assert err.startswith("graft: ")
    assert err.count("\n") == 1
    assert len(err) < 500
    for part in parts:
        assert part in err


def changed(site: Site) -> None:
    """One leaf added, one edited, one renamed, one deleted, on a branch."""
    site.repo.branch("topic")
    add_tower(site.taxonomy)
    edit(site.taxonomy / COLOUR / "qna.yaml", "answer: amber", "answer: golden")
    site.repo.move(f"taxonomy/{KEEPER}", "taxonomy/compositional_skills/writing/warden")
    site.repo.delete(f"taxonomy/{FERRY}")
