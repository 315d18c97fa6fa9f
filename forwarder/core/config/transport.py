"""Of a destination: who we say we are, over what, and through what. Of the whole config: where nothing may go.

What excludes each other is told here too, on the tree, where each key still has its place.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from forwarder.core.config.fields import FilePath, Section, Switch, listed
from forwarder.core.config.places import Findings
from forwarder.core.config.scalars import (
    WrongValueError,
    is_null,
    parse_header_value,
    show,
    text_of,
)
from forwarder.core.config.secret import Secret
from forwarder.core.networks import Named, Networks, read_networks
from forwarder.core.transport import Proxy, Tls
from forwarder.core.tree import Path, Scalar, Tree
from forwarder.core.url import NotAUrlError, UrlError, has_user, read_host, read_url, server_name_of

_MAX_SOCKET_BYTES = 107
"""What Linux takes as the path of a unix socket."""


def parse_user_name(value: object) -> str:
    """Return a user name for basic auth, which a colon would end (RFC 7617)."""
    text = parse_header_value(value).reveal()
    if not text or ":" in text:
        raise WrongValueError("a user name for basic auth is not empty and has no colon in it (it is not shown)")
    return text


def parse_bearer(value: object) -> Secret:
    """Return a token that goes into `Authorization: Bearer …`."""
    text = text_of(value, "the token, best as ${BOT_TOKEN}")
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise WrongValueError(
            "the token is empty, or has a space or a character in it that no header can carry (it is not shown); "
            'leave out "Bearer", it is added'
        )
    return Secret(str(text))


def parse_pem(value: object) -> Secret:
    """Return the text of a PEM file."""
    text = text_of(value, "the text of a PEM file")
    if "-----BEGIN " not in text:
        raise WrongValueError("not a PEM file: it has no line -----BEGIN …----- (it is not shown)")
    return Secret(str(text))


def parse_server_name(value: object) -> str:
    """Return a host name to ask for in a TLS handshake."""
    text = text_of(value, "a host name such as bot.example.com")
    try:
        return server_name_of(read_host(text))
    except UrlError:
        raise WrongValueError(f"expected a host name such as bot.example.com, got {show(value)}") from None


def parse_proxy(value: object) -> Proxy:
    """Return the proxy that a URL names. No message shows it: it may have a password in it."""
    text = text_of(value, "a URL such as http://proxy.example.com:3128")
    expected = "expected a proxy as http://host:port or http://user:password@host:port (it is not shown)"
    if text.partition("://")[0].lower() in {"https", "socks4", "socks5", "socks5h"}:
        raise WrongValueError(
            "only proxies of the form http://host:port are supported; https:// receivers are reached through one too"
        )
    try:
        url = read_url(text, "http")
    except NotAUrlError:
        raise WrongValueError(expected) from None
    except UrlError as error:
        raise WrongValueError(f"{expected}; {error}") from None
    if url.raw_path != "/" or url.raw_query_string or url.raw_fragment:
        raise WrongValueError(expected)
    user, password = url.user or "", url.password or ""
    pair = b64encode(f"{user}:{password}".encode()).decode() if user or password else None
    return Proxy(host=url.raw_host or "", port=url.port or 80, authorization=pair and f"Basic {pair}")


def parse_socket_path(value: object) -> str:
    """Return the path of a unix socket to connect to."""
    text = text_of(value, "the path of a unix socket such as /run/bot.sock")
    if not text.startswith("/") or not text.isprintable() or len(text.encode()) > _MAX_SOCKET_BYTES:
        raise WrongValueError(
            f"expected the absolute path of a unix socket such as /run/bot.sock, of {_MAX_SOCKET_BYTES} bytes at most, got {show(value)}"
        )
    return str(text)


def parse_networks(value: object) -> Named:
    """Return a network to deny or to allow."""
    text = text_of(value, "private, an address or a network such as 10.0.0.0/8")
    try:
        return read_networks(text)
    except ValueError as error:
        if "host bits set" in str(error):
            raise WrongValueError(
                f"{show(value)} is an address within a network; write the address alone, or the network with zeros at its end"
            ) from None
        raise WrongValueError(
            f"expected private, an address or a network such as 10.0.0.0/8, got {show(value)}"
        ) from None


Pem = Annotated[Secret, PlainValidator(parse_pem, json_schema_input_type=str)]
Listed = Annotated[
    list[Annotated[Named, PlainValidator(parse_networks, json_schema_input_type=str)]],
    BeforeValidator(listed, json_schema_input_type=str | list[str]),
]


class BasicConfig(Section):
    """A user name and a password (RFC 7617)."""

    username: Annotated[str, PlainValidator(parse_user_name, json_schema_input_type=str)] = Field(
        description="Without a colon.", repr=False
    )
    password: Annotated[Secret, PlainValidator(parse_header_value, json_schema_input_type=str)] = Field(
        description="Best as ${BOT_PASSWORD}. Or name a file in password_file."
    )
    password_file: FilePath | None = Field(
        default=None, description="A file that holds the password, and nothing else."
    )


class AuthConfig(Section):
    """What the Authorization header says: either of the two."""

    basic: BasicConfig | None = Field(default=None, description="A user name and a password.")
    bearer: Annotated[Secret, PlainValidator(parse_bearer, json_schema_input_type=str)] | None = Field(
        default=None, description="A token, best as ${BOT_TOKEN}. Or name a file in bearer_file."
    )
    bearer_file: FilePath | None = Field(default=None, description="A file that holds the token, and nothing else.")

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.basic is None) == (self.bearer is None):
            raise WrongValueError("write either basic: {username: …, password: …} or bearer: …")
        return self

    @property
    def header(self) -> Secret:
        """The value of the header."""
        if self.bearer is not None:
            return Secret(f"Bearer {self.bearer.reveal()}")
        pair = f"{self.basic.username}:{self.basic.password.reveal()}" if self.basic is not None else ""
        return Secret(f"Basic {b64encode(pair.encode()).decode()}")


class TlsConfig(Section):
    """How an https:// receiver is verified, and who we are to it."""

    ca: Pem | None = Field(default=None, description="The authorities to trust, in place of the system's; or ca_file.")
    ca_file: FilePath | None = Field(default=None, description="A PEM file of the authorities to trust.")
    cert: Pem | None = Field(default=None, description="Our certificate with its chain; or cert_file.")
    cert_file: FilePath | None = Field(default=None, description="A PEM file of our certificate with its chain.")
    key: Pem | None = Field(default=None, description="The private key of our certificate; or key_file.")
    key_file: FilePath | None = Field(default=None, description="A PEM file of its private key, not encrypted.")
    verify: Switch = Field(default=True, description="false takes any certificate: whoever is on the way can read all.")
    server_name: Annotated[str, PlainValidator(parse_server_name, json_schema_input_type=str)] | None = Field(
        default=None, description="The name that the certificate must be for, in place of the URL's host."
    )

    @property
    def value(self) -> Tls:
        """The same, without the names of files."""
        return Tls(
            ca=self.ca.reveal() if self.ca is not None else None,
            cert=self.cert.reveal() if self.cert is not None else None,
            key=self.key.reveal() if self.key is not None else None,
            is_verified=self.verify,
            server_name=self.server_name,
        )


class NetworksConfig(Section):
    """Which addresses may not be connected to. Those of cloud metadata may never."""

    deny: Listed = Field(default=[], description="private, addresses, or networks such as 10.0.0.0/8.")
    allow: Listed = Field(default=[], description="The same; what stands here is not denied by deny.")

    @property
    def value(self) -> Networks:
        """The same, to ask."""
        return Networks(deny=tuple(self.deny), allow=tuple(self.allow))


ProxyUrl = Annotated[Proxy, PlainValidator(parse_proxy, json_schema_input_type=str)]
SocketPath = Annotated[str, PlainValidator(parse_socket_path, json_schema_input_type=str)]


def check_transport(destination: Mapping[str, Tree], path: Path, findings: Findings) -> None:
    """Note what of a destination's transport excludes each other."""
    url = destination.get("url")
    written = str(url) if isinstance(url, Scalar) else ""
    headers = destination.get("headers")
    if is_given(destination, "auth"):
        if isinstance(headers, dict) and any(name.lower() == "authorization" for name in headers):
            findings.add_at_key(
                (*path, "headers" if findings.is_default((*path, "headers")) else "auth"),
                "auth sets the header Authorization, which stands in headers too; keep one of them",
            )
        if has_user(written):
            findings.add_at_key((*path, "auth"), "the URL has a user name or a password in it too; keep one of them")
    if is_given(destination, "socket") and is_given(destination, "proxy"):
        key = "proxy" if findings.is_default((*path, "proxy")) else "socket"
        findings.add_at_key((*path, key), "a unix socket is not reached through a proxy; keep one of them")
    tls = destination.get("tls")
    if not isinstance(tls, dict):
        return
    if written.partition("://")[0].lower() == "http":
        findings.add_at_key((*path, "tls"), "tls is for a URL that begins with https://; this one begins with http://")
    if is_given(tls, "key") and not is_given(tls, "cert"):
        findings.add_at_key((*path, "tls", "key"), "a key is of use with its certificate alone; name it in cert_file")


def is_given(section: Mapping[str, Tree], key: str) -> bool:
    """Return whether a key stands there with a value."""
    return key in section and not is_null(section[key])
