"""Commands that need no model load none: start-up stays short, and hooks install light."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.flow import ROOT, Site, zero_site

HEAVY = ("torch", "transformers", "peft", "pygit2")
PROGRAM = """
import json, sys
from pipelines.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
print(json.dumps({"code": code, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""


def loaded(words: Sequence[str], site: Site) -> tuple[int, set[str]]:
    """The exit code of a command in a fresh interpreter, and the top-level modules in it at its end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=site.path,
        env=site.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return found["code"], set(found["modules"])


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_check_imports_nothing_heavy(form: str) -> None:
    code, modules = loaded(["check", "--format", form], Site(ROOT))
    assert code == 0
    assert "yaml" in modules
    assert modules.isdisjoint(HEAVY)


def test_fix_imports_nothing_heavy_and_no_ruamel_for_leaves_that_are_fine() -> None:
    code, modules = loaded(["fix", "--check"], Site(ROOT))
    assert code == 0
    assert "yaml" in modules
    assert modules.isdisjoint({*HEAVY, "ruamel", "jsonschema"})


def test_help_imports_nothing_heavy() -> None:
    code, modules = loaded(["--help"], Site(ROOT))
    assert code == 0
    assert modules.isdisjoint({*HEAVY, "yaml", "jsonschema"})


def test_looking_at_releases_and_having_nothing_to_do_load_no_model(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    for words in (["diff"], ["status"], ["log"], ["release", "verify"], ["run"]):
        code, modules = loaded(site.words(*words), site)
        assert code == 0
        assert modules.isdisjoint({"torch", "transformers", "peft"}), words
