"""Which TLS a sender accepts, whatever the build of Python or OpenSSL would let through."""

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.webhooks.wire import names, post
from tests.webhooks.workshop import receiving, settings_for

OLD = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
TODAY = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
NEWEST = ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3

Versions = tuple[ssl.TLSVersion, ssl.TLSVersion]


def loosened(context: ssl.SSLContext, versions: Versions) -> ssl.SSLContext:
    """Let a context speak these versions, even those that OpenSSL itself calls broken."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = versions
    return context


def certificate(folder: Path, address: str) -> Path:
    """Write a key and a certificate of its own for an address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    made = datetime(2026, 1, 1, tzinfo=UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(made - timedelta(days=10_000))
        .not_valid_after(made + timedelta(days=10_000))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / f"{address}.pem"
    file.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    return file


def serving(file: Path, versions: Versions) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return loosened(context, versions)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A receiver's certificate that the machine trusts."""
    file = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


@pytest.fixture
def careless_build(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Python whose defaults let every version through."""
    default = ssl.create_default_context

    def careless(*arguments: Any, **named: Any) -> ssl.SSLContext:
        return loosened(default(*arguments, **named), (OLD[0], NEWEST[1]))

    monkeypatch.setattr(ssl, "create_default_context", careless)
    return careless


@pytest.mark.parametrize("versions", [TODAY, NEWEST])
async def test_1_2_and_1_3_are_spoken(trusted, versions) -> None:
    async with receiving(serving(trusted, versions)) as receiver:
        answer = await post(receiver.url, settings_for(receiver))
        assert (answer.status, answer.error) == (200, None)


async def test_older_ones_are_refused_even_where_the_build_lets_them_through(
    trusted, careless_build
) -> None:
    async with receiving(serving(trusted, OLD)) as receiver:
        answer = await post(receiver.url, settings_for(receiver))
        # Refused by either side: an alert of ours, or the receiver hanging up.
        assert answer.error in {"tls_failed", "connection_failed"}
        assert receiver.received == []
        # The receiver is not just broken: who takes the build's defaults gets through to it.
        async with aiohttp.ClientSession() as careless:
            answer = await careless.post(receiver.url, ssl=careless_build())
            assert answer.status == 200


@pytest.mark.parametrize("flaw", ["nobody vouches for it", "it names another"])
async def test_a_certificate_that_proves_nothing_is_refused(
    trusted, tmp_path, monkeypatch, flaw
) -> None:
    other = partial(certificate, tmp_path)
    presented = trusted
    if flaw == "it names another":
        presented = other("127.0.0.2")
        monkeypatch.setenv("SSL_CERT_FILE", str(presented))
    else:
        monkeypatch.setenv("SSL_CERT_FILE", str(other("127.0.0.3")))
    async with receiving(serving(presented, TODAY)) as receiver:
        answer = await post(receiver.url, settings_for(receiver))
        assert (answer.status, answer.error) == (None, "tls_failed")
        assert receiver.received == []


async def test_a_certificate_is_that_of_the_name_in_the_url(trusted) -> None:
    """Not of whatever address the name has: somebody else may have answered for it."""
    async with receiving(serving(trusted, TODAY)) as receiver:
        url = receiver.url.replace("127.0.0.1", "receiver.example.org")
        answer = await post(url, settings_for(receiver), names("127.0.0.1"))
    assert (answer.status, answer.error) == (None, "tls_failed")
