"""Wheels made up in a moment, and the environment that they are installed in: what pip needs no index for.

Graft's own says with which words it was called, so that what it installs can be started.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines import wheels

MAIN = "import os, sys\nprint(sys.argv[1:], os.environ['HF_HUB_OFFLINE'], os.environ['HF_HUB_CACHE'])\n"
NEEDS = ["tiny-base>=1", 'tiny-answers[fast]>=2; extra == "model"', 'tiny-base; extra == "serve"']


def wheel(
    folder: Path, name: str, version: str, requires: Sequence[str] = (),
    extras: Sequence[str] = (), main: str = "",
) -> Path:  # fmt: skip
    """``main`` is what ``python -m pipelines`` runs, "" for a wheel with nothing in it."""
    stem = f"{name.replace('-', '_')}-{version}"
    about = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    about += [f"Provides-Extra: {extra}" for extra in extras]
    about += [f"Requires-Dist: {need}" for need in requires]
    files = {
        **({"pipelines/__init__.py": "", "pipelines/__main__.py": main} if main else {}),
        f"{stem}.dist-info/METADATA": "\n".join(about) + "\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: made\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{stem}.dist-info/RECORD"] = "".join(f"{path},,\n" for path in files)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(place, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return place


def installed(made: Path, site: Path) -> None:
    """The metadata of a wheel in ``site``, as if it were installed there."""
    with zipfile.ZipFile(made) as archive:
        archive.extractall(site, [name for name in archive.namelist() if ".dist-info/" in name])


def small_environment(place: Path, patch: pytest.MonkeyPatch) -> Path:
    """Graft and two packages installed in this process, and a folder with their wheels for pip."""
    folder = place / "index"
    made = [
        wheel(folder, wheels.NAME, "9.9", NEEDS, ["model", "serve", "gone"], MAIN),
        wheel(folder, "tiny-base", "1.5"),
        wheel(folder, "tiny-answers", "2.0", ['tiny-fast; extra == "fast"'], ["fast"]),
        wheel(folder, "tiny-fast", "3.0"),
        wheel(folder, "tiny-base", "1.6"),  # newer than what is installed
    ]
    for path in made[:-1]:
        installed(path, place / "site")
    patch.syspath_prepend(place / "site")
    patch.setattr(wheels, "ROOT", place)
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        patch.delenv(name, raising=False)
    patch.setenv("PIP_CONFIG_FILE", "/dev/null")
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(folder))
    return folder
