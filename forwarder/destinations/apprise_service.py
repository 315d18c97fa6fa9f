"""Sends through the library Apprise. It is imported here and nowhere else, and only where a config has `apprise`.

Apprise waits for its services, so all of this runs in threads. It says in its log alone why a message was not sent: each call gets
its own lines, and no line reaches any other log, because some contain a part of the URL.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from forwarder.core.delivery import Fault, Outcome, Unanswered
from forwarder.core.destinations.apprise_outcome import SENT, may_say_why, outcome_of, secrets_in, without_values
from forwarder.core.yaml.problems import did_you_mean

if TYPE_CHECKING:
    from apprise import NotifyBase

_MISSING = f"the library Apprise is not installed; it is an extra of forwarder: {sys.executable} -m pip install 'apprise>=2.3,<3'"
_MAX_PORT = 65_535
_MAX_LINES = 50
_MAX_LINE = 4_000


class AppriseRefusedError(Exception):
    """A URL cannot be used. The text says why, without the URL."""


class AppriseService:
    """The service at one URL. Its methods are called in threads, one call at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._secrets = secrets_in(url)
        self._plugin: NotifyBase | None = None

    def notify(self, title: str, text: str, content_type: str) -> Outcome:
        """Send a message, and return what came of it. Never raises."""
        if not title and not text.strip():
            return Unanswered(fault=Fault.FORMAT, detail="the text of this event is empty")
        with _lines_of_this_call() as lines:
            try:
                if self._plugin is None:
                    self._plugin = _open(self._url, self._secrets)
                is_sent = _send(self._plugin, title, text, content_type)
            except AppriseRefusedError as error:
                return Unanswered(fault=Fault.PROTOCOL, detail=str(error), is_local_fault=True)
            except Exception as error:  # noqa: BLE001 - plugins of a hundred services; their texts may contain secrets
                return Unanswered(fault=Fault.PROTOCOL, detail=f"Apprise failed with {type(error).__name__}")
        return SENT if is_sent else outcome_of(lines, self._secrets)


def problem_of(url: str) -> str | None:
    """Return why Apprise cannot send to a URL, without the URL; `None` if it can. Nothing is sent."""
    with _lines_of_this_call():
        try:
            _open(url, secrets_in(url))
        except AppriseRefusedError as error:
            return str(error)
    return None


def _open(url: str, secrets: tuple[str, ...]) -> "NotifyBase":
    """Return the plugin for a URL. Raises `AppriseRefusedError`."""
    try:
        from apprise import Apprise, AppriseAsset, NotificationManager  # noqa: PLC0415 - only where it is used
    except ImportError:
        raise AppriseRefusedError(_MISSING) from None
    asset = AppriseAsset(
        app_id="forwarder",
        app_desc="forwarder",
        app_url="https://scrape.st",
        async_mode=False,
        secure_logging=True,
        storage_mode="memory",
    )
    schema = url.partition("://")[0].lower()
    known = list(NotificationManager().schemas())  # type: ignore[no-untyped-call]
    if schema not in known and schema not in {"http", "https"}:
        hint = did_you_mean(schema, known) or "; see https://appriseit.com/services/ for those that it knows"
        raise AppriseRefusedError(f"Apprise knows no service {schema}://{hint}")
    try:
        plugin = Apprise.instantiate(url, asset=asset, suppress_exceptions=False)
    except Exception as error:  # noqa: BLE001 - plugins raise TypeError, and errors of their own
        raise AppriseRefusedError(_refused(schema, without_values(str(error), secrets))) from None
    if plugin is None:
        raise AppriseRefusedError(_refused(schema, ""))
    templates: tuple[str, ...] = plugin.templates
    has_port = any("{port}" in template for template in templates)  # others have something else at its place
    if has_port and plugin.port is not None and not 0 < plugin.port <= _MAX_PORT:
        raise AppriseRefusedError(_refused(schema, f"its port is not in the range from 1 to {_MAX_PORT}"))
    if not plugin.enabled:
        raise AppriseRefusedError(f"Apprise cannot use {schema}:// here: a library that this service needs is missing")
    if "overflow=" not in url:
        plugin.overflow_mode = type(plugin.overflow_mode)("truncate")  # or the service refuses a text that is too long
    return plugin


def _refused(schema: str, why: str) -> str:
    reason = f": {why}" if why else ""
    return (
        f"Apprise does not accept this URL of {schema}:// (it is not shown, because it is a secret){reason}; "
        "its form is at https://appriseit.com/services/"
    )


def _send(plugin: "NotifyBase", title: str, text: str, content_type: str) -> bool:
    from apprise import NotifyFormat  # noqa: PLC0415 - see `_open`

    kind = content_type.partition(";")[0].strip().lower()
    format_ = {"text/html": NotifyFormat.HTML, "text/markdown": NotifyFormat.MARKDOWN}.get(kind, NotifyFormat.TEXT)
    return plugin.notify(
        body=text, title=title, body_format=format_
    )  # as `Apprise.notify` does, without its pools of threads


_LINES: ContextVar[list[str] | None] = ContextVar("lines that Apprise logs", default=None)


class _CallLines(logging.Handler):
    """Gives each call the lines that it logs. Apprise may start a thread for a call, and hands its context on to it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line of a record, if it is about a call of ours."""
        lines = _LINES.get()
        if lines is None or len(lines) >= _MAX_LINES:
            return
        line = record.getMessage()[:_MAX_LINE]
        if record.levelno >= logging.WARNING or may_say_why(line):
            lines.append(line)


_HANDLER = _CallLines(logging.DEBUG)


@contextmanager
def _lines_of_this_call() -> Iterator[list[str]]:
    """Provide the lines that Apprise logs meanwhile. They go nowhere else."""
    log = logging.getLogger("apprise")
    log.propagate = False
    log.setLevel(logging.DEBUG)
    if _HANDLER not in log.handlers:
        log.addHandler(_HANDLER)
        logging.getLogger("urllib3").setLevel(logging.WARNING)  # below it are the paths of requests
    lines: list[str] = []
    token = _LINES.set(lines)
    try:
        yield lines
    finally:
        _LINES.reset(token)
