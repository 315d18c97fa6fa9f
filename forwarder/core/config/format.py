"""What a destination makes of an event: `format:`, as a word or as a mapping, and the checks of templates."""

import re
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PlainValidator, ValidationInfo, field_validator, model_validator

from forwarder.core.config.fields import FilePath, Section, Switch, choice
from forwarder.core.config.problems import did_you_mean
from forwarder.core.config.scalars import WrongValueError, parse_int, parse_webhook_url, show, text_of
from forwarder.core.config.secret import Secret
from forwarder.core.tree import Expanded
from forwarder.core.url import NotAUrlError, UrlError, fixed_part, is_url_template, read_url

if TYPE_CHECKING:  # it brings Jinja2
    from forwarder.core.url_template import UrlTemplate

FORMATS = ("raw", "discord", "slack", "telegram", "template")
_KEYS: dict[str, tuple[str, ...]] = {
    "discord": ("username", "avatar_url", "thread_id"),
    "telegram": ("chat_id", "topic", "silent", "link_preview"),
    "template": ("body", "body_file", "content_type"),
}
"""The keys that belong to one format alone."""
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def _one_line(value: object, *, what: str, longest: int) -> str:
    text = text_of(value, what)
    if not text or not text.isprintable() or len(text) > longest:
        raise WrongValueError(f"expected {what} of 1 to {longest} characters on one line")
    return str(text)


def _parse_username(value: object) -> str:
    text = _one_line(value, what="a name", longest=80)
    for word in ("discord", "clyde"):
        if word in text.lower():
            raise WrongValueError(f'Discord allows no name with "{word}" in it')
    return text


def _parse_picture(value: object) -> str:
    text = _one_line(value, what="the address of a picture, https://…,", longest=2_000)
    try:
        read_url(text, "https", "http")
    except NotAUrlError:
        raise WrongValueError("expected the address of a picture, https://…") from None
    except UrlError as error:
        raise WrongValueError(f"expected the address of a picture, https://…; {error}") from None
    return text


def _parse_id(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(value, "an id, all digits")
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise WrongValueError(f"{show(text)} is no id; it has digits only")
    return str(text)


def _parse_chat(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(value, "a chat")
    number, name = text.removeprefix("-"), text.removeprefix("@")
    is_number = number.isascii() and number.isdigit() and len(number) <= 18
    is_name = text.startswith("@") and name.isascii() and name.isidentifier() and len(name) <= 32
    if not (is_number or is_name):
        raise WrongValueError(
            f"{show(text)} is no chat; write its number (-100… for channels) or @name of a public one"
        )
    return str(text)


def _parse_content_type(value: object) -> str:
    text = _one_line(value, what="a content type such as application/json", longest=200)
    if "/" not in text or not text.isascii():
        raise WrongValueError(f"{show(text)} is no content type; write one such as application/json or text/plain")
    return text


def _parse_body(value: object) -> str:
    return str(text_of(value, "the template")) if not isinstance(value, Expanded) else value


class FormatConfig(Section):
    """How an event is put. `raw` is the event as it came; the others make messages."""

    type: Annotated[Literal["raw", "discord", "slack", "telegram", "template"], choice(*FORMATS)] = Field(
        default="raw", description="raw, discord, slack, telegram or template."
    )
    username: Annotated[str, PlainValidator(_parse_username, json_schema_input_type=str)] | None = Field(
        default=None, description="discord: the name that messages come under, in place of the webhook's own."
    )
    avatar_url: Annotated[str, PlainValidator(_parse_picture, json_schema_input_type=str)] | None = Field(
        default=None, description="discord: the picture beside it."
    )
    thread_id: Annotated[str, PlainValidator(_parse_id, json_schema_input_type=str)] | None = Field(
        default=None, description="discord: the thread to post in."
    )
    chat_id: Annotated[str, PlainValidator(_parse_chat, json_schema_input_type=str)] | None = Field(
        default=None, description="telegram: the chat, a number or @name; or ?chat_id= in the URL."
    )
    topic: (
        Annotated[int, PlainValidator(partial(parse_int, low=1, high=2**31 - 1), json_schema_input_type=int)] | None
    ) = Field(default=None, description="telegram: the topic of a forum (message_thread_id).")
    silent: Switch = Field(default=False, description="telegram: true sends without a sound.")
    link_preview: Annotated[Literal["media", "on", "off"], choice("media", "on", "off")] = Field(
        default="media",
        description="telegram: media shows pictures of the post, on also links of its text, off nothing.",
    )
    content_type: Annotated[str, PlainValidator(_parse_content_type, json_schema_input_type=str)] = Field(
        default="application/json", description="template: what the body is; JSON is checked to be JSON."
    )
    body: Annotated[str, PlainValidator(_parse_body, json_schema_input_type=str)] | None = Field(
        default=None, repr=False, description="template: a Jinja2 template of the body; or name a file in body_file."
    )
    body_file: FilePath | None = Field(default=None, description="template: a file that holds the template.")

    short_form: ClassVar[dict[str, Any] | None] = {"enum": list(FORMATS), "description": "The name of a format."}

    @model_validator(mode="before")
    @classmethod
    def _from_a_word(cls, data: object) -> object:
        if not isinstance(data, str):
            return data
        if data in FORMATS:
            return {"type": data}
        names = ", ".join(FORMATS)
        hint = did_you_mean(data, FORMATS) if not isinstance(data, Expanded) else ""
        raise WrongValueError(f"expected {names} or a mapping with type: …, got {show(data)}{hint}")

    @field_validator("body", mode="after")
    @classmethod
    def _body_works(cls, body: str | None, info: ValidationInfo) -> str | None:
        if body is not None and info.data.get("type") == "template" and "content_type" in info.data:
            _check_body(body, info.data["content_type"])
        return body

    @model_validator(mode="after")
    def _keys_belong(self) -> Self:
        for owner, keys in _KEYS.items():
            for key in keys:
                if key in self.model_fields_set and owner != self.type:
                    raise WrongValueError(f'the key "{key}" belongs to type: {owner}, not to {self.type}')
        if self.type == "template" and self.body is None:
            raise WrongValueError('the key "body" (or "body_file") is missing: the template')
        return self

    @property
    def is_json(self) -> bool:
        """Whether the body of a template must be JSON."""
        return is_json(self.content_type)


def is_json(content_type: str) -> bool:
    """Return whether a content type is JSON or made of it."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _check_body(source: str, content_type: str) -> None:
    """Try the template on the sample events. Raises `WrongValueError` with what is wrong."""
    from forwarder.core.samples import SAMPLES  # noqa: PLC0415 - with Jinja2, which only templates need
    from forwarder.core.template import Template, check_json  # noqa: PLC0415
    from forwarder.core.template_fields import NAMES, fields_of  # noqa: PLC0415
    from forwarder.core.template_filters import TemplateError  # noqa: PLC0415

    if isinstance(source, Expanded) and not source.written:
        return  # its file could not be read, which is told already
    shown = not (isinstance(source, Expanded) and "${" in source.written)
    try:
        template = Template(source, known=NAMES)
    except TemplateError as error:
        raise WrongValueError(f"not a valid template: {error}" if shown else _HIDDEN) from None
    for name, body in SAMPLES.items():
        try:
            made = template.render(fields_of(body, id_="msg_sample"))
            if is_json(content_type):
                check_json(made)
        except TemplateError as error:
            raise WrongValueError(f"with a sample event of {name}: {error}" if shown else _HIDDEN) from None


_HIDDEN = "not a valid template with what its variables hold (which is not shown)"


def parse_destination_url(value: object) -> Secret:
    """Return the URL of a destination, which may have `{{ … }}` in its path and query."""
    text = text_of(value, "a URL such as https://example.com/hook")
    if is_url_template(text):
        written = value.written if isinstance(value, Expanded) else text
        try:
            template = _compile_url(text)
            parse_webhook_url(fixed_part(text))
            _try_url(template)
        except _TemplateValueError as error:
            if _EXPRESSION.findall(text) == _EXPRESSION.findall(written):
                raise WrongValueError(str(error)) from None
            raise WrongValueError(
                "what stands in {{ … }} cannot be used (it is not shown: a webhook's URL is a secret)"
            ) from None
        return Secret(str(text))
    return parse_webhook_url(value)


class _TemplateValueError(ValueError):
    """What stands in `{{ … }}` of a URL cannot be used; the text may show it."""


def _compile_url(url: str) -> "UrlTemplate":
    """Return the template that a URL with `{{ … }}` is. Raises `_TemplateValueError`."""
    from forwarder.core.template_filters import TemplateError  # noqa: PLC0415
    from forwarder.core.url_template import UrlTemplate, split_url  # noqa: PLC0415

    try:
        return UrlTemplate(split_url(url)[1])
    except TemplateError as error:
        raise _TemplateValueError(str(error)) from None


def _try_url(template: "UrlTemplate") -> None:
    """Fill a URL for the sample events. Raises `_TemplateValueError`."""
    from forwarder.core.samples import SAMPLES  # noqa: PLC0415
    from forwarder.core.template_fields import fields_of  # noqa: PLC0415
    from forwarder.core.template_filters import TemplateError  # noqa: PLC0415

    for name, body in SAMPLES.items():
        try:
            template.fill(fields_of(body, id_="msg_sample"))
        except TemplateError as error:
            raise _TemplateValueError(f"with a sample event of {name}: {error}") from None
