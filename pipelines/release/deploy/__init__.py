"""What serves a release elsewhere: files made from its manifest, for one tool each.

In: a ``Subject``. Out: texts by their paths in the export's folder. Names in a manifest are foreign
text: what reaches a file is a slug, a checked reference, or quoted by the file's own rules. Another
kind is one module and one line of ``WRITERS``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pipelines.errors import ReleaseError
from pipelines.records import Manifest
from pipelines.release.deploy import container, kserve, ollama, vllm
from pipelines.release.deploy.subject import Subject

WRITERS: dict[str, Callable[[Subject], Mapping[str, str]]] = {
    "ollama": ollama.files,
    "vllm": vllm.files,
    "container": container.files,
    "kserve": kserve.files,
}

# registry.example.org:5000/team/name:tag, or without host and tag; digests are for pulling.
IMAGE = re.compile(
    r"[a-z0-9]+([._-][a-z0-9]+)*(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[\w][\w.-]{0,127})?"
)


def model_name(manifest: Manifest) -> str:
    """What servers call it: letters, digits and dashes, as Kubernetes and systemd allow alike."""
    base = manifest.base_model.id.rsplit("/", 1)[-1]
    slug = re.sub(r"[^a-z0-9]+", "-", f"{base}-{manifest.release}".lower()).strip("-")
    return (slug if slug[:1].isalpha() else f"graft-{slug}")[-50:].lstrip("-0123456789")


def check_image(reference: str) -> str:
    """``reference`` where it names an image; the tag stays out, a release has its own."""
    if not IMAGE.fullmatch(reference) or ":" in reference.rsplit("/", 1)[-1]:
        raise ReleaseError(
            f"{reference!r} names no image; write REGISTRY/NAME, in small letters and without a tag."
        )
    return reference
