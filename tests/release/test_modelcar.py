"""ModelCars: built by olot on a layout, pushed to a real registry and pulled from it again."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from pipelines.errors import ReleaseError
from pipelines.release.modelcar import build, push
from pipelines.release.targets.oci_repository import OciRepository
from tests.support.debian_registry import debian_registry


def base_layout(folder: Path) -> Path:
    """An image of one file, as `skopeo copy … oci:DIR:latest` would leave it."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes) -> tuple[str, int]:
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return f"sha256:{name}", len(data)

    def named(kind: str, data: bytes) -> dict[str, object]:
        digest, size = blob(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": size}

    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        entry = tarfile.TarInfo("bin/sh")
        entry.size, entry.mode = 3, 0o755
        archive.addfile(entry, io.BytesIO(b"sh\n"))
    layer = named("layer.v1.tar+gzip", gzip.compress(raw.getvalue(), mtime=0))
    ids = ["sha256:" + hashlib.sha256(raw.getvalue()).hexdigest()]
    config = {
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": ids}, "history": [{"created_by": "test"}],
    }  # fmt: skip
    manifest = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": named("config.v1+json", json.dumps(config).encode()), "layers": [layer],
    }  # fmt: skip
    top = named("manifest.v1+json", json.dumps(manifest).encode())
    top["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    index = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [top],
    }  # fmt: skip
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def model(folder: Path, text: str = "weights") -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "model.safetensors").write_text(text)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "more.json").write_text("[]")
    return folder


def files(layout: Path) -> dict[str, bytes]:
    """Every file of the image, its digests checked on the way."""
    top = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]

    def read(digest: str) -> bytes:
        data = (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()
        assert f"sha256:{hashlib.sha256(data).hexdigest()}" == digest
        return data

    found = {}
    manifest = json.loads(read(top))
    ids = json.loads(read(manifest["config"]["digest"]))["rootfs"]["diff_ids"]
    assert len(ids) == len(manifest["layers"])
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(read(layer["digest"]))) as archive:
            for entry in archive:
                if entry.isfile():
                    stream = archive.extractfile(entry)
                    assert stream is not None
                    found["/" + entry.name.lstrip("/")] = stream.read()
    return found


def test_a_modelcar_holds_the_model_on_its_base(tmp_path: Path) -> None:
    build(model(tmp_path / "merged"), str(base_layout(tmp_path / "base")), tmp_path / "car")
    assert files(tmp_path / "car") == {
        "/bin/sh": b"sh\n",
        "/models/model.safetensors": b"weights",
        "/models/config.json": b"{}",
        "/models/sub/more.json": b"[]",
    }


def test_a_base_that_nobody_has_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        ReleaseError, match=r"The registry 127\.0\.0\.1:1 does not do what is asked"
    ):
        build(model(tmp_path / "merged"), "127.0.0.1:1/ubi:9", tmp_path / "car")
    with pytest.raises(ReleaseError, match="names no repository"):
        build(model(tmp_path / "merged2"), "just/a/folder", tmp_path / "car")


@pytest.mark.slow
def test_a_modelcar_goes_to_a_registry_and_its_tag_never_moves(tmp_path: Path) -> None:
    build(model(tmp_path / "merged"), str(base_layout(tmp_path / "base")), tmp_path / "car")
    with debian_registry(tmp_path / "registry") as host:
        reference = f"{host}/ada/model:v2026.01.01-modelcar"
        push(tmp_path / "car", reference)
        push(tmp_path / "car", reference)
        assert OciRepository(f"{host}/ada/model").tags() == ["v2026.01.01-modelcar"]
        build(model(tmp_path / "next", "more"), reference, tmp_path / "upon")
        assert files(tmp_path / "upon")["/models/model.safetensors"] == b"more"
        with pytest.raises(ReleaseError, match="exists, and tags never move"):
            push(tmp_path / "upon", reference)
        with pytest.raises(ReleaseError, match=r"There is no image .*:none to lay the model on"):
            build(tmp_path / "next", f"{host}/ada/model:none", tmp_path / "none")
