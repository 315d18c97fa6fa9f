"""Bodies and URLs made by templates of the user. Imported only where a config has one: it brings Jinja2."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from forwarder.core.content import CannotFormatError, Content, Format
from forwarder.core.delivery import Delivery
from forwarder.core.template import Template, check_json
from forwarder.core.template_fields import NAMES, fields_of
from forwarder.core.template_filters import TemplateError
from forwarder.core.url_template import UrlTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFormat:
    """Makes the body of a delivery."""

    source: str = field(repr=False)
    content_type: str
    is_json: bool
    """The body must be JSON."""
    _template: Template = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_template", Template(self.source, known=NAMES))

    def __call__(self, delivery: Delivery) -> Content:
        """Return the request's content. Raises `CannotFormatError`."""
        try:
            text = self._template.render(fields_of(delivery.body, id_=delivery.id))
            if self.is_json:
                check_json(text)
        except TemplateError as error:
            raise CannotFormatError(str(error)) from None
        return Content(body=text.encode("utf-8", "replace"), content_type=self.content_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToFilledUrl:
    """Makes the content as another format does, for a path and query that are filled for each event."""

    format_: Format
    source: str = field(repr=False)
    """Path and query, with `{{ … }}`."""
    _template: UrlTemplate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_template", UrlTemplate(self.source))

    def __call__(self, delivery: Delivery) -> Content:
        """Return the request's content. Raises `CannotFormatError`."""
        content = self.format_(delivery)
        try:
            return replace(content, target=self._template.fill(fields_of(delivery.body, id_=delivery.id)))
        except TemplateError as error:
            raise CannotFormatError(str(error)) from None
