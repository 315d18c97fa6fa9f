"""One file for each kind of odd value, with the warnings about it beside it."""

import pytest

from forwarder.core.config.lint import warnings_of
from tests.core.config.support import CANARY, load
from tests.support.paths import DATA

ODD = DATA / "warnings"
NAMES = sorted(path.stem for path in ODD.glob("*.yaml"))


def said_about(name: str) -> str:
    hints = {each for kind in load((ODD / f"{name}.yaml").read_bytes()).hints for each in kind}
    return "".join(f"{each}\n" for each in warnings_of(load((ODD / f"{name}.yaml").read_bytes())) if each in hints)


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_value_is_reported_with_its_place(name: str) -> None:
    assert said_about(name) == (ODD / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_no_warning_shows_a_secret(name: str) -> None:
    said = said_about(name)
    assert CANARY not in said
    assert said.replace("\n", "").isprintable()


def test_every_message_belongs_to_an_odd_value() -> None:
    assert sorted(path.stem for path in ODD.glob("*.txt")) == NAMES
    assert len(NAMES) >= 10
