"""Finds the conditions that may match an event without evaluating all of them.

The index is built once. A lookup reads each tested field once and returns candidates, which are then evaluated completely. It may return
too many candidates, but never too few.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import cast

from forwarder.core.matching.conditions import Condition, Not
from forwarder.core.matching.index_atoms import Atom, Atoms, Cover
from forwarder.core.matching.index_lookup import Lookup
from forwarder.core.matching.subject import Subject

_FEWEST = 12
"""With fewer distinct conditions than this, evaluating each is as fast as the index."""
_MANY = 16
"""From this number of conditions with a common atom on, a second atom of each is checked, too."""
_LIKELY = 0.5
"""An atom that occurs in this share of the events or more is not used as a second one."""


class Index:
    """Returns the numbers of the conditions that match an event, in their order."""

    __slots__ = ("_always", "_assumed", "_conditions", "_direct", "_leaders", "_lookup", "_refined", "_refuted")

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._conditions = conditions
        self._direct: dict[int, tuple[int, ...]] = {}
        """The conditions that are candidates when an atom is true."""
        self._refined: dict[int, dict[int, tuple[int, ...]]] = {}
        """The conditions that are candidates when an atom and one of these other atoms are true."""
        self._always: Sequence[int] = range(len(conditions))
        self._lookup = Lookup()
        self._assumed: dict[int, bool] = {}
        """The negations. They match if no atom of the negated condition is true."""
        self._refuted: dict[int, tuple[int, ...]] = {}
        """The negations that must be evaluated when an atom is true."""
        twins = _twins(conditions)
        self._leaders = _leaders(twins, len(conditions))
        """For each condition the first one that is equal to it, so that equal conditions are evaluated once."""
        if len(twins) >= _FEWEST:
            self._build(twins)

    def matching(self, subject: Subject) -> Iterator[int]:
        """Yield the numbers of the conditions that match, in their order. Each is evaluated only when it is reached."""
        conditions, leaders = self._conditions, self._leaders
        hits = self._lookup.hits(subject)
        known = self._assumed
        if known:
            known = known.copy()
            for atom in hits:
                for leader in self._refuted.get(atom, ()):
                    known.pop(leader, None)
        else:
            known = {}
        for number in self._candidates(hits):
            leader = leaders[number]
            holds = known.get(leader)
            if holds is None:
                holds = known[leader] = conditions[leader].matches(subject)
            if holds:
                yield number

    def _candidates(self, hits: AbstractSet[int]) -> Sequence[int]:
        if not hits:
            return self._always
        found: list[int] = []
        for atom in hits:
            if (numbers := self._direct.get(atom)) is not None:
                found += numbers
            if (refined := self._refined.get(atom)) is not None:
                for other in hits if len(hits) < len(refined) else refined:
                    if other in hits and (numbers := refined.get(other)) is not None:
                        found += numbers
        if len(found) > 1:
            found = sorted(set(found))
        return sorted((*self._always, *found)) if self._always else found

    def _build(self, twins: dict[int, list[int]]) -> None:
        atoms = Atoms(self._conditions[leader] for leader in twins)
        always: list[int] = []
        covers: dict[int, tuple[Cover, ...]] = {}
        shared: defaultdict[Atom, list[int]] = defaultdict(list)
        negated: defaultdict[Atom, list[int]] = defaultdict(list)
        for leader, numbers in twins.items():
            condition = self._conditions[leader]
            covers[leader] = atoms.covers(condition)
            for atom in next(iter(covers[leader]), ()):
                shared[atom].append(leader)
            if not covers[leader]:
                always += numbers
                if isinstance(condition, Not) and (of_negated := atoms.covers(condition.condition)):
                    self._assumed[leader] = True
                    for atom in of_negated[0]:
                        negated[atom].append(leader)
        numbered: dict[Atom, int] = {}
        for atom, leaders in shared.items():
            direct: list[int] = []
            refined: defaultdict[int, list[int]] = defaultdict(list)
            for leader in leaders:
                second = _second(covers[leader], atoms) if len(leaders) > _MANY else None
                if second is None:
                    direct += twins[leader]
                for other in second or ():
                    refined[numbered.setdefault(other, len(numbered))] += twins[leader]
            number = numbered.setdefault(atom, len(numbered))
            if direct:
                self._direct[number] = tuple(direct)
            if refined:
                self._refined[number] = {other: tuple(found) for other, found in refined.items()}
        for atom, leaders in negated.items():
            self._refuted[numbered.setdefault(atom, len(numbered))] = tuple(leaders)
        self._always = sorted(always)
        self._lookup = Lookup(numbered)


def _second(covers: tuple[Cover, ...], atoms: Atoms) -> Cover | None:
    """Return a second cover to check, if there is a rare one that has no atom in common with the first."""
    first, *others = covers
    return next((each for each in others if first.isdisjoint(each) and atoms.likelihood(each) < _LIKELY), None)


def _twins(conditions: Sequence[Condition]) -> dict[int, list[int]]:
    """Return the numbers of equal conditions, under the number of the first of them."""
    first: dict[Hashable, int] = {}
    twins: dict[int, list[int]] = {}
    for number, condition in enumerate(conditions):
        leader = first.setdefault(cast("Hashable", condition), number)
        twins.setdefault(leader, []).append(number)
    return twins


def _leaders(twins: dict[int, list[int]], count: int) -> list[int]:
    leaders = [0] * count
    for leader, numbers in twins.items():
        for number in numbers:
            leaders[number] = leader
    return leaders
