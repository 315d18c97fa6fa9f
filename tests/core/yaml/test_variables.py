"""`${NAME}` gives text, and a missing one is named."""

import pytest

from forwarder.core.config import ConfigError
from tests.core.config.support import CANARY, ENV, config_text, load


def header(value: str, **env: str) -> str:
    config = load(config_text(destination=f"headers:\n  X-A: '{value}'"), ENV | env)
    return config.destinations["bot"].headers["X-A"].reveal()


@pytest.mark.parametrize(
    ("written", "comes_to"),
    [
        ("${A}", "one"),
        ("Bearer ${A}", "Bearer one"),
        ("${A}${A}-${B}", "oneone-two"),
        ("${NOT_SET:-plain}", "plain"),
        ("${NOT_SET:-}", ""),
        ("${EMPTY:-plain}", "plain"),
        ("${A:-plain}", "one"),
        ("${NOT_SET:-a:-b}", "a:-b"),
        ("[${EMPTY}]", "[]"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$$", "$$"),
        ("$A", "$A"),
        ("{A}", "{A}"),
    ],
)
def test_a_variable_is_filled_in(written: str, comes_to: str) -> None:
    assert header(written, A="one", B="two") == comes_to


def test_what_a_variable_holds_is_not_expanded_again() -> None:
    assert header("${A}", A="${B}", B="two") == "${B}"


@pytest.mark.parametrize("value", ["[a, b]", "{a: b}", "~", "null", "yes", "*alias", "!!int 3", "a: b # c"])
def test_what_a_variable_holds_is_not_read_as_yaml(value: str) -> None:
    assert header("${A}", A=value) == value


def test_a_switch_or_number_may_come_from_a_variable() -> None:
    text = config_text(destination="enabled: ${ON}\nconcurrency: ${MANY}\ntimeout: ${LONG}s")
    bot = load(text, ENV | {"ON": "false", "MANY": "3", "LONG": "7"}).destinations["bot"]
    assert (bot.enabled, bot.concurrency, bot.timeout.total_seconds()) == (False, 3, 7)


def test_a_variable_in_a_key_is_not_filled_in() -> None:
    with pytest.raises(ConfigError, match="not the name of a header"):
        load(config_text(destination='headers: {"${CANARY}": a}'))


def test_variables_under_x_keys_matter_only_where_they_are_used() -> None:
    assert load(config_text(rest="x-spare: ${NOT_SET}")) == load(config_text())
    with pytest.raises(ConfigError, match="NOT_SET"):
        load("x-spare: &spare {timeout: '${NOT_SET}'}\n" + config_text(destination="<<: *spare"))


@pytest.mark.parametrize(
    "written",
    [
        "timeout: ${SECRET}",
        "concurrency: ${SECRET}",
        "enabled: ${SECRET}",
        "retry: ${SECRET}",
        "url_file: ${SECRET}",
        "signing: {secret: '${SECRET}'}",
        "signing: {secret_file: '${SECRET}'}",
        "signing: '${SECRET}'",
        "headers: {A: '${SECRET}'}",
        "retry: {delays: ['${SECRET}']}",
    ],
)
@pytest.mark.parametrize("held", [f"{CANARY}\n", f"live{CANARY}", f"7{CANARY}", f"({CANARY}", "9" * 5_000 + CANARY])
def test_no_message_shows_what_a_variable_holds(written: str, held: str) -> None:
    text = config_text(destination=written, rest="unmatched: ${SECRET}\ngrace_period: ${SECRET}")
    text += "\noutbox: {url: '${SECRET}', durability: '${SECRET}'}"
    with pytest.raises(ConfigError) as caught:
        load(text, ENV | {"SECRET": held})
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value.problems)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "match",
    [
        "${SECRET}",
        "['${SECRET}']",
        "{text: {regex: '${SECRET}'}}",
        "{text: {regex: ['a', '${SECRET}']}}",
        "{any: '${SECRET}'}",
        "{text: {contains: '${SECRET}', ignore_case: '${SECRET}'}}",
    ],
)
def test_no_condition_shows_what_a_variable_holds(match: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(config_text(route=f"match: {match}"), ENV | {"SECRET": f"(?!{CANARY}"})
    assert CANARY not in str(caught.value)
