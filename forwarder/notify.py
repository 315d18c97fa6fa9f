"""Tells systemd how the service is doing, through the socket it names in the environment (man sd_notify).

A datagram with a few words is all there is to it; the packages on PyPI are unkept or need libsystemd's headers.
"""

import socket
from collections.abc import Mapping
from datetime import timedelta
from time import monotonic_ns

_IMPORTANT = timedelta(seconds=2)
"""What must arrive is waited with for so long."""


class ServiceManager:
    """Sends to `NOTIFY_SOCKET`; does nothing where that is not set. Errors are ignored: systemd may be gone."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.is_there = bool(address)
        """Whether there is one."""
        watchdog_us = environment.get("WATCHDOG_USEC", "")
        self.watchdog_interval = timedelta(microseconds=int(watchdog_us)) / 2 if watchdog_us.isdigit() else None
        """How often `watchdog` must be called; `None` where nobody watches."""

    def ready(self, status: str) -> None:
        """Say that the service is up, or has finished reloading."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """Say that a reload has begun; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the service is on its way down."""
        self._send("STOPPING=1\nSTATUS=stopping: finishing the attempts under way")

    def main_pid(self, pid: int) -> None:
        """Say that another process is the main one of the service from now on: its end is the service's, ours is not.

        Waits for a manager that is busy: one that did not hear it would end them both.
        """
        self._send(f"MAINPID={pid}\nSTATUS=process {pid} takes over", wait=_IMPORTANT)

    def watchdog(self) -> None:
        """Say that the service is alive."""
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
