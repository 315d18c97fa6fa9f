"""Which events an outbox of a given size can hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.capacity import can_never_fit, largest_event, least_size, least_suspect, row_bytes

MIB = 1024 * 1024


@given(event_bytes=st.integers(1, 10**9))
def test_the_least_size_has_room_for_the_event_and_a_smaller_one_has_not(event_bytes: int) -> None:
    size = least_size(event_bytes)
    assert largest_event(size) >= event_bytes
    assert largest_event(size - 2) < event_bytes


def test_a_tiny_outbox_holds_no_event() -> None:
    assert largest_event(1024) == 0
    assert can_never_fit(1, 1024)


@pytest.mark.parametrize(("size", "never"), [(largest_event(MIB), False), (largest_event(MIB) + 1, True)])
def test_an_event_that_is_larger_than_the_largest_never_fits(size: int, never: bool) -> None:
    assert can_never_fit(size, MIB) == never
    assert not can_never_fit(size, None)


def test_names_and_order_keys_count_twice() -> None:
    assert row_bytes(b"12345", ["ü", "ab"], [None, "k"]) == 5 + 2 * (2 + 2 + 1)
    assert row_bytes(b"", ["\ud800"], []) == 2 * 3


def test_a_frame_that_is_not_checked_fits_whatever_its_names() -> None:
    frame = least_suspect(MIB) - 1
    assert not can_never_fit(row_bytes(b"x" * frame, ["x" * frame], []), MIB)


def test_the_least_size_is_one_that_has_room() -> None:
    for size in (1, 1000, 64 * 1024, 16 * MIB, 256 * MIB):
        assert not can_never_fit(size, least_size(size))
        assert can_never_fit(size, least_size(size) - 4)
    assert not can_never_fit(1 << 40, None)
