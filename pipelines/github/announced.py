"""A release told by GitHub itself: the annotated tag ``model/TAG`` and a release with notes and two files.

In: the folder of a run's small files, and what was read of it (``released.Night``). Out: sentences. Each
thing is made once: what is there already is left as it is, so that a job that was stopped is run again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.artifacts import file_digest
from pipelines.errors import GraftError
from pipelines.github.api import GitHub, is_commit
from pipelines.github.client import NotThere, segment
from pipelines.release.manifest import MANIFEST, TAG, tag_message

LONGEST = 120_000  # characters of notes; GitHub takes 125,000
NOTES = "report/report.md"
FILES = (f"release/{MANIFEST}", "report/report.html")


def announce(github: GitHub, folder: Path, tag: str, commit: str) -> list[str]:
    """Tag the commit that was taught, and make the release of that tag; a sentence on what was new."""
    if not TAG.fullmatch(tag) or not is_commit(commit):
        raise GraftError(f"{folder / FILES[0]} names no release of a commit.")
    name = f"model/{tag}"
    said = []
    if _tag(github, name, tag_message(tag, file_digest(folder / FILES[0]).sha256), commit):
        said.append(f"{name}: tagged.")
    release = _release(github, name, tag, folder)
    there = {one["name"]: one for one in release["assets"]}
    for file in filter(Path.is_file, map(folder.joinpath, FILES)):
        before = there.get(file.name)
        if before and before["state"] == "uploaded":
            continue
        if before:  # an upload that was cut off
            github.client.send("DELETE", f"releases/assets/{before['id']}")
        github.client.upload(release["upload_url"], file.name, file.read_bytes())
        said.append(f"{name}: {file.name} is with its release.")
    return said


def _tag(github: GitHub, name: str, message: str, commit: str) -> bool:
    """Whether it is new; a tag never moves."""
    try:
        github.client.get(f"git/ref/tags/{name}")
    except NotThere:
        wanted = {"tag": name, "message": message, "object": commit, "type": "commit"}
        made = github.client.send("POST", "git/tags", wanted)
        github.client.send("POST", "git/refs", {"ref": f"refs/tags/{name}", "sha": made["sha"]})
        return True
    return False


def _release(github: GitHub, name: str, title: str, folder: Path) -> Any:
    try:
        return github.client.get(f"releases/tags/{segment(name)}")
    except NotThere:
        notes = folder / NOTES
        text = notes.read_text(encoding="utf-8", errors="replace") if notes.is_file() else ""
        if len(text) > LONGEST:
            text = text[:LONGEST].rsplit("\n", 1)[0] + "\n\n… (the rest is in report.html)\n"
        return github.client.send(
            "POST", "releases", {"tag_name": name, "name": title, "body": text}
        )
