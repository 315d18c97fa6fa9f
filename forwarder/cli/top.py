"""`forwarder top`: the running daemon on the whole screen."""

import argparse
import os
import sys
from contextlib import suppress
from functools import partial
from importlib.util import find_spec

from forwarder.cli import exit_codes
from forwarder.cli.locations import UsageError, places_of_running, report_errors
from forwarder.cli.names import require_names_of_config
from forwarder.cli.tail import request_of, rule_of
from forwarder.configfile.includes import finder
from forwarder.configfile.locations import ConfigUnreadableError, read_text
from forwarder.control.client import control
from forwarder.core.commands import StatusRequest
from forwarder.core.config.partial import load_names
from forwarder.core.yaml.nodes import RefusedError

_MISSING = (
    f"forwarder top needs the library Textual, an extra of forwarder: {sys.executable} -m pip install 'textual>=8.0,<9'. "
    "forwarder tail and forwarder status --watch do without it"
)


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Show it until `q`; return the exit code."""
    where = places_of_running(arguments)
    if find_spec("textual") is None:
        print(_MISSING, file=sys.stderr)
        return exit_codes.FAILURE
    require_names_of_config(where, destination=arguments.destination, route=arguments.route, source=arguments.source)
    if arguments.match is not None:
        rule_of(where, arguments.match)
    with control(where.socket, outbox=where.outbox) as daemon:
        daemon.ask(StatusRequest())  # without a daemon there is nothing to show
    if not (sys.stdin.isatty() and sys.__stderr__ is not None and sys.__stderr__.isatty()):
        raise UsageError(
            "forwarder top needs a terminal as its input and its standard error; forwarder tail prints lines"
        )
    routes: tuple[str, ...] = ()
    with suppress(ConfigUnreadableError, RefusedError):  # the daemon runs with an earlier version of it
        routes = load_names(read_text(where.config), env=os.environ, find_files=finder(where.config)).routes
    from forwarder.cli.top_app import TopApp  # it takes half a second to load

    app = TopApp(
        where,
        request_of(arguments, with_body=False),
        match=arguments.match,
        compile_rule=partial(rule_of, where),
        routes=routes,
    )
    app.run()
    return exit_codes.OK if app.return_code is None else app.return_code
