"""What must be so of an event for a condition to hold: small questions that can be asked of many conditions at once."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from forwarder.core.matching.conditions import AllOf, AnyOf, Condition, FieldTest, Matcher, Not, ValueTest
from forwarder.core.matching.literal_pieces import pieces_of, rarity
from forwarder.core.matching.subject import Field
from forwarder.core.matching.texts import Contains, Equals, Prefix, Regex, Suffix, Wildcard, Word

JSONKey = tuple[bool, bool | int | float | None]
"""A JSON scalar that is no text, with whether it is true or false: True == 1 in Python, not in JSON."""


@dataclass(frozen=True, slots=True)
class Atom:
    """An element under the field is one of these, or, with `is_part`, has one of these in it."""

    field: Field
    ignore_case: bool
    is_part: bool
    texts: frozenset[str]
    """Folded where case is ignored."""
    others: frozenset[JSONKey] = frozenset()

    def values(self) -> Iterator[str | JSONKey]:
        """Yield all of them."""
        yield from self.texts
        yield from self.others


Cover = frozenset[Atom]
"""At least one of these is true of every event for which the condition holds; with none it never holds."""


def json_key(value: bool | float | None) -> JSONKey:
    """Return the key under which a scalar that is no text is looked up."""
    return isinstance(value, bool), value


class Atoms:
    """Reads conditions; each test is read once, however many conditions share it through a matcher."""

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
        """Return covers of the condition, each of them one by itself, the rarest first; none where nothing is known."""
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
        """Return a guess at the share of events that have one of its atoms, from 0 to 1."""
        return min(1.0, sum(map(self._likelihood, cover)))

    def _likelihood(self, atom: Atom) -> float:
        """Return the share of events that have this atom.

        A stream brings what its rules ask for: of an account in a hundredth of the rules that name one, a hundredth of the
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
                self._keep.append(test)  # so that no other object gets its id
            if (atom := self._known[key]) is not None:
                yield atom


_NEVER: Cover = frozenset()


def _atom(field: Field, test: ValueTest) -> Atom | None:
    """Return what must be so of an element that passes the test, or `None` where nothing can be said."""
    match test:
        case Equals(texts=texts, others=others, ignore_case=ignore_case):
            return Atom(field, ignore_case, False, texts, frozenset(map(json_key, others)))
        case Contains() | Word() | Prefix() | Suffix():
            return _parts(field, test.parts, ignore_case=test.ignore_case)
        case Wildcard(shapes=shapes, ignore_case=ignore_case):
            if all(len(pieces) == 1 for pieces in shapes):
                return Atom(field, ignore_case, False, frozenset(pieces[0] for pieces in shapes))
            return _parts(field, (max(pieces, key=len) for pieces in shapes), ignore_case=ignore_case)
        case Regex(patterns=patterns, ignore_case=ignore_case):
            found = [pieces_of(pattern.pattern, ignore_case=ignore_case) for pattern in patterns]
            if None in found:
                return None
            return _parts(field, (piece for pieces in found for piece in pieces or ()), ignore_case=ignore_case)
    return None


def _parts(field: Field, parts: Iterable[str], *, ignore_case: bool) -> Atom | None:
    texts = frozenset(parts)
    return None if "" in texts else Atom(field, ignore_case, True, texts)
