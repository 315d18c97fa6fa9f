"""The figures of a demo."""

from forwarder.demo.result import DemoResult


def test_the_added_latency_is_a_percentile_of_all_first_attempts() -> None:
    assert DemoResult(latencies_ms=[float(number) for number in range(1, 1000)]).latency_ms(50) == 500
    assert DemoResult(latencies_ms=[float(number) for number in range(1, 1000)]).latency_ms(99) == 990


def test_of_one_attempt_it_is_that_one_and_of_none_zero() -> None:
    assert DemoResult(latencies_ms=[3.0]).latency_ms(99) == 3
    assert DemoResult().latency_ms(50) == 0
