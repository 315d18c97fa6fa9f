"""A receiver's check: what was signed passes, whatever was changed does not."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.destinations.signing import (
    Algorithm,
    Encoding,
    KeyTextError,
    PlainSigning,
    PrivateKey,
    SecretKey,
    Signing,
    StandardSigning,
)
from forwarder.core.destinations.verification import (
    PlainVerifier,
    PublicKey,
    StandardVerifier,
    VerificationResult,
    Verifier,
    decode_verifying_key,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW = SecretKey(b"o" * 24), SecretKey(b"n" * 24)
PRIVATE = PrivateKey(b"s" * 32)
GITHUB = PlainSigning(keys=(b"s",), header="X-Hub-Signature-256", prefix="sha256=")
STRIPE = PlainSigning(keys=(b"new", b"old"), header="Stripe-Signature", is_timestamped=True)
SHOPIFY = PlainSigning(
    keys=(b"s",), header="X-Shopify-Hmac-Sha256", algorithm=Algorithm.SHA256, encoding=Encoding.BASE64
)
PAIRS: dict[str, tuple[Signing, Verifier]] = {
    "v1": (StandardSigning((NEW,)), StandardVerifier((NEW,))),
    "v1, old key": (StandardSigning((NEW, OLD)), StandardVerifier((OLD,))),
    "v1a": (StandardSigning((PRIVATE,)), StandardVerifier((PublicKey(PRIVATE.public),))),
    "both": (StandardSigning((NEW, PRIVATE)), StandardVerifier((PublicKey(PRIVATE.public),))),
    "github": (GITHUB, PlainVerifier(GITHUB)),
    "shopify": (SHOPIFY, PlainVerifier(SHOPIFY)),
    "stripe": (STRIPE, PlainVerifier(PlainSigning(keys=(b"old",), header="stripe-signature", is_timestamped=True))),
}


def signed(signing: Signing, body: bytes, at: datetime = NOW) -> dict[str, str]:
    timestamp = int(at.timestamp())
    made = signing.headers(message_id="msg_1", timestamp=timestamp, body=body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(timestamp)} | {
        name.lower(): value for name, value in made.items()
    }


@pytest.mark.parametrize("name", PAIRS)
@given(body=st.binary(max_size=50), change=st.binary(min_size=1, max_size=3))
def test_what_was_signed_passes_and_a_changed_body_does_not(name: str, body: bytes, change: bytes) -> None:
    signing, verifier = PAIRS[name]
    headers = signed(signing, body)
    assert verifier.verify(headers, body, now=NOW) is VerificationResult.VALID
    assert verifier.verify(headers, body + change, now=NOW) is VerificationResult.WRONG_SIGNATURE


@pytest.mark.parametrize("name", ["v1", "v1a", "both", "stripe"])
@pytest.mark.parametrize("off", [timedelta(minutes=-10), timedelta(minutes=10), timedelta(days=10_000)])
def test_a_time_that_is_off_is_stale(name: str, off: timedelta) -> None:
    signing, verifier = PAIRS[name]
    assert verifier.verify(signed(signing, b"{}"), b"{}", now=NOW + off) is VerificationResult.STALE_TIMESTAMP
    assert verifier.verify(signed(signing, b"{}"), b"{}", now=NOW + timedelta(minutes=5)) is VerificationResult.VALID


@pytest.mark.parametrize("name", ["v1", "v1a", "both"])
@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
def test_a_changed_id_or_time_is_a_wrong_signature(name: str, header: str) -> None:
    signing, verifier = PAIRS[name]
    headers = signed(signing, b"{}") | {header: str(int(NOW.timestamp()) + 1)}
    assert verifier.verify(headers, b"{}", now=NOW) is VerificationResult.WRONG_SIGNATURE


@pytest.mark.parametrize("name", PAIRS)
def test_a_missing_header_has_its_own_error(name: str) -> None:
    signing, verifier = PAIRS[name]
    headers = signed(signing, b"{}")
    (own,) = signing.header_names
    for missing in ("webhook-id", "webhook-timestamp", own) if own == "webhook-signature" else (own,):
        rest = {key: value for key, value in headers.items() if key != missing}
        assert verifier.verify(rest, b"{}", now=NOW) is VerificationResult.NO_SIGNATURE


@pytest.mark.parametrize("name", PAIRS)
@given(
    value=st.text(max_size=40) | st.sampled_from(["v1,", "v1a,", "v1a,!!", "v1a,QUJD", "t=1,v1=", "t=,v1=a", "sha256="])
)
def test_no_header_passes_that_was_not_signed_nor_makes_it_fail(name: str, value: str) -> None:
    signing, verifier = PAIRS[name]
    (own,) = signing.header_names
    found = verifier.verify(signed(signing, b"{}") | {own: value.encode("utf-8", "replace").decode()}, b"{}", now=NOW)
    assert found in {VerificationResult.NO_SIGNATURE, VerificationResult.WRONG_SIGNATURE}


@pytest.mark.parametrize("name", ["v1", "stripe"])
@pytest.mark.parametrize("written", ["1e9", "-1", "٣", "9" * 400, "soon"])
def test_a_time_that_is_no_number_is_stale_even_if_signed(name: str, written: str) -> None:
    headers = {
        "v1": {"webhook-signature": NEW.sign(f"msg_1.{written}.{{}}".encode())},
        "stripe": {"stripe-signature": f"t={written},v1={STRIPE.sign(b'old', f'{written}.{{}}'.encode())}"},
    }[name] | {"webhook-id": "msg_1", "webhook-timestamp": written}
    assert PAIRS[name][1].verify(headers, b"{}", now=NOW) is VerificationResult.STALE_TIMESTAMP


def test_a_receiver_may_take_the_old_and_the_new_secret_of_a_form_that_sends_one() -> None:
    both = PlainVerifier(PlainSigning(keys=(b"other", b"s"), header=GITHUB.header, prefix=GITHUB.prefix))
    assert both.verify(signed(GITHUB, b"{}"), b"{}", now=NOW) is VerificationResult.VALID


def test_a_public_key_is_read_and_a_private_one_refused() -> None:
    text: Callable[[bytes], str] = lambda data: base64.b64encode(data).decode()  # noqa: E731 - one short expression
    assert decode_verifying_key("whpk_" + text(PRIVATE.public)) == PublicKey(PRIVATE.public)
    assert decode_verifying_key("whsec_" + text(NEW.key)) == NEW
    for written, said in (
        ("whsk_" + text(PRIVATE.seed), "private key"),
        ("whpk_" + text(b"short"), "32 bytes"),
        ("nonsense", "whsec_"),
    ):
        with pytest.raises(KeyTextError, match=said):
            decode_verifying_key(written)


@pytest.mark.parametrize("header", ["t=1", "v1=a", "t=,v1=a", "x"])
def test_a_timestamped_header_without_a_time_or_a_signature_has_no_signature(header: str) -> None:
    verifier = PAIRS["stripe"][1]
    assert verifier.verify({"stripe-signature": header}, b"{}", now=NOW) is VerificationResult.NO_SIGNATURE


def test_a_timestamped_header_with_another_signature_is_wrong() -> None:
    verifier, at = PAIRS["stripe"][1], int(NOW.timestamp())
    found = verifier.verify({"stripe-signature": f"t={at},v1={STRIPE.sign(b'old', b'other')}"}, b"{}", now=NOW)
    assert found is VerificationResult.WRONG_SIGNATURE
