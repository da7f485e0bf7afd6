"""A ModelCar: an image whose /models KServe hands to a server, built without a daemon through olot.

In: the merged model's folder; the image that it is laid on, as an OCI layout or a reference to pull. Out: an
OCI layout, which ``push`` or any other tool brings to a registry. KServe starts a shell in a ModelCar, so
the base has to hold one: ubi-micro and busybox do.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pipelines.errors import ReleaseError
from pipelines.release.targets.oci_repository import OciRepository, is_loopback

LAYOUT = "oci-layout"


def build(model: Path, base: str, out: Path) -> None:
    """Lay every file of ``model`` on ``base``, a layer a file, so that a next release shares layers."""
    olot = _olot()
    if (Path(base) / LAYOUT).is_file():
        shutil.copytree(base, out)
    else:
        _pull(base, out)
    files = sorted(path for path in model.rglob("*") if path.is_file())
    try:
        olot.oci_layers_on_top(out, files, root_dir=model)
    except (OSError, ValueError) as error:
        raise ReleaseError(f"The ModelCar cannot be laid on {base}: {error}.") from error


def push(layout: Path, reference: str) -> None:
    """Bring a layout to a registry; a tag that is there already with something else never moves."""
    before = _held(reference)
    _olot()
    from olot.backend.oras_py import oras_py_push

    if before is not None and not (layout / "blobs" / "sha256" / before).is_file():
        raise ReleaseError(f"The tag {reference} exists, and tags never move.")
    try:
        oras_py_push(layout, reference, insecure=is_loopback(reference))
    except Exception as error:  # oras and requests raise what they will
        raise ReleaseError(f"{reference} cannot be pushed: {_line(error)}") from error


def _pull(reference: str, out: Path) -> None:
    if _held(reference) is None:
        raise ReleaseError(
            f"There is no image {reference} to lay the model on, and no OCI layout of that name."
        )
    from olot.backend.oras_py import oras_py_pull

    try:
        oras_py_pull(reference, out, insecure=is_loopback(reference))
    except Exception as error:  # oras and requests raise what they will
        raise ReleaseError(f"The image {reference} cannot be pulled: {_line(error)}") from error


def _held(reference: str) -> str | None:
    """The digest that a registry has under ``HOST/NAME:TAG``; it answers at once or not at all."""
    place, _, tag = reference.rpartition(":")
    found = OciRepository(place).manifest(tag)
    return found[0] if found else None


def _olot() -> Any:
    try:
        import olot.basics
    except ImportError as error:
        raise ReleaseError(
            "A ModelCar needs olot; install it with pip install 'graft-taxonomy[oci]'."
        ) from error
    return olot.basics


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
