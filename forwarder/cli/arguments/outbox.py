"""What `forwarder outbox` accepts."""

from pathlib import Path

from forwarder.cli.arguments.filters import add_filters
from forwarder.cli.arguments.options import Commands, add_config, add_json


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("outbox")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    check = verbs.add_parser("check", help="check every page of the file, and that everything is accounted for")
    check.set_defaults(handler="outbox:check_file")

    vacuum = verbs.add_parser("vacuum", help="give free space in the file back to the disk")
    vacuum.set_defaults(handler="outbox:vacuum_file")

    backup = verbs.add_parser("backup", help="copy the file as it is at one moment, while the daemon runs")
    backup.add_argument("file", type=Path, metavar="FILE", help="must not exist yet")
    backup.set_defaults(handler="outbox:backup_file")

    exporting = verbs.add_parser("export", help="print every event with its deliveries and attempts, as JSON lines")
    add_filters(exporting)
    exporting.set_defaults(handler="outbox:export_file")

    for verb in (check, vacuum, backup, exporting):  # the export is JSON with or without
        add_json(verb)
        add_config(verb)
