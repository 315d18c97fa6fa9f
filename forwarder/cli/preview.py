"""`forwarder preview`: shows the message that a format makes of an event, without sending it."""

import argparse
import sys
from datetime import UTC, datetime

from msgspec.structs import replace

from forwarder.cli import exit_codes
from forwarder.cli.event_file import NoEventError, read_event
from forwarder.cli.locations import UsageError, config_path
from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.configfile.read import read_config
from forwarder.core.config.model.destination import DestinationConfig
from forwarder.core.config.model.format import FormatConfig
from forwarder.core.delivery import Delivery, DestinationName, new_delivery
from forwarder.core.destinations.batch import COUNT, body_of
from forwarder.core.destinations.content import CannotFormatError, Content, Format
from forwarder.core.event import Event, decode_event
from forwarder.core.posts.samples import SAMPLES
from forwarder.core.yaml.problems import ConfigError, no_such
from forwarder.destinations.formats.build import format_of, message_format
from forwarder.destinations.render_once import render_content

_CHAT = {"chat_id": "@your_channel"}
_AT = datetime(2026, 1, 1, tzinfo=UTC)


class _PreviewRefusedError(Exception):
    """The text is a sentence for the user."""


def run(arguments: argparse.Namespace) -> int:
    """Show the messages and return the exit code."""
    parser: argparse.ArgumentParser = arguments.parser
    if (arguments.destination is None) == (arguments.format is None):
        parser.error("name either a destination of the config or a --format")
    try:
        settings = None if arguments.destination is None else _settings(arguments)
        format_ = _format_named(arguments.format) if settings is None else _format(settings)
        events = _events(arguments.event)
        contents = [(name, _content(format_, event, arguments.destination, name)) for name, event in events]
        batch = None if settings is None else settings.batch
        if batch is not None:
            contents = [(name, _alone_in_batch(content)) for name, content in contents]
    except UsageError as error:
        print(error, file=sys.stderr)
        return exit_codes.USAGE
    except (ConfigError, ConfigUnreadableError, NoEventError, _PreviewRefusedError) as error:
        print(error, file=sys.stderr)
        return exit_codes.FAILURE
    if arguments.json:
        for _, content in contents:
            print(content.body.decode("utf-8", "replace"))
        return exit_codes.OK
    from forwarder.cli.message_preview import show  # it brings rich

    note = "" if batch is None else f"a batch with one event; one request has up to {batch.count}"
    for name, content in contents:
        show(name, content, arguments.format or note)
    return exit_codes.OK


def _format_named(name: str) -> Format:
    # A Telegram message needs a chat; only a config knows the real one.
    return message_format(FormatConfig.model_validate({"type": name} | (_CHAT if name == "telegram" else {})))


def _settings(arguments: argparse.Namespace) -> DestinationConfig:
    file = config_path(arguments)
    config = read_config(file)
    settings = config.destinations.get(arguments.destination)
    if settings is None:
        raise UsageError(f"{file}: {no_such('destination', arguments.destination, tuple(config.destinations))}")
    return settings


def _format(settings: DestinationConfig) -> Format:
    return format_of(settings.model_copy(update={"compression": None}))


def _alone_in_batch(content: Content) -> Content:
    """Return the request of a destination with `batch` for which no other event has come."""
    return replace(content, body=body_of([content.body]), headers={**content.headers, COUNT: "1"})


def _events(file: str | None) -> list[tuple[str, Event]]:
    if file is None:
        return [(name, decode_event(body)) for name, body in SAMPLES.items()]
    return [("standard input" if file == "-" else file, read_event(file))]


def _content(format_: Format, event: Event, destination: str | None, name: str) -> Content:
    delivery: Delivery = new_delivery(
        event, DestinationName(destination or "preview"), (), event_seq=1, accepted_at=_AT
    )
    try:
        return render_content(format_, delivery)
    except CannotFormatError as error:
        raise _PreviewRefusedError(f"{name}: {error}") from None
