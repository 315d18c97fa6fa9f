"""In which order the deliveries of a destination are made. Pure."""

from enum import StrEnum


class Order(StrEnum):
    """`none`: as fast as they go. `sid`: those of one account one after the other. `strict`: all of them."""

    NONE = "none"
    SID = "sid"
    STRICT = "strict"


_EVERYTHING = "*"


def order_key(order: Order, *, source: str, sid: str) -> str | None:
    """Return what the deliveries that must keep their order have in common, or `None` where there is no order.

    `fast-x` and `x` tell of the same accounts, so they share a key.
    """
    match order:
        case Order.NONE:
            return None
        case Order.SID:
            return f"{'x' if source == 'fast-x' else source}:{sid}"
        case Order.STRICT:
            return _EVERYTHING
