"""docs/operations.md, followed to the letter as far as a machine without GitHub, GitLab and Tekton can.

Its tables, and that of docs/reuse.md, are held against the workflows; its files for GitLab and Tekton are run
from the page itself: real Git, real commands, and of `make setup` only what it leaves behind.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.commands import edit
from tests.support.flow import ROOT, TOWER, Site, add_tower, new_site, zero_site
from tests.workflows.test_runs import SIGNED
from tests.workflows.test_static import WORKFLOWS, jobs, load

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
REUSE = (ROOT / "docs" / "reuse.md").read_text(encoding="utf-8")


def example(start: str) -> Any:
    """The YAML example of the page that begins with this comment."""
    [found] = re.findall(rf"```yaml\n# {re.escape(start)}.*?\n```", PAGE, re.DOTALL)
    return yaml.safe_load(found.removeprefix("```yaml").removesuffix("```"))


def rows(header: str, page: str = PAGE) -> dict[str, str]:
    """A table of the page: the first column → the rest of its row."""
    table = page.split(header, 1)[1].split("\n\n", 1)[0]
    lines = [line.strip("| ").split(" | ", 1) for line in table.splitlines()[2:]]
    return {name.strip("`"): rest for name, rest in lines}


def test_the_page_names_every_variable_secret_and_environment_and_no_other() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    assert set(rows("| variable | what |")) == set(re.findall(r"vars\.([A-Z_]+)", text))
    secrets = rows("| secret | in the")
    assert set(secrets) == set(re.findall(r"secrets\.([A-Z_]+)", text))
    used: dict[str, set[str]] = {}
    for _, job in jobs():
        for name in re.findall(r"secrets\.([A-Z_]+)", str(job)):
            used.setdefault(name, set()).add(job["environment"])
    told = {
        name: set(re.findall(r"`(\w+)`", rest.split(" | ")[0])) for name, rest in secrets.items()
    }
    assert told == used
    named = {job["environment"] for _, job in jobs() if isinstance(job.get("environment"), str)}
    assert named == set(re.findall(r"^   - `(\w+)`: ", PAGE, re.MULTILINE))


def test_the_page_tells_when_each_workflow_runs() -> None:
    told = rows("| workflow | on |")
    assert set(told) == {path.stem for path in WORKFLOWS}
    for path in WORKFLOWS:
        for cron in re.findall(r'cron: "(\d+) (\d+) ', path.read_text(encoding="utf-8")):
            minute, hour = (int(word) for word in cron)
            assert (
                f"{hour:02}:{minute:02} UTC" in told[path.stem] or "once a day" in told[path.stem]
            )


def test_the_check_that_a_rule_asks_for_is_one_that_runs() -> None:
    names = {job.get("name", name.split(":")[1]) for name, job in jobs()}
    step = PAGE.split("4. **The branch.**")[1].split("\n5. ")[0]
    assert "leaves" in names
    assert "`leaves`" in step
    matrix = load(ROOT / ".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert f"`test ({matrix['python'][0]})`" in step


def test_a_caller_allows_each_workflow_what_its_jobs_ask_for_and_no_more() -> None:
    told = rows("| workflow | `on:` |", REUSE)
    callable_ = {path.name for path in WORKFLOWS if "workflow_call" in load(path)["on"]}
    assert set(told) == callable_
    for name, rest in told.items():
        asked: dict[str, str] = {}
        for one in load(ROOT / ".github" / "workflows" / name)["jobs"].values():
            for what, right in one["permissions"].items():
                asked[what] = max(right, asked.get(what, ""))  # "write" is more than "read"
        permissions, secrets = rest.split(" | ")[-2:]
        allowed = dict(pair.split(": ") for pair in permissions.strip("`").split(", "))
        assert allowed == asked
        document = load(ROOT / ".github" / "workflows" / name)
        wanted = set(document["on"]["workflow_call"].get("secrets", {}))
        assert set(re.findall(r"`([\w-]+)`", secrets)) == wanted


class Runner:
    """Runs what a page says in a shell, with `make setup` as what it leaves: the command, installed."""

    def __init__(self, folder: Path) -> None:
        command = folder / "graft"
        command.write_text(
            f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m pipelines "$@"\n'
        )
        make = folder / "bin" / "make"
        make.parent.mkdir()
        make.write_text(
            f'#!/bin/sh -e\n[ "$1 $3" = "-C setup" ]\nmkdir -p "$2/.venv/bin"\n'
            f'cp "{command}" "$2/.venv/bin/graft"\n'
        )
        for file in (command, make):
            file.chmod(0o755)
        self.path = f"{make.parent}:{os.environ['PATH']}"

    def run(
        self, lines: list[str], folder: Path, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "OMP_WAIT_POLICY": "PASSIVE"}
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join(lines)],
            cwd=folder,
            env={"PATH": self.path, "HOME": str(folder.parent), **quiet, **variables},
            capture_output=True,
            text=True,
        )


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def fork(site: Site) -> None:
    """What `.ci` of a fork's own main branch is."""
    for name in ("night", "fetch-heads"):
        site.repo.write(f".ci/{name}", (ROOT / ".ci" / name).read_text(encoding="utf-8"))
        (site.path / "repo" / ".ci" / name).chmod(0o755)
    site.repo.commit("The scripts")


def checkout(site: Site, place: Path, ref: str) -> Path:
    """What GitLab's runner does before a job."""
    site.repo.git("clone", "--quiet", str(site.repo.path), str(place))
    subprocess.run(["git", "checkout", "--quiet", "--detach", ref], cwd=place, check=True)
    return place


def job(name: str) -> tuple[list[str], dict[str, str]]:
    document = example(".gitlab-ci.yml")
    lines = [*document["default"]["before_script"], *document[name]["script"]]
    return lines, {key: str(value) for key, value in document["variables"].items()}


def test_gitlab_checks_a_merge_request_with_the_code_of_its_default_branch(
    tmp_path: Path, runner: Runner
) -> None:
    site = new_site(tmp_path / "site")
    fork(site)
    site.repo.branch("ada")
    add_tower(site.taxonomy)
    assert site.graft("fix").returncode == 0
    site.repo.git("checkout", "--quiet", "--", "taxonomy")
    sound = site.repo.commit(SIGNED)
    edit(site.taxonomy / TOWER / "qna.yaml", "seed_examples:", "seed_examples:   ")
    site.repo.write("graft.yaml", "exceptions: [{rule: '*', path: '**', reason: mine}]\n")
    untidy = site.repo.commit(SIGNED)
    lines, variables = job("validate")
    variables |= {
        "CI_DEFAULT_BRANCH": "main",
        "CI_PROJECT_DIR": str(tmp_path / "gitlab" / "project"),
    }
    place = checkout(site, tmp_path / "gitlab" / "project", sound)
    done = runner.run(lines, place, {**variables, "CI_COMMIT_SHA": sound})
    assert done.returncode == 0, done.stdout + done.stderr
    # The next job on the same runner finds the folders of the last one.
    subprocess.run(["git", "checkout", "--quiet", "--detach", untidy], cwd=place, check=True)
    done = runner.run(lines, place, {**variables, "CI_COMMIT_SHA": untidy})
    assert done.returncode == 1
    assert f"{TOWER}/qna.yaml" in done.stdout
    assert not (place.parent / "tree" / "graft.yaml").exists()


def test_a_night_under_gitlab_and_tekton(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, runner: Runner
) -> None:
    """With nothing changed since the last release: all but the training, which other tests see."""
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    fork(site)
    target = f"folder:{site.path / 'releases'}"
    lines, variables = job("nightly")
    place = checkout(site, tmp_path / "gitlab" / "project", "main")
    variables = {
        name: text.replace("$CI_PROJECT_DIR", str(place)) for name, text in variables.items()
    }
    given = {"CI_DEFAULT_BRANCH": "main", "TARGET": target, "RECIPE": str(site.recipe)}
    done = runner.run(lines, place, {**variables, **given})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing to do." in done.stdout
    [kept] = example(".gitlab-ci.yml")["nightly"]["artifacts"]["paths"]
    assert Path(variables["NIGHT"]) / "told" == place / kept
    assert (place / "night" / "said.txt").is_file()

    task = example("Tekton")["spec"]
    [step] = task["steps"]
    folders = {one["name"]: tmp_path / "tekton" / one["name"] for one in task["workspaces"]}
    for name, folder in folders.items():
        folder.mkdir(parents=True) if name == "run" else checkout(site, folder, "main")
    told = {f"$(workspaces.{name}.path)": str(folder) for name, folder in folders.items()}
    told |= {"$(params.target)": target, "$(params.recipe)": str(site.recipe)}

    def filled(text: str) -> str:
        for name, value in told.items():
            text = text.replace(name, value)
        assert "$(" not in text
        return text

    environment = {one["name"]: filled(one["value"]) for one in step["env"]}
    done = runner.run([filled(step["script"])], Path(filled(step["workingDir"])), environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing to do." in done.stdout
    assert (folders["run"] / "said.txt").is_file()
