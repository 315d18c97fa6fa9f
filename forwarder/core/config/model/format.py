"""`format` of a destination: the format of its requests, and the checks of templates."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from forwarder.core.config.values.headers import is_header_template, parse_header_value
from forwarder.core.config.values.scalars import WrongValueError, show, text_of
from forwarder.core.config.values.secret import Secret
from forwarder.core.config.values.section import FilePath, Section, Switch, choice, left_out, scalar, whole_number
from forwarder.core.config.values.urls import parse_webhook_url
from forwarder.core.url import UrlError, fixed_part, is_url_template, read_url
from forwarder.core.yaml.problems import did_you_mean
from forwarder.core.yaml.tree import Expanded
from forwarder.core.yaml.words import known_word

if TYPE_CHECKING:  # it brings Jinja2
    from forwarder.core.templates.url import UrlTemplate

FORMATS = ("raw", "text", "discord", "slack", "telegram", "template")
_KEYS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("discord",): ("username", "avatar_url", "thread_id", "thread_name"),
    ("telegram",): ("chat_id", "topic", "silent", "link_preview"),
    ("discord", "slack", "telegram"): ("pictures",),
    ("template",): ("body", "body_file", "content_type"),
}
"""The keys that only some formats have."""
_RESERVED_NAMES = frozenset({"everyone", "here"})
_RESERVED_WORDS = ("discord", "clyde", "```")
"""What Discord refuses as the name of a webhook, and within it (docs: resources/webhook, resources/user#usernames-and-nicknames)."""
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def _one_line(value: object, *, what: str, longest: int) -> str:
    text = text_of(value, what)
    if not text or not text.isprintable() or len(text) > longest:
        raise WrongValueError(f"expected {what} of 1 to {longest} characters, without line breaks")
    return str(text)


def _parse_username(value: object) -> str:
    text = _one_line(value, what="a name", longest=80)
    name = text.strip().lower()
    if not name:
        raise WrongValueError("expected a name of 1 to 80 characters, not only spaces")
    if name in _RESERVED_NAMES:
        raise WrongValueError(f'Discord does not allow "{name}" as a name')
    for word in _RESERVED_WORDS:
        if word in name:
            raise WrongValueError(f'Discord does not allow "{word}" in a name')
    return text


def _parse_thread_name(value: object) -> str:
    text = _one_line(value, what="a name", longest=100)
    if not text.strip():
        raise WrongValueError("expected a name of 1 to 100 characters, not only spaces")
    return text


def _parse_picture(value: object) -> str:
    text = _one_line(value, what="the address of a picture, https://…,", longest=2_000)
    try:
        read_url(text, "https", "http")
    except UrlError as error:
        raise WrongValueError(f"expected the address of a picture, https://…; {error}") from None
    return text


def _parse_id(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(value, "an id, all digits")
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise WrongValueError(f"{show(text)} is not an id; an id consists of digits")
    return str(text)


def _parse_chat(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(value, "a chat")
    number, name = text.removeprefix("-"), text.removeprefix("@")
    is_number = number.isascii() and number.isdigit() and len(number) <= 18
    is_name = text.startswith("@") and name.isascii() and name.isidentifier() and len(name) <= 32
    if not (is_number or is_name):
        raise WrongValueError(
            f"{show(text)} is not a chat; write its number (-100… for a channel), or @name for a public chat"
        )
    return str(text)


def _parse_content_type(value: object) -> str:
    text = _one_line(value, what="a content type such as application/json", longest=200)
    if "/" not in text or not text.isascii():
        raise WrongValueError(f"{show(text)} is not a content type; write one such as application/json or text/plain")
    return text


def _parse_body(value: object) -> str:
    return str(text_of(value, "the template")) if not isinstance(value, Expanded) else value


class FormatConfig(Section):
    """The format of the request body: the event as it came, a message for a service, or a template."""

    type: Annotated[Literal["raw", "text", "discord", "slack", "telegram", "template"], choice(*FORMATS)] = Field(
        default="raw",
        description="raw sends the event as it came, text a plain text. discord, slack and telegram send a message. template sends your own body.",
    )
    username: Annotated[str, scalar(_parse_username, "text")] | None = Field(
        default=None,
        description="discord: the name that messages are shown under, up to 80 characters.",
        json_schema_extra=left_out("the name of the webhook"),
    )
    avatar_url: Annotated[str, scalar(_parse_picture, "URL")] | None = Field(
        default=None,
        description="discord: the picture that messages are shown with, https://….",
        json_schema_extra=left_out("the picture of the webhook"),
    )
    thread_id: Annotated[str, scalar(_parse_id, "digits")] | None = Field(
        default=None, description="discord: the id of the thread to post in.", json_schema_extra=left_out("no thread")
    )
    thread_name: Annotated[str, scalar(_parse_thread_name, "text")] | None = Field(
        default=None,
        description="discord, in a forum: the name of the post that each message becomes, up to 100 characters.",
        json_schema_extra=left_out("no forum"),
    )
    chat_id: Annotated[str, scalar(_parse_chat, "number or @name")] | None = Field(
        default=None,
        description="telegram: the chat, as a number or as the @name of a public chat.",
        json_schema_extra=left_out("?chat_id= in the URL"),
    )
    topic: Annotated[int, whole_number(1, 2**31 - 1)] | None = Field(
        default=None,
        description="telegram: the topic of a forum to post in (message_thread_id).",
        json_schema_extra=left_out("the main topic"),
    )
    silent: Switch = Field(default=False, description="telegram: true sends messages without a sound.")
    link_preview: Annotated[Literal["media", "on", "off"], choice("media", "on", "off")] = Field(
        default="media",
        description="telegram: media shows pictures and videos of the post, on also previews links in its text, off shows neither.",
    )
    pictures: Switch = Field(
        default=True,
        description="discord, slack, telegram: false sends messages without pictures: those of the post, and that of its author.",
    )
    content_type: Annotated[str, scalar(_parse_content_type, "content type")] = Field(
        default="application/json",
        description="template: the content type of the body. A JSON type also checks that the body is valid JSON.",
    )
    body: Annotated[str, scalar(_parse_body, "Jinja2 template")] | None = Field(
        default=None,
        repr=False,
        description="template: the Jinja2 template of the body. Required for type: template, unless body_file is given.",
    )
    body_file: FilePath | None = Field(
        default=None, description="template: a file that contains the template. Replaces body."
    )

    short_form: ClassVar[dict[str, Any] | None] = {"enum": list(FORMATS), "description": "The name of a format."}

    @model_validator(mode="before")
    @classmethod
    def _from_a_word(cls, data: object) -> object:
        if not isinstance(data, str):
            return data
        if (word := known_word(data, FORMATS)) is not None:
            return {"type": word}
        names = ", ".join(FORMATS)
        hint = did_you_mean(data, FORMATS) if not isinstance(data, Expanded) else ""
        raise WrongValueError(f"expected {names}, or a mapping with type: …, got {show(data)}{hint}")

    @field_validator("body", mode="after")
    @classmethod
    def _body_works(cls, body: str | None, info: ValidationInfo) -> str | None:
        if body is not None and info.data.get("type") == "template" and "content_type" in info.data:
            _check_body(body, info.data["content_type"])
        return body

    @model_validator(mode="after")
    def _keys_belong(self) -> Self:
        for owners, keys in _KEYS.items():
            for key in keys:
                if key in self.model_fields_set and self.type not in owners:
                    named = f"{', '.join(owners[:-1])} or {owners[-1]}" if len(owners) > 1 else owners[0]
                    raise WrongValueError(f'"{key}" is a key of type: {named}; this format has type: {self.type}')
        if self.thread_id is not None and self.thread_name is not None:
            raise WrongValueError(
                "thread_id and thread_name exclude each other: the first posts in a thread, the second begins one"
            )
        if self.type == "template" and self.body is None:
            raise WrongValueError('the key "body" (or "body_file") is missing; it holds the template')
        return self

    @property
    def is_json(self) -> bool:
        """Whether the rendered template must be JSON."""
        return is_json(self.content_type)


def is_json(content_type: str) -> bool:
    """Return whether a content type is JSON or based on JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _check_body(source: str, content_type: str) -> None:
    """Render the template with the sample events. Raises `WrongValueError` with what is wrong."""
    if isinstance(source, Expanded) and not source.written:
        return  # its file could not be read, which is reported already
    from forwarder.core.templates.sandbox import check_json  # it brings Jinja2, which only templates need

    _check_template(source, check_json if is_json(content_type) else None)


def parse_header(value: object) -> Secret:
    """Return the value of a header, which may be a template."""
    if not is_header_template(value):
        return parse_header_value(value)
    from forwarder.core.templates.renderer import header_value  # it brings Jinja2, which only templates need

    source = text_of(value, "a text")
    _check_template(source, header_value)
    return Secret(source, is_template=True)


def _check_template(source: str, check: Callable[[str], object] | None) -> None:
    """Render the template with the sample events, and check the results. Raises `WrongValueError` with what is wrong."""
    from forwarder.core.posts.samples import SAMPLES
    from forwarder.core.templates.fields import NAMES, fields_of
    from forwarder.core.templates.filters import TemplateError
    from forwarder.core.templates.sandbox import Template

    shown = not (isinstance(source, Expanded) and "${" in source.written)
    try:
        template = Template(source, known=NAMES)
    except TemplateError as error:
        raise WrongValueError(f"not a valid template: {error}" if shown else _HIDDEN) from None
    for name, body in SAMPLES.items():
        try:
            made = template.render(fields_of(body, id_="msg_sample"))
            if check is not None:
                check(made)
        except TemplateError as error:
            raise WrongValueError(f"with a sample event of {name}: {error}" if shown else _HIDDEN) from None


_HIDDEN = "the template is not valid with the values of its variables (which are not shown)"


def parse_destination_url(value: object) -> Secret:
    """Return the URL of a destination. Its path and query may contain `{{ … }}`."""
    text = text_of(value, "a URL such as https://example.com/hook")
    if is_url_template(text):
        written = value.written if isinstance(value, Expanded) else text
        if "://" not in text:
            parse_webhook_url(fixed_part(text))
        try:
            template = _compile_url(text)
            parse_webhook_url(fixed_part(text))
            _try_url(template)
        except _TemplateValueError as error:
            if _EXPRESSION.findall(text) == _EXPRESSION.findall(written):
                raise WrongValueError(str(error)) from None
            raise WrongValueError(
                "the text in {{ … }} is not valid (it is not shown, because the URL is a secret)"
            ) from None
        return Secret(text)
    return parse_webhook_url(value)


class _TemplateValueError(ValueError):
    """The text in `{{ … }}` of a URL is not valid. The message may show that text."""


def _compile_url(url: str) -> "UrlTemplate":
    """Return the template in a URL with `{{ … }}`. Raises `_TemplateValueError`."""
    from forwarder.core.templates.filters import TemplateError
    from forwarder.core.templates.url import UrlTemplate, split_url

    try:
        return UrlTemplate(split_url(url)[1])
    except TemplateError as error:
        raise _TemplateValueError(str(error)) from None


def _try_url(template: "UrlTemplate") -> None:
    """Render the URL with the sample events. Raises `_TemplateValueError`."""
    from forwarder.core.posts.samples import SAMPLES
    from forwarder.core.templates.fields import fields_of
    from forwarder.core.templates.filters import TemplateError

    for name, body in SAMPLES.items():
        try:
            template.fill(fields_of(body, id_="msg_sample"))
        except TemplateError as error:
            raise _TemplateValueError(f"with a sample event of {name}: {error}") from None
