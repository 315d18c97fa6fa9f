"""A secret that a mistake makes a part of a key is in no message."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarder.core.config import ConfigError
from tests.core.config.support import config_text, load

SECRET = "hunter2qwertz"
PLACES = {
    "headers": ("destination", "headers: {KEY}"),
    "signing": ("destination", "signing: {KEY}"),
    "auth": ("destination", "auth: {KEY}"),
    "basic": ("destination", "auth: {basic: {KEY}}"),
    "tls": ("destination", "tls: {KEY}"),
    "retry": ("destination", "retry: {KEY}"),
    "destination": ("destination", "KEY"),
    "stream": ("stream", "KEY"),
    "route": ("route", "KEY"),
    "match": ("route", "match: {KEY}"),
    "test of a field": ("route", "match: {text: {KEY}}"),
    "test of a part": ("route", "match: {payload.a: {KEY}}"),
    "heartbeat": ("rest", "heartbeat: {KEY}"),
    "tracing": ("rest", "tracing: {KEY}"),
    "admin": ("rest", "admin: {KEY}"),
    "outbox": ("rest", "outbox: {KEY}"),
    "defaults": ("rest", "defaults: {KEY}"),
    "headers of defaults": ("rest", "defaults: {headers: {KEY}}"),
    "tests": ("rest", "tests: [{KEY}]"),
    "top": ("rest", "KEY"),
}
BEFORE = st.sampled_from(
    ["Authorization", "api_key", "url", "secret", "bearer", "password", "token", "X-Key", "", "u"]
) | st.text("abcdefgh_-", min_size=1, max_size=12)


def messages_of(place: str, key: str) -> str:
    part, around = PLACES[place]
    with pytest.raises(ConfigError) as caught:
        load(config_text(**{part: around.replace("KEY", key)}))
    return "\n".join([str(caught.value), *(repr(problem) for problem in caught.value.problems)])


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=25, deadline=None)
@given(
    before=BEFORE,
    between=st.sampled_from([":", "=", " ", ": ", " = ", ":Bearer ", ":whsec_", ":http://127.0.0.1/", "=/"]),
    after=st.sampled_from(["", ": x", ": {a: b}", ": ~"]),
)
def test_no_part_of_a_value_in_a_key_is_shown(place: str, before: str, between: str, after: str) -> None:
    said = messages_of(place, f'"{before}{between}{SECRET}"{after or ": "}')
    assert SECRET[:5] not in said
    assert SECRET[5:] not in said


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("headers", f"Authorization:Bearer {SECRET}"),
        ("signing", f"secret:whsec_{SECRET}"),
        ("heartbeat", f"url:http://127.0.0.1:9/{SECRET}"),
        ("destination", f"url:http://127.0.0.1:9/{SECRET}: x"),
        ("stream", f"api_key:{SECRET}: x"),
    ],
)
def test_a_missing_space_is_asked_for(place: str, key: str) -> None:
    said = messages_of(place, key)
    assert "; is a space missing after the colon?" in said
    assert SECRET not in said


@pytest.mark.parametrize("key", [f'"Bearer {SECRET}": Authorization', f'"{"0123456789abcdef" * 2}|": X-Key'])
def test_a_header_the_wrong_way_round_is_not_shown(key: str) -> None:
    said = messages_of("headers", key.replace("|", " "))
    assert "a key that is not shown" in said
    assert SECRET not in said
    assert "0123456789abcdef" not in said
