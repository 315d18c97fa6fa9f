"""One file for each mistake, with what is said about it beside it."""

import pytest

from forwarder.core.config import ConfigError
from tests.core.config.support import CANARY, load
from tests.support.paths import DATA

MISTAKES = DATA / "config"
NAMES = sorted(path.stem for path in MISTAKES.glob("*.yaml"))


def said_about(name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load((MISTAKES / f"{name}.yaml").read_bytes())
    return str(caught.value) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_is_reported_with_its_place(name: str) -> None:
    assert said_about(name) == (MISTAKES / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_no_message_shows_a_secret_or_the_words_of_a_library(name: str) -> None:
    said = said_about(name)
    for unwanted in (CANARY, "Input should", "pydantic", "value_error", "\x1b"):
        assert unwanted not in said


def test_every_message_belongs_to_a_mistake() -> None:
    assert sorted(path.stem for path in MISTAKES.glob("*.txt")) == NAMES
    assert len(NAMES) >= 30


def test_all_mistakes_of_a_file_are_reported_at_once() -> None:
    assert said_about("five_mistakes").count("\n") == 5
