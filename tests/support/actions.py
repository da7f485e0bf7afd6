"""The workflows' jobs, run for real in clones: steps by bash, actions replaced by what they do here.

In: a workflow's file, an event, and a ``Forge``: a bare repository with what GitHub keeps beside it. Out: a
``Ran``: each job's result and outputs, what was printed, which secrets it saw, the artifacts. Jobs run in the
order of ``needs``, each in an empty folder of its own, as on a fresh machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.expressions import fill, value
from tests.support.gh import installed

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"


@dataclass
class Forge:
    """What stands at GitHub: ``origin``, a bare repository; Graft's code; variables, artifacts, and secrets
    by environment. ``preempt``: the machine is taken away once a step has said a line that matches it; every
    process of the step gets SIGTERM, and ``preempt`` is forgotten."""

    scratch: Path
    origin: Path
    code: Path
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    repository: str = "graft/taxonomy"
    token: str = "token-of-the-job"
    runs: int = 0
    preempt: str = ""

    def run(
        self,
        workflow: str,
        name: str,
        event: Mapping[str, Any],
        inputs: Mapping[str, Any] | None = None,
        only: frozenset[str] | None = None,
    ) -> Ran:
        """One run of a workflow on an event; ``only`` names the jobs that matter, all others are left out."""
        self.runs += 1
        return Ran(self, workflow, name, event, inputs or {}, only).go()

    def main(self) -> str:
        return _git(self.origin, "rev-parse", "main")


def forge(scratch: Path, repository: Path) -> Forge:
    """A forge whose main branch is that of ``repository``; Graft's code is this checkout."""
    origin = scratch / "origin.git"
    _git(scratch, "clone", "--quiet", "--bare", str(repository), str(origin))
    _git(origin, "symbolic-ref", "HEAD", "refs/heads/main")
    installed(scratch / "bin")
    return Forge(scratch, origin, _code(scratch / "code"))


def _code(place: Path) -> Path:
    """Graft as ``make setup`` leaves it, from what is installed already: the stamps say so to make."""
    place.mkdir()
    for name in ("pipelines", "schema", ".ci", "Makefile", "pyproject.toml", "constraints.txt"):
        there = ROOT / name
        (shutil.copytree if there.is_dir() else shutil.copy)(there, place / name)
    command = place / ".venv" / "bin" / "graft"
    command.parent.mkdir(parents=True)
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH="{place}" exec "{sys.executable}" -P -m pipelines "$@"\n'
    )
    command.chmod(0o755)
    (place / ".venv" / ".pipelines").touch()
    return place


@dataclass
class Job:
    """How one job ended."""

    result: str = "skipped"
    outputs: dict[str, str] = field(default_factory=dict)
    said: str = ""
    summary: str = ""
    folder: Path = Path()
    secrets: set[str] = field(default_factory=set)


@dataclass
class Ran:
    """One run; ``jobs`` by id."""

    forge: Forge
    workflow: str
    name: str
    event: Mapping[str, Any]
    inputs: Mapping[str, Any]
    only: frozenset[str] | None
    jobs: dict[str, Job] = field(default_factory=dict)

    def go(self) -> Ran:
        text = (WORKFLOWS / self.workflow).read_text(encoding="utf-8")
        self.number = self.forge.runs
        self.artifacts = self.forge.scratch / f"artifacts-{self.number}"
        self.document = yaml.load(text, yaml.BaseLoader)
        if self.name == "workflow_dispatch":
            declared = (self.document["on"].get(self.name) or {}).get("inputs", {})
            assert self.inputs.keys() <= declared.keys(), "GitHub takes no other inputs"
        waiting = dict(self.document["jobs"])
        while waiting:
            name = next(n for n, job in waiting.items() if not set(_needs(job)) & waiting.keys())
            self.jobs[name] = self._job(name, waiting.pop(name))
        return self

    def _job(self, name: str, job: Mapping[str, Any]) -> Job:
        done = Job(folder=self.forge.scratch / f"run-{self.number}-{name}")
        needs = {one: self.jobs[one] for one in _needs(job)}
        fine = all(one.result == "success" for one in needs.values())
        contexts = self._contexts(needs, lambda: fine)
        contexts["secrets"] = self.forge.secrets.get(_environment(job), {})
        wanted = self.only is None or name in self.only
        if not wanted or not _holds(job.get("if"), contexts):
            return done
        done.folder.mkdir()
        return _Steps(self, job, done, contexts).go()

    def _contexts(self, needs: Mapping[str, Job], success: Callable[[], bool]) -> dict[str, Any]:
        return {
            "github": {
                "event": self.event,
                "event_name": self.name,
                "repository": self.forge.repository,
                "sha": self.forge.main(),
                "ref": "refs/heads/main",
                "token": self.forge.token,
                "run_id": str(self.number),
            },
            "inputs": self.inputs,
            "vars": self.forge.variables,
            "needs": {
                one: {"result": job.result, "outputs": job.outputs} for one, job in needs.items()
            },
            "steps": {},
            "env": {},
            "functions": {
                "always": lambda: True,
                "cancelled": lambda: False,
                "success": success,
                "failure": lambda: not success(),
            },
        }


class _Steps:
    """The steps of one job, one after the other; after a failure only those that ask for it."""

    def __init__(
        self, ran: Ran, job: Mapping[str, Any], done: Job, contexts: dict[str, Any]
    ) -> None:
        self.ran, self.job, self.done, self.contexts = ran, job, done, contexts
        self.failed = False
        contexts["functions"]["success"] = lambda: not self.failed
        contexts["functions"]["failure"] = lambda: self.failed

    def go(self) -> Job:
        settings = {**self.ran.document.get("env", {}), **self.job.get("env", {})}
        self.contexts["env"] = {
            name: _said(fill(text, self.contexts)) for name, text in settings.items()
        }
        for step in self.job["steps"]:
            if not _holds(step.get("if"), self.contexts):
                continue
            code, outputs = self._step(step)
            if "id" in step:
                self.contexts["steps"][step["id"]] = {"outputs": outputs}
            if code and step.get("continue-on-error") != "true":
                self.failed = True
        self.done.result = "failure" if self.failed else "success"
        self.done.outputs = {
            name: _said(fill(text, self.contexts))
            for name, text in self.job.get("outputs", {}).items()
        }
        return self.done

    def _step(self, step: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
        if "uses" in step:
            action = step["uses"].split("@")[0]
            given = {
                name: _said(fill(text, self.contexts))
                for name, text in step.get("with", {}).items()
            }
            return self._own(action, given) if action[0] == "$" else ACTIONS[action](self, given)
        usual = self.job.get("defaults", {}).get("run", {})
        return self._shell(step, usual.get("working-directory", "."))

    def _own(self, action: str, given: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        """A composite action of the workflow's commit: the job's environment holds, its defaults do not."""
        text = (ROOT / action.removeprefix("$/") / "action.yml").read_text(encoding="utf-8")
        document = yaml.load(text, yaml.BaseLoader)
        declared = {name: one.get("default") for name, one in document["inputs"].items()}
        assert set(given) <= set(declared)
        outer, inputs = self.contexts, {**declared, **given}
        assert None not in inputs.values()
        self.contexts = {**outer, "inputs": inputs}
        try:
            for step in document["runs"]["steps"]:
                code, _ = self._step(step) if "uses" in step else self._shell(step, ".")
                if code:
                    return code, {}
        finally:
            self.contexts = outer
        return 0, {}

    def _shell(self, step: Mapping[str, Any], folder: str) -> tuple[int, dict[str, str]]:
        place = self.done.folder / folder
        said = self.done.folder / ".github-output"
        told = self.done.folder / ".github-summary"
        event = self.done.folder / ".github-event.json"
        event.write_text(json.dumps(self.ran.event), encoding="utf-8")
        said.write_text("")
        own = {name: _said(fill(text, self.contexts)) for name, text in step.get("env", {}).items()}
        environment = {
            "PATH": f"{self.ran.forge.scratch / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.done.folder),
            "OMP_WAIT_POLICY": "PASSIVE",
            "GITHUB_WORKSPACE": str(self.done.folder),
            "GITHUB_OUTPUT": str(said),
            "GITHUB_STEP_SUMMARY": str(told),
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REPOSITORY": self.ran.forge.repository,
            "GITHUB_REF_NAME": "main",
            "GITHUB_SHA": self.contexts["github"]["sha"],
            "GITHUB_RUN_ID": self.contexts["github"]["run_id"],
            "GITHUB_RUN_ATTEMPT": "1",
            **self.ran.forge.environment,
            **self.contexts["env"],
            **own,
        }
        self._saw(environment)
        code, heard = _heard(_run(step, self.contexts), place, environment, self.ran.forge)
        self.done.said += f"$ {step['run']}\n{heard}"
        self.done.summary = told.read_text("utf-8") if told.exists() else ""
        return code, _outputs(said.read_text(encoding="utf-8"))

    def _saw(self, environment: Mapping[str, str]) -> None:
        """Note the secrets that a step is given, whatever they are called there."""
        for kept in self.ran.forge.secrets.values():
            for name, secret in kept.items():
                if any(secret in text for text in environment.values()):
                    self.done.secrets.add(name)

    # --- what the actions do ---------------------------------------------------------------------

    def checkout(self, given: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        place = self.done.folder / given.get("path", ".")
        if given.get("path") == "code":
            place.symlink_to(self.ran.forge.code)
            return 0, {}
        assert given["persist-credentials"] == "false"
        depth = [] if given.get("fetch-depth") == "0" else ["--depth", "1"]
        _git(place.parent, "init", "--quiet", str(place))
        _git(place, "remote", "add", "origin", f"file://{self.ran.forge.origin}")
        _git(place, "fetch", "--quiet", *depth, "origin", given["ref"])
        _git(place, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        return 0, {}

    def upload(self, given: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        """Files and folders, a pattern a line, named from the one folder, or where there are several patterns
        from what they have in common; hidden files are left out."""
        patterns = given["path"].split()
        one, place = len(patterns) == 1, self.done.folder
        root = patterns[0] if one else os.path.commonpath([Path(p).parent for p in patterns])
        for found in (found for pattern in patterns for found in place.glob(pattern)):
            for file in [found, *found.rglob("*")]:
                name = file.relative_to(place / root)
                if file.is_file() and not any(part.startswith(".") for part in name.parts):
                    kept = self.ran.artifacts / given["name"] / name
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, kept)
        return 0, {}

    def download(self, given: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        """A folder that a run here left, or a ZIP file as a stranger may have sent it."""
        run = given.get("run-id") or self.ran.number
        there = self.ran.forge.scratch / f"artifacts-{run}" / given["name"]
        place = (self.done.folder / given["path"]).resolve()
        if there.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-R", f"{there}/.", place], check=True)  # holes stay holes
            return 0, {}
        if not there.with_suffix(".zip").is_file():
            return 1, {}
        with zipfile.ZipFile(there.with_suffix(".zip")) as archive:
            if not all((place / n).resolve().is_relative_to(place) for n in archive.namelist()):
                return 1, {}
            archive.extractall(place)
        return 0, {}

    def nothing(self, given: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        return 0, {}

    def app_token(self, given: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        assert given["client-id"]
        assert given["private-key"]
        return 0, {"token": "token-of-the-app", "app-slug": "graft-bot"}


ACTIONS: dict[str, Callable[[_Steps, Mapping[str, str]], tuple[int, dict[str, str]]]] = {
    "actions/checkout": _Steps.checkout,
    "actions/setup-python": _Steps.nothing,
    "actions/upload-artifact": _Steps.upload,
    "actions/download-artifact": _Steps.download,
    "actions/attest-build-provenance": _Steps.nothing,
    "actions/create-github-app-token": _Steps.app_token,
}


def _outputs(text: str) -> dict[str, str]:
    """GITHUB_OUTPUT: lines ``name=value``, or ``name<<END`` and the lines before the next END."""
    found = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, equals, value_ = line.partition("=")
        if equals and "<<" not in name:
            found[name] = value_
            continue
        name, _, end = line.partition("<<")
        found[name] = "\n".join(iter(lambda: next(lines), end))
    return found


def _heard(
    script: str, place: Path, environment: Mapping[str, str], forge: Forge
) -> tuple[int, str]:
    """Run a step in a session of its own; its exit code, and all that it said."""
    lines = []
    with subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as step:
        assert step.stdout is not None
        for line in step.stdout:
            lines.append(line)
            if forge.preempt and re.match(forge.preempt, line):
                forge.preempt = ""
                os.killpg(step.pid, signal.SIGTERM)
    return step.returncode, "".join(lines)


def _environment(job: Mapping[str, Any]) -> str:
    found = job.get("environment", "")
    return str(found if isinstance(found, str) else found["name"])


def _run(step: Mapping[str, Any], contexts: Mapping[str, Any]) -> str:
    return str(fill(step["run"], contexts))


def _holds(condition: str | None, contexts: Mapping[str, Any]) -> bool:
    """Whether a job or step is due: without a status function only where all went well before."""
    text = condition or "success()"
    asks = any(f"{name}(" in text for name in ("always", "cancelled", "success", "failure"))
    return bool((asks or contexts["functions"]["success"]()) and value(text, contexts))


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def _said(found: Any) -> str:
    return "" if found is None else str(found).lower() if isinstance(found, bool) else str(found)


def _git(place: Path, *words: str) -> str:
    deaf = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *words], cwd=place, check=True, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], **deaf},
    )  # fmt: skip
    return done.stdout.strip()
