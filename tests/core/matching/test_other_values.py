"""Values that a test cannot read, and what was meant. The sentences are in tests/data/config."""

from zoneinfo import available_timezones

import pytest

from forwarder.core.matching import other_values
from forwarder.core.matching.other_values import (
    days_meant,
    kind_meant,
    number_meant,
    regex_meant,
    zone_meant,
    zone_without_summer,
)
from forwarder.core.posts.common_fields import COMMON_FIELDS
from forwarder.core.yaml.tree import Scalar


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("10k", "; write 10000"),
        ("1.5 M", "; write 1500000"),
        ("2b", "; write 2000000000"),
        ("1,000", "; write 1000"),
        ("1_000_000", "; write 1000000"),
        ("<= 5", "; write lte: 5"),
        ("2026-01-01", "; for the age of a time write within: 5m or older_than: 5m"),
        ("many", ""),
        ("1,00", ""),
        ("5km", ""),
    ],
)
def test_a_number_as_people_write_it(written: str, said: str) -> None:
    assert number_meant(Scalar(written, quoted=False)) == said


def test_a_list_is_no_number() -> None:
    assert number_meant([Scalar("10k", quoted=False)]) == ""


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("invalid escape sequence: \\Z", r"; write \z for the end of the text"),
        ("invalid escape sequence: \\y", ""),
        ("missing ): (a", r"; write \( for the bracket itself"),
        ("something new", ""),
    ],
)
def test_a_regex_of_another_library(said: str, hint: str) -> None:
    assert regex_meant(said) == hint


def test_kinds_are_those_that_exist() -> None:
    assert set(other_values._KIND_OF.values()) <= set(COMMON_FIELDS["kind"].values)
    assert kind_meant("RT") == "; did you mean repost?"
    assert kind_meant("thread") == ""


def test_days_of_other_programs() -> None:
    assert days_meant("Weekdays") == "; write mon-fri"
    assert days_meant("daily") == "; for every day leave out days"
    assert days_meant("someday") == ""


def test_time_zones_by_their_distance_or_letters() -> None:
    assert "Etc/GMT-2" in zone_meant("UTC+2")
    assert "Etc/GMT+5" in zone_meant("-5")
    assert zone_meant("UTC+0") == "; write UTC"
    assert zone_meant("pst") == "; write America/Los_Angeles"
    assert zone_meant("UTC+5:30") == ""


def test_every_place_is_a_time_zone() -> None:
    assert set(other_values._PLACES.values()) <= available_timezones()
    assert other_values._FIXED.keys() <= available_timezones()


def test_a_zone_without_daylight_saving_time_is_named() -> None:
    said = zone_without_summer("EST")
    assert said is not None
    assert said.endswith("write America/New_York")
    assert zone_without_summer("Europe/Berlin") is None
