"""TLS receivers of every kind: each trouble is its own outcome with its own sentence."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.core.destinations.transport import Tls, Transport
from forwarder.tls import contexts as tls_module
from forwarder.tls.contexts import problems_of
from tests.support.raw import REQUEST, raw_server, says, sender_to, serving
from tests.support.tls import tls_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
CA = trustme.CA(organization_name="Testing \x1b[2J")
OTHER_CA = trustme.CA()
NOW = datetime.now(UTC)
LOCALHOST = CA.issue_cert("localhost")
CLIENT = CA.issue_cert("client@example.com")


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def pair(certificate: trustme.LeafCert) -> tuple[str, str]:
    return "".join(
        each.bytes().decode() for each in certificate.cert_chain_pems
    ), certificate.private_key_pem.bytes().decode()


TRUSTING = Tls(ca=pem(CA))


def server_context(certificate: trustme.LeafCert = LOCALHOST, *, wants: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if wants is not None:
        wants.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def send(context: ssl.SSLContext, tls: Tls = TRUSTING) -> Outcome:
    with tls_server(context) as url:
        async with sender_to(url, transport=Transport(tls=tls)) as sender:
            return await sender.send(REQUEST)


async def test_an_authority_from_a_file_is_trusted_and_no_other_is() -> None:
    assert await send(server_context()) == Answered(status=200)
    assert await send(server_context(), Tls(ca=pem(OTHER_CA))) == Unanswered(
        fault=Fault.CERTIFICATE,
        detail="unknown CA or incomplete chain. To trust this CA, set tls.ca_file.",
    )


async def test_a_certificate_of_its_own_may_be_trusted_itself() -> None:
    chain, _ = pair(LOCALHOST)
    assert await send(server_context(), Tls(ca=chain)) == Answered(status=200)


async def test_the_systems_authorities_are_trusted_where_no_other_is_named() -> None:
    outcome = await send(server_context(), Tls())
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.CERTIFICATE


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        (
            CA.issue_cert("localhost", not_before=NOW - timedelta(days=30), not_after=NOW - timedelta(days=3, hours=1)),
            f"its certificate expired 3 days ago, on {NOW - timedelta(days=3, hours=1):%Y-%m-%d}",
        ),
        (
            CA.issue_cert(
                "localhost", not_before=NOW - timedelta(days=30), not_after=NOW - timedelta(hours=5, minutes=9)
            ),
            f"its certificate expired 5 hours ago, on {NOW - timedelta(hours=5, minutes=9):%Y-%m-%d}",
        ),
        (
            CA.issue_cert("localhost", not_before=NOW + timedelta(days=2), not_after=NOW + timedelta(days=30)),
            f"its certificate is not valid before {NOW + timedelta(days=2):%Y-%m-%d %H:%M} UTC; is the clock of this machine right?",
        ),
        (
            CA.issue_cert("a.example"),
            "its certificate is not for this host name: it is for a.example; to check it for another name, set tls.server_name",
        ),
        (
            CA.issue_cert("a.example", "b.example", "10.1.2.3", "d.example", "e.example"),
            "its certificate is not for this host name: it is for a.example, b.example, 10.1.2.3 and 2 more; to check it for another name, set tls.server_name",
        ),
    ],
    ids=["expired", "expired today", "not yet valid", "another name", "other names"],
)
async def test_a_certificate_that_is_refused_says_why(certificate: trustme.LeafCert, said: str) -> None:
    assert await send(server_context(certificate)) == Unanswered(fault=Fault.CERTIFICATE, detail=said)


async def test_an_issuer_that_has_expired_is_distinguished_from_the_receivers_own_certificate() -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old root")])

    def certificate(subject: str, public_key: ec.EllipticCurvePublicKey, end: datetime, *, is_ca: bool) -> bytes:
        built = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
            .issuer_name(name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=90))
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(root_key, hashes.SHA256())
        )
        return built.public_bytes(serialization.Encoding.PEM)

    root = certificate("old root", root_key.public_key(), NOW - timedelta(days=1, hours=2), is_ca=True)
    leaf = certificate("leaf", key.public_key(), NOW + timedelta(days=9), is_ca=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    tls_module._load_pair(context, (leaf + root).decode(), key_pem)
    assert await send(context, Tls(ca=root.decode())) == Unanswered(
        fault=Fault.CERTIFICATE,
        detail=f"the certificate of its issuer expired 1 day ago, on {NOW - timedelta(days=1, hours=2):%Y-%m-%d}",
    )
    assert await send(context, Tls(ca=pem(CA))) == Unanswered(
        fault=Fault.CERTIFICATE,
        detail="its certificate comes from an untrusted CA (old root). To trust this CA, set tls.ca_file.",
    )
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    root_pem = root_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    self_signed = certificate("old root", root_key.public_key(), NOW + timedelta(days=9), is_ca=False).decode()
    tls_module._load_pair(own, self_signed, root_pem)
    assert await send(own, Tls(ca=pem(CA))) == Unanswered(
        fault=Fault.CERTIFICATE, detail="its certificate is self-signed. To trust it, set tls.ca_file."
    )
    assert await send(own, Tls(ca=self_signed)) == Answered(status=200)


@pytest.mark.parametrize("comment", ["# F\u0151tan\u00fas\u00edtv\u00e1ny\n", "\ud800\n"])
async def test_comments_between_the_certificates_may_be_any_text(comment: str) -> None:
    certificate, key = pair(CLIENT)
    tls = Tls(ca=comment + pem(CA) + comment, cert=comment + certificate, key=comment + key)
    assert list(problems_of(tls)) == []
    assert await send(server_context(wants=CA), tls) == Answered(status=200)


async def test_verify_false_takes_any_certificate() -> None:
    for certificate in (LOCALHOST, OTHER_CA.issue_cert("a.example")):
        assert await send(server_context(certificate), Tls(is_verified=False)) == Answered(status=200)


async def test_server_name_is_asked_for_in_place_of_the_host() -> None:
    asked = []
    context = server_context(CA.issue_cert("bot.internal"))
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    assert await send(context, replace(TRUSTING, server_name="bot.internal")) == Answered(status=200)
    assert asked == ["bot.internal"]


async def test_a_client_certificate_is_shown_to_a_receiver_that_asks_for_one() -> None:
    cert, key = pair(CLIENT)
    for settings in (replace(TRUSTING, cert=cert, key=key), replace(TRUSTING, cert=cert + key)):
        assert await send(server_context(wants=CA), settings) == Answered(status=200)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_receiver_that_wants_another_client_certificate_says_so(newest: ssl.TLSVersion) -> None:
    context = server_context(wants=CA)
    context.maximum_version = newest
    none = await send(context)
    assert isinstance(none, Unanswered)
    assert none.fault is Fault.TLS
    assert "tls.cert_file" in none.detail
    cert, key = pair(OTHER_CA.issue_cert("client@example.com"))
    assert await send(context, replace(TRUSTING, cert=cert, key=key)) == Unanswered(
        fault=Fault.TLS, detail="it rejects the client certificate: unknown ca"
    )


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_that_is_not_safe_any_more_is_not_spoken() -> None:
    context = server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert await send(context) == Unanswered(
        fault=Fault.TLS, detail="it supports no secure TLS version; 1.2 is the minimum"
    )


async def test_no_cipher_in_common_is_reported() -> None:
    context = server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA256:@SECLEVEL=0")
    outcome = await send(context)
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.TLS
    assert outcome.detail.startswith("it refuses the TLS handshake: no common cipher")


@asynccontextmanager
async def mute(*, closes: bool, says: bytes = b"") -> AsyncIterator[str]:
    """Take a connection and the first bytes of it, and say nothing, or close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(says)
        if not closes:
            await reader.read()

    async with serving(serve) as port:
        yield f"https://localhost:{port}/"


@pytest.mark.alone
async def test_a_handshake_that_hangs_ends_in_its_time() -> None:
    async with mute(closes=False) as url, sender_to(url, timeout=0.3) as sender:
        assert await sender.send(REQUEST) == Unanswered(
            fault=Fault.TIMEOUT, detail="the TLS handshake did not finish within 0.3 s"
        )


async def test_a_handshake_that_is_cut_off_is_reported() -> None:
    async with mute(closes=True) as url, sender_to(url) as sender:
        assert await sender.send(REQUEST) == Unanswered(
            fault=Fault.TLS, detail="the receiver closed the connection during the TLS handshake"
        )


async def test_a_receiver_without_a_certificate_for_the_name_is_reported() -> None:
    alert = b"\x15\x03\x03\x00\x02\x02\x70"  # unrecognized_name
    async with mute(closes=True, says=alert) as url, sender_to(url) as sender:
        assert await sender.send(REQUEST) == Unanswered(
            fault=Fault.TLS,
            detail="it has no certificate for this host name; to ask for another name, set tls.server_name",
        )


async def test_plain_http_to_a_tls_port_is_reported() -> None:
    async with raw_server(says(OK), tls=server_context()) as url:
        async with sender_to(url.replace("https://", "http://")) as sender:
            outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Unanswered)
    assert outcome.detail in {
        "it speaks TLS at this port; should the URL begin with https://?",
        "the receiver closed the connection without an answer",  # some servers say nothing
    }
