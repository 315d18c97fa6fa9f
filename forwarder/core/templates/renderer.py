"""Renders the templates of one part of a request: a body, a URL or headers."""

import re
from collections.abc import Mapping
from typing import Any

from forwarder.core.templates.budget import TooCostlyError, Work
from forwarder.core.templates.fields import NAMES
from forwarder.core.templates.filters import TemplateError
from forwarder.core.templates.job import Templates
from forwarder.core.templates.sandbox import Template, check_json
from forwarder.core.templates.url import UrlTemplate

MAX_HEADER = 4_000
"""The longest rendered value of a header, in characters; many servers accept 8 KiB for all headers together."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Characters that no value of a header may have (RFC 9110, 5.5), but for line breaks. A tab is allowed."""


class TemplateRenderer:
    """Compiled templates of one part of a request."""

    def __init__(self, templates: Templates) -> None:
        """Compile the templates. Raises `TemplateError`."""
        self._part = templates.part
        self._compiled: list[tuple[str, Template | UrlTemplate]] = []
        for place, source in templates.sources.items():
            try:
                compiled = UrlTemplate(source) if self._part == "url" else Template(source, known=NAMES)
            except TemplateError as error:
                raise TemplateError(f"{place}: {error}") from None
            self._compiled.append((place, compiled))

    def render(self, fields: Mapping[str, Any], work: Work | None = None) -> list[str]:
        """Return a text for each template, which UTF-8 can encode. Raises `TemplateError`, which names the place.

        `work` counts the work of all of them; if they exceed it, the error is a `TooCostlyError`.
        """
        work = Work() if work is None else work
        texts = []
        for place, template in self._compiled:
            try:
                texts.append(self._render(template, fields, work))
            except TooCostlyError as error:
                raise TooCostlyError(f"{place}, {error.place}" if error.place else f"{place}: ") from None
            except TemplateError as error:
                raise TemplateError(self._placed(place, str(error))) from None
        return texts

    def _placed(self, place: str, said: str) -> str:
        if said.startswith("line "):
            return f"{place}, {said}"
        return said if self._part in {"json", "text"} else f"{place}: {said}"  # a destination has one body

    def _render(self, template: Template | UrlTemplate, fields: Mapping[str, Any], work: Work) -> str:
        if isinstance(template, UrlTemplate):
            return template.fill(fields, work)
        text = template.render(fields, work).encode("utf-8", "replace").decode()
        if self._part == "json":
            work.add(len(text))
            check_json(text)
        return header_value(text) if self._part == "headers" else text


def header_value(text: str) -> str:
    """Return a rendered text as the value of a header, without the spaces around it. Raises `TemplateError`."""
    if "\n" in text or "\r" in text:
        raise TemplateError(
            "the value has a line break, which no header can have; {{ post.text.split() | join(' ') }} puts a text on one line"
        )
    if _CONTROL.search(text):
        raise TemplateError("the value has a control character, which no header can have")
    if len(text) > MAX_HEADER:
        raise TemplateError(f"the value has {len(text)} characters; {MAX_HEADER} are allowed, and truncate cuts a text")
    return text.strip(" \t")
