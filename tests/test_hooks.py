"""The hooks, as another taxonomy repository uses them: the real pre-commit, installing from here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.check.builders import ATTRIBUTION, KNOWLEDGE, SKILL, skill, write_knowledge, write_skill
from tests.support.flow import ROOT
from tests.support.repositories import Repo

IDS = ["taxonomy-fix", "taxonomy-check", "taxonomy-attribution"]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
HEAVY = {"torch", "transformers", "peft", "pygit2", "numpy", "accelerate", "tokenizers"}
Done = subprocess.CompletedProcess[str]


def test_the_hooks_are_offered_and_used_here() -> None:
    assert [hook["id"] for hook in HOOKS] == IDS
    own = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    used = {hook["id"]: hook["entry"] for repo in own["repos"] for hook in repo["hooks"]}
    for hook in HOOKS:
        assert used[hook["id"]] == f".venv/bin/{hook['entry']}"


@pytest.mark.parametrize("hook", HOOKS, ids=IDS)
def test_the_files_that_a_hook_wants(hook: dict[str, str]) -> None:
    wants = re.compile(hook["files"]).search
    for path in (
        "qna.yaml",
        "a/qna.yaml",
        "taxonomy/b/qna.yml",
        "attribution.txt",
        "é/attribution.txt",
    ):
        assert wants(path)
    for path in ("a/my_qna.yaml", "qna.yaml.orig", "a/attribution.md", "qna.yaml/readme.md"):
        assert not wants(path)


class Consumer:
    """A taxonomy repository that uses the hooks of ``hooks`` at its head."""

    def __init__(self, path: Path, hooks: Repo, cache: Path) -> None:
        self.repo = Repo(path)
        self._cache = cache
        source = {"repo": str(hooks.path), "rev": hooks.git("rev-parse", "HEAD")}
        config = {"repos": [{**source, "hooks": [{"id": name} for name in IDS]}]}
        self.repo.write(".pre-commit-config.yaml", yaml.safe_dump(config))

    def pre_commit(self, *words: str) -> Done:
        return self._run(sys.executable, "-m", "pre_commit", *words)

    def all_files(self) -> tuple[int, dict[str, str], str]:
        """``pre-commit run --all-files``: the exit code, each hook's verdict, everything said."""
        self.repo.git("add", "--all")
        done = self.pre_commit("run", "--all-files", "--color", "never")
        said = done.stdout + done.stderr
        verdicts = dict(re.findall(r"^(\w[^.\n]*)\.{3,}.*?(Passed|Failed|Skipped)$", said, re.M))
        names = {hook["name"]: hook["id"] for hook in HOOKS}
        return done.returncode, {names[name]: word for name, word in verdicts.items()}, said

    def commit(self, message: str) -> Done:
        """``git commit`` as a person does it, with the hook that pre-commit installed."""
        self.repo.git("add", "--all")
        name = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        return self._run("git", *name, "commit", "--quiet", "--message", message)

    def _run(self, *words: str) -> Done:
        unset = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "PYTHONPATH", "VIRTUAL_ENV")
        environment = {key: value for key, value in os.environ.items() if key not in unset}
        environment |= {
            "PRE_COMMIT_HOME": str(self._cache),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        return subprocess.run(
            words, cwd=self.repo.path, env=environment, capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """This repository as it stands in the work tree, in a commit of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    repo = Repo(tmp_path_factory.mktemp("hooks") / "graft")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (repo.path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, repo.path / name)
    repo.commit("Graft")
    return repo


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps the environment that it builds: built once for this module."""
    return tmp_path_factory.mktemp("pre-commit")


SOUND = dict.fromkeys(IDS, "Passed")


@pytest.mark.slow
@pytest.mark.parametrize("below", ["", "taxonomy/"])
def test_hooks_in_another_repository(tmp_path: Path, hooks: Repo, cache: Path, below: str) -> None:
    """With the leaves at the root, as InstructLab has them, and in a folder."""
    consumer = Consumer(tmp_path / "theirs", hooks, cache)
    root = consumer.repo.path / below
    write_knowledge(root)
    write_skill(root)
    assert consumer.all_files()[:2] == (0, SOUND)

    # Spaces and layout are mended, which pre-commit counts as a failure until they are added.
    leaf = root / SKILL / "qna.yaml"
    leaf.write_text(skill().replace(":", ":  ").replace("\n  - ", "  \n  -  "), "utf-8")
    leaf.write_text(leaf.read_text("utf-8").replace("\n    answer", "\n     answer"), "utf-8")
    code, verdicts, said = consumer.all_files()
    assert (code, verdicts) == (1, {**SOUND, "taxonomy-fix": "Failed"})
    assert f"changed: {below}{SKILL}/qna.yaml" in said
    assert leaf.read_text("utf-8") == skill()
    assert consumer.all_files()[:2] == (0, SOUND)

    # A licence that is not on the list: what the policy of that repository says counts.
    credits = root / KNOWLEDGE / "attribution.txt"
    credits.write_text(ATTRIBUTION.replace("CC0-1.0", "GPL-3.0-only"), "utf-8")
    code, verdicts, said = consumer.all_files()
    found = {**SOUND, "taxonomy-check": "Failed", "taxonomy-attribution": "Failed"}
    assert (code, verdicts) == (1, found)
    assert f"{below}{KNOWLEDGE}/attribution.txt:3:1: error: The licence `GPL-3.0-only`" in said
    consumer.repo.write("graft.yaml", "licences: [CC0-1.0, GPL-3.0-only]\n")
    assert consumer.all_files()[:2] == (0, SOUND)

    # Through `git commit`: a misnamed leaf is refused, and its right name is let in.
    assert consumer.pre_commit("install").returncode == 0
    (root / SKILL / "qna.yaml").rename(root / SKILL / "qna.yml")
    refused = consumer.commit("A leaf")
    assert refused.returncode == 1
    assert f"{below}{SKILL}/qna.yml:1:1: error: A leaf's file must be called" in refused.stderr
    (root / SKILL / "qna.yml").rename(root / SKILL / "qna.yaml")
    accepted = consumer.commit("A leaf")
    assert accepted.returncode == 0, accepted.stderr
    assert consumer.repo.git("log", "--format=%s") == "A leaf"


@pytest.mark.slow
def test_what_the_hooks_install(tmp_path: Path, hooks: Repo, cache: Path) -> None:
    consumer = Consumer(tmp_path / "theirs", hooks, cache)
    consumer.repo.write("README.md", "No leaf yet.").commit("Nothing")
    done = consumer.pre_commit("install-hooks")
    assert done.returncode == 0, done.stdout + done.stderr
    (python,) = cache.glob("repo*/py_env-*/bin/python")
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "freeze", "--disable-pip-version-check"],
        check=True,
        capture_output=True,
        text=True,
    )
    installed = {line.split("==")[0].lower() for line in listed.stdout.splitlines()}
    assert {"graft-taxonomy", "pyyaml", "ruamel.yaml"} <= installed
    assert installed.isdisjoint(HEAVY)
