"""What `forwarder completion` accepts."""

from forwarder.cli.arguments.options import Commands


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "completion",
        epilog="bash: forwarder completion bash > /etc/bash_completion.d/forwarder. zsh: forwarder completion zsh > "
        "/usr/local/share/zsh/site-functions/_forwarder. fish: forwarder completion fish > "
        "/etc/fish/completions/forwarder.fish. Then open a new shell.",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(handler="completion:run")
