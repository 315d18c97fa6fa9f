"""Signs requests: by Standard Webhooks, or with a plain HMAC in the form of GitHub or Stripe.

The specification is github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md. `verification.py` checks signatures.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:  # it needs 10 MiB of memory, so it is loaded only for Ed25519 keys
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of secrets, not a secret
PRIVATE_KEY_PREFIX = "whsk_"
PUBLIC_KEY_PREFIX = "whpk_"
SEED_BYTES = 32
"""The length of an Ed25519 seed and of a public key. A private key is often written as the seed followed by the public key."""

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


class Signing(Protocol):
    """Signs the requests of one destination with its active keys. Equal for equal keys and settings."""

    @property
    def header_names(self) -> frozenset[str]:
        """The headers that `headers` returns, in lower case."""
        ...

    def headers(self, *, message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
        """Return the signature headers of an attempt at `timestamp` (Unix seconds; verifiers reject a timestamp that is minutes off)."""
        ...


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A shared secret, which signs with HMAC-SHA256 (`v1`)."""

    key: bytes = field(repr=False)

    def sign(self, signed: bytes) -> str:
        """Return the signature of these bytes with its version as a prefix."""
        return f"v1,{_base64(hmac.digest(self.key, signed, 'sha256'))}"


@dataclass(frozen=True)
class PrivateKey:
    """An Ed25519 private key (`v1a`). The receiver knows only the public key."""

    seed: bytes = field(repr=False)

    def sign(self, signed: bytes) -> str:
        """Return the signature of these bytes with its version as a prefix."""
        return f"v1a,{_base64(self._key.sign(signed))}"

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._key.public_key().public_bytes_raw()

    @cached_property
    def _key(self) -> "Ed25519PrivateKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.seed)


Key = SecretKey | PrivateKey


class StandardSigning(msgspec.Struct, frozen=True):
    """Signs with `webhook-signature`: one signature for each key, so that keys can be rotated."""

    keys: Sequence[Key]

    @property
    def header_names(self) -> frozenset[str]:
        """The name of the one header."""
        return frozenset({SIGNATURE})

    def headers(self, *, message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
        """Return the signatures of `id.timestamp.body`, separated by spaces."""
        signed = f"{message_id}.{timestamp}.".encode() + body
        return {SIGNATURE: " ".join([key.sign(signed) for key in self.keys])}


class Algorithm(StrEnum):
    """The hash of a plain HMAC."""

    SHA256 = "sha256"
    SHA1 = "sha1"
    SHA512 = "sha512"


class Encoding(StrEnum):
    """The text encoding of a plain HMAC."""

    HEX = "hex"
    BASE64 = "base64"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainSigning:
    """Signs with an HMAC in a header of any name: of the body alone, like GitHub, or of `timestamp.body`, like Stripe."""

    keys: Sequence[bytes] = field(repr=False)
    """The keys. Without a timestamp only the first is used; with one there is a signature for each."""
    header: str
    algorithm: Algorithm = Algorithm.SHA256
    encoding: Encoding = Encoding.HEX
    prefix: str = ""
    """The text before the signature. It is not used with a timestamp."""
    is_timestamped: bool = False
    """Whether the header has the form `t=TIMESTAMP,v1=SIGNATURE`, with a `v1=` for each key."""

    @property
    def header_names(self) -> frozenset[str]:
        """The name of the one header."""
        return frozenset({self.header.lower()})

    def headers(self, *, message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:  # noqa: ARG002 - not signed here
        """Return the signature in its header."""
        if not self.is_timestamped:
            return {self.header: self.prefix + self.sign(self.keys[0], body)}
        signed = f"{timestamp}.".encode() + body
        return {self.header: ",".join([f"t={timestamp}", *(f"v1={self.sign(key, signed)}" for key in self.keys)])}

    def sign(self, key: bytes, signed: bytes) -> str:
        """Return the signature of these bytes, without its prefix."""
        digest = hmac.digest(key, signed, self.algorithm.value)
        return digest.hex() if self.encoding is Encoding.HEX else _base64(digest)


class KeyTextError(ValueError):
    """A text is not a valid key. The error says what is wrong and does not contain the text."""


def decode_key(text: str) -> Key:
    """Return the signing key in `text`: `whsec_…`, also without its prefix, or `whsk_…`.

    Raises `KeyTextError`.
    """
    if text.startswith(PUBLIC_KEY_PREFIX):
        raise KeyTextError(
            "this is a public key (whpk_…), which the receiver checks with; the private one (whsk_…) signs"
        )
    return decode_private_key(text) if text.startswith(PRIVATE_KEY_PREFIX) else decode_secret(text)


def decode_secret(text: str) -> SecretKey:
    """Return the secret: base64 of 24 to 64 bytes, the range of the specification, with or without `whsec_` in front.

    Raises `KeyTextError`.
    """
    key = _decoded(text.removeprefix(SECRET_PREFIX))
    if key is None or not 24 <= len(key) <= 64:
        raise KeyTextError(
            "expected whsec_ and the base64 of 24 to 64 random bytes, as `openssl rand -base64 32` makes them"
        )
    return SecretKey(key)


def decode_private_key(text: str) -> PrivateKey:
    """Return the key of `whsk_` and the base64 of its 32-byte seed, or of 64 bytes: the seed and the public key.

    Raises `KeyTextError`.
    """
    data = _decoded(text.removeprefix(PRIVATE_KEY_PREFIX))
    if data is None or len(data) not in {SEED_BYTES, 2 * SEED_BYTES}:
        raise KeyTextError(
            "expected whsk_ and the base64 of an Ed25519 private key: 32 bytes, or 64 with the public key"
        )
    key, public = PrivateKey(data[:SEED_BYTES]), data[SEED_BYTES:]
    if key.public != (
        public or key.public
    ):  # asked in any case, so that the library is loaded here and not at the first request
        raise KeyTextError(
            "the second half of this whsk_… is not the public key of its first half; was it cut or mixed up?"
        )
    return key


def decode_public_key(text: str) -> bytes:
    """Return the 32 bytes of `whpk_…`. Raises `KeyTextError`."""
    data = _decoded(text.removeprefix(PUBLIC_KEY_PREFIX))
    if data is None or len(data) != SEED_BYTES:
        raise KeyTextError("expected whpk_ and the base64 of an Ed25519 public key, which has 32 bytes")
    return data


def _decoded(encoded: str) -> bytes | None:
    """Return the bytes of a base64 text, unpadded accepted, or `None`."""
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        return None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
