"""The environment that is installed here as wheels, for a machine without a network.

In: extras of Graft. Out: a folder with one wheel for each distribution that they need, in the version that
runs here, for this Python and this platform. pip brings them, from the indexes that it is set to use; a
wheel that no index has is built. What pip cannot do is said in one ``GraftError``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from pipelines.errors import GraftError, UsageError

NAME = "graft-taxonomy"
ROOT = Path(__file__).parents[1]
# Archives of wheels hold no date before 1980; a wheel that is built twice is the same file.
EPOCH = "315532800"
SHOWN = ("Downloading ", "Building wheel")

Say = Callable[[str], None]


def collect(extras: Sequence[str], folder: Path, index: str, say: Say) -> None:
    """Fill ``folder`` with Graft's own wheel and those of all that ``extras`` need.

    ``index`` is one more package index, "" for none.
    """
    more = ["--extra-index-url", index] if index else []
    say("building the wheel of Graft")
    _wheels([_own(ROOT)], folder, more, say)
    own = _distribution(next(folder.glob("*.whl")))
    known = own.metadata.get_all("Provides-Extra") or []
    for extra in extras:
        if extra not in known:
            raise UsageError(f"Graft has no extra {extra!r}; it has {', '.join(sorted(known))}.")
    pins = pinned(own.requires or [], extras)
    say(f"collecting {len(pins)} wheels")
    _wheels(pins.values(), folder, more, say)


def pinned(requires: Iterable[str], extras: Iterable[str]) -> dict[str, str]:
    """What pip is asked for, by name: each distribution that ``requires`` needs, as it is installed here."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    seen: dict[str, set[str]] = {}
    pins: dict[str, str] = {}
    pending = [(line, frozenset(extras)) for line in requires]
    while pending:
        line, wanted = pending.pop()
        need = Requirement(line)
        if need.marker and not any(need.marker.evaluate({"extra": e}) for e in ("", *wanted)):
            continue
        name = canonicalize_name(need.name)
        if name == canonicalize_name(NAME):  # an extra that is made of others
            pending += [(line, frozenset(need.extras)) for line in requires]
            continue
        if name in seen and need.extras <= seen[name]:
            continue
        seen.setdefault(name, set()).update(need.extras)
        found = _installed(need.name)
        pins[name] = _pin(found)
        pending += [(line, frozenset(seen[name])) for line in found.requires or []]
    return dict(sorted(pins.items()))


def requirements(files: Mapping[Path, str]) -> str:
    """A requirements file that pip takes nothing but these wheels for; their SHA-256 by file."""
    from packaging.utils import parse_wheel_filename

    lines = []
    for path, sha in files.items():
        name, version, _, _ = parse_wheel_filename(path.name)
        lines.append(f"{name}=={version} --hash=sha256:{sha}\n")
    return "".join(sorted(lines))


def try_out(text: str, folder: Path, say: Say) -> None:
    """Let pip resolve the requirements ``text`` from the wheels in ``folder`` alone."""
    with _scratch(folder) as scratch:
        listed = scratch / "requirements.txt"
        listed.write_text(text, encoding="utf-8")
        words = ["install", "--quiet", "--dry-run", "--ignore-installed", "--isolated"]
        words += ["--no-index", "--find-links", str(folder), "--require-hashes", "-r", str(listed)]
        _pip(words, scratch, say, PIP_CONFIG_FILE=os.devnull)


def packages(files: Iterable[Path]) -> dict[str, str]:
    """Names and versions of wheels."""
    from packaging.utils import parse_wheel_filename

    found = [parse_wheel_filename(path.name) for path in files]
    return dict(sorted((str(name), str(version)) for name, version, _, _ in found))


# --- what is installed -----------------------------------------------------------------------


def _own(root: Path) -> str:
    """Graft itself: the checkout that runs here, or what was installed."""
    if (root / "pyproject.toml").is_file():
        return f"{NAME} @ {root.as_uri()}"
    return _pin(_installed(NAME))


def _installed(name: str) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise GraftError(
            f"{name} is not installed here, and a bundle carries what runs here: "
            "install the same extras of Graft first."
        ) from None


def _pin(found: metadata.Distribution) -> str:
    """The requirement that brings just this: its version, or where it was installed from."""
    name = found.metadata["Name"]
    text = found.read_text("direct_url.json")
    if text is None:
        return f"{name}=={found.version}"
    direct = json.loads(text)
    version_control = direct.get("vcs_info")
    if version_control:
        url = f"{version_control['vcs']}+{direct['url']}@{version_control['commit_id']}"
        return f"{name} @ {url}"
    return f"{name} @ {direct['url']}"


def _distribution(wheel: Path) -> metadata.Distribution:
    """The metadata of a wheel: those of an editable install are as old as the installation."""
    archive = zipfile.Path(wheel)
    inside = next(entry for entry in archive.iterdir() if entry.name.endswith(".dist-info"))
    return metadata.PathDistribution(inside)


# --- pip -------------------------------------------------------------------------------------


def _wheels(wanted: Iterable[str], folder: Path, more: Sequence[str], say: Say) -> None:
    """One wheel in ``folder`` for each of ``wanted``, and no other."""
    folder.mkdir(parents=True, exist_ok=True)
    with _scratch(folder) as scratch:
        listed = scratch / "wanted.txt"
        listed.write_text("".join(f"{line}\n" for line in wanted), encoding="utf-8")
        words = ["wheel", "--no-deps", "--progress-bar", "off", "--wheel-dir", str(folder), *more]
        _pip([*words, "-r", str(listed)], scratch, say)


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Room for pip, on the disk that was chosen for the archive: /tmp may be small."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="pip-") as found:
        yield Path(found)


def _pip(words: Sequence[str], scratch: Path, say: Say, **environment: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    set_here = {"TMPDIR": str(scratch), "SOURCE_DATE_EPOCH": EPOCH, **environment}
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**os.environ, **set_here},
    ) as pip:  # fmt: skip
        assert pip.stdout is not None
        try:
            for line in pip.stdout:
                lines.append(line.strip())
                if lines[-1].startswith(SHOWN):
                    say(lines[-1])
        except BaseException:
            pip.kill()
            raise
    if pip.returncode:
        raise GraftError(f"pip cannot collect the wheels: {_why(lines)}")


def _why(lines: Sequence[str]) -> str:
    """What stopped pip, and how to mend it."""
    told = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    last = (told or [line for line in lines if line] or ["it says nothing"])[-1].rstrip(".")[:300]
    text = "\n".join(lines)
    if "No module named pip" in text:
        return f"{sys.executable} has none; `{sys.executable} -m ensurepip` installs it."
    if "No space left on device" in text:
        return "the disk is full; free it, or name an archive on another disk."
    if "Retrying (Retry(" in text or "Max retries exceeded" in text:
        return (
            f"it reaches no package index ({last}); connect this machine, or name what it does reach "
            "with PIP_INDEX_URL, or a folder of wheels with PIP_FIND_LINKS."
        )
    if "No matching distribution found" in text:
        return f"{last}; name the index that it was installed from with --index URL."
    return f"{last}."
