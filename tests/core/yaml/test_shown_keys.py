"""How much of a key a message shows."""

import pytest

from forwarder.core.yaml.shown_keys import may_hold_value, shown_key
from forwarder.core.yaml.tree import Path


@pytest.mark.parametrize(
    ("above", "key", "shown"),
    [
        ((), "routs", "routs"),
        ((), "api_key SECRET", "api_key…"),
        ((), "a" * 31, "a" * 29 + "…"),
        (("destinations", "bot"), "timeout", "timeout"),
        (("destinations", "bot"), "url:http://127.0.0.1/SECRET", "url…"),
        (("destinations", "bot"), "url=http://127.0.0.1/SECRET", "url…"),
        (("destinations", "bot"), "=SECRET", "…"),
        (("destinations",), "my bot", "my bot"),
        (("destinations",), "bot:http://127.0.0.1/SECRET", "bot…"),
        (("destinations", "bot", "headers"), "X-Api-Key", "X-Api-Key"),
        (("destinations", "bot", "headers"), "Strict-Transport-Security", "Strict-Transport-Security"),
        (("destinations", "bot", "headers"), "Authorization:Bearer SECRET", None),
        (("destinations", "bot", "headers"), "0123456789abcdef", None),
        (("destinations", "bot", "signing"), "a" * 31, None),
        (("streams", 0), "api_key:SECRET", None),
        (("streams", 0), "apikey", "apikey"),
        (("routes", 0, "match"), "payload.author.id", "payload.author.id"),
        (("routes", 0, "match"), "==", "=="),
        (("routes", 0, "match"), "-:SECRET", "-…"),
        (("destinations", "bot", "headers"), "<<", "<<"),
        (("routes", 0, "match"), '"open', '"open'),
        (("routes", 0, "match"), "text:SECRET", "text…"),
        (("routes", 0, "match"), "text SECRET", "text…"),
    ],
)
def test_a_key_is_shown_up_to_what_may_be_a_value(above: Path, key: str, shown: str | None) -> None:
    assert shown_key(key, above) == shown


def test_a_value_may_be_after_a_colon_an_equals_sign_or_a_space() -> None:
    assert [key for key in ("a.b", "a:b", "a=b", "a b", "$.text") if may_hold_value(key)] == ["a:b", "a=b", "a b"]
