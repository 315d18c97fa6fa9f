"""Loads a config file: bytes → nodes → tree → checks → `Config`. Every stage adds its problems; all are reported at once."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from pydantic import ValidationError

from forwarder.core.capacity import largest_event, least_size
from forwarder.core.config.checks.admin import check_admin
from forwarder.core.config.checks.defaults import drop_notices_to_self, with_defaults
from forwarder.core.config.checks.fallbacks import check_fallback_ages, check_fallback_names
from forwarder.core.config.checks.groups import expand_groups
from forwarder.core.config.checks.names import ReadFile, check_names, check_transports, read_secret_files
from forwarder.core.config.checks.receivers import CheckApprise, check_apprise_urls, check_receivers
from forwarder.core.config.checks.services import check_services, read_template_files
from forwarder.core.config.hints.collect import Hints
from forwarder.core.config.include import FindFiles, nothing_included, read_whole_config
from forwarder.core.config.matchers import Conditions
from forwarder.core.config.messages import report_error
from forwarder.core.config.model.heartbeat import HeartbeatConfig
from forwarder.core.config.model.root import Config
from forwarder.core.config.routing_only import revision_of
from forwarder.core.config.rule_tests.load import tests_of
from forwarder.core.destinations.networks import Networks, is_address
from forwarder.core.destinations.transport import Tls
from forwarder.core.matching.written import shrink
from forwarder.core.url import fixed_part, read_url
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.nodes import RefusedError
from forwarder.core.yaml.problems import ConfigError
from forwarder.core.yaml.variables import expand

CheckTls = Callable[[Tls], Iterable[tuple[str, str]]]
"""Yields problems with certificates: the key of `tls`, and a sentence."""
"""Returns why Apprise cannot send to a URL, without the URL; `None` if it can."""

CheckTracing = Callable[[], str | None]
"""Returns why no traces can be sent; `None` if they can."""


def load_config(
    text: bytes,
    *,
    name: str,
    env: Mapping[str, str],
    read_file: ReadFile,
    read_template: ReadFile | None = None,
    read_list: ReadFile | None = None,
    check_tls: CheckTls = lambda _tls: (),
    check_apprise: CheckApprise = lambda _url: None,
    check_tracing: CheckTracing = lambda: None,
    find_files: FindFiles = nothing_included,
) -> Config:
    """Return the config in `text`.

    `name` is the name of the file in messages. `env` holds the variables for `${NAME}`. `read_file` returns the text of a file in
    a `*_file` key, or raises `OSError`; it decides what relative paths are relative to. `read_template` does the same for a
    template and `read_list` for a list, which hold no secrets; both default to `read_file`. `check_tls` checks certificates,
    `check_apprise` the URLs for Apprise, `check_tracing` whether traces can be sent. `find_files` returns the files that `include` names. Raises `ConfigError` with all problems. It contains no secrets.
    """
    nodes = read_whole_config(text, name=name, env=env, find=find_files)
    try:
        root = with_defaults(nodes.root)
    except RefusedError as refused:
        raise ConfigError(name, [refused.problem], nodes.sources) from None
    findings = Findings(root, nodes.problems, nodes.sources)
    hints = Hints(name, findings)
    for path in nodes.unmatched:
        hints.of_include(path)
    tree = expand(root, env, findings)
    draft: object = tree
    if isinstance(tree, dict):
        read_secret_files(tree, cache(read_file), findings)
        read_template_files(tree, cache(read_template or read_file), findings)
        drop_notices_to_self(tree, findings)
        check_names(tree, findings)
        check_fallback_names(tree, findings)
        expand_groups(tree, findings)
        check_receivers(tree, findings)
        check_apprise_urls(tree, check_apprise, findings)
        check_transports(tree, findings)
        check_services(tree, findings)
        conditions = Conditions(tree, read_list or read_file, findings, hints=hints)
        draft = conditions.of_destinations(tree, conditions.of_routes(tree))
        if "tests" in tree:
            draft["tests"] = tests_of(tree, conditions.names, read_list or read_file, findings)
    config = None
    try:
        config = Config.model_validate(draft)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            report_error(detail, findings)
    if config is not None:
        _check_transports(config, check_tls, findings)
        check_admin(config.admin, findings)
        _check_room(config, findings)
        if config.tracing is not None and (problem := check_tracing()) is not None:
            findings.add(("tracing",), problem)
        if not findings.problems:
            check_fallback_ages(config, findings)
    if config is None or findings.problems:
        if not {"routes", "destinations"} <= set(tree if isinstance(tree, dict) else ()):
            for path in nodes.unmatched:
                findings.add(path, "no file matches, so what it should name is missing from the config")
        # Raised outside of the handler, so that no traceback contains pydantic's error, which holds the values.
        raise ConfigError(name, findings.problems, nodes.sources)
    assert isinstance(tree, dict)  # noqa: S101 - the model accepts nothing else
    config.note_revision(revision_of(tree, conditions.lines, (route.match for route in config.routes)))
    config.note_sources(nodes.sources)
    hints.of_secrets(tree)
    config.note_hints(hints.warnings)
    shrink(route.match for route in config.routes)  # after the revision, which finds the scalars of the tree in them
    return config


def find_places(text: bytes, *, name: str, env: Mapping[str, str], find_files: FindFiles) -> Findings:
    """Return what knows the places of the values in a valid config."""
    nodes = read_whole_config(text, name=name, env=env, find=find_files)
    return Findings(with_defaults(nodes.root), [], nodes.sources)


def _check_transports(config: Config, check_tls: CheckTls, findings: Findings) -> None:
    """Report certificates that are not valid, and URLs with a denied address."""
    networks = config.networks.value
    for key, message in check_tls(config.admin.tls.value) if config.admin.tls is not None else ():
        findings.add(("admin", "tls", key), message)
    for index, stream in enumerate(config.streams):
        for key, message in check_tls(stream.tls.value) if stream.tls is not None else ():
            findings.add(("streams", index, "tls", key), message)
    for name, settings in config.destinations.items():
        path = ("destinations", name)
        for key, message in check_tls(settings.tls.value) if settings.tls is not None else ():
            findings.add((*path, "tls", key), message)
        if settings.url is None:
            continue
        host = read_url(fixed_part(settings.url.reveal()), "http", "https").raw_host or ""
        is_direct = settings.proxy is None and settings.socket is None
        if is_direct and is_address(host) and (reason := networks.why_not(host)) is not None:
            findings.add((*path, "url"), reason)
    if config.heartbeat is not None:
        _check_heartbeat(config.heartbeat, networks, check_tls, findings)


def _check_heartbeat(heartbeat: HeartbeatConfig, networks: Networks, check_tls: CheckTls, findings: Findings) -> None:
    for key, message in check_tls(heartbeat.tls.value) if heartbeat.tls is not None else ():
        findings.add(("heartbeat", "tls", key), message)
    for key, url in (("url", heartbeat.url), ("fail_url", heartbeat.fail_url)):
        host = "" if url is None else read_url(url.reveal(), "http", "https").raw_host or ""
        if heartbeat.proxy is None and is_address(host) and (reason := networks.why_not(host)) is not None:
            findings.add(("heartbeat", key), reason)


def _check_room(config: Config, findings: Findings) -> None:
    """Report an outbox that is too small for the largest event of a stream, which could never be written."""
    room, longest = largest_event(config.outbox.max_size), max(stream.max_frame for stream in config.streams)
    if longest > room:
        findings.add(
            ("outbox", "max_size"),
            f"too small for an event of {_shown(longest)}, which max_frame of a stream allows; "
            f"write max_size: {_shown(least_size(longest))} or more, or max_frame: {room // 1024}KiB or less",
        )


def _shown(size: int) -> str:
    """Return a size in whole MiB, or in KiB below, rounded up."""
    unit, name = (1024**2, "MiB") if size >= 1024**2 else (1024, "KiB")
    return f"{-(-size // unit)}{name}"
