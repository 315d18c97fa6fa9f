"""What a config allows and had better not: rules without effect, and settings that do not go together. Sentences, each with its place."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from forwarder.core.config.model import Config, RouteConfig
from forwarder.core.config.problems import did_you_mean, quote
from forwarder.core.event import KNOWN_SOURCES
from forwarder.core.matching import Condition, FieldTest
from forwarder.core.matching.conditions import ValueTest
from forwarder.core.matching.relations import implies, parts_of, why_never
from forwarder.core.matching.texts import Contains, Equals, Prefix, Suffix, Word
from forwarder.core.notices import spell
from forwarder.core.preference import OnFull, Prefer
from forwarder.core.url import fixed_part, read_url

_MOST_PAIRS = 200_000
"""Pairs of routes that are compared each with each; beyond, only those that name the same value somewhere."""
_MOST_OF_A_KIND = 20


def warnings_of(config: Config) -> list[str]:
    """Return the sentences, in the order of the file within each kind."""
    routes = [(index, route) for index, route in enumerate(config.routes) if route.enabled]
    kinds = (
        _shadowed(routes),
        _misspelt_sources(routes),
        _to_nobody(config, routes),
        _on_full(config),
        _waits(config),
        _streams(config),
        _unverified(config),
        _fragments(config),
        _settings(config),
    )
    return list(chain.from_iterable(map(_shortened, kinds)))


def _shortened(sentences: Iterator[str]) -> Iterator[str]:
    found = list(sentences)
    yield from found[:_MOST_OF_A_KIND]
    if len(found) > _MOST_OF_A_KIND:
        yield f"and {len(found) - _MOST_OF_A_KIND} more like the last one"


def _fragments(config: Config) -> Iterator[str]:
    """Yield the destinations whose URL goes on behind a `#`, which is sent to nobody."""
    for name, settings in config.destinations.items():
        if settings.enabled and read_url(fixed_part(settings.url.reveal()), "http", "https").raw_fragment:
            yield f"destinations.{name}.url: what stands behind the # is not sent; write %23 where the sign is meant"


def _named(index: int, route: RouteConfig) -> str:
    return f"routes[{index}] {quote(route.name)}"


def _shadowed(routes: Sequence[tuple[int, RouteConfig]]) -> Iterator[str]:
    """Yield the routes that can never match, never get an event, or say what another one says."""
    stops = _Stops(routes)
    seen: dict[object, tuple[int, RouteConfig]] = {}
    for index, route in routes:
        if (reason := why_never(route.match)) is not None:
            yield f"{_named(index, route)}: can never match: {reason}"
            continue
        if (before := stops.before(index, route.match)) is not None:
            yield f"{_named(index, route)}: gets no event: all that it matches stops at {_named(*before)}"
            continue
        said = (
            route.match,
            tuple(sorted(route.to)),
            route.prefer,
            route.sample,
            None if route.limit is None else repr(route.limit),
        )
        if (before := seen.setdefault(said, (index, route))) != (index, route):
            yield f"{_named(index, route)}: says what {_named(*before)} says already"


class _Stops:
    """The routes that end the walk, found by what an event must be to come that far."""

    def __init__(self, routes: Sequence[tuple[int, RouteConfig]]) -> None:
        stops = [(index, route) for index, route in routes if route.stop]
        self._all = stops if len(stops) * len(routes) <= _MOST_PAIRS else None
        self._by_atom: dict[object, list[tuple[int, RouteConfig]]] = {}
        for stop in stops if self._all is None else ():
            for atom in _atoms(stop[1].match):
                self._by_atom.setdefault(atom, []).append(stop)

    def before(self, index: int, condition: Condition) -> tuple[int, RouteConfig] | None:
        """Return the first route above that takes everything that meets the condition."""
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
    """Yield the values that the condition names; `None` where it names none."""
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


def _misspelt_sources(routes: Sequence[tuple[int, RouteConfig]]) -> Iterator[str]:
    for index, route in routes:
        for part in parts_of(route.match):
            if isinstance(part, FieldTest) and part.field.name == "source":
                for test in part.of_element:
                    for value in test.written if isinstance(test, Equals) else ():
                        if value not in KNOWN_SOURCES and (hint := did_you_mean(value, KNOWN_SOURCES)):
                            yield f"{_named(index, route)}: no source of the name {quote(value)} is known{hint}"


def _to_nobody(config: Config, routes: Sequence[tuple[int, RouteConfig]]) -> Iterator[str]:
    disabled = {name for name, settings in config.destinations.items() if not settings.enabled}
    for index, route in routes:
        if disabled.issuperset(route.to):
            yield f"{_named(index, route)}: sends nothing: {', '.join(route.to)} is disabled"


def _on_full(config: Config) -> Iterator[str]:
    preferring = {
        name for route in config.routes if route.enabled and route.prefer is not Prefer.ALL for name in route.to
    }
    for name, settings in config.destinations.items():
        if settings.on_full is not OnFull.IGNORE and name not in preferring:
            yield f"destinations.{name}.on_full: {settings.on_full}: has no effect, as no route to it says prefer: first or full"


def _waits(config: Config) -> Iterator[str]:
    for route in config.routes:
        for name in route.to if route.prefer is Prefer.FULL else ():
            max_age = config.destinations[name].retry.max_age
            if max_age is not None and max_age <= route.wait:
                yield (
                    f"routes.{route.name}.wait: {spell(route.wait)}: a first word that has waited so long is older than the "
                    f"retry.max_age of {name} ({spell(max_age)}), and expires there; write a shorter wait or a longer max_age"
                )


def _streams(config: Config) -> Iterator[str]:
    first = config.streams[0]
    for index, stream in enumerate(config.streams[1:], 1):
        for key in ("use_fast_x", "ignore_full_payload"):
            if getattr(stream, key) != getattr(first, key):
                yield (
                    f"streams[{index}] {quote(stream.name)}: {key} is another one than that of {quote(first.name)}: what only one "
                    "of them brings is missed while that one is away"
                )
    if config.outbox.dedupe_window:
        return
    if len(config.streams) > 1:
        yield "outbox.dedupe_window: 0s: what several streams bring is delivered once for each of them; write 30m"
    for index, stream in enumerate(config.streams):
        keys = ("max_connection_age", "expect_event_within", "gap_repair")
        if used := [key for key in keys if getattr(stream, key)]:
            yield (
                f"streams[{index}] {quote(stream.name)}: {', '.join(used)}: with outbox.dedupe_window: 0s what two connections "
                "bring at once is delivered twice"
            )


def _unverified(config: Config) -> Iterator[str]:
    for name, settings in config.destinations.items():
        if settings.enabled and settings.tls is not None and not settings.tls.verify:
            yield (
                f"destinations.{name}.tls.verify: false: any certificate is taken, so whoever is on the way can read and answer "
                "what is sent; name the receiver's authority in tls.ca_file instead"
            )


def _settings(config: Config) -> Iterator[str]:
    for name, settings in config.destinations.items():
        place = f"destinations.{name}"
        if settings.backlog_concurrency is not None and settings.backlog_concurrency > settings.concurrency:
            yield f"{place}.backlog_concurrency: more than concurrency, which is {settings.concurrency}, and so no more than that"
        if "compress_from" in settings.model_fields_set and settings.compression is None:
            yield f"{place}.compress_from: has no effect without compression"
        canary = settings.canary
        if canary is not None and canary.value().within < settings.timeout:
            yield f"{place}.canary.within: shorter than timeout, so a slow answer counts as none"
    used = {name for route in config.routes for name in route.to} | {config.unmatched}
    told = [each.on_failure for each in config.destinations.values()]
    told += [each.on_failure for each in config.streams] + [each.on_failure for each in config.expect]
    used |= {on_failure.to for on_failure in told if on_failure is not None}
    for name in config.destinations:
        if name not in used:
            yield f"destinations.{name}: no route sends anything there"
