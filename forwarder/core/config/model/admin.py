"""The section `admin` of the config."""

from typing import Annotated

from pydantic import Field

from forwarder.core.config.values.listen import parse_listen
from forwarder.core.config.values.scalars import parse_group
from forwarder.core.config.values.section import FilePath, Section, left_out, scalar


class AdminConfig(Section):
    """How the commands and the health checks on this machine reach the daemon."""

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
        description="The address of health checks and metrics over HTTP. It must be one of the loopback interface.",
        json_schema_extra=left_out("nothing listens"),
        examples=["127.0.0.1:8787"],
    )
