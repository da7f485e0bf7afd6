"""Write docs/rules.md and docs/cli.md from the code: `make docs`; with --check say what is stale.

The rules speak for themselves (``About``), the commands through their argparse parsers. Nothing in
either page depends on the terminal or on the version of Python.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from pipelines.check import RULES
from pipelines.check.about import About
from pipelines.check.exceptions import ABOUT as EXCEPTION
from pipelines.check.exceptions import ID as EXCEPTION_ID
from pipelines.cli import build_parser
from pipelines.policy import TOPICS, Policy
from pipelines.schemas import load_schema

DOCS = Path(__file__).resolve().parents[1] / "docs"
MADE = "<!-- Made by `make docs`; edit what it is made from: {} -->"


def rules_page() -> str:
    """docs/rules.md."""
    abouts = {rule_id: rule.about for rule_id, rule in RULES.items() if rule.about}
    abouts |= {EXCEPTION_ID: EXCEPTION}
    lines = [
        "# What `graft check` looks for",
        MADE.format("pipelines/check/ and scripts/regenerate_docs.py."),
        "An *error* fails the check, a *warning* asks a person to look; neither can be turned into the "
        "other. Each finding names its rule, so that the policy can speak of it. A rule that crashes "
        "is shown as the finding `internal`, and the others go on.",
        "*Upstream*: instructlab-schema finds the like, and the rule has a say under "
        "`--compat instructlab`.",
        "## The rules",
        "\n".join(_rule_table(abouts)),
        DEVIATIONS,
        "\n".join(f"- `{name}`: {a.deviation}" for name, a in abouts.items() if a.deviation),
        POLICY,
        "\n".join(_policy_table()),
        "### The topics that are built in",
        "\n".join(f"- **{label}**: {', '.join(words)}" for label, words in TOPICS),
        EXCEPTIONS,
    ]
    return "\n\n".join(lines) + "\n"


DEVIATIONS = """## Where it is stricter than InstructLab on purpose

Every rule above that is not marked *upstream* is one more. `--compat instructlab` leaves those out. Of the
others these differ from instructlab-schema 0.4.2; a file that holds a tab is read by PyYAML's pure parser,
as there, since libyaml accepts tabs that it refuses."""

POLICY = """## The policy: graft.yaml

A taxonomy says what it accepts in `graft.yaml`, in its own folder or the one above; what is left out
keeps its default, an unknown key is an error (`schema/policy.json`). `--policy FILE` names another file.

A pull request may change the file, and must not be judged by its own change. So CI reads the policy
from the branch that the pull request is for:

    graft check --policy-ref origin/main

`--policy-ref` reads `graft.yaml` (or the `--policy FILE` of the repository) from Git's objects; where
that commit has none, the defaults hold."""

EXCEPTIONS = """### Exceptions

A rule can be told not to hold for some paths, with a reason:

```yaml
exceptions:
  - rule: personal-data
    path: knowledge/history/telephony/**
    reason: The numbers are those of 1920.
```

`path` is a file or a folder from the taxonomy's root; `*` and `?` stay within one folder, `**` spans
folders. An exception that covers nothing any more is itself an error, `exception`, wherever the whole tree
is checked and the rule has run; a hook that checks single files does not complain of it, nor a check
without `--documents` of an exception that may be needed with it."""


def _rule_table(abouts: dict[str, About]) -> Iterator[str]:
    yield "| rule | severity | upstream | what it asks for | how to mend it |"
    yield "|---|---|---|---|---|"
    for name, about in abouts.items():
        severity = "error or warning" if about.severity == "both" else about.severity
        upstream = "yes" if about.upstream else ""
        cells = (f"`{name}`", severity, upstream, about.says, about.mend)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _policy_table() -> Iterator[str]:
    """The keys of schema/policy.json with their defaults; topics and exceptions follow in words."""
    policy = Policy()
    yield "| key | default | what it means |"
    yield "|---|---|---|"
    for key, told in load_schema("policy")["properties"].items():
        inner = told.get("properties")
        meaning = told.get("description", "")
        if not inner:
            value = "see below" if key == "topics" else _default(getattr(policy, key))
            yield f"| `{key}` | {value} | {meaning} |"
            continue
        yield f"| `{key}` | | {meaning} |"
        for name, entry in inner.items():
            value = _default(getattr(getattr(policy, key), name))
            yield f"| `{key}.{name}` | {value} | {entry.get('description', '')} |"


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "none"
    return str(value)


def cli_page() -> str:
    """docs/cli.md."""
    parser = build_parser()
    lines = [
        "# The command line",
        MADE.format("pipelines/cli/ and scripts/regenerate_docs.py."),
        "`graft` is `python -m pipelines`. Results go to standard output, progress to standard error. "
        "Exit codes: 0 fine; 1 findings, a failed gate or a mistake, told in one line; 2 the command "
        "line cannot be understood; 75 stopped, and resumed by the same command; 70 a bug.",
    ]
    for name, command in _commands(parser).items():
        lines += _command(f"graft {name}", command, 2)
    return "\n\n".join(lines) + "\n"


def _command(name: str, parser: argparse.ArgumentParser, level: int) -> list[str]:
    actions = [a for a in parser._actions if not isinstance(a, argparse._HelpAction)]
    inner = _commands(parser)
    own = [a for a in actions if not isinstance(a, argparse._SubParsersAction)]
    lines = [f"{'#' * level} `{name}`"]
    if parser.description:
        lines.append(parser.description)
    lines.append("    " + " ".join([name, *map(_usage, own), *(["COMMAND …"] if inner else [])]))
    told = [f"- `{_spelled(action)}`: {_help(action)}" for action in own]
    if told:
        lines.append("\n".join(told))
    for inner_name, command in inner.items():
        lines += _command(f"{name} {inner_name}", command, level + 1)
    return lines


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return {name: found for group in groups for name, found in group.choices.items()}


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices is not None:
        return "|".join(str(choice) for choice in action.choices)
    metavar = action.metavar if isinstance(action.metavar, str) else None
    return metavar or (action.dest.upper() if action.option_strings else action.dest)


def _usage(action: argparse.Action) -> str:
    value = _value(action)
    if not action.option_strings:
        many = action.nargs in ("*", "+")
        shown = f"{value}{' …' if many else ''}"
        return f"[{shown}]" if action.nargs in ("*", "?") else shown
    shown = f"{action.option_strings[-1]} {value}".strip()
    return shown if action.required else f"[{shown}]"


def _spelled(action: argparse.Action) -> str:
    return f"{', '.join(action.option_strings)} {_value(action)}".strip()


def _help(action: argparse.Action) -> str:
    text = (action.help or "").replace("%%", "%")
    plain = action.default in (None, False, argparse.SUPPRESS) or action.nargs == 0
    if not plain and "default" not in text and not isinstance(action.default, list):
        text += f" (default: {action.default})"
    return text.strip() or "(no more to say)"


PAGES = {"rules.md": rules_page, "cli.md": cli_page}


def main() -> int:
    """Write the pages, or with --check compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; 1 where a page is stale"
    )
    check = parser.parse_args().check
    stale = 0
    for name, make in PAGES.items():
        path, wanted = DOCS / name, make()
        if path.is_file() and path.read_text(encoding="utf-8") == wanted:
            continue
        stale += 1
        if check:
            print(f"docs/{name} is stale; run `make docs`.", file=sys.stderr)
        else:
            path.write_text(wanted, encoding="utf-8")
            print(f"docs/{name} written.")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
