"""What holds for every workflow, form and script by reading alone: the tools' view and our own rules."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.policy import Policy
from tests.support.expressions import value

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))
SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir())
SETUP = "$/.github/actions/setup"  # $/: the commit that the workflow is of
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n")


def load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield f"{path.name}:{name}", job


def tool(name: str, *words: str) -> str:
    """A command that pip put beside this Python; its output, where it finds nothing wrong."""
    command = Path(sys.executable).parent / name
    done = subprocess.run([command, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    tool("zizmor", "--offline", "--no-progress", "--min-severity", "low", ".github")


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("custom.github-workflows-require-timeout", WORKFLOWS),
        ("vendor.github-actions", ACTIONS),
        ("vendor.github-issue-forms", FORMS),
        ("vendor.dependabot", [GITHUB / "dependabot.yml"]),
    ],
)
def test_each_file_has_the_form_that_github_reads(schema: str, paths: list[Path]) -> None:
    tool("check-jsonschema", "--builtin-schema", schema, *map(str, paths))


@pytest.mark.slow
def test_the_scripts_are_sound_shell() -> None:
    assert shutil.which("shellcheck"), "shellcheck is missing; make setup-all installs it"
    subprocess.run(["shellcheck", *SCRIPTS], check=True)
    for path in SCRIPTS:
        assert path.stat().st_mode & 0o111, f"{path} cannot be run"


@pytest.mark.parametrize(
    "path", [*WORKFLOWS, *ACTIONS], ids=lambda path: path.parent.name + path.name
)
def test_actions_are_pinned_and_credentials_are_not_kept(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "pull_request_target" not in text
    uses = [line for line in text.splitlines(keepends=True) if "uses: " in line]
    ours = [line for line in uses if line.strip() == f"- uses: {SETUP}"]
    assert [line for line in uses if line not in ours and not PINNED.search(line)] == []
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    if path in WORKFLOWS:
        assert load(path)["permissions"] in ("{}", {})


def test_our_action_runs_one_line_a_step_and_checks_out_what_it_is_given() -> None:
    [path] = ACTIONS
    assert f"$/{path.parent.relative_to(ROOT).as_posix()}" == SETUP
    steps = load(path)["runs"]["steps"]
    for step in steps:
        assert "\n" not in step.get("run", "").strip()
        assert "${{" not in step.get("run", "")
    checkouts = [
        step["with"] for step in steps if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert [(one["path"], one["ref"]) for one in checkouts] == [
        *(("code", "${{ inputs.graft-ref }}"), ("tree", "${{ inputs.ref }}"))
    ]


def test_one_action_has_one_version_everywhere() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (*WORKFLOWS, *ACTIONS))
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"uses: ([\w./-]+)@(.+)", text):
        versions.setdefault(name, set()).add(version)
    assert {name for name, found in versions.items() if len(found) > 1} == set()
    told = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for name, (version,) in versions.items():
        sha, tag = version.split(" # ")
        assert f"| `{name}` | `{sha}` | {tag} |" in told


def test_no_artifact_leaves_its_folder() -> None:
    """Up to 4.1.6 the action wrote a name with ../ in it wherever that points (CVE-2024-42471)."""
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    for major, minor, patch in re.findall(
        r"actions/download-artifact@\S+ # v(\d+)\.(\d+)\.(\d+)", text
    ):
        assert (int(major), int(minor), int(patch)) >= (4, 1, 7)


@pytest.mark.parametrize(
    ("name", "job"), list(jobs()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_job_says_what_it_may_and_how_long_and_runs_one_line_a_step(
    name: str, job: dict[str, Any]
) -> None:
    assert int(job["timeout-minutes"])
    assert isinstance(job["permissions"], dict)
    assert "write-all" not in str(job["permissions"])
    for step in job["steps"]:
        line = step.get("run", "")
        assert "\n" not in line.strip()
        assert "${{" not in line, "nothing is pasted into a shell; env hands it over"


@pytest.mark.parametrize(
    ("name", "job"), list(jobs()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_secret_or_a_gpu_is_never_beside_a_checkout_of_a_pull_request(
    name: str, job: dict[str, Any]
) -> None:
    refs = [
        step.get("with", {}).get(key, "")
        for step in job["steps"]
        for key, action in (("ref", "actions/checkout@"), ("ref", SETUP), ("graft-ref", SETUP))
        if step.get("uses", "").startswith(action)
    ]
    if name.startswith("test.yml:"):  # tests the pull request's code, and has nothing to lose
        assert "secrets." not in str(job)
        assert job["runs-on"] == "ubuntu-latest"
        assert set(job["permissions"].values()) == {"read"}
        return
    trusted = ("github.sha", "github.event.pull_request.base.sha")
    for ref in refs:
        assert re.fullmatch(r"\$\{\{ (inputs\.graft-ref \|\| )?([\w.]+) \}\}", ref), ref
        assert ref.split()[-2] in trusted
    if "secrets." in str(job):
        assert "environment" in job, "a secret waits behind an environment"


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_asks_at_most_six_things(path: Path) -> None:
    fields = [one for one in load(path)["body"] if "id" in one]
    assert len(fields) <= 6
    text = path.read_text(encoding="utf-8")
    assert "yaml" not in text.lower()


def test_the_form_offers_the_licences_that_the_policy_takes() -> None:
    fields = {
        one.get("id"): one for one in load(GITHUB / "ISSUE_TEMPLATE" / "knowledge.yml")["body"]
    }
    assert set(fields["licence"]["attributes"]["options"]) == set(Policy().licences)
    accepted = load(ROOT / "graft.yaml")["licences"]
    assert set(accepted) == set(Policy().licences)


def test_each_label_of_a_form_is_made_by_the_script() -> None:
    made = set(re.findall(r"^label (\S+) ", (ROOT / ".ci" / "labels").read_text("utf-8"), re.M))
    carried = {label for path in FORMS for label in load(path)["labels"]}
    assert carried <= made


@pytest.mark.parametrize(
    ("event", "branch", "told"),
    [
        ("schedule", "main", True),
        ("workflow_dispatch", "main", True),
        ("pull_request", "main", False),  # a fork's branch may be called main
        ("push", "main", False),
        ("workflow_dispatch", "ada", False),
    ],
)
def test_the_site_shows_the_report_of_a_night_on_main_alone(
    event: str, branch: str, told: bool
) -> None:
    """A pull request may bring a workflow that is called nightly, and an artifact with a page of its own."""
    job = load(GITHUB / "workflows" / "pages.yml")["jobs"]["build"]
    run = {"event": event, "head_branch": branch}
    happened = {"repository": {"default_branch": "main"}, "workflow_run": run}
    github = {"event_name": "workflow_run", "event": happened}
    assert (
        value(job["if"], {"github": github, "vars": {"GRAFT_PAGES": "true"}, "functions": {}})
        is told
    )


@pytest.mark.parametrize("event", ["push", "workflow_dispatch"])
def test_the_site_follows_the_docs(event: str) -> None:
    job = load(GITHUB / "workflows" / "pages.yml")["jobs"]["build"]
    github = {"event_name": event, "event": {}}
    assert (
        value(job["if"], {"github": github, "vars": {"GRAFT_PAGES": "true"}, "functions": {}})
        is True
    )
