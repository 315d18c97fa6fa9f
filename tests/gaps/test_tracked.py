"""Which accounts the keys of a config track."""

import pytest
from aiohttp import web

from forwarder.core.config import Config, load_config
from forwarder.emulator.server import Emulator
from forwarder.gaps.tracked import TrackedUnknownError, tracked_accounts


def config_of(*emulators: Emulator) -> Config:
    streams = "".join(
        f"- {{name: s{number}, url: '{each.ws_url}', api_key: key{number}}}\n" for number, each in enumerate(emulators)
    )
    text = (
        f"streams:\n{streams}destinations: {{bot: {{url: 'https://bot.example/'}}}}\nroutes: [{{name: r, to: bot}}]\n"
    )
    return load_config(text.encode(), name="config.yaml", env={}, read_file=lambda _path: "")


async def test_the_accounts_of_all_keys_are_put_together() -> None:
    async with Emulator(api_key="key0") as one, Emulator(api_key="key1") as two:
        one.history.track("1", "ann")
        two.history.track("1", "ann")
        two.history.track("2", "bob")
        assert [each.name for each in await tracked_accounts(config_of(one, two))] == ["ann", "bob"]


async def test_one_key_without_a_list_makes_the_whole_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Emulator(api_key="key0") as one, Emulator(api_key="another") as two:
        with pytest.raises(TrackedUnknownError, match="stream s1: the history does not accept the API key"):
            await tracked_accounts(config_of(one, two))
        odd = {"data": [{"username": "ann"}]}
        monkeypatch.setattr(one.history, "list_tracked", lambda: web.json_response(odd))
        with pytest.raises(TrackedUnknownError, match="lists 1 tracked accounts in a form that is not known"):
            await tracked_accounts(config_of(one))
