"""`auth`, `tls`, `proxy` and `socket` of a destination, `tls` and `proxy` of a stream, and `networks` of the config.

Keys that exclude each other are reported here too. That works on the tree, where each key still has its place.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Self, TypeGuard

from pydantic import Field, model_validator

from forwarder.core.config.values.headers import parse_header_value
from forwarder.core.config.values.pem import Pem
from forwarder.core.config.values.scalars import WrongValueError, is_null, show, text_of
from forwarder.core.config.values.secret import Secret
from forwarder.core.config.values.section import FilePath, Section, Switch, left_out, one_or_more, scalar
from forwarder.core.destinations.networks import PRIVATE, Named, Networks, read_networks
from forwarder.core.destinations.transport import Proxy, Tls
from forwarder.core.url import UrlError, has_user, read_host, read_url, server_name_of
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.problems import did_you_mean
from forwarder.core.yaml.tree import Expanded, Path, Scalar, Tree
from forwarder.core.yaml.words import known_word

TRANSPORTS = ("websocket", "sse", "public")
"""The transports of a stream."""
_MAX_SOCKET_BYTES = 107
"""The longest path of a Unix socket on Linux."""


def parse_user_name(value: object) -> str:
    """Return a user name for basic authentication. It has no colon, which would end it (RFC 7617)."""
    text = parse_header_value(value).reveal()
    if not text or ":" in text:
        raise WrongValueError(
            "the user name is empty or contains a colon, which basic authentication does not allow (it is not shown)"
        )
    return text


def parse_bearer(value: object) -> Secret:
    """Return a token for `Authorization: Bearer …`."""
    text = text_of(value, "the token, for example ${BOT_TOKEN}")
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise WrongValueError(
            "the token is empty, or contains a space or a character that is not allowed in a header (it is not shown); "
            'write it without "Bearer", which is added'
        )
    return Secret(text)


def parse_server_name(value: object) -> str:
    """Return the host name for a TLS handshake."""
    text = text_of(value, "a host name such as bot.example.com")
    try:
        return server_name_of(read_host(text))
    except UrlError:
        raise WrongValueError(f"expected a host name such as bot.example.com, got {show(value)}") from None


def parse_proxy(value: object) -> Proxy:
    """Return the proxy that a URL names. No message shows the URL, because it may contain a password."""
    text = text_of(value, "a URL such as http://proxy.example.com:3128")
    expected = "expected a proxy as http://host:port or http://user:password@host:port (it is not shown)"
    if text.partition("://")[0].lower() in {"https", "socks4", "socks5", "socks5h"}:
        raise WrongValueError(
            "only http:// proxies are supported, such as http://host:port; they also work for https:// receivers"
        )
    try:
        url = read_url(text, "http")
    except UrlError as error:
        raise WrongValueError(f"{expected}; {error}") from None
    if url.raw_path != "/" or url.raw_query_string or url.raw_fragment:
        raise WrongValueError(expected)
    user, password = url.user or "", url.password or ""
    pair = b64encode(f"{user}:{password}".encode()).decode() if user or password else None
    return Proxy(
        host=url.raw_host or "",
        port=url.port or 80,
        authorization=pair and f"Basic {pair}",
        is_literal=Secret(text).is_literal,
    )


def parse_socket_path(value: object) -> str:
    """Return the path of a Unix socket to connect to."""
    text = text_of(value, "the path of a Unix socket such as /run/bot.sock")
    if not text.startswith("/") or not text.isprintable() or len(text.encode()) > _MAX_SOCKET_BYTES:
        raise WrongValueError(
            f"expected the absolute path of a Unix socket such as /run/bot.sock, {_MAX_SOCKET_BYTES} bytes at most, got {show(value)}"
        )
    return str(text)


def parse_networks(value: object) -> Named:
    """Return a network for `deny` or `allow`."""
    text = text_of(value, "private, an address or a network such as 10.0.0.0/8")
    try:
        return read_networks(text)
    except ValueError as error:
        if "host bits set" in str(error):
            raise WrongValueError(
                f"{show(value)} is an address with the length of a network; write the address alone, or the network with its host bits zero"
            ) from None
        hint = "" if isinstance(value, Expanded) else did_you_mean(text, [PRIVATE])
        raise WrongValueError(
            f"expected private, an address or a network such as 10.0.0.0/8, got {show(value)}{hint}"
        ) from None


Listed = Annotated[
    list[Annotated[Named, scalar(parse_networks, "network")]],
    one_or_more("network"),
]


class BasicConfig(Section):
    """The user name and the password for basic authentication (RFC 7617)."""

    username: Annotated[str, scalar(parse_user_name, "text")] = Field(
        description="The user name. It must not contain a colon.", repr=False
    )
    password: Annotated[Secret, scalar(parse_header_value, "text")] = Field(
        description="The password. A secret. password_file reads it from a file.", examples=["${BOT_PASSWORD}"]
    )
    password_file: FilePath | None = Field(
        default=None, description="A file that contains the password and nothing else. Replaces password."
    )


class AuthConfig(Section):
    """The header Authorization: either a user name and a password, or a token."""

    basic: BasicConfig | None = Field(
        default=None,
        description="Basic authentication with a user name and a password.",
        examples=[{"username": "bot", "password": "${BOT_PASSWORD}"}],
    )
    bearer: Annotated[Secret, scalar(parse_bearer, "text")] | None = Field(
        default=None,
        description="The token for Authorization: Bearer …. A secret. bearer_file reads it from a file.",
        examples=["${BOT_TOKEN}"],
    )
    bearer_file: FilePath | None = Field(
        default=None, description="A file that contains the token and nothing else. Replaces bearer."
    )

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
    """How an https:// receiver or a wss:// stream is verified, and which client certificate it gets."""

    ca: Pem | None = Field(
        default=None,
        description="The CA certificates to trust, as PEM text. ca_file reads them from a file.",
        json_schema_extra=left_out("the CAs of the system"),
    )
    ca_file: FilePath | None = Field(
        default=None, description="A PEM file with the CA certificates to trust. Replaces ca."
    )
    cert: Pem | None = Field(
        default=None, description="The client certificate with its chain, as PEM text. cert_file reads it from a file."
    )
    cert_file: FilePath | None = Field(
        default=None, description="A PEM file with the client certificate and its chain. Replaces cert."
    )
    key: Pem | None = Field(
        default=None,
        description="The private key of the client certificate, as PEM text, not encrypted. key_file reads it from a file.",
        json_schema_extra=left_out("the key in cert"),
    )
    key_file: FilePath | None = Field(
        default=None,
        description="A PEM file with the private key of the client certificate, not encrypted. Replaces key.",
    )
    verify: Switch = Field(
        default=True,
        description="false accepts any certificate: anyone on the network path can then read and answer the requests.",
    )
    server_name: Annotated[str, scalar(parse_server_name, "host name")] | None = Field(
        default=None,
        description="The host name that the certificate must be for.",
        json_schema_extra=left_out("the host of the URL"),
        examples=["bot.example.com"],
    )

    @property
    def value(self) -> Tls:
        """The settings as a value, without the names of files."""
        return Tls(
            ca=self.ca.reveal() if self.ca is not None else None,
            cert=self.cert.reveal() if self.cert is not None else None,
            key=self.key.reveal() if self.key is not None else None,
            is_verified=self.verify,
            server_name=self.server_name,
        )


class NetworksConfig(Section):
    """Which addresses destinations must not have. Addresses of cloud metadata services are always denied."""

    deny: Listed = Field(
        default=[],
        description="Addresses that are denied: private (everything but the public internet), addresses, or networks.",
        examples=[["private", "203.0.113.0/24"]],
    )
    allow: Listed = Field(
        default=[],
        description="Addresses that are allowed although deny contains them.",
        examples=[["10.1.2.3", "192.168.0.0/16"]],
    )

    @property
    def value(self) -> Networks:
        """The settings as a value that checks an address."""
        return Networks(deny=tuple(self.deny), allow=tuple(self.allow))


ProxyUrl = Annotated[Proxy, scalar(parse_proxy, "URL")]
SocketPath = Annotated[str, scalar(parse_socket_path, "absolute path")]


def check_transport(destination: Mapping[str, Tree], path: Path, findings: Findings) -> None:
    """Report keys of a destination's transport that exclude each other."""
    url = destination.get("url")
    written = str(url) if isinstance(url, Scalar) else ""
    headers = destination.get("headers")
    if is_given(destination, "auth"):
        if isinstance(headers, dict) and any(name.lower() == "authorization" for name in headers):
            findings.add_at_key(
                (*path, "headers" if findings.is_default((*path, "headers")) else "auth"),
                "auth sets the header Authorization, which is also in headers; remove one of them",
            )
        if has_user(written):
            findings.add_at_key((*path, "auth"), "the URL also contains a user name or a password; remove one of them")
    if is_given(destination, "socket") and is_given(destination, "proxy"):
        key = "proxy" if findings.is_default((*path, "proxy")) else "socket"
        findings.add_at_key((*path, key), "a Unix socket cannot be reached through a proxy; remove socket or proxy")
    _check_tls(destination, path, findings, scheme=written.partition("://")[0].lower())


def check_stream_transport(stream: Mapping[str, Tree], path: Path, findings: Findings) -> None:
    """Report keys of a stream's transport that do not fit its URL, or the public stream; and a key that is missing."""
    _check_key(stream, path, findings)
    url = stream.get("url")
    scheme = str(url).partition("://")[0].lower() if isinstance(url, Scalar) else ""
    if scheme == "ws" and is_given(stream, "proxy"):
        findings.add_at_key(
            (*path, "proxy"),
            "a WebSocket goes through a proxy only with TLS: url must begin with wss://, not with ws://",
        )
    _check_tls(stream, path, findings, scheme=scheme)


def _check_key(stream: Mapping[str, Tree], path: Path, findings: Findings) -> None:
    transport = stream.get("transport")
    if isinstance(transport, Scalar) and not is_null(transport) and known_word(transport, TRANSPORTS) is None:
        return  # it is misspelt, so nobody knows which keys it has
    if not is_public(stream):
        if "api_key" in stream and not is_given(stream, "api_key"):
            findings.add((*path, "api_key"), "the value is missing")
        elif "api_key" not in stream:
            findings.add(
                (*path, "api_key"),
                'the key "api_key" (or "api_key_file") is missing; without a key there is only transport: public, '
                "whose events are cut after 100 characters",
            )
        return
    for key in ("api_key", "api_key_file"):
        if is_given(stream, key) and findings.has((*path, key)):
            findings.add_at_key(
                (*path, key),
                f"the public stream needs no key and is sent none; remove {key}, or write transport: websocket or sse",
            )
    if is_given(stream, "gap_repair") and str(stream["gap_repair"]).lower() != "false":
        findings.add_at_key(
            (*path, "gap_repair"), "the public stream has no history to repair gaps from; remove gap_repair"
        )


def is_public(stream: object) -> TypeGuard[dict[str, Tree]]:
    """Return whether a mapping in `streams` is of the public stream."""
    transport = stream.get("transport") if isinstance(stream, dict) else None
    return isinstance(transport, Scalar) and known_word(transport, TRANSPORTS) == "public"


def _check_tls(section: Mapping[str, Tree], path: Path, findings: Findings, *, scheme: str) -> None:
    tls = section.get("tls")
    if not isinstance(tls, dict):
        return
    if (secure := {"http": "https", "ws": "wss"}.get(scheme)) is not None:
        findings.add_at_key(
            (*path, "tls"), f"tls needs a URL that begins with {secure}://; this one begins with {scheme}://"
        )
    if is_given(tls, "key") and not is_given(tls, "cert"):
        findings.add_at_key((*path, "tls", "key"), "a private key needs its certificate; add cert_file")


def is_given(section: Mapping[str, Tree], key: str) -> bool:
    """Return whether the section has the key with a value."""
    return key in section and not is_null(section[key])
