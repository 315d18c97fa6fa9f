"""The order in which the deliveries of a destination are made. Pure."""

from enum import StrEnum
from typing import assert_never


class Order(StrEnum):
    """Which deliveries are made one after the other. `none`: none; `sid`: those of one account; `strict`: all."""

    NONE = "none"
    SID = "sid"
    STRICT = "strict"


_EVERYTHING = "*"


def order_key(order: Order, *, source: str, sid: str) -> str | None:
    """Return what the deliveries that must keep their order have in common, or `None` where there is no order.

    `fast-x` and `x` carry the same accounts, so they share a key.
    """
    match order:
        case Order.NONE:
            return None
        case Order.SID:
            return f"{'x' if source == 'fast-x' else source}:{sid}"
        case Order.STRICT:
            return _EVERYTHING
        case _:
            assert_never(order)
