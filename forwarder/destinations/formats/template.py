"""Renders bodies, URLs and headers from templates of the user. Imported only if the config has one, because it loads Jinja2."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from msgspec.structs import replace

from forwarder.core.delivery import Delivery
from forwarder.core.destinations.content import (
    CannotFormatError,
    Content,
    Correctable,
    Correction,
    Format,
    RenderElsewhereError,
)
from forwarder.core.templates.budget import TooCostlyError, Work
from forwarder.core.templates.fields import fields_of
from forwarder.core.templates.filters import TemplateError
from forwarder.core.templates.job import TemplateJob, Templates
from forwarder.core.templates.renderer import TemplateRenderer

MAX_BODY_BYTES = 64 * 1024
"""The largest event that is rendered in the event loop. To read a larger one may take long."""
MAX_WORK = 256 * 1024
"""How many units of work a rendering may do in the event loop: at most a few milliseconds."""

_fields_of = lru_cache(maxsize=1)(fields_of)
"""The body, the URL and the headers of a request have the same variables."""


class _Part:
    """One part of a request, rendered from templates: here if that costs little, else in another process."""

    __slots__ = ("_renderer", "_templates")

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._renderer = TemplateRenderer(templates)

    def render(self, delivery: Delivery, resume: Callable[[Sequence[str]], Content]) -> Content:
        """Return what `resume` makes of the texts. Raises `CannotFormatError`, and `RenderElsewhereError`."""
        if len(delivery.body) <= MAX_BODY_BYTES:
            try:
                texts = self._renderer.render(_fields_of(delivery.body, id_=delivery.id), Work(MAX_WORK))
            except TooCostlyError:
                pass
            except TemplateError as error:
                raise CannotFormatError(str(error)) from None
            else:
                return resume(texts)
        job = TemplateJob(templates=self._templates, event=delivery.body, id=delivery.id)
        raise RenderElsewhereError(job, resume)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFormat:
    """Renders the body of a delivery from a template."""

    source: str = field(repr=False)
    content_type: str
    is_json: bool
    """Whether the body must be JSON."""
    _part: _Part = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        templates = Templates(part="json" if self.is_json else "text", sources={"format.body": self.source})
        object.__setattr__(self, "_part", _Part(templates))

    def __call__(self, delivery: Delivery) -> Content:
        """Return the request's content. Raises `CannotFormatError`, and `RenderElsewhereError`."""
        return self._part.render(delivery, self._content)

    def _content(self, texts: Sequence[str]) -> Content:
        return Content(body=texts[0].encode(), content_type=self.content_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToFilledUrl:
    """Wraps another format and fills path and query of the URL for each event."""

    format_: Format
    source: str = field(repr=False)
    """The path and the query, with `{{ … }}`."""
    _part: _Part = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_part", _Part(Templates(part="url", sources={"url": self.source})))

    def __call__(self, delivery: Delivery) -> Content:
        """Return the request's content. Raises `CannotFormatError`, and `RenderElsewhereError`."""
        return _changed(self.format_, delivery, lambda content: self._filled(content, delivery))

    def _filled(self, content: Content, delivery: Delivery) -> Content:
        return self._part.render(delivery, lambda texts: replace(content, target=texts[0]))

    def correction(self, status: int, answer: bytes) -> Correction | None:
        """See `Correctable`: that of the other format."""
        return _corrected(
            self.format_, status, answer, lambda format_: ToFilledUrl(format_=format_, source=self.source)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WithHeaders:
    """Wraps another format and renders headers for each event."""

    format_: Format
    headers: Mapping[str, str] = field(repr=False)
    """The templates of the values, by the names."""
    _part: _Part = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sources = {f"headers.{name}": source for name, source in self.headers.items()}
        object.__setattr__(self, "_part", _Part(Templates(part="headers", sources=sources)))

    def __call__(self, delivery: Delivery) -> Content:
        """Return the request's content. Raises `CannotFormatError`, and `RenderElsewhereError`."""
        return _changed(self.format_, delivery, lambda content: self._with_headers(content, delivery))

    def _with_headers(self, content: Content, delivery: Delivery) -> Content:
        return self._part.render(
            delivery,
            lambda texts: replace(content, headers={**content.headers, **dict(zip(self.headers, texts, strict=True))}),
        )

    def correction(self, status: int, answer: bytes) -> Correction | None:
        """See `Correctable`: that of the other format."""
        return _corrected(
            self.format_, status, answer, lambda format_: WithHeaders(format_=format_, headers=self.headers)
        )


def _changed(format_: Format, delivery: Delivery, change: Callable[[Content], Content]) -> Content:
    try:
        content = format_(delivery)
    except RenderElsewhereError as error:
        raise error.then(change) from None
    return change(content)


def _corrected(format_: Format, status: int, answer: bytes, wrap: Callable[[Format], Format]) -> Correction | None:
    found = format_.correction(status, answer) if isinstance(format_, Correctable) else None
    return None if found is None else replace(found, format_=wrap(found.format_))
