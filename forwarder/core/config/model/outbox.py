"""The section `outbox` of the config."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from forwarder.core.config.values.section import Section, choice, duration, left_out, scalar, size
from forwarder.core.config.values.urls import parse_outbox_url


class OutboxConfig(Section):
    """Where deliveries are stored, and how long their outcome is kept."""

    url: Annotated[str, scalar(parse_outbox_url, "URL")] | None = Field(
        default=None,
        description="The outbox file: sqlite:///absolute/path (or sqlite:////absolute/path), or sqlite:path relative to the config file.",
        json_schema_extra=left_out(
            "outbox.db in the state directory of systemd, or in the same folder as the config file"
        ),
        examples=["sqlite:///var/lib/forwarder/outbox.db"],
    )
    durability: Annotated[Literal["full", "normal"], choice("full", "normal")] = Field(
        default="full",
        description="full: accepted events survive a power cut. normal: they survive a crash of the program, and writing is cheaper.",
    )
    keep_delivered: Annotated[timedelta, duration("0s", "3650d")] = Field(
        default=timedelta(hours=24),
        description="How long delivered events are kept for replay and for the detection of duplicates.",
    )
    keep_dead: Annotated[timedelta, duration("0s", "3650d")] = Field(
        default=timedelta(days=30), description="How long dead letters are kept."
    )
    max_size: Annotated[int, size("1MiB", "1TiB")] = Field(
        default=2 * 1024**3,
        description="The largest size of the file. When it is reached, the oldest delivered events are deleted; waiting ones never are.",
    )
    dedupe_window: Annotated[timedelta, duration("0s", "7d")] = Field(
        default=timedelta(minutes=30),
        description="How long the same event is dropped as a duplicate when it arrives again. 0s keeps duplicates.",
    )
