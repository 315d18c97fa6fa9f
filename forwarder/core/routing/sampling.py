"""Decides which posts belong to a sample."""

import hashlib

WHOLE = 10_000
"""The share of all posts. Shares are counted in hundredths of a percent."""


def is_in_sample(mid: str, share: int) -> bool:
    """Return whether a post belongs to a sample of `share` of `WHOLE`.

    The decision depends only on a hash of `mid`. So both events of a post get the same decision, a replay gets the same as before, and a
    post in a sample is in every larger one.
    """
    digest = hashlib.blake2b(mid.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") * WHOLE >> 64 < share


def write_share(share: int) -> str:
    """Return a share as the config writes it: `10%`."""
    return f"{share * 100 / WHOLE:g}%"
