"""Wrong tokens are counted by the address that they come from."""

import asyncio

import pytest
from structlog.testing import capture_logs

from forwarder.web import wrong_tokens
from forwarder.web.wrong_tokens import WrongTokens


@pytest.mark.parametrize(
    ("address", "other", "is_one_client"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::1", True),
        (None, "192.0.2.1", False),
    ],
)
async def test_one_address_does_not_shut_out_another(
    monkeypatch: pytest.MonkeyPatch, address: str | None, other: str, is_one_client: bool
) -> None:
    monkeypatch.setattr(wrong_tokens, "_DELAY_S", 60.0)
    found = WrongTokens()
    async with asyncio.TaskGroup() as group:
        noted = [group.create_task(found.note(address)) for _ in range(8)]
        await asyncio.sleep(0)
        assert found.are_too_many(address)
        assert found.are_too_many(other) == is_one_client
        for each in noted:
            each.cancel()
    assert not found.are_too_many(address)


async def test_many_are_said_once_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_tokens, "_DELAY_S", 0.0)
    found = WrongTokens()
    with capture_logs() as lines:
        for _ in range(25):
            await found.note("192.0.2.1")
    assert lines == [{"event": "admin.wrong_tokens", "log_level": "warning", "tokens": 10, "last_from": "192.0.2.1"}]
