"""The bill of materials: CycloneDX's form, the same bytes each time, and nothing of a machine."""

from __future__ import annotations

import getpass
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from pipelines.release.materials import materials

ROOT = Path(__file__).parents[2]
ELSEWHERE = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}


def test_it_keeps_to_the_schema_and_names_what_is_installed() -> None:
    text = materials().decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found = json.loads(text)
    held = {one["bom-ref"]: one for one in found["components"]}
    assert held["torch"]["version"] == version("torch")
    assert held["torch"]["purl"].startswith("pkg:pypi/torch@")
    assert held["python"]["version"] == platform.python_version()
    assert found["metadata"]["component"]["name"] == "graft-taxonomy"
    needs = {one["ref"]: one.get("dependsOn", []) for one in found["dependencies"]}
    assert {"tokenizers", "huggingface-hub"} <= set(needs["transformers"])
    assert {need for every in needs.values() for need in every} <= held.keys()


def test_another_process_writes_the_same_bytes() -> None:
    """Whatever the order of its sets, the time of day and the folder that it stands in."""
    program = (
        "from pipelines.release.materials import materials\nprint(materials().decode(), end='')"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={**ELSEWHERE, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        cwd="/",
        capture_output=True,
        check=True,
    )
    assert said.stdout == materials()
    found = json.loads(said.stdout)
    assert "timestamp" not in found["metadata"]


@pytest.mark.parametrize("private", [str(Path.home()), str(ROOT)])
def test_nothing_of_the_machine_is_told(private: str) -> None:
    text = materials().decode()
    assert private not in text
    assert f"/{getpass.getuser()}/" not in text


def test_what_is_odd_in_an_installation(tmp_path: Path) -> None:
    """Nameless leftovers, requirements of old forms, licences in full, two of one name."""
    for name, lines in {
        "a": "Name: Odd.Name\nVersion: 1+x\nLicense: " + "long " * 99 + "\nRequires-Dist: ???",
        "b": "Version: 2",
        "c": "Name: odd-name\nVersion: 3",
    }.items():
        place = tmp_path / name / f"{name}-1.dist-info"
        place.mkdir(parents=True)
        (place / "METADATA").write_text(f"Metadata-Version: 2.1\n{lines}\n")
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from pipelines.release.materials import _installed\n"
        "one = _installed()['odd-name']; print(one.version, one.licence, one.needs)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, *(str(tmp_path / name) for name in "abc")],
        env=ELSEWHERE,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "1+x  ()\n"
