"""The filters of templates."""

from zoneinfo import ZoneInfoNotFoundError

import jinja2
import pytest

from forwarder.core.templates.filters import FILTERS, TemplateError, as_text, kind_of


@pytest.mark.parametrize(("value", "text"), [("a", "a"), (None, ""), (True, "true"), (False, "false"), (1.5, "1.5")])
def test_a_value_as_text(value: object, text: str) -> None:
    assert as_text(value) == text


@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_a_list_and_a_mapping_are_no_text(value: object) -> None:
    with pytest.raises(TemplateError, match="tojson"):
        as_text(value)


def test_half_a_surrogate_pair_is_written_as_an_escape() -> None:
    assert FILTERS["tojson"]("\ud800ü") == '"\\ud800\\u00fc"'
    assert FILTERS["tojson"]("ü") == '"ü"'


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TemplateError, match="cannot be written as JSON"):
        FILTERS["tojson"](object())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-01-01T02:00:00+02:00", "2026-01-01 00:00:00"),
        (1767225600000, "2026-01-01 00:00:00"),
        ("soon", ""),
        ("0001-01-01T00:00:00+14:00", ""),
        (-1, ""),
        (1e18, ""),
        (None, ""),
    ],
)
def test_a_date_is_iso_8601_or_milliseconds(value: object, shown: str) -> None:
    assert FILTERS["date"](value) == shown


@pytest.mark.parametrize(
    ("value", "zone", "shown"),
    [
        ("2026-01-01T00:00:00+00:00", "Europe/Berlin", "2026-01-01 01:00:00"),
        ("2026-07-01T00:00:00Z", "America/New_York", "2026-06-30 20:00:00"),
        (1767225600000, "Asia/Kolkata", "2026-01-01 05:30:00"),
        (1767225600000, "UTC", "2026-01-01 00:00:00"),
        ("9999-12-31T23:59:59+00:00", "Asia/Tokyo", ""),
        ("soon", "Europe/Berlin", ""),
    ],
)
def test_a_date_has_a_time_zone(value: object, zone: str, shown: str) -> None:
    assert FILTERS["date"](value, zone=zone) == shown


@pytest.mark.parametrize("zone", ["", "Europe", "Europe/Berlim", "../../etc/passwd", "/etc/localtime", "a" * 5_000, "\0", "\ud800"])  # fmt: skip
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(TemplateError, match="there is no such time zone; write one such as"):
        FILTERS["date"](0, zone=zone)


def test_a_machine_without_time_zones_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr("forwarder.core.templates.filters._read_zone", none)
    assert FILTERS["date"](0, "%H") == "00"
    with pytest.raises(TemplateError, match="knows no time zone but UTC; install the package tzdata"):
        FILTERS["date"](0, "%H", "Europe/Berlin")


@pytest.mark.parametrize("format_", ["", "%", "%c", "a" * 101, "\0", "\ud800", 5, None, ["%H"]])
def test_a_format_of_a_date_is_checked(format_: object) -> None:
    with pytest.raises(TemplateError, match="format"):
        FILTERS["date"](0, format_)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "true or false"),
        (1.5, "a number"),
        ("a", "a text"),
        ((1,), "a list"),
        ({}, "a mapping"),
        (jinja2.Undefined(), "a missing value"),
        (object(), "something else"),
    ],
)
def test_a_kind_of_value_has_a_name(value: object, kind: str) -> None:
    assert kind_of(value) == kind
