"""The release that is to be served, as the writers of this package see it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipelines.records import Json, Manifest


@dataclass(frozen=True)
class Subject:
    """``image`` is where images of it are pushed, without a tag; ``merged`` the folder with base and
    adapter in one, ``gguf`` the name of the GGUF file that is served, ``adapter`` its folder."""

    manifest: Manifest
    manifest_sha256: str
    name: str
    image: str
    merged: Path
    adapter: Path | None
    gguf: str = ""

    @property
    def tag(self) -> str:
        return self.manifest.release

    @cached_property
    def weight_bytes(self) -> int:
        """How large the merged weights are."""
        return sum(path.stat().st_size for path in self.merged.glob("*.safetensors"))

    @cached_property
    def config(self) -> Json:
        """The merged model's config.json."""
        config: Json = json.loads((self.merged / "config.json").read_bytes())
        return config

    @cached_property
    def lora(self) -> Json | None:
        """The adapter's own configuration; None where there is no adapter."""
        place = self.adapter and self.adapter / "adapter_config.json"
        if place is None or not place.is_file():
            return None
        config: Json = json.loads(place.read_bytes())
        return config
