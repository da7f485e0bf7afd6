"""The same flow files, rows and answers through the real instructlab-sdg 0.8.3 and through ours.

It is installed into an environment of its own, with as little of what it asks for as its pipeline needs.
``GRAFT_INSTRUCTLAB_SDG`` may name the Python of an environment that has it already.
"""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.generate.instructlab.rows import FOLDER, first, ours
from tests.generate.instructlab.stand_in import stand_in

pytestmark = pytest.mark.slow
NEEDS = ("datasets>=2.18", "openai<2", "jinja2", "httpx", "PyYAML", "tqdm")


OWN = ("knowledge.yaml", "grounded.yaml", "freeform.yaml")
PACKAGE = tuple(
    f"{size}/{kind}.yaml"
    for size in ("simple", "full", "llama")
    for kind in ("knowledge", "grounded_skills", "freeform_skills")
)
WHERE = "import instructlab; print(list(instructlab.__path__)[0])"


@dataclass(frozen=True, slots=True)
class Theirs:
    """Where each flow's file is, and what the real package makes of it."""

    files: dict[str, Path]
    rows: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    python = os.environ.get("GRAFT_INSTRUCTLAB_SDG") or installed(tmp_path_factory.mktemp("sdg"))
    package = subprocess.run([python, "-c", WHERE], capture_output=True, text=True, check=True)
    pipelines = Path(package.stdout.strip()) / "sdg" / "pipelines"
    files = {name: FOLDER / name for name in (*OWN, "uneven.yaml")}
    files |= {name: pipelines / name for name in PACKAGE}
    with stand_in() as url:
        done = subprocess.run(
            [python, str(FOLDER / "theirs.py"), url, *map(str, files.values())],
            input=json.dumps({str(file): first(file) for file in files.values()}),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""},
        )
    assert done.returncode == 0, done.stderr[-4000:]
    made = json.loads(done.stdout.splitlines()[-1])
    return Theirs(files, {name: made[str(file)] for name, file in files.items()})


def installed(folder: Path) -> str:
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for words in (["--no-deps", "instructlab-sdg==0.8.3"], NEEDS):
        done = subprocess.run([*pip, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"instructlab-sdg 0.8.3 cannot be installed here: {done.stderr[-300:]}")
    return python


def as_text(rows: list[dict[str, Any]]) -> Counter[tuple[tuple[str, str], ...]]:
    """Rows in no order, each value as our columns hold it."""
    return Counter(
        tuple(
            sorted(
                (name, value if isinstance(value, str) else json.dumps(value))
                for name, value in row.items()
            )
        )
        for row in rows
    )


@pytest.mark.parametrize("name", [*OWN, *PACKAGE])
def test_the_real_package_and_ours_make_the_same_rows(
    theirs: Theirs, name: str, tmp_path: Path
) -> None:
    found = ours(theirs.files[name], tmp_path / "calls").columns
    assert as_text(found) == as_text(theirs.rows[name])
    assert len(found) > 3


def test_where_columns_occur_unequally_often_theirs_shifts_and_ours_rejects(
    theirs: Theirs, tmp_path: Path
) -> None:
    found = ours(theirs.files["uneven.yaml"], tmp_path / "calls")
    pairs = [(row["question"], row["response"]) for row in theirs.rows["uneven.yaml"]]
    shifted = [(q, a) for q, a in pairs if q[1:] != a[1:]]
    assert shifted
    assert all(row["question"][1:] == row["response"][1:] for row in found.columns)
    assert len(found.rejected) == len(first(theirs.files["uneven.yaml"]))
