"""The teacher over HTTP: the key is told to nobody else, and the server is who it says."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import logging
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipelines.backends import Answer
from pipelines.backends.openai_api import OpenAI
from pipelines.errors import BackendError, CallError, GraftError
from tests.backends.openai_calls import KEY, asked, call, one_error, teacher
from tests.support.endpoint import Body, Endpoint, Reply, endpoint, failure

# --- the key -----------------------------------------------------------------------------------


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> str:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 422, 429, 500, 503])
def test_the_key_is_in_no_error_whatever_the_server_echoes(
    status: int, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    def echo(body: Body, number: int) -> Reply:
        headers = {"Location": f"http://elsewhere.example/{key}?key={key}", "X-Key": key}
        return failure(status, f"Got 'Bearer {key}' {key.upper()} " + "x" * 280 + key, headers)

    found, server = asked(echo, retries=1)
    assert server.headers[0]["Authorization"] == f"Bearer {key}"
    (error,) = found
    assert isinstance(error, GraftError)
    told: BaseException | None = error
    while told is not None:  # the causes too, which a traceback would show
        assert key[:12].lower() not in f"{told!s} {told!r}".lower()
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)
    assert key not in caplog.text


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(key: str) -> None:
    async def ask() -> tuple[Endpoint, BackendError]:
        async with (
            endpoint(lambda body, n: "stolen") as other,
            endpoint(
                lambda body, n: failure(307, "", {"Location": f"{other.url}/chat/completions"})
            ) as server,
        ):
            backend = OpenAI(teacher(server.url))
            with pytest.raises(BackendError, match=r"sends on to 127\.0\.0\.1") as caught:
                await backend.answer(call())
            await backend.close()
            return other, caught.value

    other, _ = asyncio.run(ask())
    assert other.asked == []


def test_an_answer_that_holds_the_key_is_not_kept(key: str) -> None:
    error = one_error(lambda body, n: f"You sent Bearer {key}.")
    assert not isinstance(error, CallError)
    assert "holds the key of OPENAI_API_KEY" in str(error)
    assert key not in str(error)


def test_a_key_that_is_none_is_told_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "se cret\x00".replace("\x00", "\x7f"))
    with pytest.raises(BackendError, match="OPENAI_API_KEY holds characters") as caught:
        OpenAI(teacher("http://127.0.0.1:9/v1"))
    assert "cret" not in str(caught.value)


# --- TLS ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that its own key has signed, with the key, as PEM."""
    own = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(host, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(own, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = own.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize("known", [False, True])
def test_tls_is_verified(
    known: bool, certificate: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)

    async def ask() -> tuple[Answer | BackendError, Endpoint]:
        async with endpoint(lambda body, n: "Hi.", tls) as server:
            backend = OpenAI(teacher(server.url))
            try:
                return await backend.answer(call()), server
            except BackendError as error:
                return error, server
            finally:
                await backend.close()

    found, server = asyncio.run(ask())
    if known:
        assert found == Answer("Hi.", 7, 3)
        return
    assert isinstance(found, BackendError)
    assert not isinstance(found, CallError)
    assert "cannot be trusted" in str(found)
    assert server.asked == []
