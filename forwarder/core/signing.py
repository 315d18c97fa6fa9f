"""Standard Webhooks signatures (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md)."""

import base64
import hashlib
import hmac
from collections.abc import Iterable

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with, not one


def decode_secret(text: str) -> bytes:
    """Return the key that `text` holds: base64, unpadded accepted, with or without `whsec_` in front.

    Raises `ValueError` when it is not base64 or not 24 to 64 bytes, the range the specification asks for.
    """
    encoded = text.removeprefix(SECRET_PREFIX)
    key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    if not 24 <= len(key) <= 64:
        raise ValueError("a signing secret holds 24 to 64 bytes")
    return key


def sign(keys: Iterable[bytes], *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` value: one `v1,` signature for each key, separated by spaces.

    Each is HMAC-SHA256 over `id.timestamp.body`; `timestamp` is Unix seconds of this attempt, because verifiers refuse
    one that is more than five minutes off.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys)
