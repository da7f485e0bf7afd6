"""``graft export --deploy``, on a real release: what it writes, refuses, and says."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from pipelines.artifacts import tree_digests
from pipelines.backends import gguf as llama_cpp
from pipelines.backends.local import Student
from pipelines.cli import export as command
from pipelines.deploy import KINDS, Order, deploy
from pipelines.errors import ReleaseError, UsageError
from pipelines.records import as_json
from pipelines.release.manifest import MANIFEST
from pipelines.schemas import violations
from tests.support.flow import MILL, Site, grown_site

ALL = tuple(kind for kind in KINDS if kind not in ("gguf-q4_k_m", "modelcar"))


@pytest.fixture
def site(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return grown_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")


@pytest.fixture
def no_llama_cpp(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed."""
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    monkeypatch.setattr(llama_cpp, "available", lambda: False)


def export(site: Site, *kinds: str, out: str = "out", image: str = "") -> tuple[Path, list[str]]:
    """Where the head was exported to, and what was said."""
    said: list[str] = []
    order = Order(kinds, site.path / out, site.path / ".graft", image)
    deploy(site.target, site.head().release, order, said.append)
    return order.out, said


def test_the_command_offers_every_kind() -> None:
    assert command.KINDS == KINDS


@pytest.mark.usefixtures("no_llama_cpp")
def test_a_release_is_made_ready_for_every_tool(site: Site) -> None:
    out, said = export(site, *ALL, image="quay.io/ada/model")
    record = json.loads((out / "deploy.json").read_bytes())
    assert violations(record, "deploy") == []
    name, tag = record["name"], site.head().release
    assert record["release"] == tag
    assert record["demonstration"] is True
    written = {path.name for path in out.iterdir()}
    assert written == {
        "merged", f"{name}-F16.gguf", f"{name}-Q8_0.gguf", "Modelfile", "vllm.sh", "Containerfile",
        "requirements.txt", f"{name}.container", "inferenceservice.yaml", "modelcar.Containerfile",
        "deploy.json", "stage.json",
    }  # fmt: skip
    assert f"FROM ./{name}-Q8_0.gguf" in (out / "Modelfile").read_text()
    listed = {
        path: file for path, file in as_json(tree_digests(out)).items() if path != "deploy.json"
    }
    assert record["files"] == listed
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in out.rglob("*") if path.is_file())
    assert [exam["sat"] for exam in record["exams"]] == [False, False]
    assert any(
        f"{name}-Q8_0.gguf has sat no exam: llama-cpp-python is not" in line for line in said
    )
    again = export(site, *ALL, image="quay.io/ada/model")[1]
    assert again == [f"{out} holds just this already"]


@pytest.mark.usefixtures("no_llama_cpp")
def test_the_merged_weights_answer_as_the_release_does(site: Site) -> None:
    out, _ = export(site, "merged")
    assert {path.name for path in out.iterdir()} == {"merged", "deploy.json", "stage.json"}
    head = site.head()
    base = site.target.base(head.base_model.revision)
    adapter = site.target.directory(head.release) / "adapter"
    asked = [
        "Who built the tower?",
        "When does it come?",
        "Give the paint of a heron in this book.",
    ]
    merged = Student(out / "merged", None, 16, 2).answers(asked)
    assert merged == Student(base, adapter, 16, 2).answers(asked)
    assert merged != Student(base, None, 16, 2).answers(asked)


@pytest.mark.usefixtures("no_llama_cpp")
def test_merged_weights_stay_only_where_they_are_asked_for(site: Site) -> None:
    out, said = export(site, "gguf-q8_0")
    assert not (out / "merged").exists()
    assert said[0] == "merging base and adapter"


def test_nothing_of_others_is_overwritten(site: Site) -> None:
    place = site.path / "mine"
    place.mkdir()
    (place / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="holds other things; name a new folder"):
        export(site, "vllm", out="mine")
    assert [path.name for path in place.iterdir()] == ["letter.txt"]


def test_a_withdrawn_or_damaged_release_is_not_handed_out(site: Site) -> None:
    head = site.head()
    weights = site.target.directory(head.release) / "adapter" / "adapter_model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + b"x")
    with pytest.raises(ReleaseError, match=r"is damaged: adapter/adapter_model\.safetensors"):
        export(site, "vllm")
    weights.write_bytes(kept)
    site.target.withdraw(MILL, head.leaves[MILL].content_hash, "no licence")
    with pytest.raises(ReleaseError, match="has seen content that was withdrawn"):
        export(site, "vllm")
    assert not (site.path / "out").exists()


@pytest.mark.usefixtures("no_llama_cpp")
def test_what_a_shape_does_not_allow_is_said_before_anything_is_done(site: Site) -> None:
    said: list[str] = []
    order = Order(("merged", "gguf-q4_k_m"), site.path / "out", site.path / ".graft")
    with pytest.raises(ReleaseError, match=r"Q4_K_M needs rows of a multiple of 256 .* is 64"):
        deploy(site.target, site.head().release, order, said.append)
    assert said == []
    assert not order.out.exists()


def test_a_release_zero_has_no_adapter_to_merge(site: Site) -> None:
    order = Order(("vllm", "merged"), site.path / "out", site.path / ".graft")
    record = deploy(site.target, site.target.tags()[0], order, lambda line: None)
    assert "merged/model.safetensors" in record["files"]
    assert not any(path.startswith("adapter/") for path in record["files"])


def test_an_adapter_on_a_base_of_the_hub_travels_for_vllm(site: Site) -> None:
    """vLLM fetches the base itself: nothing is merged, so nothing is fetched."""
    head = site.head()
    place = site.target.directory(head.release)
    config = place / "adapter" / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_bytes()), "modules_to_save": None}))
    base = dataclasses.replace(head.base_model, id="ada/base", revision="f" * 40)
    files = {path: file for path, file in tree_digests(place).items() if path != MANIFEST}
    changed = dataclasses.replace(head, base_model=base, files=files)
    (place / MANIFEST).write_text(json.dumps(as_json(changed)))
    out, said = export(site, "vllm")
    assert said == []
    assert "serve ada/base --revision" in (out / "vllm.sh").read_text()
    assert (out / "adapter" / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--deploy", "floppy", "o"], "floppy: choose from merged"),
        (["--deploy", "merged", "--format", "trl", "o"], "--deploy writes no rows"),
        (["--deploy", "merged", "--run", "runs", "o"], "--deploy writes no rows"),
        (["--deploy", "merged", "--push", "o"], "belong to --deploy modelcar"),
        (["--deploy", "modelcar", "--push", "o"], "--push needs --image"),
        (["--image", "quay.io/a/b", "o"], "belong to --deploy"),
    ],
)
def test_a_command_line_that_cannot_be(site: Site, words: list[str], told: str) -> None:
    done = site.graft("export", *words)
    assert done.returncode == 2
    assert told in done.stderr
