"""``inferenceservice.yaml``: KServe serves a release from a ModelCar, an image that holds its files.

``modelcar.Containerfile`` makes that image with Podman; ``modelcar.py`` makes it without. Weights of a
gigabyte and more ask for one GPU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import yaml

from pipelines.records import Json
from pipelines.release.deploy.subject import Subject

GIB = 1 << 30
SUFFIX = "-modelcar"  # behind the release's tag
BASE = "registry.access.redhat.com/ubi9/ubi-micro:9.6"


def files(subject: Subject) -> Mapping[str, str]:
    told = f"# {subject.name}: kubectl apply -f inferenceservice.yaml\n"
    return {
        "inferenceservice.yaml": told + yaml.safe_dump(_service(subject), sort_keys=False),
        "modelcar.Containerfile": _containerfile(subject),
    }


def modelcar(subject: Subject) -> str:
    """The ModelCar image with its tag."""
    return f"{subject.image}:{subject.tag}{SUFFIX}"


def _service(subject: Subject) -> Json:
    manifest = subject.manifest
    memory = f"{2 + math.ceil(2 * subject.weight_bytes / GIB)}Gi"
    resources: Json = {"requests": {"cpu": "2", "memory": memory}, "limits": {"memory": memory}}
    if subject.weight_bytes >= GIB:
        resources["limits"]["nvidia.com/gpu"] = "1"
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": subject.name,
            "labels": {"app.kubernetes.io/managed-by": "graft"},
            "annotations": {
                "graft/release": manifest.release,
                "graft/manifest-sha256": subject.manifest_sha256,
                "graft/base-model": f"{manifest.base_model.id}@{manifest.base_model.revision}",
            },
        },
        "spec": {
            "predictor": {
                "minReplicas": 1,
                "automountServiceAccountToken": False,
                "model": {
                    "modelFormat": {"name": "huggingface"},
                    "args": [f"--model_name={subject.name}"],
                    "storageUri": f"oci://{modelcar(subject)}",
                    "resources": resources,
                },
            }
        },
    }


def _containerfile(subject: Subject) -> str:
    return f"""\
# podman build -t {modelcar(subject)} -f modelcar.Containerfile .
ARG BASE={BASE}
FROM ${{BASE}}
COPY --chmod=0755 merged /models
USER 1001
"""
