"""`forwarder tail`: shows what passes through the running daemon, one line for each event and each attempt."""

import argparse

from forwarder.cli.live_filters import Wants, passes_rule
from forwarder.cli.live_output import LiveOutput, print_until_stopped
from forwarder.cli.live_watch import LiveWatch
from forwarder.cli.locations import Places, UsageError, places_of_running, report_errors
from forwarder.cli.names import require_names_of_config
from forwarder.configfile.read import list_reader, read_routing
from forwarder.configfile.snapshot import Files
from forwarder.core.commands import Watch
from forwarder.core.config.one_condition import condition_of
from forwarder.core.yaml.problems import ConfigError

_OF_DAEMON = ("match", "destination", "route", "source", "failed", "wide", "config", "env_file")


def run(arguments: argparse.Namespace) -> int:
    """Show the public stream, or what passes through the daemon, until a signal."""
    if arguments.public:
        from forwarder.cli import public_tail  # only one of the two is shown

        _require_none(arguments, _OF_DAEMON, "--public shows the stream itself, without a daemon")
        return public_tail.run(arguments)
    _require_none(arguments, ("url",), "--url goes with --public")
    return tail(arguments)


def _require_none(arguments: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    parser: argparse.ArgumentParser = arguments.parser
    for name in names:
        if getattr(arguments, name):
            parser.error(f"argument --{name.replace('_', '-')}: {why}")


@report_errors
def tail(arguments: argparse.Namespace) -> int:
    """Show what passes through the daemon."""
    where = places_of_running(arguments)
    require_names_of_config(where, destination=arguments.destination, route=arguments.route, source=arguments.source)
    wanted = [] if arguments.match is None else [rule_of(where, arguments.match)]
    watch = LiveWatch(where, request_of(arguments, with_body=bool(wanted)))
    with watch.connected():
        return print_until_stopped(watch, LiveOutput(as_json=arguments.json, is_wide=arguments.wide), wanted)


def rule_of(where: Places, written: str) -> Wants:
    """Return the filter that `--match` describes. Raises `UsageError` for a mistake in it, `ConfigError` for one in the config."""
    config = read_routing(where.config)
    try:
        condition = condition_of(written, config, name="--match", read_list=list_reader(where.config, Files()))
    except ConfigError as error:
        raise UsageError(str(error)) from error
    return passes_rule(condition)


def request_of(arguments: argparse.Namespace, *, with_body: bool) -> Watch:
    """Return the request that the options mean."""
    return Watch(
        source=arguments.source,
        destination=arguments.destination,
        route=arguments.route,
        failed=arguments.failed,
        with_body=with_body,
    )
