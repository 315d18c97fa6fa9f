"""`success` of a destination, from the file to its answers."""

from datetime import UTC, datetime

import pytest

from forwarder.core.config import ConfigError
from forwarder.core.delivery import Answered
from forwarder.core.destinations.destination import Destination
from forwarder.destinations.build import destinations_of
from tests.core.config.support import config_text, load

URL = "    url: http://127.0.0.1:9000/hook"


def made(success: str, *, before: str = "") -> Destination:
    text = before + config_text().replace(URL, f"{URL}\n    success: {success}" if success else URL)
    return destinations_of(load(text))[0]


def accepts(destination: Destination, body: bytes) -> bool:
    read = destination.answers.read(Answered(status=200, body=body), now=datetime(2026, 1, 1, tzinfo=UTC))
    return isinstance(read, Answered) and read.is_success


def test_a_condition_on_the_body() -> None:
    destination = made("{body: {errcode: 0}}")
    assert accepts(destination, b'{"errcode":0}')
    assert not accepts(destination, b'{"errcode":1}')
    assert destination == made("{body: {errcode: 0}}")
    assert destination != made("{body: {errcode: 1}}")


def test_without_it_every_2xx_is_a_success() -> None:
    assert accepts(made(""), b'{"errcode":1}')
    assert accepts(made("~"), b"")


def test_defaults_may_have_it_and_a_destination_may_do_without() -> None:
    before = "defaults: {success: {body: ok}}\n"
    assert not accepts(made("", before=before), b"no")
    assert accepts(made("~", before=before), b"no")
    assert accepts(made("{body: no}", before=before), b"no")


def test_a_list_of_the_config_may_be_used() -> None:
    destination = made("{body: {list: fine}}", before="lists: {fine: [ok, accepted]}\n")
    assert accepts(destination, b"accepted")
    assert not accepts(destination, b"refused")


@pytest.mark.parametrize(
    ("success", "said"),
    [
        ("ok", "destinations.bot.success: expected a mapping"),
        ("{}", 'destinations.bot.success: the key "body" is missing'),
        ("{body: ~}", "destinations.bot.success.body: the condition is missing; write a field of the JSON"),
        ("{bodi: ok}", 'destinations.bot.success.bodi: unknown key; did you mean "body"?'),
        ("{body: {errcode: {gtx: 5}}}", 'destinations.bot.success.body.errcode.gtx: unknown test; did you mean "gt"?'),
        ("{body: [ok, {matcher: whales}]}", "destinations.bot.success.body[1].matcher: a matcher is for events"),
    ],
)
def test_mistakes_are_reported_at_their_place(success: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(success)
    assert said in str(caught.value)


def test_a_mistake_in_defaults_is_reported_once() -> None:
    with pytest.raises(ConfigError) as caught:
        made("", before="defaults: {success: {body: []}}\n")
    assert [line.partition(": ")[2].partition(":")[0] for line in str(caught.value).splitlines()] == [
        "defaults.success.body"
    ]
