"""Which X accounts the rules name, and what the list of tracked accounts of scrape.st says of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from forwarder.core.config.model.root import Config
from forwarder.core.gaps.history_api import Account
from forwarder.core.matching import Condition, FieldTest
from forwarder.core.matching.conditions import AllOf, AnyOf, Matcher
from forwarder.core.matching.texts import Equals
from forwarder.core.yaml.tree import Expanded

_BY_HANDLE, _BY_ID = frozenset({"author"}), frozenset({"author_id", "sid"})
_X = frozenset({"x", "fast-x"})


class NamedAccount(msgspec.Struct, frozen=True):
    """An account that a rule names: by its handle without @, in lower case, or by its id."""

    name: str
    is_id: bool


class Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """How the rules and the tracked accounts fit together."""

    tracked: list[NamedAccount]
    """Named by a rule, and tracked."""
    untracked: list[NamedAccount]
    """Named by a rule, and not tracked: no stream brings their posts."""
    unknown: list[NamedAccount]
    """Named by their id, where the ids of some tracked accounts are not known."""
    unnamed: list[str]
    """Tracked, and no rule matches their posts, because all rules name other accounts. Empty if a rule matches posts of anybody."""


def named_accounts(config: Config) -> dict[NamedAccount, list[str]]:
    """Return the X accounts that enabled routes name, with the names of these routes. Names out of variables are left out."""
    found: dict[NamedAccount, list[str]] = {}
    for route in config.routes:
        if route.enabled:
            for account in dict.fromkeys(_accounts(route.match)):
                found.setdefault(account, []).append(route.name)
    return found


def compare(
    config: Config, named: Iterable[NamedAccount], tracked: Iterable[Account], seen: Mapping[str, str]
) -> Tracking:
    """Return how the named and the tracked accounts fit together; `seen` has the handles of ids in events that came."""
    accounts = list(tracked)
    handles = {account.name.lstrip("@").lower() for account in accounts}
    ids = {account.sid for account in accounts if account.sid}
    found = Tracking(tracked=[], untracked=[], unknown=[], unnamed=[])
    meant = set[str]()
    for each in named:
        handle = seen.get(each.name, "").lower() if each.is_id else each.name
        meant |= {handle, each.name}
        if handle in handles or (each.is_id and each.name in ids):
            found.tracked.append(each)
        elif each.is_id and not handle and not all(account.sid for account in accounts):
            found.unknown.append(each)
        else:
            found.untracked.append(each)
    if all(_is_bound(route.match) for route in config.routes if route.enabled):
        found.unnamed.extend(
            account.name
            for account in accounts
            if account.name.lstrip("@").lower() not in meant and account.sid not in meant
        )
    return found


def _accounts(condition: Condition) -> Iterator[NamedAccount]:
    """Yield the accounts that a condition names, but not those that it excludes."""
    match condition:
        case AllOf(conditions=parts):
            if not any(map(_is_of_others, parts)):
                for part in parts:
                    yield from _accounts(part)
        case AnyOf(conditions=parts):
            for part in parts:
                yield from _accounts(part)
        case Matcher(condition=below):
            yield from _accounts(below)
        case FieldTest(field=field, of_element=tests) if field.name in _BY_HANDLE | _BY_ID:
            for value in _values(tests):
                if field.name in _BY_HANDLE:
                    yield NamedAccount(value.strip().removeprefix("@").lower(), is_id=False)
                elif value.isdecimal():
                    yield NamedAccount(value, is_id=True)


def _is_of_others(condition: Condition) -> bool:
    """Return whether a condition asks for sources none of which is X."""
    return _any(condition, lambda field, values: field == "source" and bool(values) and not values & _X)


def _is_bound(condition: Condition) -> bool:
    """Return whether a condition matches X posts of the accounts that it names only, or none."""
    match condition:
        case AllOf(conditions=parts):
            return any(map(_is_bound, parts))
        case AnyOf(conditions=parts):
            return all(map(_is_bound, parts))
        case Matcher(condition=below):
            return _is_bound(below)
        case _:
            return _is_of_others(condition) or _any(
                condition, lambda field, values: field in _BY_HANDLE | _BY_ID and bool(values)
            )


def _any(condition: Condition, holds: Callable[[str, frozenset[str]], bool]) -> bool:
    """Return whether this holds for the field of a single test, and the values that it compares the field with."""
    match condition:
        case Matcher(condition=below):
            return _any(below, holds)
        case FieldTest(field=field, of_element=tests):
            return holds(field.name, frozenset(_values(tests)))
        case _:
            return False


def _values(tests: Iterable[object]) -> Iterator[str]:
    for test in tests:
        if isinstance(test, Equals):
            yield from (str(value) for value in test.written if not isinstance(value, Expanded))
