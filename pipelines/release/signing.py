"""Signatures of releases, in OpenSSF's form for models: made, laid beside the release, and checked.

In: a target, a tag, and who signs (a private key, or ``keyless``: an identity that sigstore vouches for) or
who shall have signed (a public key, or an identity). Out: one sentence, and whether it is good news. The
signature is over every file of the release, its manifest included. It lies beside the release and not in
it, so that neither a digest nor a tag moves, and a release may be signed long after it was made. The
client is model-signing, of the extra ``sign``.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.artifacts import file_digest, tree_files
from pipelines.errors import ReleaseError, UsageError
from pipelines.records import Json
from pipelines.release.manifest import read_manifest
from pipelines.release.targets import Target
from pipelines.release.targets.checks import refuse
from pipelines.release.verify import verify, wrong_files
from pipelines.release.yanked import YANKED

KEYLESS = "keyless"
PASSWORD = "GRAFT_SIGN_PASSWORD"
GITHUB = "https://token.actions.githubusercontent.com"  # whom a workflow's identity comes from
UNREADABLE = (ValueError, LookupError, TypeError, RecursionError)
UNSIGNED = frozenset({".gitattributes", YANKED})  # the Hub's own; told of a release later


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence about a signature; ``good`` is False where it speaks against the release."""

    sentence: str
    good: bool = True


# --- signing ---------------------------------------------------------------------------------


def signer(who: str) -> Any:
    """What signs for ``who``, a private key's file or ``keyless``; tells at once what is missing."""
    signing = _library("signing")
    if who == KEYLESS:
        with _sigstore():
            return signing.Config().use_sigstore_signer(use_ambient_credentials=True)
    password = os.environ.get(PASSWORD)
    secret = password.encode() if password else None  # the library hands it on as it is
    try:
        return signing.Config().use_elliptic_key_signer(private_key=who, password=secret)
    except FileNotFoundError:
        raise UsageError(
            f"There is no private key {who}; name a PEM file, or {KEYLESS!r}."
        ) from None
    except OSError as error:
        raise ReleaseError(f"The private key {who} cannot be read: {error.strerror}.") from error
    except TypeError as error:
        wrong = "is not encrypted: unset" if secret else "is encrypted: put its password into"
        raise ReleaseError(f"The private key {who} {wrong} {PASSWORD}.") from error
    except (ValueError, AttributeError) as error:
        raise ReleaseError(
            f"The private key {who} cannot be used: {_brief(error)}. It has to be a PEM file of an "
            f"elliptic curve (P-256, P-384, P-521), and {PASSWORD} its password, if it has one."
        ) from error


def sign(target: Target, tag: str, who: str) -> str:
    """Sign a release as the target holds it, once all of it is verified; a sentence."""
    config = signer(who)
    refuse(verify(target, tag), f"{tag} is not signed")
    had = target.signature(tag)
    data = _signature(config, target.directory(tag))
    before = _whose(had) if had is not None else ""
    if had is not None and before == named(data) and _signed(had) == _signed(data):
        return f"{tag} is signed by {before} already."
    target.sign(tag, data)
    instead = f", in place of {before}" if before else ""
    return f"{tag} is signed by {named(data)}{instead}."


def sign_made(target: Target, tag: str, built: Path, config: Any) -> str:
    """Sign the release that this machine built in ``built``, where the target holds just that.

    What somebody else made is not signed unseen, nor is a signature replaced.
    """
    had = target.signature(tag)
    if had is not None:
        return f"{tag} is signed by {_whose(had)} already."
    manifest, directory = target.manifest(tag), target.directory(tag)
    if not built.is_file() or (
        read_manifest(built.read_bytes(), str(built)) != replace(manifest, data=None)
    ):
        return (
            f"{tag} is not signed, for it was not built here; `graft release sign {tag}` does it."
        )
    refuse(wrong_files(directory, manifest.files), f"{tag} is not signed")
    data = _signature(config, directory)
    target.sign(tag, data)
    return f"{tag} is signed by {named(data)}."


def _signature(config: Any, directory: Path) -> bytes:
    hashing = _library("hashing").Config().set_ignored_paths(paths=[YANKED], ignore_git_paths=True)
    with tempfile.TemporaryDirectory() as place, _sigstore():
        out = Path(place) / "model.sig"
        config.set_hashing_config(hashing).sign(directory, out)
        return out.read_bytes()


# --- checking --------------------------------------------------------------------------------


def check(target: Target, tag: str, who: str = "", issuer: str = GITHUB) -> Told:
    """What the signature of a release is worth: to whom ``who`` names, else by its own word.

    ``who`` is the file of a public key, or the identity that a certificate of ``issuer`` names.
    """
    verifier = _verifier(who, issuer) if who else None
    data = target.signature(tag)
    if data is None:
        return Told(f"{tag}: not signed.", not who)
    directory = target.directory(tag)
    stands = verifier is not None and _stands(verifier, directory, data)
    changed = _changed(data, directory, read=not stands)
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        return Told(f"{tag}: tampered with since it was signed: {changed[0]}{more}.", False)
    if verifier is None:
        return Told(f"{tag}: its signature names {named(data)}; --signer checks that it is right.")
    if not stands:
        return Told(f"{tag}: its signature names {named(data)}, and is not by {who}.", False)
    return Told(f"{tag}: signed by {named(data)}, and unchanged since.")


def _stands(verifier: Any, directory: Path, data: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from sigstore.errors import Error

    malformed = (ValueError, LookupError, TypeError, AttributeError)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "model.sig"
        file.write_bytes(data)
        try:
            verifier.verify(directory, file)
        except (InvalidSignature, Error, *malformed):
            return False
    return True


def _verifier(who: str, issuer: str) -> Any:
    config = _library("verifying").Config()
    if Path(who).is_file():
        try:
            return config.use_elliptic_key_verifier(public_key=who)
        except (OSError, ValueError, AttributeError) as error:
            raise ReleaseError(f"{who} is no public key of an elliptic curve, in PEM.") from error
    if "@" not in who and "://" not in who:
        raise UsageError(
            f"There is no public key {who}; --signer is such a file (PEM), or an identity: a mail "
            "address, or a workflow's https://github.com/…"
        )
    with _sigstore():
        return config.use_sigstore_verifier(identity=who, oidc_issuer=issuer)


def _changed(data: bytes, directory: Path, *, read: bool) -> list[str]:
    """The files that are not those which were signed; without ``read`` those that were never signed or are
    gone, where the client has compared all others just now."""
    signed = _signed(data)
    found = {
        path: file_digest(directory / path).sha256 if read else signed.get(path, "")
        for path in tree_files(directory)
    }
    names = {*signed, *(found.keys() - UNSIGNED)}
    return sorted(path for path in names if signed.get(path) != found.get(path))


def _signed(data: bytes) -> Mapping[str, str]:
    """Path → SHA-256, as a signature has them."""
    try:
        payload = json.loads(base64.b64decode(_bundle(data)["dsseEnvelope"]["payload"]))
        return {str(one["name"]): one["digest"] for one in payload["predicate"]["resources"]}
    except UNREADABLE as error:
        raise _unreadable(error) from error


def named(data: bytes) -> str:
    """Who signed, by the signature's own word."""
    try:
        material = _bundle(data)["verificationMaterial"]
        if "publicKey" in material:
            return f"the key sha256:{material['publicKey']['hint']}"
        return _identity(base64.b64decode(material["certificate"]["rawBytes"]))
    except UNREADABLE as error:
        raise _unreadable(error) from error


def _whose(data: bytes) -> str:
    try:
        return named(data)
    except ReleaseError:
        return "nobody whose signature could be read"


def _identity(certificate: bytes) -> str:
    """Whom sigstore's certificate names."""
    try:
        from cryptography import x509
    except ImportError:
        return "an identity that its certificate names"
    found = x509.load_der_x509_certificate(certificate).extensions
    try:
        names = found.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "nobody"
    kinds = (x509.RFC822Name, x509.UniformResourceIdentifier)
    return ", ".join(str(one) for kind in kinds for one in names.get_values_for_type(kind))


def _bundle(data: bytes) -> Json:
    bundle: Json = json.loads(data)
    return bundle


def _unreadable(error: Exception) -> ReleaseError:
    return ReleaseError(f"The signature beside the release cannot be read: {_brief(error)}.")


# --- the client ------------------------------------------------------------------------------


def _library(part: str) -> Any:
    try:
        import model_signing
        import model_signing.hashing
        import model_signing.signing
        import model_signing.verifying
    except ImportError as error:
        raise ReleaseError(
            "Signatures need model-signing; install it with pip install 'graft-taxonomy[sign]'."
        ) from error
    return getattr(model_signing, part)


@contextlib.contextmanager
def _sigstore() -> Iterator[None]:
    """What asks sigstore's servers for anything, and who vouches for an identity."""
    from requests import RequestException
    from sigstore.errors import Error
    from sigstore.oidc import IssuerError

    try:
        yield
    except (Error, IssuerError, RequestException) as error:
        raise ReleaseError(
            f"sigstore does not do what is asked of it: {_brief(error)}; a key signs without it."
        ) from error


def _brief(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200].rstrip(". ")
