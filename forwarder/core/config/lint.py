"""Warnings about a valid config: rules without effect, and settings that do not fit together. Each is a sentence with its place."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from forwarder.core.config.checks.absent_fields import why_absent
from forwarder.core.config.checks.exposure import warnings_of_exposure
from forwarder.core.config.checks.public_stream import warnings_of_public
from forwarder.core.config.checks.quiet_hours import warnings_of_quiet
from forwarder.core.config.checks.sources import warnings_of_sources
from forwarder.core.config.model.root import Config
from forwarder.core.config.model.route import RouteConfig
from forwarder.core.config.model.signing import SigningConfig
from forwarder.core.counted import counted
from forwarder.core.destinations.service_rules import SLACK_HOSTS
from forwarder.core.destinations.signing import PRIVATE_KEY_PREFIX
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.priority import Priority
from forwarder.core.durations import spell
from forwarder.core.matching import Condition, FieldTest
from forwarder.core.matching.conditions import ValueTest
from forwarder.core.matching.implications import implies, parts_of, why_never
from forwarder.core.matching.texts import Contains, Equals, Prefix, Suffix, Word
from forwarder.core.routing.first_word import OnFull, Prefer
from forwarder.core.url import fixed_part, read_url, server_name_of
from forwarder.core.yaml.problems import quote
from forwarder.core.yaml.remarks import Remark
from forwarder.core.yaml.sources import Sources

_MOST_PAIRS = 200_000
"""The most pairs of routes that are all compared. Beyond that, only routes that name the same value are."""
_MOST_OF_A_KIND = 20
"""The most warnings of one kind."""
_AT_THE_TOP = re.compile(r"sqlite:///[^/]+")
_SHELL_VARIABLE = re.compile(r"\$[A-Z][A-Z0-9_]{2,}")
_SUCCESS_OF = {
    "oapi.dingtalk.com": "{errcode: 0}",
    "qyapi.weixin.qq.com": "{errcode: 0}",
    "open.feishu.cn": "[{code: 0}, {StatusCode: 0}]",
    "open.larksuite.com": "[{code: 0}, {StatusCode: 0}]",
    "webhook.office.com": '"1"',
    "outlook.office.com": '"1"',
    "slack.com": "{ok: true}",
}
"""The hosts of services whose errors have status 200, and what the body of a success is there."""
_APPS_SCRIPT = "script.google.com"


def warnings_of(config: Config) -> list[str]:
    """Return the warnings, in the order of the file within each kind."""
    routes = [(index, route) for index, route in enumerate(config.routes) if route.enabled]
    kinds = (
        *map(iter, config.hints),
        _shadowed(routes, config.sources),
        warnings_of_sources(config),
        _to_nobody(config, routes),
        _on_full(config),
        _waits(config),
        _priorities(config),
        warnings_of_quiet(config),
        _streams(config),
        warnings_of_public(config),
        _unverified(config),
        warnings_of_exposure(config),
        _odd_urls(config),
        _answers(config),
        _settings(config),
    )
    return list(chain.from_iterable(map(_shortened, kinds)))


def _shortened(sentences: Iterator[str]) -> Iterator[str]:
    found = list(sentences)
    yield from found[:_MOST_OF_A_KIND]
    if len(found) > _MOST_OF_A_KIND:
        yield f"and {counted(len(found) - _MOST_OF_A_KIND, 'more warning')} like the last one"


def _odd_urls(config: Config) -> Iterator[str]:
    """Yield a warning for each URL with a fragment (`#…`), which is never sent, or with a variable of a shell, which is no variable."""
    for name, settings in config.destinations.items():
        if not settings.enabled or settings.url is None:
            continue
        url = read_url(fixed_part(settings.url.reveal()), "http", "https")
        if url.raw_fragment:
            yield Remark(
                ("destinations", name, "url"), "the part after # is not sent; write %23 to send the character #"
            )
        if _SHELL_VARIABLE.search(url.raw_path_qs):
            yield Remark(
                ("destinations", name, "url"),
                "it has a $ before a name, which is sent as it is; a variable is written ${NAME}",
            )


def _named(index: int, route: RouteConfig, sources: Sources, *, seen_from: int | None = None) -> str:
    return f"{sources.element('routes', index, seen_from=seen_from)} {quote(route.name)}"


def _of_route(index: int, route: RouteConfig, sources: Sources, message: str) -> Remark:
    return Remark(("routes", index), message, shown=_named(index, route, sources))


def _shadowed(routes: Sequence[tuple[int, RouteConfig]], sources: Sources) -> Iterator[str]:
    """Yield a warning for each route that can never match, never gets an event, or repeats another route."""
    stops = _Stops(routes)
    seen: dict[object, tuple[int, RouteConfig]] = {}
    for index, route in routes:
        if (reason := why_never(route.match) or why_absent(route.match)) is not None:
            yield _of_route(index, route, sources, f"it can never match: {reason}")
            continue
        if (before := stops.before(index, route.match)) is not None:
            yield _of_route(
                index,
                route,
                sources,
                f"it gets no event, because {_named(*before, sources, seen_from=index)} matches all its events and has stop: true",
            )
            continue
        said = (
            route.match,
            tuple(sorted(route.to)),
            route.prefer,
            route.sample,
            None if route.limit is None else repr(route.limit),
            route.priority,
            None if route.quiet is None else repr(route.quiet),
        )
        if (before := seen.setdefault(said, (index, route))) != (index, route):
            yield _of_route(
                index, route, sources, f"it repeats {_named(*before, sources, seen_from=index)}; remove one of them"
            )


class _Stops:
    """Finds the route with `stop: true` that takes all events of a later route."""

    def __init__(self, routes: Sequence[tuple[int, RouteConfig]]) -> None:
        stops = [(index, route) for index, route in routes if route.stop]
        self._all = stops if len(stops) * len(routes) <= _MOST_PAIRS else None
        self._by_atom: dict[object, list[tuple[int, RouteConfig]]] = {}
        for stop in stops if self._all is None else ():
            for atom in _atoms(stop[1].match):
                self._by_atom.setdefault(atom, []).append(stop)

    def before(self, index: int, condition: Condition) -> tuple[int, RouteConfig] | None:
        """Return the first route above with `stop: true` that matches everything that meets the condition."""
        for stop in self._all if self._all is not None else self._near(condition):
            if stop[0] < index and implies(condition, stop[1].match):
                return stop
        return None

    def _near(self, condition: Condition) -> Iterator[tuple[int, RouteConfig]]:
        yield from self._by_atom.get(None, ())
        for atom in _atoms(condition):
            if atom is not None:
                yield from self._by_atom.get(atom, ())[:_MOST_OF_A_KIND]


def _atoms(condition: Condition) -> Iterator[object]:
    """Yield the values in a condition; `None` where it has none."""
    found = False
    for part in parts_of(condition):
        for test in part.of_element if isinstance(part, FieldTest) else ():
            for value in _values(test):
                found = True
                yield value
    if not found:
        yield None


def _values(test: ValueTest) -> Iterable[str]:
    if isinstance(test, Equals):
        return test.texts
    return test.parts if isinstance(test, Contains | Word | Prefix | Suffix) else ()


def _to_nobody(config: Config, routes: Sequence[tuple[int, RouteConfig]]) -> Iterator[str]:
    disabled = {name for name, settings in config.destinations.items() if not settings.enabled}
    for index, route in routes:
        if disabled.issuperset(route.to):
            yield _of_route(
                index, route, config.sources, f"it sends nothing, because {', '.join(route.to)} is disabled"
            )


def _on_full(config: Config) -> Iterator[str]:
    preferring = {
        name for route in config.routes if route.enabled and route.prefer is not Prefer.ALL for name in route.to
    }
    for name, settings in config.destinations.items():
        if settings.on_full is not OnFull.IGNORE and name not in preferring:
            yield Remark(
                ("destinations", name, "on_full"),
                f"{settings.on_full}: has no effect, because no route to {name} has prefer: first or prefer: full",
            )


def _waits(config: Config) -> Iterator[str]:
    for index, route in enumerate(config.routes):
        for name in route.to if route.prefer is Prefer.FULL else ():
            max_age = config.destinations[name].retry.max_age
            if max_age is not None and max_age <= route.wait:
                yield Remark(
                    ("routes", index, "wait"),
                    f"{spell(route.wait)}: an event that waited this long is older than retry.max_age of "
                    f"{name} ({spell(max_age)}) and expires there; write a shorter wait or a longer max_age",
                    shown=f"routes.{route.name}.wait",
                )


def _priorities(config: Config) -> Iterator[str]:
    for index, route in enumerate(config.routes):
        for name in route.to if route.priority is Priority.HIGH else ():
            if config.destinations[name].order is Order.STRICT:
                yield Remark(
                    ("routes", index, "priority"),
                    f"high: has no effect at {name}, because order: strict keeps the order of everything there; "
                    "write order: sid or none there, or remove priority",
                    shown=f"routes.{route.name}.priority",
                )


def _streams(config: Config) -> Iterator[str]:
    with_key = [(index, stream) for index, stream in enumerate(config.streams) if not stream.is_public]
    first = with_key[0][1] if with_key else config.streams[0]
    for index, stream in with_key[1:]:
        for key in ("use_fast_x", "ignore_full_payload"):
            if getattr(stream, key) != getattr(first, key):
                yield Remark(
                    ("streams", index, key),
                    f"{key} differs from that of {quote(first.name)}: events that only one "
                    "of the streams gets are missed while that one is disconnected",
                    shown=f"streams[{index}] {quote(stream.name)}",
                )
    if config.outbox.dedupe_window:
        return
    if len(with_key) > 1:
        yield Remark(
            ("outbox", "dedupe_window"),
            "0s: an event that arrives on several streams is delivered several times; write 30m",
        )
    for index, stream in enumerate(config.streams):
        keys = ("max_connection_age", "expect_event_within", "gap_repair")
        if used := [key for key in keys if key in stream.model_fields_set and getattr(stream, key)]:
            yield Remark(
                ("streams", index, used[0]),
                f"{', '.join(used)}: with outbox.dedupe_window: 0s, an event that arrives on "
                "two connections at the same time is delivered twice",
                shown=f"streams[{index}] {quote(stream.name)}",
            )


def _unverified(config: Config) -> Iterator[str]:
    for index, stream in enumerate(config.streams):
        if stream.tls is not None and not stream.tls.verify:
            yield Remark(
                ("streams", index, "tls", "verify"),
                "false: any certificate is accepted, so anyone on the network path can read the API key "
                "and send false events; set tls.ca_file to the CA of the server instead",
            )
    for name, settings in config.destinations.items():
        if settings.enabled and settings.tls is not None and not settings.tls.verify:
            yield Remark(
                ("destinations", name, "tls", "verify"),
                "false: any certificate is accepted, so anyone on the network path can read and answer "
                "the requests; set tls.ca_file to the CA of the receiver instead",
            )


def _answers(config: Config) -> Iterator[str]:
    """Yield a warning for each destination whose service reports errors, or successes, in a way that its settings do not read."""
    for name, settings in config.destinations.items():
        if settings.url is None:
            continue
        parts = read_url(fixed_part(settings.url.reveal()), "http", "https")
        host = server_name_of(parts.raw_host or "")
        of_service = (advice for service, advice in _SUCCESS_OF.items() if f".{host}".endswith(f".{service}"))
        advice = None if host in SLACK_HOSTS else next(of_service, None)
        if settings.enabled and settings.success is None and advice is not None:
            yield Remark(
                ("destinations", name),
                f"{host} answers with 200 also when it refuses a message, which then counts as delivered; "
                f"write success: {{body: {advice}}}",
            )
        if settings.enabled and host == _APPS_SCRIPT and not {"302", "3xx"} & settings.retry.statuses.keys():
            yield Remark(
                ("destinations", name),
                f"{host} answers with 302 when the script has run, which counts as a failure; "
                "write retry: {statuses: {302: delivered}}",
            )


def _text_verifiers(signing: SigningConfig | None) -> str:
    """Return the packages that verify this kind of signature and accept only text as the body; nothing if there are none."""
    if signing is None:
        return ""
    if signing.scheme == "standard":
        is_verified = any(not secret.reveal().startswith(PRIVATE_KEY_PREFIX) for secret in signing.secret)
        return "the official packages of Standard Webhooks" if is_verified else ""
    return "Stripe's packages" if signing.timestamped else ""


def _settings(config: Config) -> Iterator[str]:
    for name, settings in config.destinations.items():
        if settings.backlog_concurrency is not None and settings.backlog_concurrency > settings.concurrency:
            yield Remark(
                ("destinations", name, "backlog_concurrency"),
                f"larger than concurrency ({settings.concurrency}), which is the limit",
            )
        if "compress_from" in settings.model_fields_set and settings.compression is None:
            yield Remark(
                ("destinations", name, "compress_from"),
                "has no effect without compression; add compression, or remove it",
            )
        if settings.compression is not None and (packages := _text_verifiers(settings.signing)):
            yield Remark(
                ("destinations", name, "compression"),
                f"{packages} cannot verify the signature of a compressed body, because they decode the body as "
                "UTF-8 text first; remove compression, or let the receiver verify the bytes itself (docs/signing.md)",
            )
        canary = settings.canary
        if canary is not None and canary.value().within < settings.timeout:
            yield Remark(
                ("destinations", name, "canary", "within"),
                "shorter than timeout, so a slow response counts as a missing one",
            )
    url = config.outbox.url
    if url is not None and _AT_THE_TOP.fullmatch(url):
        yield Remark(
            ("outbox", "url"),
            f"this is the file {url.removeprefix('sqlite://')} at the top of the file system; "
            f"sqlite:{url.removeprefix('sqlite:///')} is a file in the folder of the config",
        )
    if url is not None and "?" in url:
        yield Remark(
            ("outbox", "url"),
            "the ? and what follows it are a part of the file's name; parameters are not supported: remove them",
        )
    used = {name for route in config.routes for name in route.to} | {config.unmatched}
    used |= {each.on_failure.to for each in config.destinations.values() if each.on_failure is not None}
    notices = [each.on_failure for each in config.streams] + [each.on_failure for each in config.expect]
    used |= {each.fallback.to for each in config.destinations.values() if each.fallback is not None}
    used |= {on_failure.to for on_failure in notices if on_failure is not None}
    for name in config.destinations:
        if name not in used:
            yield Remark(("destinations", name), "no route sends anything there")
