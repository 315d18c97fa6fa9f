"""Whether a request was signed by who knows the key, and lately. Pure; comparisons take the same time whatever is wrong."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from forwarder.core.signing import (
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
"""How far a timestamp may be off, either way: as in the official libraries."""


class Verdict(StrEnum):
    """What was found."""

    VALID = "valid"
    NO_SIGNATURE = "no_signature"
    """A header that belongs to the signature is missing."""
    STALE_TIMESTAMP = "stale_timestamp"
    """Signed with the key, but too long ago, or by a clock that is ahead."""
    WRONG_SIGNATURE = "wrong_signature"
    """Not signed with any of the keys, or changed afterwards."""


class Verifier(Protocol):
    """Checks requests with the keys that a receiver knows."""

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Verdict:
        """Return the verdict; `headers` have their names in lower case, or do not mind case."""
        ...


@dataclass(frozen=True)
class PublicKey:
    """The half of an Ed25519 key that checks."""

    data: bytes

    def is_of(self, signature: str, signed: bytes) -> bool:
        """Return whether `v1a,…` is a signature of these bytes."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only where there is such a key

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
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        return Ed25519PublicKey.from_public_bytes(self.data)


@dataclass(frozen=True, slots=True)
class StandardVerifier:
    """Checks `webhook-signature`: one of the signatures has to be of one of the keys."""

    keys: Sequence[SecretKey | PublicKey]

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Verdict:
        """Return the verdict."""
        message_id, timestamp, given = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
        if not (message_id and timestamp and given):
            return Verdict.NO_SIGNATURE
        signed = _lossless(f"{message_id}.{timestamp}.") + body
        if not any(_is_signed(key, signature, signed) for key in self.keys for signature in given.split(" ")):
            return Verdict.WRONG_SIGNATURE
        return Verdict.VALID if _is_fresh(timestamp, now) else Verdict.STALE_TIMESTAMP


@dataclass(frozen=True, slots=True)
class PlainVerifier:
    """Checks a plain HMAC: it has to be of one of the keys, of which a receiver may know several in either form."""

    form: PlainSigning = field(repr=False)

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Verdict:
        """Return the verdict."""
        given = headers.get(self.form.header.lower(), "")
        if not given:
            return Verdict.NO_SIGNATURE
        if not self.form.is_timestamped:
            expected = [self.form.prefix + self.form.sign(key, body) for key in self.form.keys]
            return Verdict.VALID if _is_one_of([given], expected) else Verdict.WRONG_SIGNATURE
        parts = [part.strip().partition("=") for part in given.split(",")]
        timestamp = next((value for name, _, value in parts if name == "t"), "")
        signatures = [value for name, _, value in parts if name == "v1"]
        if not (timestamp and signatures):
            return Verdict.NO_SIGNATURE
        signed = _lossless(f"{timestamp}.") + body
        if not _is_one_of(signatures, [self.form.sign(key, signed) for key in self.form.keys]):
            return Verdict.WRONG_SIGNATURE
        return Verdict.VALID if _is_fresh(timestamp, now) else Verdict.STALE_TIMESTAMP


def decode_verifying_key(text: str) -> SecretKey | PublicKey:
    """Return the key to check with that `text` holds: `whsec_…`, which may stand without its prefix, or `whpk_…`.

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
    """Return the bytes of a header, whatever is in it."""
    return text.encode("utf-8", "surrogateescape")
