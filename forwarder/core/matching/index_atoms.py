"""Reads from conditions what must be true of an event for them to match: atoms, which the index looks up for all conditions at once."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from forwarder.core.matching.conditions import AllOf, AnyOf, Condition, FieldTest, Matcher, Not, ValueTest
from forwarder.core.matching.folding import Form
from forwarder.core.matching.regex_literals import pieces_of, rarity
from forwarder.core.matching.subject import Field
from forwarder.core.matching.texts import Contains, Equals, Prefix, Regex, Suffix, Wildcard, Word

JSONKey = tuple[bool, bool | int | float | None]
"""A JSON scalar other than text, and whether it is a boolean. True == 1 in Python, but not in JSON."""


class Atom(msgspec.Struct, frozen=True):
    """True of an event if an element of the field is one of these values or, with `is_part`, contains one of these texts."""

    field: Field
    form: Form
    is_part: bool
    texts: frozenset[str]
    """The texts, in the form in which they are compared."""
    others: frozenset[JSONKey] = frozenset()

    def values(self) -> Iterator[str | JSONKey]:
        """Yield all values."""
        yield from self.texts
        yield from self.others


Cover = frozenset[Atom]
"""At least one of these atoms is true of every event that the condition matches. An empty cover means that it never matches."""


def json_key(value: bool | float | None) -> JSONKey:
    """Return the key under which a scalar other than text is looked up."""
    return isinstance(value, bool), value


class Atoms:
    """Reads the atoms and covers of conditions. Each test is read once, even if many conditions share it through a matcher."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self._known: dict[int, Atom | None] = {}
        self._equal: dict[Atom, Atom] = {}
        self._leaves: dict[int, tuple[Atom, ...]] = {}
        self._covers: dict[int, tuple[Cover, ...]] = {}
        self._keep: list[object] = []
        counts = Counter(atom for condition in conditions for atom in self._each(condition))
        self._uses: dict[tuple[Field, bool], Counter[str | JSONKey]] = {}
        for atom, count in counts.items():
            uses = self._uses.setdefault((atom.field, atom.is_part), Counter())
            for value in atom.values():
                uses[value] += count
        self._totals = {key: uses.total() for key, uses in self._uses.items()}
        self._likely: dict[Atom, float] = {}

    def covers(self, condition: Condition) -> tuple[Cover, ...]:
        """Return independent covers of the condition, the rarest first, or none if nothing is known."""
        match condition:
            case Matcher(condition=within):
                if id(within) not in self._covers:
                    self._covers[id(within)] = self.covers(within)
                    self._keep.append(within)
                return self._covers[id(within)]
            case FieldTest(field=field, of_element=tests):
                found = [
                    frozenset((atom,)) if atom.texts or atom.others else _NEVER for atom in self._tests(field, tests)
                ]
            case AllOf(conditions=parts):
                found = [cover for part in parts for cover in self.covers(part)]
            case AnyOf(conditions=parts):
                best = [covers[0] for covers in map(self.covers, parts) if covers]
                found = [_NEVER.union(*best)] if len(best) == len(parts) else []
            case _:
                found = []
        return tuple(sorted(found, key=self.likelihood)) if len(found) > 1 else tuple(found)

    def likelihood(self, cover: Cover) -> float:
        """Return an estimate of the share of events with one of the atoms, from 0 to 1."""
        return min(1.0, sum(map(self._likelihood, cover)))

    def _likelihood(self, atom: Atom) -> float:
        """Return an estimate of the share of events with this atom.

        The events of a stream resemble its rules: an account in one of a hundred rules that name an account is in about one of a hundred
        events. A keyword of many rules is a frequent word, and so is a short one.
        """
        known = self._likely.get(atom)
        if known is None:
            key = (atom.field, atom.is_part)
            uses, total = self._uses[key], self._totals[key]
            known = sum(uses[value] for value in atom.values()) / total
            if atom.is_part:
                known = known / 2 + sum(map(rarity, atom.texts))
            elif any(is_truth or value is None for is_truth, value in atom.others) or atom.field.values:
                known = max(known, 0.4)
            self._likely[atom] = known = min(1.0, known)
        return known

    def _each(self, condition: Condition) -> Iterator[Atom]:
        match condition:
            case Matcher(condition=within):
                if id(within) not in self._leaves:
                    self._leaves[id(within)] = tuple(self._each(within))
                    self._keep.append(within)
                yield from self._leaves[id(within)]
            case FieldTest(field=field, of_element=tests):
                yield from self._tests(field, tests)
            case AllOf(conditions=parts) | AnyOf(conditions=parts):
                for part in parts:
                    yield from self._each(part)
            case Not(condition=within):
                yield from self._each(within)
            case _:
                pass

    def _tests(self, field: Field, tests: tuple[ValueTest, ...]) -> Iterator[Atom]:
        for test in tests:
            key = id(test)
            if key not in self._known:
                atom = _atom(field, test)
                self._known[key] = None if atom is None else self._equal.setdefault(atom, atom)
                self._keep.append(test)  # keeps the object alive, so that no other object gets its id
            if (atom := self._known[key]) is not None:
                yield atom


_NEVER: Cover = frozenset()


def _atom(field: Field, test: ValueTest) -> Atom | None:
    """Return the atom that is true of every element that passes the test, or `None` if there is none."""
    match test:
        case Equals(texts=texts, others=others, ignore_case=ignore_case):
            form = Form.CASELESS if ignore_case else Form.WRITTEN
            return Atom(field, form, False, texts, frozenset(map(json_key, others)))
        case Contains() | Word() | Prefix() | Suffix():
            return _parts(field, test.parts, test.form)
        case Wildcard(shapes=shapes, form=form):
            if all(len(pieces) == 1 for pieces in shapes):
                return Atom(field, form, False, frozenset(pieces[0] for pieces in shapes))
            return _parts(field, (max(pieces, key=len) for pieces in shapes), form)
        case Regex(patterns=patterns, form=form):
            found = [pieces_of(pattern.pattern, form) for pattern in patterns]
            if None in found:
                return None
            return _parts(field, (piece for pieces in found for piece in pieces or ()), form)
    return None


def _parts(field: Field, parts: Iterable[str], form: Form) -> Atom | None:
    texts = frozenset(parts)
    return None if "" in texts else Atom(field, form, True, texts)
