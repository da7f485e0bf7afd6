"""The files that tools are given: each read by a parser of its kind, with the worst names there are."""

from __future__ import annotations

import configparser
import dataclasses
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser
from jsonschema import Draft202012Validator
from transformers import AutoTokenizer

from pipelines.errors import ReleaseError
from pipelines.records import BaseModel
from pipelines.release.deploy import WRITERS, check_image, model_name
from pipelines.release.deploy.ollama import FORMS
from pipelines.release.deploy.subject import Subject
from tests.release.builders import manifest
from tests.release.models import CHATML
from tests.train.support import TOKENS, fresh

SCHEMA = json.loads((Path(__file__).parents[1] / "support" / "kserve.json").read_bytes())
HOSTILE = "o'r\"g/$(touch pwned)`id`\n{{ .Evil }}%n\nFROM evil: &x *y"
# What podman-systemd.unit(5) knows of what is used here.
QUADLET = {
    "Unit": {"Description", "After"},
    "Container": {
        "Image", "ContainerName", "PublishPort", "ReadOnly", "Tmpfs", "NoNewPrivileges",
        "DropCapability",
    },
    "Service": {"Restart", "TimeoutStartSec"},
    "Install": {"WantedBy"},
}  # fmt: skip


def subject(folder: Path, base: BaseModel | None = None, **lora: Any) -> Subject:
    """A release of a hostile base, merged; with ``lora`` an adapter beside it."""
    merged, adapter = folder / "merged", folder / "adapter"
    fresh().save_pretrained(merged)
    TOKENS.save_pretrained(merged)
    if lora:
        adapter.mkdir()
        (adapter / "adapter_config.json").write_text(json.dumps(lora))
    record = dataclasses.replace(manifest(), base_model=base or BaseModel(HOSTILE, "f" * 40))
    name = model_name(record)
    return Subject(record, "ab" * 32, name, "quay.io/ada/m", merged, adapter, f"{name}-F16.gguf")


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ("Qwen/Qwen2.5-0.5B-Instruct", "qwen2-5-0-5b-instruct-v2026-01-01"),
        (HOSTILE, "touch-pwned-id-evil-n-from-evil-x-y-v2026-01-01"),
        ("7B", "graft-7b-v2026-01-01"),
        ("Größe/模型", "v2026-01-01"),
        ("x" * 200, "x" * 39 + "-v2026-01-01"),
    ],
)
def test_a_name_is_fit_for_every_server(identity: str, name: str) -> None:
    record = dataclasses.replace(manifest(), base_model=BaseModel(identity, "r"))
    found = model_name(record)
    assert found == name if len(identity) < 100 else found.endswith("-v2026-01-01")
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,49}", found)


@pytest.mark.parametrize(
    "good", ["quay.io/ada/model", "localhost:5000/m", "m", "127.0.0.1:5000/a/b_c"]
)
def test_where_images_go(good: str) -> None:
    assert check_image(good) == good


@pytest.mark.parametrize(
    "bad", ["Quay.io/M", "a/b:tag", "a b", "", "a/b@sha256:00", "$(x)/m", "a\nb"]
)
def test_what_names_no_image(bad: str) -> None:
    with pytest.raises(ReleaseError, match="names no image; write REGISTRY/NAME"):
        check_image(bad)


def run_with_fake_vllm(folder: Path, script: str) -> tuple[list[str], Path]:
    """The arguments that vLLM is given, and where it is started, by the real shell."""
    (folder / "bin").mkdir()
    fake = folder / "bin" / "vllm"
    fake.write_text('#!/bin/sh\npwd\nfor word in "$@"; do printf "%s\\0" "$word"; done\n')
    fake.chmod(0o755)
    (folder / "vllm.sh").write_text(script)
    done = subprocess.run(
        ["sh", folder / "vllm.sh", "--port", "1"],
        capture_output=True,
        check=True,
        cwd="/",
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
    )
    where, _, words = done.stdout.partition(b"\n")
    return words.decode().rstrip("\0").split("\0"), Path(where.decode())


def test_vllm_is_given_the_adapter_as_a_module(tmp_path: Path) -> None:
    release = subject(tmp_path, r=24, modules_to_save=None)
    words, where = run_with_fake_vllm(tmp_path, WRITERS["vllm"](release)["vllm.sh"])
    assert where == tmp_path
    assert words == [
        "serve", HOSTILE, "--revision", "f" * 40, "--enable-lora", "--max-lora-rank", "32",
        "--lora-modules", f"{release.name}=./adapter", "--host", "127.0.0.1", "--port", "8000",
        "--port", "1",
    ]  # fmt: skip
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("revision", "lora"),
    [
        ("f" * 40, {"r": 4, "modules_to_save": ["embed_tokens"]}),
        ("f" * 64, {"r": 4}),
        ("f" * 40, {}),
    ],
)
def test_vllm_is_given_merged_weights_where_it_takes_no_adapter(
    tmp_path: Path, revision: str, lora: dict[str, Any]
) -> None:
    release = subject(tmp_path, BaseModel("a/b", revision), **lora)
    words, _ = run_with_fake_vllm(tmp_path, WRITERS["vllm"](release)["vllm.sh"])
    assert words[:4] == ["serve", "./merged", "--served-model-name", release.name]


def test_the_containerfile_installs_exact_versions_and_runs_as_nobody_in_particular(
    tmp_path: Path,
) -> None:
    files = WRITERS["container"](subject(tmp_path))
    parser = DockerfileParser(fileobj=io.BytesIO(files["Containerfile"].encode()))
    words = [(line["instruction"], line["value"]) for line in parser.structure]
    named = [word for word, _ in words if word != "COMMENT"]
    assert set(named) == {
        "ARG",
        "FROM",
        "USER",
        "COPY",
        "RUN",
        "LABEL",
        "ENV",
        "EXPOSE",
        "ENTRYPOINT",
    }
    assert [value for word, value in words if word == "USER"][-1] == "1001"
    assert parser.baseimage.startswith("registry.access.redhat.com/ubi9/python-312:")
    entry = json.loads(next(value for word, value in words if word == "ENTRYPOINT"))
    assert entry[1] == "serve"
    assert parser.envs["HOME"] == "/tmp"
    assert parser.envs["HF_HUB_OFFLINE"] == "1"
    assert "evil" not in files["Containerfile"].replace("-evil-", "").replace("evil-x", "")
    for line in files["requirements.txt"].splitlines():
        assert re.fullmatch(r"[a-z]+(\[serving\])?==\d+\.\d+(\.\d+)?", line)


def test_the_linter_of_container_files_finds_nothing(tmp_path: Path) -> None:
    release = subject(tmp_path)
    texts = {**WRITERS["container"](release), **WRITERS["kserve"](release)}
    for name in ("Containerfile", "modelcar.Containerfile"):
        (tmp_path / name).write_text(texts[name])
    hadolint = Path(sys.executable).with_name("hadolint")
    pipelines = Path(__file__).parents[2] / "docs" / "examples" / "pipelines.Containerfile"
    places = [tmp_path / "Containerfile", tmp_path / "modelcar.Containerfile", pipelines]
    done = subprocess.run([hadolint, *places], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_quadlet_unit_holds_what_podman_knows(tmp_path: Path) -> None:
    release = subject(tmp_path)
    text = WRITERS["container"](release)[f"{release.name}.container"]
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    assert {name: set(unit[name]) for name in unit.sections()} == QUADLET
    assert unit["Container"]["Image"] == "quay.io/ada/m:v2026.01.01"
    assert unit["Container"]["PublishPort"].startswith("127.0.0.1:")
    assert unit["Container"]["ReadOnly"] == "true"
    assert "%" not in text


def test_kserve_is_given_an_inference_service(tmp_path: Path) -> None:
    release = subject(tmp_path)
    files = WRITERS["kserve"](release)
    service = yaml.safe_load(files["inferenceservice.yaml"])
    Draft202012Validator.check_schema(SCHEMA)
    assert list(Draft202012Validator(SCHEMA).iter_errors(service)) == []
    assert service["metadata"]["annotations"]["graft/base-model"] == f"{HOSTILE}@{'f' * 40}"
    model = service["spec"]["predictor"]["model"]
    assert model["storageUri"] == "oci://quay.io/ada/m:v2026.01.01-modelcar"
    assert "nvidia.com/gpu" not in model["resources"]["limits"]
    parser = DockerfileParser(fileobj=io.BytesIO(files["modelcar.Containerfile"].encode()))
    copied = [line["value"] for line in parser.structure if line["instruction"] == "COPY"]
    assert copied == ["--chmod=0755 merged /models"]


def test_weights_of_a_gigabyte_ask_for_a_gpu(tmp_path: Path) -> None:
    release = subject(tmp_path)
    with (release.merged / "more.safetensors").open("wb") as stream:
        stream.truncate(3 << 30)  # sparse: takes no disk
    model = yaml.safe_load(WRITERS["kserve"](release)["inferenceservice.yaml"])["spec"][
        "predictor"
    ]["model"]
    assert model["resources"]["limits"] == {"memory": "9Gi", "nvidia.com/gpu": "1"}


# --- Ollama ----------------------------------------------------------------------------------


def read_modelfile(text: str) -> dict[str, list[str]]:
    """Instruction → arguments, quotes resolved, by the grammar of Ollama's documentation."""
    found: dict[str, list[str]] = {}
    line = re.compile(
        r'^(FROM|TEMPLATE|SYSTEM|PARAMETER \w+) ("""(.*?)"""|"([^"\n]*)"|([^"\n]+))$', re.M | re.S
    )
    for one in line.finditer(text):
        found.setdefault(one[1], []).append(one[3] or one[4] or one[5])
    rest = line.sub("", text)
    assert not re.sub(r"^#.*$", "", rest, flags=re.M).strip(), rest
    return found


def render_go(template: str, turns: list[dict[str, str]]) -> str:
    """The few words of Go's templates that stand in ours."""
    found = re.fullmatch(r"\{\{ range \.Messages \}\}(.*)\{\{ end \}\}(.*)", template, re.S)
    assert found
    told = [
        found[1].replace("{{ .Role }}", turn["role"]).replace("{{ .Content }}", turn["content"])
        for turn in turns
    ]
    return "".join(told) + found[2]


@pytest.mark.parametrize(("template", "system"), [("", []), (CHATML, ["Help."])])
def test_ollama_writes_a_conversation_as_the_model_learnt_it(
    tmp_path: Path, template: str, system: list[str]
) -> None:
    release = subject(tmp_path)
    if template:
        (release.merged / "chat_template.jinja").write_text(template)
    found = read_modelfile(WRITERS["ollama"](release)["Modelfile"])
    assert found["FROM"] == [f"./{release.gguf}"]
    assert found.get("SYSTEM", []) == system
    turns = [
        {"role": "system", "content": "Be {{ brief }}."}, {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "Ada."}, {"role": "user", "content": "When?"},
    ]  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(release.merged)
    want = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert render_go(found["TEMPLATE"][0], turns) == want
    assert found["PARAMETER stop"][0] in want
    assert found["PARAMETER num_ctx"] == ["128"]


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}",
        CHATML.replace("Help.", '"""\nFROM evil'),
        FORMS["chatml"].before + "{{ messages[0]['content'] }}",
        CHATML.replace("{% for m", "junk{% for m"),
    ],
)
def test_a_form_that_ollama_is_not_known_to_speak(tmp_path: Path, template: str) -> None:
    release = subject(tmp_path)
    (release.merged / "chat_template.jinja").write_text(template)
    with pytest.raises(ReleaseError, match=r"chat template"):
        WRITERS["ollama"](release)
