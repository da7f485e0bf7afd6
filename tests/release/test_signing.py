"""Signatures with real keys: made, checked, and what a byte that was changed since does to them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from pipelines.artifacts import file_digest, pretty_json
from pipelines.errors import GraftError, ReleaseError, UsageError
from pipelines.records import as_json
from pipelines.release.signing import PASSWORD, check, named, sign, sign_made, signer
from pipelines.release.targets import Target, open_target
from pipelines.release.yanked import YANKED
from tests.release.builders import build, write
from tests.release.places import Place
from tests.support.keys import PEM, pair

TAG = "v2026.01.01"
WEIGHTS = "adapter/adapter_model.safetensors"


@pytest.fixture
def ours(tmp_path: Path) -> tuple[str, str]:
    return pair(tmp_path, "ours")


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A folder with one release."""
    found = open_target(f"folder:{tmp_path / 'target'}")
    found.publish(tmp_path / "built", build(tmp_path / "built", found))
    return found


def test_a_signature_lies_beside_the_release_wherever_that_is(
    tmp_path: Path, place: Place, ours: tuple[str, str]
) -> None:
    private, public = ours
    target = place.open()
    target.publish(tmp_path / "built", build(tmp_path / "built", target))
    before = file_digest(target.directory(TAG) / "manifest.json")
    assert target.signature(TAG) is None
    assert check(target, TAG).sentence == f"{TAG}: not signed."
    assert check(target, TAG).good
    assert not check(target, TAG, public).good

    key = f"the key sha256:{file_digest(Path(public)).sha256}"
    assert sign(target, TAG, private) == f"{TAG} is signed by {key}."
    other = place.open("elsewhere")
    told = check(other, TAG, public)
    assert (told.sentence, told.good) == (f"{TAG}: signed by {key}, and unchanged since.", True)
    assert key in check(other, TAG).sentence
    made = other.signature(TAG)
    assert sign(other, TAG, private) == f"{TAG} is signed by {key} already."
    assert other.signature(TAG) == made

    # The release is what it was.
    assert (other.head(), other.tags()) == (TAG, [TAG])
    assert file_digest(other.directory(TAG) / "manifest.json") == before
    for ask in (lambda: other.signature("v2001.01.01"), lambda: other.sign("v2001.01.01", b"{}")):
        with pytest.raises(ReleaseError, match=r"There is no release v2001\.01\.01"):
            ask()


@pytest.mark.parametrize(
    ("path", "byte"), [(WEIGHTS, b"v"), ("manifest.json", b"Ada"), ("README.md", b"2026")]
)
def test_one_byte_that_was_changed_since_is_found(
    tmp_path: Path, target: Target, ours: tuple[str, str], path: str, byte: bytes
) -> None:
    private, public = ours
    sign(target, TAG, private)
    file = target.directory(TAG) / path
    data = bytearray(file.read_bytes())
    data[data.index(byte)] ^= 4
    file.write_bytes(data)
    for who in (public, ""):
        told = check(target, TAG, who)
        assert not told.good
        assert told.sentence == f"{TAG}: tampered with since it was signed: {path}."


def test_a_forger_who_keeps_the_digests_right_is_found(
    tmp_path: Path, target: Target, ours: tuple[str, str]
) -> None:
    """Whoever may write to the target can bring weights, manifest and signature to agree with each other."""
    private, public = ours
    sign(target, TAG, private)
    directory = target.directory(TAG)
    (directory / WEIGHTS).write_bytes(b"evil")
    manifest = json.loads((directory / "manifest.json").read_bytes())
    manifest["files"][WEIGHTS] = as_json(file_digest(directory / WEIGHTS))
    (directory / "manifest.json").write_bytes(pretty_json(manifest))
    told = check(target, TAG, public)
    assert told.sentence == f"{TAG}: tampered with since it was signed: {WEIGHTS} and 1 more."

    bundle = json.loads(target.signature(TAG) or b"")
    said = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    for one in said["predicate"]["resources"]:
        one["digest"] = file_digest(directory / one["name"]).sha256
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(said).encode()).decode()
    target.sign(TAG, json.dumps(bundle).encode())
    told = check(target, TAG, public)
    assert not told.good
    assert told.sentence.endswith(f"and is not by {public}.")

    theirs, _ = pair(tmp_path, "theirs")
    sign(target, TAG, theirs)
    told = check(target, TAG, public)
    assert not told.good
    assert told.sentence.endswith(f"and is not by {public}.")


def test_what_is_added_or_taken_away(tmp_path: Path, target: Target, ours: tuple[str, str]) -> None:
    sign(target, TAG, ours[0])
    directory = target.directory(TAG)
    write(directory / YANKED, "# Do not use this")  # which a withdrawal adds
    assert check(target, TAG, ours[1]).good
    write(directory / "adapter" / "more.safetensors", "x")
    assert "tampered with since it was signed: adapter/more.safetensors." in (
        check(target, TAG, ours[1]).sentence
    )
    (directory / "adapter" / "more.safetensors").unlink()
    (directory / WEIGHTS).unlink()
    assert f"tampered with since it was signed: {WEIGHTS}." in check(target, TAG).sentence


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"dsseEnvelope": {"payload": "e30="}}'])
def test_a_signature_that_is_none(target: Target, ours: tuple[str, str], text: str) -> None:
    target.sign(TAG, text.encode())
    with pytest.raises(ReleaseError, match="The signature beside the release cannot be read"):
        check(target, TAG, ours[1])
    assert "in place of nobody whose signature could be read" in sign(target, TAG, ours[0])
    assert check(target, TAG, ours[1]).good


def test_another_key_takes_the_place_and_says_so(
    tmp_path: Path, target: Target, ours: tuple[str, str]
) -> None:
    sign(target, TAG, ours[0])
    had = named(target.signature(TAG) or b"")
    private, public = pair(tmp_path, "theirs", b"geheim", ec.SECP384R1())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD, "geheim")
        assert sign(target, TAG, private).endswith(f", in place of {had}.")
    assert check(target, TAG, public).good
    assert not check(target, TAG, ours[1]).good


def test_a_damaged_release_is_not_signed(target: Target, ours: tuple[str, str]) -> None:
    (target.directory(TAG) / "README.md").write_text("lies")
    with pytest.raises(ReleaseError, match=r"v2026\.01\.01 is not signed: README\.md is not the"):
        sign(target, TAG, ours[0])
    assert target.signature(TAG) is None


def test_a_run_signs_what_it_built_and_nothing_else(
    tmp_path: Path, target: Target, ours: tuple[str, str]
) -> None:
    built = tmp_path / "built" / "manifest.json"
    config = signer(ours[0])
    for _ in range(2):
        assert "is not signed, for it was not built here" in sign_made(target, TAG, built, config)
        built.write_text(json.dumps({**as_json(target.manifest(TAG)), "created": "2025-12-31"}))
    assert target.signature(TAG) is None
    built.write_bytes(pretty_json(target.manifest(TAG)))
    assert "is signed by the key" in sign_made(target, TAG, built, config)
    assert check(target, TAG, ours[1]).good
    made = target.signature(TAG)
    other = signer(pair(tmp_path, "theirs")[0])
    assert sign_made(target, TAG, built, other).endswith("already.")
    assert target.signature(TAG) == made


def test_keys_that_cannot_be_used(
    tmp_path: Path, target: Target, ours: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    strange = ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, *plain)
    (tmp_path / "strange.pem").write_bytes(strange)
    locked, _ = pair(tmp_path, "locked", b"geheim")
    wrong: dict[str, str] = {
        str(tmp_path / "none.pem"): "There is no private key .*; name a PEM file, or 'keyless'",
        str(tmp_path): "cannot be read: Is a directory",
        ours[1]: "cannot be used: .* It has to be a PEM file of an elliptic curve",
        str(tmp_path / "strange.pem"): "It has to be a PEM file of an elliptic curve",
        locked: f"is encrypted: put its password into {PASSWORD}",
    }
    for key, sentence in wrong.items():
        with pytest.raises(GraftError, match=sentence):
            sign(target, TAG, key)
    monkeypatch.setenv(PASSWORD, "falsch")
    for key, sentence in {locked: "Incorrect password", ours[0]: "is not encrypted: unset"}.items():
        with pytest.raises(ReleaseError, match=sentence):
            sign(target, TAG, key)
    monkeypatch.delenv(PASSWORD)
    sign(target, TAG, ours[0])
    with pytest.raises(ReleaseError, match="is no public key of an elliptic curve"):
        check(target, TAG, ours[0])
    with pytest.raises(UsageError, match="There is no public key nowhere"):
        check(target, TAG, "nowhere")


def test_without_the_extra_one_sentence_says_what_to_install(
    target: Target, ours: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(target, TAG, ours[0])
    monkeypatch.setitem(sys.modules, "model_signing", None)
    for ask in (lambda: sign(target, TAG, ours[0]), lambda: check(target, TAG, ours[1])):
        with pytest.raises(ReleaseError, match=r"pip install 'graft-taxonomy\[sign\]'"):
            ask()
    assert check(
        target, TAG
    ).good  # who signed by its own word, and what was changed, need no library


def test_sigstore_out_of_reach_is_one_sentence(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keyless asks servers that no test reaches: a proxy that is not there stands before them."""
    for name, value in {"https_proxy": "http://127.0.0.1:9", "no_proxy": ""}.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.upper(), value)
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(ReleaseError, match="sigstore does not do what is asked of it"):
        sign(target, TAG, "keyless")


def test_the_tool_of_the_standard_checks_it_too(
    tmp_path: Path, target: Target, ours: tuple[str, str]
) -> None:
    """As docs/release.md says it is done by hand."""
    sign(target, TAG, ours[0])
    words = ["--signature", str(tmp_path / "target" / "signatures" / TAG), "--public_key", ours[1]]
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(target.directory(TAG))]
    sound = subprocess.run([*command, *words], capture_output=True, text=True)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    write(target.directory(TAG) / "README.md", "lies")
    assert subprocess.run([*command, *words], capture_output=True).returncode != 0
