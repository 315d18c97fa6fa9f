"""Which posts belong to a sample. Pure."""

import hashlib

WHOLE = 10_000
"""The share that is everything: shares count hundredths of a percent."""


def is_in_sample(mid: str, share: int) -> bool:
    """Return whether a post belongs to a sample of so many of `WHOLE`.

    By a hash of `mid` alone: the two events of a post fall on the same side, a replay falls where it fell before, and what is in a sample is
    in every larger one.
    """
    digest = hashlib.blake2b(mid.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") * WHOLE >> 64 < share


def write_share(share: int) -> str:
    """Return a share as the config writes it: `10%`."""
    return f"{share * 100 / WHOLE:g}%"
