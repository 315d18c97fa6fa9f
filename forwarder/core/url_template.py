"""URLs with `{{ … }}` in their path or query: each value is percent-encoded and stays within its segment or parameter.

Scheme, host and port are never part of a template: an event must not choose who gets it.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from forwarder.core.template import Template
from forwarder.core.template_fields import NAMES
from forwarder.core.template_filters import TemplateError

MAX_TARGET = 8_000
"""Characters of a filled path and query; many servers take no more."""

_SPLIT = re.compile(r"(\{\{.*?\}\})", re.DOTALL)
_MARKS = re.compile(r"\{\{|\}\}|\{%|\{#")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SAFE = "!$%&'()*+,:;=?@~/-._"


def split_url(url: str) -> tuple[str, str]:
    """Return scheme, host and port of a URL, and what follows them without a fragment. Raises `TemplateError`."""
    scheme, separator, rest = url.partition("://")
    end = next((at for at, mark in enumerate(rest) if mark in "/?#"), len(rest))
    if not separator or _MARKS.search(scheme) or _MARKS.search(rest[:end]):
        raise TemplateError("{{ … }} may stand in the path and the query of a URL, not in its scheme, host or port")
    return f"{scheme}://{rest[:end]}", rest[end:]


class UrlTemplate:
    """Path and query of a URL, to be filled for each event."""

    def __init__(self, target: str) -> None:
        """Compile what follows the host. Raises `TemplateError` with a sentence for the user."""
        if "\0" in target:
            raise TemplateError("a URL has no control characters in it")
        pieces = _SPLIT.split(target)
        # The expressions stand aside while the text is cut at its marks: an expression may hold the same ones.
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
        """Return a part with expressions as a template, one without as it is to be sent."""
        pieces = text.split("\0")
        if len(pieces) == 1:
            return _quoted(text)
        source = "".join(
            _quoted(piece) if number % 2 == 0 else expressions[int(piece)] for number, piece in enumerate(pieces)
        )
        return Template(source, known=NAMES, is_quoted=True)

    def fill(self, fields: Mapping[str, Any]) -> str:
        """Return path and query for these variables. Raises `TemplateError` for a value that would change the path itself."""
        parts = []
        for part in self._path:
            filled = part if isinstance(part, str) else part.render(fields)
            if not isinstance(part, str) and filled.replace("%2E", ".") in {"", ".", ".."}:
                raise TemplateError(
                    "a part of the URL's path would be empty, or dots alone; a default helps: {{ post.author.handle or 'unknown' }}"
                )
            parts.append(filled)
        query = self._query if isinstance(self._query, str) else self._query.render(fields)
        target = "/".join(parts) + self._question + query
        if len(target) > MAX_TARGET:
            raise TemplateError(f"the URL becomes longer than {MAX_TARGET} characters")
        return target if target.startswith("/") else f"/{target}"


def _quoted(text: str) -> str:
    """Return a fixed part as it is sent. A % that is no escape is one of the text, and must not become one with what follows it."""
    return _LONE_PERCENT.sub("%25", quote(text.encode("utf-8", "replace"), safe=_SAFE))
