"""``Containerfile`` and a quadlet unit: a release in an image of its own, on UBI, and as a service.

The image serves the merged weights by ``transformers serve``, whose versions are those that the release
was exported with. It runs as any user on a read-only root, as OpenShift has it: /tmp alone is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata

from pipelines.release.deploy.subject import Subject

BASE = "registry.access.redhat.com/ubi9/python-312:9.6"
MODEL = "/opt/graft/model"
SERVE = ("/opt/graft/venv/bin/transformers", "serve", "--host", "0.0.0.0", "--port", "8000", MODEL)
ENVIRONMENT = {
    "HOME": "/tmp",
    "HF_HOME": "/tmp/huggingface",
    "HF_HUB_OFFLINE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
PINNED = ("torch", "transformers", "tokenizers", "safetensors", "accelerate")


def files(subject: Subject) -> Mapping[str, str]:
    return {
        "Containerfile": _containerfile(subject),
        "requirements.txt": _requirements(),
        f"{subject.name}.container": _quadlet(subject),
    }


def image(subject: Subject) -> str:
    """The image with its tag."""
    return f"{subject.image}:{subject.tag}"


def _requirements() -> str:
    """What the image installs; a version's local part (``+cpu``) names a build, not a release."""
    lines = [f"{name}=={re.sub(r'[+].*', '', metadata.version(name))}" for name in PINNED]
    return (
        "\n".join(line.replace("transformers==", "transformers[serving]==") for line in lines)
        + "\n"
    )


def _containerfile(subject: Subject) -> str:
    words = ", ".join(f'"{word}"' for word in SERVE)
    environment = " \\\n    ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())
    return f"""\
# {subject.name}. Build it in this folder: podman build -t {image(subject)} .
# TORCH_INDEX chooses the build of torch: https://download.pytorch.org/whl/cu128 for a GPU.
ARG BASE={BASE}
FROM ${{BASE}}
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
USER 0
COPY requirements.txt /opt/graft/requirements.txt
RUN python3 -m venv /opt/graft/venv \\
    && /opt/graft/venv/bin/pip install --no-cache-dir --extra-index-url "${{TORCH_INDEX}}" \\
       -r /opt/graft/requirements.txt
COPY merged {MODEL}
RUN chmod -R a+rX /opt/graft
LABEL org.opencontainers.image.title="{subject.name}" \\
      org.opencontainers.image.version="{subject.tag}" \\
      io.graft.manifest-sha256="{subject.manifest_sha256}"
ENV {environment}
USER 1001
EXPOSE 8000
ENTRYPOINT [{words}]
"""


def _quadlet(subject: Subject) -> str:
    return f"""\
# Copy it to ~/.config/containers/systemd/ (or /etc/containers/systemd/), then:
# systemctl --user daemon-reload && systemctl --user start {subject.name}
[Unit]
Description=Graft model {subject.name}
After=network-online.target

[Container]
Image={image(subject)}
ContainerName={subject.name}
PublishPort=127.0.0.1:8000:8000
ReadOnly=true
Tmpfs=/tmp
NoNewPrivileges=true
DropCapability=all

[Service]
Restart=on-failure
TimeoutStartSec=900

[Install]
WantedBy=default.target
"""
