"""Finds the atoms that are true of an event: values by hash, parts of texts with one automaton for each field."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, TypeVar

import msgspec

from forwarder.core.matching.folding import Form
from forwarder.core.matching.index_atoms import Atom, JSONKey, json_key
from forwarder.core.matching.subject import Field, Subject

if TYPE_CHECKING:
    import ahocorasick

_Key = TypeVar("_Key", str, JSONKey)

_LONGEST = 16
"""How many characters of a part go into the automaton. They are nearly as rare as the whole part and keep the automaton small."""
_FEW = 12
"""Up to this number of parts, searching for each is faster than the automaton (3 µs for a text of 280 characters)."""

_NO_HITS: frozenset[int] = frozenset()


class _FieldTable(msgspec.Struct, frozen=True):
    """All atoms of one field that compare texts in the same form."""

    field: Field
    form: Form
    texts: dict[str, tuple[int, ...]]
    others: dict[JSONKey, tuple[int, ...]]
    few: tuple[tuple[str, tuple[int, ...]], ...]
    automaton: "ahocorasick.Automaton | None"

    def add_hits(self, subject: Subject, hits: set[int]) -> None:
        """Add the numbers of the atoms that are true to `hits`."""
        for value in subject.elements(self.field):
            if isinstance(value, str):
                if self.form is Form.FOLDED:  # as in `Subject.compared`; this is for each event
                    text = subject.folded(value)
                else:
                    text = value if self.form is Form.WRITTEN else subject.caseless(value)
                if (numbers := self.texts.get(text)) is not None:
                    hits.update(numbers)
                for part, numbers in self.few:
                    if part in text:
                        hits.update(numbers)
                if self.automaton is not None:
                    for _, numbers in self.automaton.iter(text):
                        hits.update(numbers)
            elif self.others and (value is None or isinstance(value, bool | int | float)):
                hits.update(self.others.get(json_key(value), ()))


class Lookup:
    """Returns the numbers of the atoms that are true of an event."""

    __slots__ = ("_tables",)

    def __init__(self, atoms: Mapping[Atom, int] | None = None) -> None:
        grouped: defaultdict[tuple[Field, Form], list[tuple[Atom, int]]] = defaultdict(list)
        for atom, number in (atoms or {}).items():
            grouped[atom.field, atom.form].append((atom, number))
        self._tables = [_table(field, form, members) for (field, form), members in grouped.items()]

    def hits(self, subject: Subject) -> AbstractSet[int]:
        """Return the numbers of the atoms that are true of the event, and possibly of some that are only nearly true."""
        if not self._tables:
            return _NO_HITS
        hits: set[int] = set()
        for table in self._tables:
            table.add_hits(subject, hits)
        return hits


def _table(field: Field, form: Form, members: Iterable[tuple[Atom, int]]) -> _FieldTable:
    texts: defaultdict[str, list[int]] = defaultdict(list)
    others: defaultdict[JSONKey, list[int]] = defaultdict(list)
    parts: defaultdict[str, list[int]] = defaultdict(list)
    for atom, number in members:
        for other in atom.others:
            others[other].append(number)
        for text in atom.texts:
            (parts[text[:_LONGEST]] if atom.is_part else texts[text]).append(number)
    known: dict[tuple[int, ...], tuple[int, ...]] = {}

    def frozen(found: Mapping[_Key, list[int]]) -> dict[_Key, tuple[int, ...]]:
        """Return the numbers as tuples, one for all that are equal: most values of an atom are only in that one."""
        return {key: known.setdefault(some := tuple(numbers), some) for key, numbers in found.items()}

    few = frozen(parts)
    return _FieldTable(
        field=field,
        form=form,
        texts=frozen(texts),
        others=frozen(others),
        few=tuple(few.items()) if len(few) <= _FEW else (),
        automaton=None if len(few) <= _FEW else _automaton(few),
    )


def _automaton(parts: Mapping[str, tuple[int, ...]]) -> "ahocorasick.Automaton":
    import ahocorasick  # noqa: PLC0415 - most configs have few parts of texts

    automaton = ahocorasick.Automaton()
    for part, numbers in parts.items():
        automaton.add_word(part, numbers)
    automaton.make_automaton()
    return automaton
