"""The signature that a destination's settings describe."""

import pytest

from forwarder.core.config import DestinationConfig, Secret
from forwarder.core.config.model.signing import signing_of
from forwarder.core.destinations.signing import (
    Algorithm,
    Encoding,
    PlainSigning,
    PrivateKey,
    SecretKey,
    StandardSigning,
)
from tests.core.config.support import config_text, load


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", PlainSigning(keys=(b"s",), header="X-Hub-Signature-256", prefix="sha256=")),
        (
            "algorithm: sha1, encoding: base64",
            PlainSigning(
                keys=(b"s",),
                header="X-Hub-Signature",
                algorithm=Algorithm.SHA1,
                encoding=Encoding.BASE64,
                prefix="sha1=",
            ),
        ),
        (
            'header: Authorization, prefix: "HMAC "',
            PlainSigning(keys=(b"s",), header="Authorization", prefix="HMAC "),
        ),
        ('header: X-A, prefix: ""', PlainSigning(keys=(b"s",), header="X-A")),
        (
            "timestamped: true",
            PlainSigning(keys=(b"s",), header="Stripe-Signature", is_timestamped=True),
        ),
    ],
)
def test_a_plain_signature_is_as_github_has_it_but_for_what_is_written(written: str, expected: PlainSigning) -> None:
    bot = load(config_text(destination=f"signing: {{scheme: hmac, secret: s, {written}}}")).destinations["bot"]
    assert signing_of(bot.signing) == expected


def test_a_file_may_hold_several_secrets_one_a_line() -> None:
    bot = load(config_text(destination="signing: {secret_file: /run/credentials/two-secrets}")).destinations["bot"]
    assert signing_of(bot.signing) == StandardSigning(
        (SecretKey(b"012345678901234567890123"), PrivateKey(b"01234567890123456789012345678901"))
    )


def test_any_text_on_one_line_is_a_plain_secret() -> None:
    secret = "whsec_not base64, ключ: {}"
    bot = load(
        config_text(destination="signing: {scheme: hmac, timestamped: true, secret: ['${A}', b]}"),
        {"SCRAPEST_API_KEY": "k", "A": secret},
    ).destinations["bot"]
    signing = signing_of(bot.signing)
    assert isinstance(signing, PlainSigning)
    assert signing.keys == (secret.encode(), b"b")
    assert "ключ" not in repr(bot)


def test_nothing_is_signed_without_settings() -> None:
    assert signing_of(None) is None
    assert DestinationConfig(url=Secret("http://127.0.0.1/"), signing=None).signing is None
