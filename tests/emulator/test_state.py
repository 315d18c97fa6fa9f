"""What the parts of the emulator share."""

from forwarder.emulator.settings import EmulatorSettings
from forwarder.emulator.state import EmulatorState, ServerChange, StreamToken


def test_a_token_is_the_same_until_it_expires() -> None:
    token = StreamToken(60)
    value, lasts_s = token.issue()
    assert (token.issue()[0], lasts_s) == (value, 60)
    assert token.is_valid(value)
    assert not token.is_valid("another")
    token.expire()
    assert not token.is_valid(value)
    assert token.issue()[0] != value


def test_no_token_is_valid_before_one_was_issued() -> None:
    assert not StreamToken(60).is_valid("")


def test_a_change_is_reported_with_its_facts() -> None:
    reported: list[object] = []
    state = EmulatorState(
        EmulatorSettings(), api_key="key", on_change=lambda change, facts: reported.append((change, facts))
    )
    state.report(ServerChange.FAULT, fault="drop", connections=2)
    assert reported == [(ServerChange.FAULT, {"fault": "drop", "connections": 2})]
