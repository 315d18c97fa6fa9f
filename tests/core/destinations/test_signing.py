"""Signatures, against examples that others have published."""

import base64
import subprocess
import sys

import pytest

from forwarder.core.destinations.signing import (
    Algorithm,
    Encoding,
    KeyTextError,
    PlainSigning,
    PrivateKey,
    SecretKey,
    StandardSigning,
    decode_key,
    decode_public_key,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
"""Test 2 of RFC 8032, 7.1."""


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_signature_is_that_of_the_official_library() -> None:
    signing = StandardSigning((decode_key(SECRET),))
    found = signing.headers(
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}'
    )
    assert found == {"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}


def test_an_ed25519_signature_is_that_of_the_rfc() -> None:
    key = PrivateKey(SEED)
    assert key.public == PUBLIC
    version, _, signature = key.sign(bytes.fromhex("72")).partition(",")
    assert version == "v1a"
    assert base64.b64decode(signature).hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_each_key_signs_in_its_order() -> None:
    keys = decode_key(SECRET), decode_key("whsk_" + text(SEED)), SecretKey(b"k" * 24)
    (value,) = StandardSigning(keys).headers(message_id="msg_1", timestamp=7, body=b"{}").values()
    assert value.split(" ") == [key.sign(b"msg_1.7.{}") for key in keys]
    assert [one.partition(",")[0] for one in value.split(" ")] == ["v1", "v1a", "v1"]


def test_the_github_form_is_that_of_githubs_documentation() -> None:
    signing = PlainSigning(keys=(b"It's a Secret to Everybody",), header="X-Hub-Signature-256", prefix="sha256=")
    assert signing.headers(message_id="m", timestamp=7, body=b"Hello, World!") == {
        "X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    }


@pytest.mark.parametrize(
    ("algorithm", "encoding", "expected"),
    [  # test case 2 of RFC 2202 and RFC 4231
        (Algorithm.SHA1, Encoding.HEX, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (Algorithm.SHA256, Encoding.BASE64, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="),
        (Algorithm.SHA512, Encoding.HEX, ("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
         "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737")),
    ],
)  # fmt: skip
def test_the_plain_forms_are_those_of_the_rfcs(algorithm: Algorithm, encoding: Encoding, expected: str) -> None:
    signing = PlainSigning(keys=(b"Jefe",), header="X-Signature", algorithm=algorithm, encoding=encoding)
    assert signing.header_names == {"x-signature"}
    found = signing.headers(message_id="m", timestamp=7, body=b"what do ya want for nothing?")
    assert found == {"X-Signature": expected}


def test_the_timestamped_form_has_a_signature_for_each_key() -> None:
    signing = PlainSigning(keys=(b"new", b"old"), header="Stripe-Signature", is_timestamped=True)
    new, old = (signing.sign(key, b"1700000000.{}") for key in signing.keys)
    assert signing.headers(message_id="m", timestamp=1_700_000_000, body=b"{}") == {
        "Stripe-Signature": f"t=1700000000,v1={new},v1={old}"
    }


def test_keys_are_read_in_each_of_their_spellings() -> None:
    key = decode_key(SECRET)
    assert decode_key(SECRET.removeprefix("whsec_")) == key
    assert decode_key("whsec_" + text(b"k" * 25)) == decode_key("whsec_" + text(b"k" * 25).rstrip("="))
    assert decode_key("whsk_" + text(SEED)) == decode_key("whsk_" + text(SEED + PUBLIC)) == PrivateKey(SEED)
    assert decode_public_key("whpk_" + text(PUBLIC)) == PUBLIC


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("whsec_short", "whsec_"),
        ("whsec_***", "whsec_"),
        ("", "whsec_"),
        ("whsec_é", "whsec_"),
        ("whsec_" + text(b"k" * 23), "24 to 64"),
        ("whsec_" + text(b"k" * 65), "24 to 64"),
        ("whpk_" + text(PUBLIC), "this is a public key"),
        ("whsk_" + text(SEED[:31]), "32 bytes"),
        ("whsk_", "32 bytes"),
        ("whsk_" + text(SEED + SEED), "not the public key of its first half"),
    ],
)
def test_what_is_no_key_to_sign_with_is_refused_without_being_shown(written: str, said: str) -> None:
    with pytest.raises(KeyTextError, match=said) as caught:
        decode_key(written)
    assert len(written) < 8 or written.partition("_")[2] not in str(caught.value)


def test_what_signs_without_ed25519_does_not_load_cryptography() -> None:
    program = (
        "import sys, forwarder.daemon.daemon, forwarder.core.destinations.verification\n"
        "from forwarder.core.config.model.signing import SigningConfig, signing_of\n"
        f"for secret in ('{SECRET}', 'whsk_' + 'QUJD' * 10 + 'QUI='):\n"
        "    signing = signing_of(SigningConfig.model_validate({'secret': secret}))\n"
        "    signing.headers(message_id='m', timestamp=1, body=b'')\n"
        "    print('cryptography' in sys.modules)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert said.stdout.split() == ["False", "True"]


def test_keys_and_settings_never_show_their_secrets_and_equal_ones_are_equal() -> None:
    for one, other in (
        (StandardSigning((SecretKey(b"canary" * 4), PrivateKey(SEED))),) * 2,
        (PlainSigning(keys=(b"canary",), header="H"), PlainSigning(keys=(b"canary",), header="H")),
    ):
        assert one == other
        assert "canary" not in repr(one)
        assert "\\x" not in repr(one)
    assert StandardSigning((SecretKey(b"a"),)) != StandardSigning((SecretKey(b"b"),))
