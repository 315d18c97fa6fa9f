"""Checks the signature of a request and its age. Comparisons take the same time wherever the difference is."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import msgspec

from forwarder.core.destinations.signing import (
    ID,
    PRIVATE_KEY_PREFIX,
    PUBLIC_KEY_PREFIX,
    SIGNATURE,
    TIMESTAMP,
    KeyTextError,
    PlainSigning,
    SecretKey,
    decode_public_key,
    decode_secret,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE = timedelta(minutes=5)
"""How far a timestamp may be in the past or the future, as in the official libraries."""


class VerificationResult(StrEnum):
    """The result of checking a signature."""

    VALID = "valid"
    NO_SIGNATURE = "no_signature"
    """A header of the signature is missing."""
    STALE_TIMESTAMP = "stale_timestamp"
    """The signature is valid, but its timestamp is too old or in the future."""
    WRONG_SIGNATURE = "wrong_signature"
    """No key made the signature, or the request was changed afterwards."""


class Verifier(Protocol):
    """Checks the signatures of requests with the keys that a receiver knows."""

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> VerificationResult:
        """Return the result; `headers` have their names in lower case or ignore case."""
        ...


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key, which checks signatures."""

    data: bytes

    def is_of(self, signature: str, signed: bytes) -> bool:
        """Return whether `v1a,…` is a signature of these bytes."""
        from cryptography.exceptions import InvalidSignature  # only where there is such a key

        version, _, encoded = signature.partition(",")
        if version != "v1a":
            return False
        try:
            self._key.verify(base64.b64decode(encoded, validate=True), signed)
        except (InvalidSignature, ValueError):
            return False
        return True

    @cached_property
    def _key(self) -> "Ed25519PublicKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return Ed25519PublicKey.from_public_bytes(self.data)


class StandardVerifier(msgspec.Struct, frozen=True):
    """Checks `webhook-signature`: one of the signatures must be valid for one of the keys."""

    keys: Sequence[SecretKey | PublicKey]

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> VerificationResult:
        """Return the result."""
        message_id, timestamp, given = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
        if not (message_id and timestamp and given):
            return VerificationResult.NO_SIGNATURE
        signed = _lossless(f"{message_id}.{timestamp}.") + body
        if not any(_is_signed(key, signature, signed) for key in self.keys for signature in given.split(" ")):
            return VerificationResult.WRONG_SIGNATURE
        return VerificationResult.VALID if _is_fresh(timestamp, now) else VerificationResult.STALE_TIMESTAMP


@dataclass(frozen=True, slots=True)
class PlainVerifier:
    """Checks a plain HMAC: it must be valid for one of the keys."""

    form: PlainSigning = field(repr=False)

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> VerificationResult:
        """Return the result."""
        given = headers.get(self.form.header.lower(), "")
        if not given:
            return VerificationResult.NO_SIGNATURE
        if not self.form.is_timestamped:
            expected = [self.form.prefix + self.form.sign(key, body) for key in self.form.keys]
            return VerificationResult.VALID if _is_one_of([given], expected) else VerificationResult.WRONG_SIGNATURE
        parts = [part.strip().partition("=") for part in given.split(",")]
        timestamp = next((value for name, _, value in parts if name == "t"), "")
        signatures = [value for name, _, value in parts if name == "v1"]
        if not (timestamp and signatures):
            return VerificationResult.NO_SIGNATURE
        signed = _lossless(f"{timestamp}.") + body
        if not _is_one_of(signatures, [self.form.sign(key, signed) for key in self.form.keys]):
            return VerificationResult.WRONG_SIGNATURE
        return VerificationResult.VALID if _is_fresh(timestamp, now) else VerificationResult.STALE_TIMESTAMP


def decode_verifying_key(text: str) -> SecretKey | PublicKey:
    """Return the verification key in `text`: `whsec_…`, also without its prefix, or `whpk_…`.

    Raises `KeyTextError`.
    """
    if text.startswith(PRIVATE_KEY_PREFIX):
        raise KeyTextError(
            "this is a private key (whsk_…), which the sender alone should have; the public one (whpk_…) checks"
        )
    return PublicKey(decode_public_key(text)) if text.startswith(PUBLIC_KEY_PREFIX) else decode_secret(text)


def _is_signed(key: SecretKey | PublicKey, signature: str, signed: bytes) -> bool:
    if isinstance(key, PublicKey):
        return key.is_of(signature, signed)
    return hmac.compare_digest(_lossless(signature), key.sign(signed).encode())


def _is_one_of(given: Sequence[str], expected: Sequence[str]) -> bool:
    return any(hmac.compare_digest(_lossless(one), _lossless(other)) for one in given for other in expected)


def _is_fresh(timestamp: str, now: datetime) -> bool:
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 15):
        return False
    return abs(now.timestamp() - int(timestamp)) <= TOLERANCE.total_seconds()


def _lossless(text: str) -> bytes:
    """Return the bytes of a header; no text raises an error."""
    return text.encode("utf-8", "surrogateescape")
