"""The bill of materials of a release: what is installed where it is trained, as CycloneDX 1.6 in JSON.

In: this Python's installed distributions. Out: the bytes of ``sbom.cdx.json``. The same environment gives
the same bytes: no clock is read and no number drawn, and where things are installed is not told.
"""

from __future__ import annotations

import contextlib
import functools
import platform
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, distributions
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from pipelines.artifacts import digest

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from packaging.requirements import Requirement

SBOM = "sbom.cdx.json"
OURS = "graft-taxonomy"
NONE = frozenset({"", "UNKNOWN", "LICENSE", "Dual License"})  # what names no licence
LONGEST = 80  # what stands under License is at times the whole text of one


@dataclass(frozen=True, slots=True)
class Installed:
    """One distribution; ``needs`` are its requirements by the names that packaging gives them."""

    version: str
    licence: str
    needs: tuple[tuple[str, Requirement], ...]
    extras: frozenset[str]


@functools.cache
def materials() -> bytes:
    """What is installed here."""
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion

    out = make_outputter(_bom(_installed()), OutputFormat.JSON, SchemaVersion.V1_6)
    return (out.output_as_string(indent=2) + "\n").encode()


def _installed() -> dict[str, Installed]:
    """By name, as packaging spells it; the first of each is the one that Python imports."""
    from packaging.utils import canonicalize_name

    found: dict[str, Installed] = {}
    for one in distributions():
        told = one.metadata  # parsed anew whenever it is asked for
        name = canonicalize_name(told["Name"] or "")
        if name and name not in found:  # what a broken installation leaves has none
            found[name] = Installed(
                told["Version"] or "",
                _licence(told),
                tuple(_needs(told.get_all("Requires-Dist") or ())),
                frozenset(told.get_all("Provides-Extra") or ()),
            )
    return dict(sorted(found.items()))


def _licence(told: PackageMetadata) -> str:
    """As its metadata have it: an expression, else a name, else what it is filed under."""
    said = [*(told.get_all("License-Expression") or ()), *(told.get_all("License") or ())]
    filed = told.get_all("Classifier") or ()
    said += [line.rpartition(" :: ")[2] for line in filed if line.startswith("License :: ")]
    texts = (" ".join(text.split()) for text in said)
    return next((text for text in texts if text not in NONE and len(text) <= LONGEST), "")


def _needs(texts: Collection[str]) -> Iterator[tuple[str, Requirement]]:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    for text in texts:
        with contextlib.suppress(InvalidRequirement):  # of a form that packaging gave up
            need = Requirement(text)
            yield canonicalize_name(need.name), need


def _bom(installed: Mapping[str, Installed]) -> Bom:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType

    known = {name: _component(name, one) for name, one in installed.items()}
    kind, version = platform.python_implementation(), platform.python_version()
    python = Component(name=kind, version=version, type=ComponentType.PLATFORM, bom_ref="python")
    ours = known.pop(OURS, None) or Component(
        name=OURS, type=ComponentType.APPLICATION, bom_ref=OURS
    )
    bom = Bom(components=[*known.values(), python])
    bom.metadata.component = ours
    for name, needs in _graph(installed).items():
        component = ours if name == OURS else known[name]
        bom.register_dependency(component, [known[need] for need in needs if need != OURS])
    # The library fills in both of these, by chance and from a clock.
    versions = {name: one.version for name, one in installed.items()}
    bom.serial_number = uuid5(NAMESPACE_URL, digest([kind, version, versions]))
    bom.metadata.timestamp = None  # type: ignore[assignment]  # which its writer leaves out
    return bom


def _component(name: str, one: Installed) -> Component:
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    ours = name == OURS
    return Component(
        name=name,
        version=one.version,
        type=ComponentType.APPLICATION if ours else ComponentType.LIBRARY,
        bom_ref=name,
        purl=None if ours else PackageURL("pypi", name=name, version=one.version),
        licenses=[LicenseFactory().make_from_string(one.licence)] if one.licence else [],
    )


def _graph(installed: Mapping[str, Installed]) -> dict[str, list[str]]:
    """What each distribution needs of the others here, with the extras that somebody asks of it."""
    extras: dict[str, set[str]] = {name: {""} for name in installed}
    if OURS in installed:  # which of its own were asked for is written down nowhere
        extras[OURS] |= installed[OURS].extras
    for one in installed.values():
        for name, need in one.needs:
            extras.get(name, set()).update(need.extras)
    return {
        name: sorted(
            {need for need, how in one.needs if need in installed and _holds(how, extras[name])}
        )
        for name, one in installed.items()
    }


def _holds(need: Requirement, extras: Collection[str]) -> bool:
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras)
