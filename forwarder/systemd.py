"""Reports the state of the service to systemd, through the socket that is named in the environment (sd_notify(3)).

Each report is one small datagram; the packages on PyPI are unmaintained or need the headers of libsystemd.
"""

import socket
from collections.abc import Mapping
from datetime import timedelta
from time import monotonic_ns

_IMPORTANT = timedelta(seconds=2)
"""How long to wait for a service manager that is busy, if a message must arrive."""


class ServiceManager:
    """Sends reports to `NOTIFY_SOCKET`; does nothing if that is not set. Errors are ignored, because systemd may have gone."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.is_there = bool(address)
        """Whether a service manager is present."""
        watchdog_us = environment.get("WATCHDOG_USEC", "")
        self.watchdog_interval = timedelta(microseconds=int(watchdog_us)) / 2 if watchdog_us.isdigit() else None
        """How often `watchdog` must be called; `None` if there is no watchdog."""

    def ready(self, status: str) -> None:
        """Report that the service is up, or has finished reloading."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """Report that a reload has begun; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the service is stopping."""
        self._send("STOPPING=1\nSTATUS=stopping: finishing the attempts under way")

    def main_pid(self, pid: int) -> None:
        """Report that another process is now the main one of the service: the service ends with it, and not with this process.

        Waits for a busy manager: without this message it would end both processes.
        """
        self._send(f"MAINPID={pid}\nSTATUS=process {pid} takes over", wait=_IMPORTANT)

    def watchdog(self) -> None:
        """Report that the service is alive."""
        self._send("WATCHDOG=1")

    def _send(self, message: str, *, wait: timedelta = timedelta()) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as unix:
                unix.settimeout(wait.total_seconds())
                unix.sendto(message.encode(), self._address)
        except OSError:
            pass
