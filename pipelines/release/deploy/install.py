"""Install what this folder carries, without a network.

    python3.11 install.py            compares every file with SHA256SUMS, then installs into .venv here
    python3.11 install.py --check    compares, and no more

It runs before anything else is there: it knows the standard library alone, and any Python 3 can read it.
Run it again after it was stopped. What it makes last is the command, ``./graft``.
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
COMMAND = """#!/bin/sh
# Made by install.py: Graft, with the base model that lies here and without a network.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
export HF_HUB_CACHE="$here/huggingface/hub" HF_HUB_OFFLINE=1
exec "$here/.venv/bin/python" -P -m pipelines "$@"
"""


def main() -> int:
    """0 where all is well; otherwise one sentence, and nothing is installed."""
    parser = argparse.ArgumentParser(description="Install what this folder carries, offline.")
    parser.add_argument("--check", action="store_true", help="only compare files with SHA256SUMS")
    check = parser.parse_args().check
    try:
        problem = damage() or ("" if check else unfit() or install())
    except (OSError, ValueError, KeyError) as error:
        problem = "this folder is not complete (%s); unpack the archive again." % error  # noqa: UP031
    if problem:
        print("install.py: " + problem, file=sys.stderr)
        return 1
    print("every file agrees with SHA256SUMS." if check else "installed; ./graft chat")
    return 0


def damage() -> str:
    """The first file that is not as it was packed, in a sentence; "" for none."""
    with open(os.path.join(HERE, "SHA256SUMS"), encoding="utf-8") as listed:
        for line in listed:
            wanted, _, path = line.rstrip("\n").partition("  ")
            place = os.path.join(HERE, path)
            if not os.path.isfile(place):
                return path + " is missing; unpack the archive again."
            if sha256(place) != wanted:
                return path + " is not the file that was packed; fetch the archive again."
    return ""


def sha256(path: str) -> str:
    """Of a file, read in pieces."""
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        while True:
            piece = stream.read(1 << 20)
            if not piece:
                return found.hexdigest()
            found.update(piece)


def unfit() -> str:
    """Why these wheels do not fit here, in a sentence; "" where they may."""
    with open(os.path.join(HERE, "bundle.json"), encoding="utf-8") as stream:
        made_for = json.load(stream)
    here = {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "system": platform.system(),
        "machine": platform.machine(),
    }
    wanted = {key: made_for[key] for key in here}
    if here == wanted:
        return ""
    return (
        "the wheels are for Python {python} on {system} {machine}; this is ".format(**wanted)
        + "Python {python} on {system} {machine}. Run it with python{0}, or bundle on such a machine.".format(
            wanted["python"], **here
        )
    )


def install() -> str:
    """A virtual environment with just these wheels; the sentence where that fails."""
    inside = os.path.join(HERE, ".venv")
    if subprocess.call([sys.executable, "-m", "venv", "--clear", inside]):
        return "no virtual environment could be made; on Debian install python3-venv."
    # No setting of this machine may point pip elsewhere, or at other versions.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    clean["PIP_CONFIG_FILE"] = os.devnull
    words = ["install", "--quiet", "--no-index", "--find-links", "wheels", "--require-hashes"]
    words += ["--no-compile", "--disable-pip-version-check", "-r", "requirements.txt"]
    python = os.path.join(inside, "bin", "python")
    if subprocess.call([python, "-m", "pip"] + words, cwd=HERE, env=clean):  # noqa: RUF005
        return "pip could not install the wheels; what it says above tells why."
    place = os.path.join(HERE, "graft")
    with open(place + ".new", "w", encoding="utf-8") as stream:
        stream.write(COMMAND)
    os.chmod(place + ".new", 0o755)
    os.replace(place + ".new", place)
    return ""


if __name__ == "__main__":
    sys.exit(main())
