"""`forwarder preview`: what a format makes of an event, without sending it."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.cli.config_file import ConfigError, ConfigUnreadableError, read_config
from forwarder.cli.event_file import NoEventError, read_event
from forwarder.core.config.format import FormatConfig
from forwarder.core.content import CannotFormatError, Content, Format
from forwarder.core.delivery import Delivery, DestinationName, new_delivery
from forwarder.core.event import Event, decode_event
from forwarder.core.samples import SAMPLES
from forwarder.destinations.formats.build import format_of, message_format

_FORMATS = ("raw", "discord", "slack", "telegram")
_CHAT = {"chat_id": "@your_channel"}
_AT = datetime(2026, 1, 1, tzinfo=UTC)


class _RefusedError(Exception):
    """The text is a sentence for the user."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "preview",
        help="show what a format makes of an event",
        description="Show the message that a destination would get, without sending it. Without --event one for each source.",
    )
    parser.add_argument(
        "destination", nargs="?", metavar="DESTINATION", help="a destination of the config, with all its settings"
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("config.yaml"), help="default: config.yaml")
    parser.add_argument("--format", choices=_FORMATS, help="a format, without a config; a template needs a destination")
    parser.add_argument("--event", metavar="FILE", help="a file with an event as JSON; - reads standard input")
    parser.add_argument("--json", action="store_true", help="the bodies alone")
    parser.set_defaults(handler=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the messages and return the exit code."""
    parser: argparse.ArgumentParser = arguments.parser
    if (arguments.destination is None) == (arguments.format is None):
        parser.error("name a destination of the config, or a --format; one of the two")
    try:
        format_ = _format(arguments)
        events = _events(arguments.event)
        contents = [(name, _content(format_, event, arguments.destination, name)) for name, event in events]
    except (ConfigError, ConfigUnreadableError, NoEventError, _RefusedError) as error:
        print(error, file=sys.stderr)
        return exit_codes.FAILURE
    if arguments.json:
        for _, content in contents:
            print(content.body.decode("utf-8", "replace"))
        return exit_codes.OK
    from forwarder.cli.pictures import show  # noqa: PLC0415 - it brings rich

    for name, content in contents:
        show(name, content, arguments.format or "")
    return exit_codes.OK


def _format(arguments: argparse.Namespace) -> Format:
    if arguments.format is not None:
        # A chat has to stand somewhere; which one is up to the config.
        is_telegram = arguments.format == "telegram"
        return message_format(FormatConfig.model_validate({"type": arguments.format} | (_CHAT if is_telegram else {})))
    config = read_config(arguments.config)
    settings = config.destinations.get(arguments.destination)
    if settings is None:
        raise _RefusedError(
            f"{arguments.config} has no destination {arguments.destination!r}; it has {', '.join(config.destinations)}"
        )
    return format_of(settings.model_copy(update={"compression": None}))


def _events(file: str | None) -> list[tuple[str, Event]]:
    if file is None:
        return [(name, decode_event(body)) for name, body in SAMPLES.items()]
    return [("standard input" if file == "-" else file, read_event(file))]


def _content(format_: Format, event: Event, destination: str | None, name: str) -> Content:
    delivery: Delivery = new_delivery(
        event, DestinationName(destination or "preview"), (), event_seq=1, accepted_at=_AT
    )
    try:
        return format_(delivery)
    except CannotFormatError as error:
        raise _RefusedError(f"{name}: {error}") from None


def pretty(content: Content) -> str:
    """Return a body for reading: JSON over several lines, anything else as it is."""
    text = content.body.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
