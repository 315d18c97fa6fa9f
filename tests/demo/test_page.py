"""The address of the page, and when a browser is opened."""

import pytest

from forwarder.core.config.values.listen import parse_listen
from forwarder.demo.page import free_address, has_desktop, open_browser


def test_the_address_is_one_that_the_config_accepts() -> None:
    assert parse_listen(free_address())


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "192.0.2.1 22 192.0.2.2 22"}, False),
    ],
    ids=["no screen", "X11", "Wayland", "SSH"],
)
async def test_a_browser_is_opened_on_a_desktop_only(environment: dict[str, str], expected: bool) -> None:
    opened: list[str] = []

    def show(url: str) -> bool:
        opened.append(url)
        return True

    assert has_desktop(environment) is expected
    assert await open_browser("http://127.0.0.1:1/", environment, show=show) is expected
    assert opened == ["http://127.0.0.1:1/"] * expected
