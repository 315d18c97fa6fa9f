"""A request and its answer as a person may see them: nothing secret of the destination is shown, not even where it is echoed."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from forwarder.core.delivery import Answered, Outcome, Unanswered
from forwarder.core.destination import Destination
from forwarder.core.signing import SIGNATURE
from forwarder.core.url import host_header, read_url
from forwarder.destinations.echoes import HIDDEN, secret_texts
from forwarder.destinations.http import Transcript
from forwarder.emulator.display import one_line

SHOWN_CHARACTERS = 4_000
"""Of each body."""
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
_SIGNATURE_VALUE = re.compile(r"(?<![A-Za-z0-9+/])([A-Za-z0-9+/]{6})[A-Za-z0-9+/]{14,}=*")

Headers = list[tuple[str, str]]


class Exchange:
    """One attempt by hand: what was sent, what came, and what that means."""

    def __init__(
        self, destination: Destination, transcript: Transcript, *, body: bytes, outcome: Outcome, duration: timedelta
    ) -> None:
        self._outcome = outcome
        self._duration = duration
        self._name = destination.name
        self._url = _origin(destination.url)
        first, self._sent = _parsed(transcript.sent)
        self._method, _, rest = first.partition(" ")
        self._target = rest.rpartition(" ")[0]
        self._body = body
        self._came = [(_text(name), _text(value)) for name, value in transcript.came]
        self._hidden = _CREDENTIALS | {name.lower() for name in destination.headers}
        self._signed = {SIGNATURE} if destination.signing is None else {SIGNATURE, *destination.signing.header_names}
        self._echoes = self._possible_echoes(destination.url)

    @property
    def is_delivered(self) -> bool:
        """Whether a 2xx came."""
        return isinstance(self._outcome, Answered) and self._outcome.is_success

    @property
    def summary(self) -> str:
        """The outcome in a sentence."""
        took = f"{self._duration.total_seconds() * 1000:,.0f} ms"
        return f"{'delivered' if self.is_delivered else 'not delivered'}: {self._outcome.reason} (after {took})"

    def lines(self) -> Iterator[str]:
        """Yield what a terminal shows: `>` before what was sent, `<` before what came."""
        if self._method:
            yield f"> {self._method} {self._url} HTTP/1.1"
            yield from (f"> {name}: {value}" for name, value in self._sent_headers())
            yield f">\n> {_shown(_text(self._body))}"
        if isinstance(self._outcome, Answered):
            yield f"<\n< HTTP {self._outcome.status}"
            yield from (f"< {one_line(name)}: {one_line(value, width=500)}" for name, value in self._came_headers())
            if body := self._without_echoes(_text(self._outcome.body)):
                yield f"<\n< {_shown(body)}"
        yield f"\n{self.summary}"

    def record(self) -> dict[str, Any]:
        """Return the same for scripts."""
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
        for secret, shown in self._echoes:
            text = text.replace(secret, shown)
        return text

    def _possible_echoes(self, url: str) -> list[tuple[str, str]]:
        """Return the secret texts that a receiver may repeat, each with what is shown in its place, the longest first."""
        found: dict[str, str] = {}
        secret = []
        for name, value in self._sent:
            lowered = name.lower()
            if lowered in self._signed:
                found |= {word: _shortened(word) for word in (value, *value.split(" ")) if _shortened(word) != word}
            elif lowered in self._hidden:
                secret.append(value)
        found |= dict.fromkeys(secret_texts(headers=secret, target=self._target, url=url), HIDDEN)
        return sorted(found.items(), key=lambda pair: len(pair[0]), reverse=True)


def _shortened(value: str) -> str:
    """Return a signature's value, cut so that it can be told from another and not be used."""
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
