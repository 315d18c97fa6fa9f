"""Whatever `check` takes, `run`, `send` and `preview` can build: a property of whole configs.

Each example of the first test is one that was taken once and then could not be used. `FORWARDER_LONG_TESTS=1` tries every value in
every place, which takes half an hour.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forwarder.core.config import ConfigError
from forwarder.core.destinations.transport import Tls
from forwarder.tls.contexts import context_of
from tests.support.examples import examples
from tests.support.nasty import NASTY, TEXTS, URLS, Place, build, places, read, whole_config, with_value
from tests.support.process import command

WHOLE = whole_config()
PLACES = list(places(WHOLE))
URL_PLACES = [place for place in PLACES if place[-1] in {"url", "proxy", "avatar_url"}]
SYSTEM = context_of(Tls())
"""Kept, so that the authorities of the system are read once."""
BOT_URL: Place = ("destinations", "bot", "url")
STRIPE_URL: Place = ("destinations", "stripe", "url")
BOT_TLS: Place = ("destinations", "bot", "tls")


def try_to_build(config: dict[str, Any], variable: str = "magpie") -> None:
    try:
        loaded = read(config, variable)
    except ConfigError as error:
        said = str(error)
        assert not any(word in said for word in ("codec", "Traceback", "pydantic", "Input should", "value_error"))
        return
    asyncio.run(build(loaded))


def test_the_config_that_is_changed_is_right_as_it_is() -> None:
    asyncio.run(build(read(WHOLE)))


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(NASTY)), min_size=1, max_size=2))
@example([(STRIPE_URL, "http://a\\b/")])
@example([(("streams", 0, "url"), "ws://a\\b:1/ws")])
@example([(STRIPE_URL, "http://a\\b/{{ mid }}")])
@example([(STRIPE_URL, "http://🏳0🌈️/")])
@example([(STRIPE_URL, "http://aﷺb.example/")])
@example([(BOT_URL, "https://.a/")])
@example([(BOT_URL, "https://a..b/")])
@example([(("streams", 1, "url"), "https://xn--a/")])
@example([(STRIPE_URL, "http://a/\x001\0{{ mid }}")])
@example([(("destinations", "bot", "tls", "server_name"), ".a")])
@example([(("destinations", "bot", "proxy"), "http://a\\b:1")])
@example([(BOT_TLS, {"ca": "# é\n-----BEGIN CERTIFICATE-----"})])
@example([(BOT_TLS, {"cert": "-----BEGIN é-----"})])
@examples(40)
def test_a_config_with_odd_values_is_refused_or_can_be_built(changes: list[tuple[Place, object]]) -> None:
    config = WHOLE
    for place, value in changes:
        config = with_value(config, place, value)
    try_to_build(config)


@given(st.sampled_from(URL_PLACES), st.sampled_from(URLS), st.sampled_from(["", "ws", "https"]))
@examples(40)
def test_the_same_of_its_urls(place: Place, url: str, scheme: str) -> None:
    try_to_build(with_value(WHOLE, place, url.replace("http", scheme, 1) if scheme else url))


@given(
    st.sampled_from(PLACES),
    st.sampled_from([*TEXTS, *URLS, "\udc80", "/run/\udc80", "sqlite:/a\ud800", "/run/\ud800.sock"]),
)
@example(("admin", "socket"), "/run/\ud800.sock")
@example(("outbox", "url"), "sqlite:/a\ud800")
@examples(40)
def test_the_same_of_what_is_in_variables(place: Place, value: str) -> None:
    try_to_build(with_value(WHOLE, place, "${CANARY}"), value)


@pytest.mark.skipif(
    not os.environ.get("FORWARDER_LONG_TESTS"), reason="half an hour; FORWARDER_LONG_TESTS=1 asks for it"
)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_each_value_in_each_place(place: Place) -> None:
    for value in NASTY:
        try_to_build(with_value(WHOLE, place, value))


URLS_OF_THE_PAST = (
    "http://a\\b/",
    "http://🏳0🌈️/",
    "http://aﷺb.example/",
    "http://a\\b/{{ mid }}",
    "https://a..b/",
    "http://xn--a/",
)


@pytest.fixture(params=URLS_OF_THE_PAST)
def refused(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"streams: [{{api_key: k, url: 'ws://127.0.0.1:1/'}}]\ndestinations: {{bot: {{url: '{request.param}'}}}}\nroutes: [{{to: bot}}]\n"
    )
    return str(path)


@pytest.mark.parametrize(
    ("words", "code"),
    [(["check"], 1), (["run"], 78), (["send", "bot"], 78), (["preview", "bot"], 1)],
    ids=str,
)
async def test_each_command_refuses_such_a_url_at_its_place(refused: str, words: list[str], code: int) -> None:
    ended, _, said = await command(*words, "-c", refused)
    assert ended == code
    assert "config.yaml:2:27: destinations.bot.url: the URL" in said
    assert "Traceback" not in said
