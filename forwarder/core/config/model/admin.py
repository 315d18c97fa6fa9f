"""The section `admin` of the config."""

from typing import Annotated

from pydantic import Field

from forwarder.core.config.values.listen import parse_host_name, parse_listen, parse_token
from forwarder.core.config.values.pem import Pem
from forwarder.core.config.values.scalars import parse_group
from forwarder.core.config.values.secret import Secret
from forwarder.core.config.values.section import FilePath, Section, Switch, left_out, one_or_more, scalar
from forwarder.core.destinations.transport import Tls


class ServerTlsConfig(Section):
    """The certificate that the daemon shows to those who connect to it."""

    cert: Pem = Field(description="The certificate with its chain, as PEM text. cert_file reads it from a file.")
    cert_file: FilePath | None = Field(
        default=None, description="A PEM file with the certificate and its chain. Replaces cert."
    )
    key: Pem | None = Field(
        default=None,
        description="The private key of the certificate, as PEM text, not encrypted. key_file reads it from a file.",
        json_schema_extra=left_out("the key in cert"),
    )
    key_file: FilePath | None = Field(
        default=None, description="A PEM file with the private key, not encrypted. Replaces key."
    )

    @property
    def value(self) -> Tls:
        """The settings as a value, without the names of files."""
        return Tls(cert=self.cert.reveal(), key=None if self.key is None else self.key.reveal())


class AdminConfig(Section):
    """How the commands, the page and the API reach the daemon."""

    socket: FilePath | None = Field(
        default=None,
        description="The path of the control socket.",
        json_schema_extra=left_out(
            "control.sock in the runtime directory of systemd, or the path of the outbox with .sock"
        ),
        examples=["/run/forwarder/control.sock"],
    )
    group: Annotated[str, scalar(parse_group, "group name")] | None = Field(
        default=None,
        description="A group of users of this machine that may use the control socket.",
        json_schema_extra=left_out("only root and the user of the daemon"),
        examples=["ops"],
    )
    listen: Annotated[str, scalar(parse_listen, "ADDRESS:PORT")] | None = Field(
        default=None,
        description="The address of health checks, metrics, the page and the API over HTTP. Other addresses than those of the loopback interface also need a token, and tls or behind_proxy.",
        json_schema_extra=left_out("nothing listens"),
        examples=["127.0.0.1:8787"],
    )
    token: Annotated[Secret, scalar(parse_token, "text")] | None = Field(
        default=None,
        description="What a person must know to change something over HTTP; at other addresses than loopback also to read. A secret. token_file reads it from a file.",
        json_schema_extra=left_out("nothing can be changed over HTTP"),
        examples=["${FORWARDER_TOKEN}"],
    )
    token_file: FilePath | None = Field(
        default=None,
        description="A file that contains the token and nothing else. Replaces token.",
        examples=["/etc/forwarder/token"],
    )
    tls: ServerTlsConfig | None = Field(
        default=None,
        description="Answer over HTTPS, with this certificate.",
        examples=[{"cert_file": "/etc/forwarder/cert.pem", "key_file": "/etc/forwarder/key.pem"}],
    )
    behind_proxy: Switch = Field(
        default=False,
        description="true: other machines come through a reverse proxy that does TLS. Then reading needs the token, too.",
    )
    hosts: Annotated[
        list[Annotated[str, scalar(parse_host_name, "host name")]],
        one_or_more("host name"),
    ] = Field(
        default=[],
        description="The names by which others reach it, as browsers show them. Requests by other names are refused.",
        json_schema_extra=left_out("the address of listen, and the names of the loopback interface"),
        examples=[["forwarder.example.com"]],
    )
