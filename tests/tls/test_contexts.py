"""TLS contexts are shared, and what is wrong with certificates is reported with its key."""

import asyncio

import trustme

from forwarder.core.destinations.transport import Tls
from forwarder.tls.contexts import context_of, problems_of

CA = trustme.CA()
OTHER_CA = trustme.CA()
LOCALHOST = CA.issue_cert("localhost")
CLIENT = CA.issue_cert("client@example.com")


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def pair(certificate: trustme.LeafCert) -> tuple[str, str]:
    return "".join(
        each.bytes().decode() for each in certificate.cert_chain_pems
    ), certificate.private_key_pem.bytes().decode()


async def test_a_context_is_made_once_for_all_who_want_the_same() -> None:
    made = await asyncio.gather(*(asyncio.to_thread(context_of, Tls(ca=pem(CA))) for _ in range(16)))
    assert len({id(context) for context in made}) == 1
    assert context_of(Tls(ca=pem(OTHER_CA))) is not made[0]


def test_what_is_wrong_with_the_files_of_a_config_is_reported_with_its_key() -> None:
    cert, key = pair(CLIENT)
    _, other_key = pair(LOCALHOST)
    encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----"
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    assert list(problems_of(Tls(ca=pem(CA), cert=cert, key=key))) == []
    assert list(problems_of(Tls(cert=cert + key))) == []
    for tls, place, said in (
        (Tls(ca=broken), "ca", "no certificate in it can be read"),
        (Tls(ca=key), "ca", "no certificate in it can be read"),
        (Tls(cert=broken, key=key), "cert", "no certificate in it can be read"),
        (Tls(cert=key, key=key), "cert", "no certificate in it can be read"),
        (Tls(cert=cert), "cert", "no private key is in it; name its file in key_file"),
        (Tls(cert=cert, key=cert), "key", "no private key is in it"),
        (Tls(cert=cert, key=other_key), "key", "the private key does not belong to the certificate"),
        (Tls(cert=cert, key=encrypted), "key", "the private key is encrypted"),
        (Tls(cert=cert, key=key.replace("M", "!")), "key", "OpenSSL cannot read the certificate with its private key"),
    ):
        ((found, message),) = problems_of(tls)
        assert found == place
        assert message.startswith(said)
        assert "AAAA" not in message
