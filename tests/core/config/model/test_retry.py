"""`retry`: named schedules, schedules of one's own, and what a status means."""

from datetime import timedelta

import pytest

from forwarder.core.config import ConfigError
from forwarder.core.dispatch.retry import NAMED_POLICIES, OnExpiry, RetryPolicy, Rule
from tests.core.config.support import config_text, load


def policy(written: str) -> RetryPolicy:
    return load(config_text(destination=f"retry: {written}")).destinations["bot"].retry


@pytest.mark.parametrize("name", NAMED_POLICIES)
def test_a_name_stands_for_its_schedule(name: str) -> None:
    assert policy(name) == policy(f"{{schedule: {name}}}") == NAMED_POLICIES[name]


def test_delays_of_ones_own_replace_the_schedule_and_all_else_has_its_default() -> None:
    assert policy("{delays: [500ms, 1h30m]}") == RetryPolicy(
        delays=(timedelta(milliseconds=500), timedelta(minutes=90))
    )


def test_every_setting_is_part_of_the_policy() -> None:
    found = policy("{schedule: standard, statuses: {404: dead, 5xx: slow}, max_age: 1h, on_expiry: digest}")
    assert found.delays == NAMED_POLICIES["standard"].delays
    assert found.statuses == {"404": Rule.DEAD, "5xx": Rule.SLOW}
    assert (found.max_age, found.on_expiry) == (timedelta(hours=1), OnExpiry.DIGEST)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("lve", 'expected live, .*, got "lve"; did you mean "live"?'),
        ("{schedule: live, delays: [1s]}", '"schedule" and "delays" exclude each other; remove one of them'),
        ("{on_expiry: digest}", "on_expiry: digest summarizes what is older than max_age; add a max_age"),
        ("{statuses: {600: dead}}", "expected a status code such as 404, or a class such as 5xx"),
        ("{statuses: {6xx: dead}}", "expected a status code such as 404, or a class such as 5xx"),
        ("{statuses: {404: ded}}", 'got "ded"; did you mean "dead"?'),
        ("{delays: [8d]}", "is out of range"),
    ],
)
def test_a_mistake_is_refused(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        policy(written)


def test_a_name_from_a_variable_is_not_shown() -> None:
    with pytest.raises(ConfigError, match=r"got the value of \"\$\{CANARY\}\"$"):
        policy("${CANARY}")
