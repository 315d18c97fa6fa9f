"""How the status shows ages, durations and rates."""

from datetime import UTC, datetime

import pytest

from forwarder.cli.status_values import age, milliseconds, rate

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (None, "-"),
        ("", "-"),
        ("2026-01-01T11:59:15+00:00", "45 s"),
        ("2025-12-31T12:00:00+00:00", "24 h"),
        ("2026-01-01T13:00:00+00:00", "0 s"),
    ],
)
def test_an_age_is_spelled_and_never_negative(at: str | None, said: str) -> None:
    assert age(at, NOW) == said


@pytest.mark.parametrize(
    ("duration_ms", "said"),
    [
        (None, "-"),
        (6.4, "6.4 ms"),
        (28.17, "28.2 ms"),
        (999, "999 ms"),
        (999.6, "1.0 s"),
        (1000, "1.0 s"),
        (99_000, "99.0 s"),
        (7_200_000, "2 h"),
    ],
)
def test_a_duration_has_the_unit_that_is_read_best(duration_ms: float | None, said: str) -> None:
    assert milliseconds(duration_ms) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(None, "-"), (0.0, "0 %"), (1.0, "100 %"), (0.99, "99 %"), (0.29, "29 %"), (0.9999, "99.9 %"), (0.0004, "0 %")],
)
def test_a_rate_is_never_rounded_up_to_all(share: float | None, said: str) -> None:
    assert rate(share) == said
