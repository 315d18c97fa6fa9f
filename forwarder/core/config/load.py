"""The way of a config file: bytes → nodes → tree → checks → `Config`. Every stage adds its problems; all are told at once."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from pydantic import ValidationError

from forwarder.core.capacity import largest_event, least_size
from forwarder.core.config.checks import ReadFile, check_names, check_transports, read_secret_files
from forwarder.core.config.conditions import Conditions
from forwarder.core.config.defaults import drop_notices_to_self, with_defaults
from forwarder.core.config.groups import expand_groups
from forwarder.core.config.model import Config
from forwarder.core.config.nodes import RefusedError, read_nodes
from forwarder.core.config.places import Findings
from forwarder.core.config.problems import ConfigError
from forwarder.core.config.routing import revision_of
from forwarder.core.config.rule_tests.load import tests_of
from forwarder.core.config.sentences import tell
from forwarder.core.config.services import check_services, read_template_files
from forwarder.core.config.variables import expand
from forwarder.core.networks import is_address
from forwarder.core.transport import Tls
from forwarder.core.url import fixed_part, read_url

CheckTls = Callable[[Tls], Iterable[tuple[str, str]]]
"""Yields what is wrong with certificates: the key of `tls` that it stands under, and a sentence."""


def load_config(
    text: bytes,
    *,
    name: str,
    env: Mapping[str, str],
    read_file: ReadFile,
    read_template: ReadFile | None = None,
    read_list: ReadFile | None = None,
    check_tls: CheckTls = lambda _tls: (),
) -> Config:
    """Return the config that `text` holds.

    `name` is what messages call the file. `env` fills in `${NAME}`. `read_file` returns the text of a file named by a
    `*_file` key; it raises `OSError` when it cannot, and decides what relative paths are relative to. `read_template` does the
    same for a template and `read_list` for a list, which hold no secret; left out, `read_file` does it.
    `check_tls` looks into certificates.
    Raises `ConfigError` with every problem there is; nothing secret is in it.
    """
    try:
        root, problems = read_nodes(text)
        root = with_defaults(root)
    except RefusedError as refused:
        raise ConfigError(name, [refused.problem]) from None
    findings = Findings(root, problems)
    tree = expand(root, env, findings)
    draft: object = tree
    if isinstance(tree, dict):
        read_secret_files(tree, cache(read_file), findings)
        read_template_files(tree, cache(read_template or read_file), findings)
        drop_notices_to_self(tree, findings)
        check_names(tree, findings)
        expand_groups(tree, findings)
        check_transports(tree, findings)
        check_services(tree, findings)
        conditions = Conditions(tree, read_list or read_file, findings)
        draft = conditions.of_routes(tree)
        if "tests" in tree:
            draft["tests"] = tests_of(tree, conditions.names, read_list or read_file, findings)
    config = None
    try:
        config = Config.model_validate(draft)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            tell(detail, findings)
    if config is not None:
        _check_transports(config, check_tls, findings)
        _check_room(config, findings)
    if config is None or findings.problems:
        # Raised out here, so that no traceback carries pydantic's error, which holds the values.
        raise ConfigError(name, findings.problems)
    if isinstance(tree, dict):
        config.note_revision(revision_of(tree, conditions.lines))
    return config


def _check_transports(config: Config, check_tls: CheckTls, findings: Findings) -> None:
    """Note certificates that cannot be used, and URLs with an address in them that nothing may connect to."""
    networks = config.networks.value
    for name, settings in config.destinations.items():
        path = ("destinations", name)
        for key, message in check_tls(settings.tls.value) if settings.tls is not None else ():
            findings.add((*path, "tls", key), message)
        host = read_url(fixed_part(settings.url.reveal()), "http", "https").raw_host or ""
        is_direct = settings.proxy is None and settings.socket is None
        if is_direct and is_address(host) and (reason := networks.why_not(host)) is not None:
            findings.add((*path, "url"), reason)


def _check_room(config: Config, findings: Findings) -> None:
    """Note an outbox that cannot hold the largest event of a stream: it could never be written, nor anything behind it."""
    room, longest = largest_event(config.outbox.max_size), max(stream.max_frame for stream in config.streams)
    if longest > room:
        findings.add(
            ("outbox", "max_size"),
            f"it has no room for an event of {_shown(longest)}, which a stream may bring (max_frame); "
            f"write max_size: {_shown(least_size(longest))} or more, or max_frame: {room // 1024}KiB or less",
        )


def _shown(size: int) -> str:
    """Return a size in whole MiB, or in KiB below, rounded up."""
    unit, name = (1024**2, "MiB") if size >= 1024**2 else (1024, "KiB")
    return f"{-(-size // unit)}{name}"
