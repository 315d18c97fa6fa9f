"""The page of the demo's daemon: its address, and whether a browser can show it."""

import socket
import webbrowser
from collections.abc import Callable, Mapping

from forwarder.threads import start_in_thread


def free_address() -> str:
    """Return an address of the loopback interface with a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return f"127.0.0.1:{port}"


def has_desktop(environment: Mapping[str, str]) -> bool:
    """Return whether a browser would show a window on this screen: not in a terminal alone, and not over SSH."""
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return False
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


async def open_browser(
    url: str, environment: Mapping[str, str], *, show: Callable[[str], bool] = webbrowser.open
) -> bool:
    """Open the page in a browser, where there is a desktop; return whether that was tried with success."""
    if not has_desktop(environment):
        return False
    return await start_in_thread(lambda: show(url), name="browser")
