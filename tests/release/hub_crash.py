"""Publish to a stand-in of the Hub in a process of its own: what is to be killed, or to race.

In: ``python -m tests.release.hub_crash REPOSITORY BUILT MANIFEST CACHE``, and the client's settings in
the environment; it says its process id, and waits for a line before it begins. Out: the tag, or the
sentence of the error and exit code 1.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from huggingface_hub.utils import http_backoff

from pipelines.errors import ReleaseError
from pipelines.release.manifest import read_manifest
from pipelines.release.targets import hub_repository, open_target


def main(repository: str, built: str, manifest: str, cache: str) -> None:
    http_backoff.__kwdefaults__.update(base_wait_time=0.01, max_wait_time=0.01)
    hub_repository.WAITS = (0.01,) * 4
    record = read_manifest(Path(manifest).read_bytes(), manifest)
    target = open_target(f"hub:{repository}", Path(cache))
    for blob in Path(cache).rglob("blobs/*"):
        target.put_blob(blob.read_bytes())  # as a run does before it publishes
    print(os.getpid(), flush=True)
    sys.stdin.readline()
    try:
        print(target.publish(Path(built), record))
    except ReleaseError as error:
        print(error)
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
