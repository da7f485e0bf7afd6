"""A bundle of the real environment, installed and used where there is no network.

pip brings the wheels from the indexes that it is set to use, TORCH_INDEX beside them: some 200 MB where torch
is built for the CPU, gigabytes where it brings CUDA along.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from pipelines.backends.local import Student
from pipelines.release.targets import open_target
from tests.support.sealed import cut_off
from tests.support.tiny_release import TAG, tiny_release

pytestmark = pytest.mark.slow

CANAL = "What is part 3 of the canal?"
# Starts the server, asks it as any client would, and ends it.
CLIENT = """
import json, subprocess, time, urllib.request
server = subprocess.Popen(["./graft", "serve", "--port", "8000"], stdout=subprocess.DEVNULL)
body = json.dumps({"model": TAG, "messages": [{"role": "user", "content": ASKED}], "max_tokens": 16})
request = urllib.request.Request(
    "http://127.0.0.1:8000/v1/chat/completions", body.encode(), {"Content-Type": "application/json"})
while server.poll() is None:
    try:
        print(json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"].strip())
        break
    except urllib.error.URLError:
        time.sleep(0.5)
server.terminate()
server.wait()
"""


def offline(folder: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """A command in ``folder`` without a network, and with nothing of this environment but its Python."""
    clean = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        cut_off(words), cwd=folder, env=clean, input=typed, capture_output=True, text=True
    )


def unpack(archive: Path, place: Path) -> Path:
    place.mkdir()
    subprocess.run(
        ["tar", "--extract", "--file", str(archive), "--directory", str(place)], check=True
    )
    return place / f"graft-{TAG}"


def answer(releases: Path, question: str) -> str:
    target = open_target(f"folder:{releases}")
    base = target.base(target.manifest(TAG).base_model.revision)
    return Student(base, target.directory(TAG) / "adapter", 16, 2).answers([question])[0]


def reaches_nothing(folder: Path) -> bool:
    asking = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
    done = offline(folder, sys.executable, "-c", asking)
    return "Network is unreachable" in done.stderr


def spoil(archive: Path, named: str) -> None:
    """Change one byte of a file in the archive."""
    with tarfile.open(archive) as packed:
        found = next(member for member in packed if named in member.name)
    with archive.open("r+b") as stream:
        stream.seek(found.offset_data + found.size // 2)
        byte = stream.read(1)
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte[0] ^ 1]))


def test_a_release_is_carried_to_a_machine_without_a_network(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    releases = tiny_release(tmp_path_factory.getbasetemp())
    words = ["export", "--bundle", "--target", f"folder:{releases}", "out.tar"]
    index = os.environ.get("TORCH_INDEX")
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *words, *(["--index", index] if index else [])],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    archive = tmp_path / "out.tar"
    summed = subprocess.run(["sha256sum", "out.tar"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == summed.stdout

    folder = unpack(archive, tmp_path / "there")
    packages = json.loads((folder / "bundle.json").read_bytes())["packages"]
    assert {"graft-taxonomy", "torch", "transformers", "peft", "uvicorn"} <= set(packages)
    assert {"pygit2", "lemminflect", "pytest"}.isdisjoint(packages)
    assert reaches_nothing(folder)
    installed = offline(folder, sys.executable, "install.py")
    assert (installed.returncode, installed.stdout) == (0, "installed; ./graft chat\n"), (
        installed.stderr
    )
    sound = offline(folder, "./graft", "release", "verify")
    assert sound.returncode == 0, sound.stderr
    assert sound.stdout.splitlines()[0] == f"{TAG}: every digest agrees."
    expected = answer(releases, CANAL)
    talk = offline(folder, "./graft", "chat", typed=f"{CANAL}\n")
    assert talk.stdout.strip() == expected, talk.stderr
    client = CLIENT.replace("TAG", repr(TAG)).replace("ASKED", repr(CANAL))
    served = offline(folder, sys.executable, "-c", client)
    assert served.stdout.strip() == expected, served.stderr

    weights = folder / "releases" / TAG / "adapter" / "adapter_model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    refused = offline(folder, "./graft", "chat", typed=f"{CANAL}\n")
    assert refused.returncode == 1
    assert "is not sound: adapter/adapter_model.safetensors is not the file" in refused.stderr
    assert "adapter_model.safetensors is not the file that was packed" in offline(
        folder, sys.executable, "install.py"
    ).stderr  # fmt: skip

    spoil(archive, "/wheels/torch-")
    spoilt = unpack(archive, tmp_path / "spoilt")
    refused = offline(spoilt, sys.executable, "install.py")
    assert refused.returncode == 1
    assert "is not the file that was packed; fetch the archive again." in refused.stderr
    assert "wheels/torch-" in refused.stderr
    assert not (spoilt / ".venv").exists()
