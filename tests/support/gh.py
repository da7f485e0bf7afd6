"""A stand-in of GitHub's command line ``gh``: ``gh workflow run``, over HTTP to where GITHUB_API_URL points.

    gh workflow run NAME --repo OWNER/NAME --ref BRANCH -f KEY=VALUE …

As the real one, it asks which workflow the file's name means, then starts it; without GH_TOKEN its code is 4.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pipelines.errors import GraftError
from pipelines.github.client import Client


def installed(folder: Path) -> None:
    """``gh`` as a program in ``folder``."""
    folder.mkdir(exist_ok=True)
    root = Path(__file__).parents[2]
    program = (
        f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -P -m tests.support.gh "$@"\n'
    )
    (folder / "gh").write_text(program, encoding="utf-8")
    (folder / "gh").chmod(0o755)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="gh workflow run")
    parser.add_argument("name")
    parser.add_argument("--repo", required=True)
    parser.add_argument("--ref", required=True)
    parser.add_argument("-f", "--raw-field", action="append", default=[])
    if words[:2] != ["workflow", "run"]:
        print(f"gh: this stand-in knows no {' '.join(words[:2])}", file=sys.stderr)
        return 1
    given = parser.parse_args(words[2:])
    token = os.environ.get("GH_TOKEN", "")
    if not token:
        print("gh: To use GitHub CLI in a GitHub Actions workflow, set GH_TOKEN", file=sys.stderr)
        return 4
    client = Client(os.environ["GITHUB_API_URL"], given.repo, token)
    inputs = dict(field.split("=", 1) for field in given.raw_field)
    try:
        found = client.get(f"actions/workflows/{given.name}")
        body = {"ref": given.ref, "inputs": inputs}
        client.send("POST", f"actions/workflows/{found['id']}/dispatches", body)
    except GraftError as error:
        print(f"gh: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
