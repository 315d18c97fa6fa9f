"""What `forwarder schema` accepts."""

from forwarder.cli.arguments.options import Commands


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "schema",
        description="Print the JSON Schema of the config. Save it next to the config, and an editor completes and checks the file if it "
        "begins with `# yaml-language-server: $schema=./config.schema.json`.",
    )
    parser.set_defaults(handler="schema:run")
