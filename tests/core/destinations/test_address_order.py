"""Which addresses come first: those that failed lately come last, for longer each time, and until a response comes."""

from forwarder.core.destinations.address_order import FIRST_WAIT_S, LONGEST_WAIT_S, AddressOrder

A, B, C = "2001:db8::1", "192.0.2.1", "192.0.2.2"


def failed(order: AddressOrder, address: str, at: float) -> None:
    order.note_failure(address, began_at=at - 5, now=at)


def test_an_address_that_failed_comes_after_the_others_for_a_while() -> None:
    order = AddressOrder()
    order.note_response(A)
    assert order.ordered([A, B, C], 0) == [A, B, C]
    failed(order, A, 10)
    assert order.ordered([A, B, C], 10) == [B, C, A]
    assert order.ordered([A, B, C], 9.9 + FIRST_WAIT_S) == [B, C, A]
    assert order.ordered([A, B, C], 10 + FIRST_WAIT_S) == [A, B, C]


def test_it_gets_its_place_back_for_one_connection_and_for_good_with_a_response() -> None:
    order = AddressOrder()
    failed(order, A, 0)
    assert order.ordered([A, B], FIRST_WAIT_S) == [A, B]
    assert order.ordered([A, B], FIRST_WAIT_S) == [B, A]
    order.note_response(B)
    assert order.ordered([A, B], FIRST_WAIT_S) == [B, A]
    assert list(order.failed) == [A]
    order.note_response(A)
    assert not order.failed
    assert order.ordered([A, B], FIRST_WAIT_S) == [A, B]


def test_the_wait_doubles_up_to_a_limit_with_each_failure_of_a_later_connection() -> None:
    order, now, waits = AddressOrder(), 0.0, []
    for _ in range(6):
        order.note_failure(A, began_at=now, now=now + 5)
        order.note_failure(A, began_at=now, now=now + 6)  # of the connections that were made together one counts
        now = began = now + 6
        while order.ordered([A, B], now) == [B, A]:
            now += 1
        waits.append(round((now - began + 1) / FIRST_WAIT_S))
    assert waits == [1, 2, 4, 8, 10, 10]
    assert waits[-1] * FIRST_WAIT_S == LONGEST_WAIT_S


def test_where_all_failed_they_are_tried_by_turns() -> None:
    order = AddressOrder()
    failed(order, A, 10)
    failed(order, B, 20)
    assert order.ordered([A, B], 20) == [A, B]
    order.note_failure(A, began_at=20, now=25)
    assert order.ordered([A, B], 25) == [B, A]


def test_a_failed_address_in_second_place_stays_behind_when_the_first_fails() -> None:
    order = AddressOrder()
    failed(order, B, 0)
    assert order.ordered([A, B, C], FIRST_WAIT_S) == [A, B, C]
    failed(order, A, FIRST_WAIT_S + 1)
    assert order.ordered([A, C], FIRST_WAIT_S + 1) == [C, A]


def test_a_host_with_new_addresses_all_the_time_fills_no_memory() -> None:
    order = AddressOrder()
    for number in range(1_000):
        failed(order, f"192.0.2.{number}", number)
    assert len(order._marks) == 64
    assert order.ordered(["192.0.2.0", "192.0.2.999"], 1_000) == ["192.0.2.0", "192.0.2.999"]
    assert order.ordered(["192.0.2.999", "192.0.2.0"], 1_000) == ["192.0.2.0", "192.0.2.999"]
