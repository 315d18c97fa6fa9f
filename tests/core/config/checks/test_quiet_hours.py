"""Quiet hours that keep what comes for longer than it may be old."""

from forwarder.core.config.lint import warnings_of
from tests.core.config.support import load


def said(max_age: str, of_bot: str = "", of_route: str = "") -> list[str]:
    return warnings_of(
        load(
            f"streams: [{{api_key: key}}]\ndestinations: {{bot: {{url: http://127.0.0.1/, retry: {{max_age: {max_age}}}, {of_bot}}}, b: {{url: http://127.0.0.1/}}}}\n"
            f"routes: [{{name: r, to: [bot, b], {of_route}}}]\n"
        )
    )


def test_what_is_kept_longer_than_max_age_expires() -> None:
    why = (
        "they last up to 8 h: what is kept for longer than retry.max_age of bot (60 min) expires there; "
        "write a longer max_age, or then: digest"
    )
    assert said("1h", "quiet: '23:00-07:00'") == [f"destinations.bot.quiet: {why}"]
    assert said("1h", of_route="quiet: '23:00-07:00'") == [f"routes.r.quiet: {why}"]
    assert said("1h", "quiet: {hours: '23:00-07:00', then: digest}") == []
    assert said("8h", "quiet: '23:00-07:00'", "quiet: '23:00-07:00'") == []
