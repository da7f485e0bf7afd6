"""What the container files promise: any user, a root that cannot be written, no network asked.

No container engine runs here. What the two files set and start runs all the same, as such a user on such a
root; what an engine would add is the file system of UBI.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

from pipelines.backends.local import Student
from pipelines.deploy import Order, deploy
from tests.backends.test_command import free_port
from tests.support.flow import ROOT, Site, add_tower, grown_site, zero_site
from tests.support.sealed import TEMPORARY, USER, WORK, sealed

pytestmark = pytest.mark.slow


def parsed(path: Path) -> DockerfileParser:
    return DockerfileParser(fileobj=io.BytesIO(path.read_bytes()))


def environment(parser: DockerfileParser, **more: str) -> dict[str, str]:
    """What the image sets, with its folders where the sealed process has them."""
    found = {
        name: value.replace("/work", WORK).replace("/tmp", TEMPORARY)
        for name, value in parser.envs.items()
        if name not in ("PATH", "BASE", "TORCH_INDEX")
    }
    return {**found, "TMPDIR": TEMPORARY, **more}


def entry(parser: DockerfileParser) -> list[str]:
    words: list[str] = json.loads(
        next(line["value"] for line in parser.structure if line["instruction"] == "ENTRYPOINT")
    )
    return words


def asked(server: subprocess.Popen[bytes], port: int, model: str, prompt: str) -> str:
    turns = [{"role": "user", "content": prompt}]
    body = {"model": model, "messages": turns, "max_tokens": 16, "temperature": 0}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    while server.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text: str = json.load(answer)["choices"][0]["message"]["content"]
                return text.strip()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    raise AssertionError("The server has ended.")


def test_nothing_but_two_folders_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    script = (
        "id -u; for f in /etc /tmp /usr . $TMPDIR; do (: > $f/new) 2>/dev/null && echo $f; done"
    )
    words = sealed(["sh", "-c", script], tmp_path / "work", {"TMPDIR": TEMPORARY})
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout.split() == [str(USER), ".", TEMPORARY], done.stderr


def test_the_image_of_a_release_answers_as_the_release_does(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = grown_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    order = Order(("container",), tmp_path / "out", tmp_path / "cache")
    deploy(site.target, site.head().release, order, lambda line: None)
    parser, port = parsed(tmp_path / "out" / "Containerfile"), free_port()
    program, *words = entry(parser)
    model = words.pop()
    assert f"merged {model}" in [line["value"] for line in parser.structure]
    words[words.index("--port") + 1] = str(port)
    program = str(Path(sys.executable).with_name(Path(program).name))
    command = sealed(
        [program, *words, f"{WORK}/merged"], tmp_path / "out", environment(parser, CUDA_VISIBLE_DEVICES="")
    )  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            asking = "Who built the tower?"
            found = asked(server, port, f"{WORK}/merged", asking)
        finally:
            server.terminate()
            server.wait()
    assert found == Student(tmp_path / "out" / "merged", None, 16, 2).answers([asking])[0]


def test_the_pipelines_run_as_any_user(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site: Site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    site.repo.branch("tower")
    add_tower(site.taxonomy)
    site.repo.commit("A leaf about a tower")
    parser = parsed(ROOT / "docs" / "examples" / "pipelines.Containerfile")
    assert entry(parser) == ["graft"]
    given = environment(parser, PYTHONPATH=str(ROOT))
    words = [
        sys.executable, "-m", "pipelines", "run", "--taxonomy", "repo/taxonomy", "--recipe",
        "fast.yaml", "--base", "main",
    ]  # fmt: skip
    clean = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG")}
    done = subprocess.run(
        sealed(words, site.path, given), capture_output=True, text=True, env=clean
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "release: " in done.stdout + done.stderr
    assert len(site.target.tags()) == 2
