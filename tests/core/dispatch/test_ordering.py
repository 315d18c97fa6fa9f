"""The keys of an order: which deliveries of a destination keep their order among each other."""

import pytest

from forwarder.core.dispatch.ordering import Order, order_key


@pytest.mark.parametrize(
    ("order", "source", "key"),
    [
        (Order.NONE, "x", None),
        (Order.SID, "x", "x:7"),
        (Order.SID, "fast-x", "x:7"),
        (Order.SID, "telegram", "telegram:7"),
        (Order.STRICT, "telegram", "*"),
    ],
)
def test_what_keeps_its_order_has_a_key_in_common(order: Order, source: str, key: str | None) -> None:
    assert order_key(order, source=source, sid="7") == key
