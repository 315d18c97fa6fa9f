"""Fills URLs with `{{ … }}` in their path or query. Each value is percent-encoded and stays within its segment or parameter.

Scheme, host and port are never part of a template, because an event must not choose its receiver.
"""

import re
from collections.abc import Mapping
from typing import Any

from forwarder.core.templates.budget import Work
from forwarder.core.templates.fields import NAMES
from forwarder.core.templates.filters import TemplateError
from forwarder.core.templates.sandbox import Template
from forwarder.core.url import as_sent

MAX_TARGET = 8_000
"""The longest filled path and query, in characters; many servers accept no longer ones."""

_SPLIT = re.compile(r"(\{\{.*?\}\})", re.DOTALL)
_MARKS = re.compile(r"\{\{|\}\}|\{%|\{#")
_OPEN_PERCENT = re.compile(r"%(?=[0-9A-Fa-f]?\Z)")


def split_url(url: str) -> tuple[str, str]:
    """Return scheme, host and port of a URL, and the rest of it. Raises `TemplateError`."""
    scheme, separator, rest = url.partition("://")
    end = next((at for at, mark in enumerate(rest) if mark in "/?#"), len(rest))
    if not separator or _MARKS.search(scheme) or _MARKS.search(rest[:end]):
        raise TemplateError("{{ … }} is allowed in the path and the query of a URL, not in its scheme, host or port")
    return f"{scheme}://{rest[:end]}", rest[end:]


class UrlTemplate:
    """A compiled path and query, which are filled for each event."""

    def __init__(self, target: str) -> None:
        """Compile what follows the host. Raises `TemplateError` with a sentence for the user."""
        if "\0" in target:
            raise TemplateError("a URL has no control characters in it")
        pieces = _SPLIT.split(target)
        # Expressions are replaced while the text is split at "/", "?" and "#", because they may contain these characters.
        expressions = pieces[1::2]
        text = "".join(piece if number % 2 == 0 else f"\0{number // 2}\0" for number, piece in enumerate(pieces))
        if _MARKS.search(text):
            raise TemplateError("a URL takes {{ … }} and nothing else of a template; each must be closed with }}")
        path, question, query = text.partition("#")[0].partition("?")
        self._path = [self._compile(part, expressions) for part in path.split("/")]
        self._query = self._compile(query, expressions)
        self._question = question

    @staticmethod
    def _compile(text: str, expressions: list[str]) -> Template | str:
        """Return a part with expressions as a template, and one without as it is sent."""
        pieces = text.split("\0")
        if len(pieces) == 1:
            return as_sent(text)
        *pieces, last = pieces
        source = "".join(
            _before_value(piece) if number % 2 == 0 else expressions[int(piece)] for number, piece in enumerate(pieces)
        )
        return Template(source + as_sent(last), known=NAMES, is_quoted=True)

    def fill(self, fields: Mapping[str, Any], work: Work | None = None) -> str:
        """Return path and query for these variables. Raises `TemplateError` for a value that would change the structure of the path.

        `work` counts the work of all parts together.
        """
        work = Work() if work is None else work
        parts = []
        for part in self._path:
            filled = part if isinstance(part, str) else part.render(fields, work)
            if not isinstance(part, str) and _is_dots(filled):
                raise TemplateError(
                    "a part of the URL's path would be empty, or dots alone; a default helps: {{ post.author.handle or 'unknown' }}"
                )
            parts.append(filled)
        query = self._query if isinstance(self._query, str) else self._query.render(fields, work)
        target = "/".join(parts) + self._question + query
        if len(target) > MAX_TARGET:
            raise TemplateError(f"the URL becomes longer than {MAX_TARGET} characters")
        return target if target.startswith("/") else f"/{target}"


def _is_dots(segment: str) -> bool:
    """Return whether a segment of a path is empty, `.` or `..`, also with a dot as `%2e` (WHATWG URL 4.1) or before parameters (`..;v=1`)."""
    return segment.lower().replace("%2e", ".").partition(";")[0] in {"", ".", ".."}


def _before_value(text: str) -> str:
    """Return a fixed part as it is sent. A % at its end is encoded, so that it forms no escape with the value that follows."""
    return _OPEN_PERCENT.sub("%25", as_sent(text))
