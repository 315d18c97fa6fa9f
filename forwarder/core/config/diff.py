"""Describes the changes between two configs in sentences. They contain no secrets; see `section_diff`."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from forwarder.core.config import Config, DestinationConfig, RouteConfig
from forwarder.core.config.section_diff import differences
from forwarder.core.counted import counted
from forwarder.core.yaml.problems import quote

LONGEST = 50
"""The most sentences that are shown."""
ONLY_AT_START: Mapping[str, Callable[[Config], object]] = {
    "outbox.url": lambda config: config.outbox.url,
    "outbox.durability": lambda config: config.outbox.durability,
    "outbox.max_size": lambda config: config.outbox.max_size,
    "outbox.dedupe_window": lambda config: config.outbox.dedupe_window,
    "admin.socket": lambda config: config.admin.socket,
    "admin.group": lambda config: config.admin.group,
    "admin.listen": lambda config: config.admin.listen,
    "admin.tls": lambda config: config.admin.tls is not None,
    "tracing": lambda config: config.tracing,
}
"""The settings that take effect at the next start only."""
_MOST_PAIRS = 10_000
"""The most pairs of removed and added routes that are compared to find renamed ones."""


def plan(old: Config, new: Config, *, started_with: Config, waiting: Mapping[str, int]) -> list[str]:
    """Return a sentence for each change from `old` to `new`.

    `started_with` is the config that the daemon started with; `waiting` counts the waiting deliveries of each destination.
    """
    return [
        *_of_streams(old, new),
        *_of_destinations(old, new, waiting),
        *_of_routes(old.routes, new.routes),
        *([f"unmatched {old.unmatched} → {new.unmatched}"] if old.unmatched != new.unmatched else []),
        *_of_the_rest(old, new),
        *_only_at_start(old, new, started_with),
    ]


def shortened(sentences: Sequence[str], limit: int = LONGEST) -> list[str]:
    """Return the first sentences, and one that counts the others."""
    more = len(sentences) - limit
    return list(sentences) if more <= 0 else [*sentences[:limit], f"and {more:,} more"]


def needs_restart(config: Config, started_with: Config) -> list[str]:
    """Return the settings that become active at the next start only."""
    return [name for name, of in ONLY_AT_START.items() if of(config) != of(started_with)]


def _of_streams(old: Config, new: Config) -> Iterator[str]:
    before = {stream.name: stream for stream in old.streams}
    after = {stream.name: stream for stream in new.streams}
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            yield f"stream {name} removed: disconnects"
        elif name not in before:
            yield f"stream {name} added: connects"
        elif changes := list(differences(before[name], after[name])):
            yield f"stream {name}: {', '.join(changes)}; an open connection is used until the new one is open"


def _of_destinations(old: Config, new: Config, waiting: Mapping[str, int]) -> Iterator[str]:
    for name in dict.fromkeys((*old.destinations, *new.destinations)):
        before, after = old.destinations.get(name), new.destinations.get(name)
        if before != after:
            yield from _of_destination(name, before, after, waiting.get(name, 0))


def _of_destination(
    name: str, before: DestinationConfig | None, after: DestinationConfig | None, waiting: int
) -> Iterator[str]:
    what = f"destination {name}"
    was_there, is_there = before is not None and before.enabled, after is not None and after.enabled
    changes: list[str] = []
    if after is None:
        yield f"{what} removed"
    elif before is None:
        yield f"{what} added" + ("" if after.enabled else ", disabled")
    else:
        if was_there and not is_there:
            yield f"{what} disabled: its events are skipped and counted"
        elif is_there and not was_there:
            yield f"{what} enabled"
        changes = [change for change in differences(before, after) if not change.startswith("enabled ")]
        if changes:
            yield f"{what}: {', '.join(changes)}"
    if not waiting or not (was_there or is_there or changes):
        return
    one = waiting == 1
    deliveries = f"{counted(waiting, 'waiting delivery', 'waiting deliveries')} of {what}"
    if not is_there:
        have = "has" if one else "have"
        yield f"{deliveries} {have} no destination now; kept until the destination is back"
    elif not was_there:
        yield f"{deliveries} {'has' if one else 'have'} a destination again"
    elif changes:
        yield f"{deliveries} {'keeps its' if one else 'keep their'} destination" + (
            ", with its new URL" if "url changed" in changes else ""
        )


def _of_routes(old: Sequence[RouteConfig], new: Sequence[RouteConfig]) -> Iterator[str]:
    before = {route.name: route for route in old}
    after = {route.name: route for route in new}
    renamed = _renamed([route for route in old if route.name not in after], [r for r in new if r.name not in before])
    now_called = {name: of for of, name in renamed.items()}
    for route in old:
        if route.name in renamed:
            yield f"route {quote(route.name)} renamed to {quote(renamed[route.name])}"
        elif route.name not in after:
            yield f"route {quote(route.name)} removed"
    common = [now_called.get(route.name, route.name) for route in new]
    moved = _moved([route.name for route in old], [name for name in common if name in before])
    for index, route in enumerate(new):
        was = before.get(common[index])
        place = f"after {quote(new[index - 1].name)}" if index else "at the top"
        if was is None:
            yield f"route {quote(route.name)} added {place}, to {', '.join(route.to)}{_disabled(route)}"
            continue
        yield from _of_route(was, route)
        if was.name in moved:
            yield f"route {quote(route.name)} moved: it is {place} now"


def _of_route(before: RouteConfig, after: RouteConfig) -> Iterator[str]:
    changes = [change for change in differences(before, after) if not change.startswith(("name ", "enabled "))]
    if _disabled(before) != _disabled(after):
        yield f"route {quote(after.name)} {'disabled' if _disabled(after) else 'enabled'}"
    if changes:
        yield f"route {quote(after.name)}: {', '.join(changes)}"


def _disabled(route: RouteConfig) -> str:
    return "" if getattr(route, "enabled", True) else ", disabled"


def _renamed(removed: Sequence[RouteConfig], added: Sequence[RouteConfig]) -> dict[str, str]:
    """Return the new name of each route that only changed its name."""
    if len(removed) * len(added) > _MOST_PAIRS:
        return {}
    left = list(added)
    found: dict[str, str] = {}
    for route in removed:
        same = next((other for other in left if other.model_copy(update={"name": route.name}) == route), None)
        if same is not None:
            found[route.name] = same.name
            left.remove(same)
    return found


def _moved(old: Sequence[str], new: Sequence[str]) -> set[str]:
    """Return the smallest set of names that must move to change the old order to the new one."""
    place = {name: index for index, name in enumerate(old)}
    ends: list[int] = []
    """The smallest last place of an increasing run, by the length of the run."""
    last_of: list[str] = []
    before: dict[str, str | None] = {}
    for name in new:
        length = bisect_left(ends, place[name])
        before[name] = last_of[length - 1] if length else None
        ends[length : length + 1], last_of[length : length + 1] = [place[name]], [name]
    staying: set[str] = set()
    name_: str | None = last_of[-1] if last_of else None
    while name_ is not None:
        staying.add(name_)
        name_ = before[name_]
    return set(new) - staying


def _of_the_rest(old: Config, new: Config) -> Iterator[str]:
    described = {"streams", "destinations", "routes", "unmatched", "networks", "expect"}
    at_start = [name for name, of in ONLY_AT_START.items() if of(old) != of(new)]
    yield from _of_expect(old, new)
    if old.networks != new.networks:
        yield "networks changed: all destinations get new connections"
    for change in differences(old, new):
        key = change.split(" ")[0]
        if key.split(".")[0] not in described and not any(f"{key}.".startswith(f"{name}.") for name in at_start):
            yield change


def _of_expect(old: Config, new: Config) -> Iterator[str]:
    before = {each.name: each for each in old.expect}
    after = {each.name: each for each in new.expect}
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            yield f"expect {quote(name)} removed"
        elif name not in before:
            yield f"expect {quote(name)} added"
        elif changes := list(differences(before[name], after[name])):
            yield f"expect {quote(name)}: {', '.join(changes)}"


def _only_at_start(old: Config, new: Config, started_with: Config) -> Iterable[str]:
    for name, of in ONLY_AT_START.items():
        if of(new) == of(old):
            continue
        if of(new) == of(started_with):
            yield f"{name} is again the value that the daemon started with"
        else:
            yield f"{name} changed: takes effect at the next start"
