"""Real keys for signatures, made when a test asks for them.

In: a folder and a name. Out: a private and a public key as PEM files.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


def pair(
    folder: Path, name: str, password: bytes = b"", curve: ec.EllipticCurve | None = None
) -> tuple[str, str]:
    """A private and a public key, as files."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    locked: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        locked = serialization.BestAvailableEncryption(password)
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, locked))
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(PEM, form))
    return str(private), str(public)
