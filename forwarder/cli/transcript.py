"""A request and its answer without the secrets of the destination, even if the receiver echoes them."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from forwarder.core.delivery import Answered, Outcome, Unanswered
from forwarder.core.destinations.apprise_outcome import secrets_in
from forwarder.core.destinations.destination import Destination
from forwarder.core.destinations.signing import SIGNATURE
from forwarder.core.dispatch.retry import Rule
from forwarder.core.url import host_header, read_url
from forwarder.destinations.redaction import HIDDEN, secret_texts, without
from forwarder.destinations.sender import Transcript
from forwarder.emulator.glance import one_line

SHOWN_CHARACTERS = 4_000
"""How much of each body is shown."""
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
_SIGNATURE_VALUE = re.compile(r"(?<![A-Za-z0-9+/])([A-Za-z0-9+/]{6})[A-Za-z0-9+/]{14,}=*")

Headers = list[tuple[str, str]]


class Exchange:
    """One attempt: what was sent, what came back, and the outcome."""

    def __init__(
        self, destination: Destination, transcript: Transcript, *, outcome: Outcome, duration: timedelta
    ) -> None:
        self._outcome = outcome
        self._duration = duration
        self._name = destination.name
        self._policy = destination.retry
        self._url = _origin(destination.url) if destination.url else ""
        first, self._sent = _parsed(transcript.sent)
        self._method, _, rest = first.partition(" ")
        self._target = rest.rpartition(" ")[0]
        self._body = transcript.body
        self._came = [(_text(name), _text(value)) for name, value in transcript.came]
        self._hidden = _CREDENTIALS | {name.lower() for name in destination.headers}
        signing = destination.signing if destination.batch is None else destination.batch.signing
        self._signed = {SIGNATURE} if signing is None else {SIGNATURE, *signing.header_names}
        self._signatures = self._sent_signatures()
        self._secrets = (
            self._sent_secrets(destination.url) if destination.url else list(secrets_in(destination.apprise))
        )

    @property
    def is_delivered(self) -> bool:
        """Whether the answer means that the receiver has the event, by `success` and by `retry.statuses`."""
        return isinstance(self._outcome, Answered) and self._policy.rule_of(self._outcome) is Rule.DELIVERED

    @property
    def summary(self) -> str:
        """The outcome in a sentence."""
        took = f"{self._duration.total_seconds() * 1000:,.0f} ms"
        return f"{'delivered' if self.is_delivered else 'not delivered'}: {self._without_echoes(self._outcome.reason)} (after {took})"

    def lines(self) -> Iterator[str]:
        """Yield the lines for a terminal: `>` before what was sent, `<` before what came back."""
        if self._method:
            yield f"> {self._method} {self._url} HTTP/1.1"
            yield from (f"> {name}: {value}" for name, value in self._sent_headers())
            yield f">\n> {_shown(_text(self._body))}"
        if isinstance(self._outcome, Answered) and self._url:
            yield f"<\n< HTTP {self._outcome.status}"
            yield from (f"< {one_line(name)}: {one_line(value, width=500)}" for name, value in self._came_headers())
            if body := self._without_echoes(_text(self._outcome.body)):
                yield f"<\n< {_shown(body)}"
        yield f"\n{self.summary}"

    def record(self) -> dict[str, Any]:
        """Return the exchange for scripts."""
        outcome = self._outcome
        return {
            "destination": self._name,
            "delivered": self.is_delivered,
            "outcome": self.summary,
            "fault": outcome.fault if isinstance(outcome, Unanswered) else None,
            "duration_ms": round(self._duration.total_seconds() * 1000, 3),
            "request": {
                "method": self._method,
                "url": self._url,
                "headers": self._sent_headers(),
                "body": _text(self._body),
            }
            if self._method
            else None,
            "answer": {
                "status": outcome.status,
                "headers": self._came_headers(),
                "body": self._without_echoes(_text(outcome.body)),
            }
            if isinstance(outcome, Answered)
            else None,
        }

    def _sent_headers(self) -> Headers:
        return [(name, self._masked(name, value)) for name, value in self._sent]

    def _came_headers(self) -> Headers:
        location = self._outcome.location if isinstance(self._outcome, Answered) else None
        return [
            (
                self._without_echoes(name),
                str(location) if name.lower() == "location" else self._without_echoes(self._masked(name, value)),
            )
            for name, value in self._came
        ]

    def _masked(self, name: str, value: str) -> str:
        lowered = name.lower()
        if lowered in self._signed:
            return _shortened(value)
        return HIDDEN if lowered in self._hidden else value

    def _without_echoes(self, text: str) -> str:
        """Return a text of the receiver without the secrets that it repeats. A signature keeps its beginning where it is written as sent."""
        text = without(text, self._secrets)
        for signature in self._signatures:
            text = text.replace(signature, _shortened(signature))
        return without(text, self._signatures)

    def _sent_signatures(self) -> list[str]:
        """Return the values of the headers with a signature, and the signatures in them, the longest first."""
        values = [value for name, value in self._sent if name.lower() in self._signed]
        found = {word for value in values for word in (value, *value.split(" ")) if _shortened(word) != word}
        return sorted(found, key=len, reverse=True)

    def _sent_secrets(self, url: str) -> list[str]:
        hidden = self._hidden - self._signed
        headers = [value for name, value in self._sent if name.lower() in hidden]
        return secret_texts(headers=headers, target=self._target, url=url)


def _shortened(value: str) -> str:
    """Return the beginning of a signature: enough to tell two apart, too little to use it."""
    return _SIGNATURE_VALUE.sub(r"\1…", value)


def _origin(url: str) -> str:
    """Return scheme, host and port, with a mark for the path and query that are not shown."""
    parts = read_url(url, "http", "https")
    return f"{parts.scheme}://{host_header(parts)}/" + ("" if parts.raw_path_qs == "/" else "…")


def _parsed(head: bytes) -> tuple[str, Headers]:
    first, *lines = _text(head).rstrip("\r\n").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return first, [(name, value) for name, _, value in pairs]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _shown(text: str) -> str:
    shown = one_line(text, width=SHOWN_CHARACTERS)
    return shown if len(text) <= SHOWN_CHARACTERS else f"{shown} ({len(text):,} characters in all)"
