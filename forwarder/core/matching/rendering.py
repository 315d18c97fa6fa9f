"""Renders tests as the config has them, and values of events in few characters. All texts are safe to print on a terminal."""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from forwarder.core.counted import counted
from forwarder.core.durations import write_duration
from forwarder.core.matching.compile_clock import DAYS
from forwarder.core.matching.conditions import ValueTest, Where
from forwarder.core.matching.folding import Form, fold
from forwarder.core.matching.literals import as_json
from forwarder.core.matching.sealed_equals import SealedEquals
from forwarder.core.matching.subject import Field, Found, Subject
from forwarder.core.matching.texts import Contains, Equals, Prefix, Regex, Suffix, Wildcard, Word
from forwarder.core.matching.values import Age, Between, Compare, Length, Operator, TypeIs, WallClock, time_of
from forwarder.core.yaml.tree import Expanded, Scalar, Sealed

_WORDS_SHOWN = 5
"""How many values of one test are shown."""
_LONGEST_WORD = 60
_LONGEST_VALUE = 80
_OPERATORS = {Operator.GT: ">", Operator.GTE: ">=", Operator.LT: "<", Operator.LTE: "<="}
_VERBS: dict[type[ValueTest], str] = {
    Equals: "is",
    SealedEquals: "is",
    Contains: "contains",
    Word: "has the word",
    Prefix: "begins with",
    Suffix: "ends with",
    Wildcard: "has the shape",
    Regex: "has the regex",
}


def shown(value: object, *, limit: int = _LONGEST_VALUE) -> str:
    """Return a value as JSON, cut to `limit` characters, with control characters escaped."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, str):
        return _quoted(value if len(value) <= limit else f"{value[:limit]}…")
    if isinstance(value, dict):
        return f"an object of {counted(len(value), 'key')}" if value else "{}"
    if isinstance(value, list):
        return f"an array of {len(value)}" if value else "[]"
    text = json.dumps(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _quoted(text: str) -> str:
    as_text = json.dumps(text, ensure_ascii=False)
    return "".join(mark if mark.isprintable() else json.dumps(mark)[1:-1] for mark in as_text)


def seen_by(test: ValueTest, value: Found, subject: Subject, *, part: str = "") -> str:
    """Return a value together with what the test compares: its folded text, age, length, or wall-clock time."""
    text = cut_around(value, part, subject, form=_form_of(test))
    at = time_of(value) if isinstance(test, Age | WallClock) else None
    match test:
        case Length() if isinstance(value, str | list | dict):
            return f"{text}, of length {len(value)}"
        case Age() if at is not None:
            age = subject.now - at
            return f"{text}, {_roughly(age)} old" if age >= timedelta() else f"{text}, {_roughly(-age)} ahead"
        case WallClock() if at is not None:
            with suppress(OverflowError):  # at the end of the calendar
                return f"{text}, which is {at.astimezone(test.zone):%a %H:%M}"
    return text


def _form_of(test: ValueTest) -> Form:
    if isinstance(test, Contains | Word | Prefix | Suffix | Wildcard | Regex):
        return test.form
    return Form.CASELESS


def _roughly(length: timedelta) -> str:
    seconds = length / timedelta(seconds=1)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.1f}s"


def cut_around(value: Found, part: str, subject: Subject, *, form: Form) -> str:
    """Return a value like `shown`, and how it is compared if that looks different. A long text is cut around `part`, which is in this form."""
    if not isinstance(value, str):
        return shown(value)
    at = _place_of(part, value, subject, form) if len(value) > _LONGEST_VALUE else 0
    begin = max(min(at - _LONGEST_VALUE // 3, len(value) - _LONGEST_VALUE), 0)
    piece = value[begin : begin + _LONGEST_VALUE]
    more = "…" if begin + _LONGEST_VALUE < len(value) else ""
    text = _quoted(f"{'…' if begin else ''}{piece}{more}")
    if form is Form.FOLDED and (compared := fold(piece)) != piece.casefold():
        text += f", compared as {shown(compared)}"
    return text


def _place_of(part: str, value: str, subject: Subject, form: Form) -> int:
    """Return about where in a value the text is that `part` is in this form."""
    if (at := value.find(part)) >= 0:
        return at
    at = subject.compared(value, form).find(part)
    if form is not Form.FOLDED or at < 0:
        return at
    # Folding changes the length: this is the longest beginning that is folded to no more than what is before the part.
    return bisect_right(range(len(value)), at, key=lambda end: len(fold(value[:end]))) - 1


def word(written: Scalar) -> str:
    """Return a value of the config: in quotes, unless it is an unquoted number, true, false or null; a variable by its name."""
    text = written.written if isinstance(written, Expanded | Sealed) else str(written)
    if (
        not isinstance(written, Expanded | Sealed)
        and not written.quoted
        and len(text) <= _LONGEST_WORD
        and any(True for _ in as_json(text))
    ):
        return text
    cut = text if len(text) <= _LONGEST_WORD else f"{text[:_LONGEST_WORD]}…"
    return f'"{"".join(mark if mark.isprintable() else _code(mark) for mark in cut)}"'


def _code(mark: str) -> str:
    r"""Return the code of a character that cannot be seen: a backspace as `\x08`, because `\b` is something else in a regex."""
    code = ord(mark)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _words(written: Sequence[Scalar]) -> str:
    named = [each for each in written if not isinstance(each, Sealed) or each.written]
    some = ", ".join(map(word, named[:_WORDS_SHOWN]))
    more, digests = len(named) - _WORDS_SHOWN, len(written) - len(named)
    words = f"{some}, +{more:,} more" if more > 0 else some
    if not digests:
        return words or "nothing"
    return f"{words}{', ' if words else ''}one of {counted(digests, 'value')} of lists, kept as digests"


def label_of(test: ValueTest, field: Field) -> str:
    """Return a test as a phrase that follows the name of its field."""
    match test:
        case Equals() | SealedEquals():
            form = Form.CASELESS if test.ignore_case else Form.WRITTEN
            return f"{_VERBS[type(test)]} {_words(test.written)}{_comparing(form, Form.CASELESS, field)}"
        case Contains() | Word() | Prefix() | Suffix() | Wildcard() | Regex():
            usual = Form.CASELESS if isinstance(test, Regex) else Form.FOLDED
            return f"{_VERBS[type(test)]} {_words(test.written)}{_comparing(test.form, usual, field)}"
        case Where():
            return "where"
        case _:
            return _label_of_value(test)


def _comparing(form: Form, usual: Form, field: Field) -> str:
    """Return how a test compares texts, if it is not as usual; `usual` is how it does on a field that ignores case."""
    said = []
    if (form is not Form.WRITTEN) != field.ignores_case:
        said.append("case-sensitive" if form is Form.WRITTEN else "ignoring case")
    if form not in {usual, Form.WRITTEN}:
        said.append("exact" if form is Form.CASELESS else "folded")
    return f" ({', '.join(said)})" if said else ""


def _label_of_value(test: ValueTest) -> str:
    match test:
        case Compare():
            return f"{_OPERATORS[test.operator]} {_given(test.written) or shown(test.bound)}"
        case Between():
            return f"between {_given(test.written[:1]) or shown(test.low)} and {_given(test.written[1:]) or shown(test.high)}"
        case Length():
            return f"length {' and '.join(map(_label_of_length, test.tests))}"
        case TypeIs():
            return f"of type {', '.join(test.types)}"
        case Age():
            age = _given(test.written) or write_duration(test.than)
            return f"older than {age}" if test.is_older else f"within {age}"
        case WallClock():
            return _label_of_clock(test)
        case _:
            return type(test).__name__


def _label_of_length(test: Compare | Between) -> str:
    if isinstance(test, Between) and test.low == test.high:
        return _given(test.written[:1]) or shown(test.low)
    return _label_of_value(test)


def _given(written: Sequence[Scalar]) -> str:
    """Return the value as written if it contains a variable, else nothing."""
    return word(written[0]) if written and isinstance(written[0], Expanded) else ""


def _label_of_clock(test: WallClock) -> str:
    if any(isinstance(each, Expanded) for each in test.written):
        return f"within {_words(test.written)}"
    return f"within {span_of_clock(test)}"


def span_of_clock(clock: WallClock) -> str:
    """Return the hours, the days and the time zone of a clock, such as `23:00-07:00 on mon, tue (UTC)`."""
    hours = [f"{each.begin:%H:%M}-{each.end:%H:%M}" for each in clock.hours]
    days = [DAYS[day] for day in sorted(clock.days)] if len(clock.days) < len(DAYS) else []
    return f"{' on '.join(filter(None, (', '.join(hours), ', '.join(days)))) or 'the week'} ({clock.zone_name})"


def hit_of(test: ValueTest, value: Found, subject: Subject, *, marker: str) -> tuple[str, str]:
    """Return which of a test's several values matched, as written, and the part of the value that it matched.

    Both are empty if the test has no values; the first is empty if it has only one.
    """
    match test:
        case Equals():
            found = next((each for each in test.written if _equals(test, each, value, subject, marker)), None)
            if found is None and isinstance(value, str):  # a known word in another case
                found = next((each for each in test.written if each.casefold() == value.casefold()), None)
            part = ""
        case SealedEquals():
            if (digest := test.digest_of(value, subject)) is None:
                return hit_of(replace(test.plain, written=test.written), value, subject, marker=marker)
            found = next(each for each in test.written if each == digest)
            if not isinstance(found, Sealed) or not found.written:
                return shown(value) if len(test.written) > 1 else "", ""
            part = ""
        case Contains() | Word() | Prefix() | Suffix():
            parts = (replace(test, parts=(part,)) for part in test.parts)
            found, part = _first(zip(filter(None, test.written), parts, test.parts, strict=False), value, subject)
        case Wildcard():
            shapes = (replace(test, shapes=(shape,)) for shape in test.shapes)
            found, part = _first(zip(test.written, shapes, _empty(), strict=False), value, subject)
        case Regex():
            patterns = (replace(test, patterns=(pattern,)) for pattern in test.patterns)
            found, _ = _first(zip(test.written, patterns, _empty(), strict=False), value, subject)
            part = _match(test, value, subject)
        case _:
            return "", ""
    return word(found) if found is not None and len(test.written) > 1 else "", part


def _first(each: Iterable[tuple[Scalar, ValueTest, str]], value: Found, subject: Subject) -> tuple[Scalar | None, str]:
    return next(((written, part) for written, test, part in each if test.passes(value, subject)), (None, ""))


def _empty() -> Iterator[str]:
    while True:
        yield ""


def _match(test: Regex, value: Found, subject: Subject) -> str:
    """Return the text that a regex matched, to show where it is."""
    if not isinstance(value, str):
        return ""
    text = subject.folded(value) if test.form is Form.FOLDED else value
    try:
        found = (pattern.search(text) for pattern in test.patterns)
        return next((str(each.group()) for each in found if each is not None), "")
    except UnicodeEncodeError:
        return ""


def _equals(test: Equals, written: Scalar, value: Found, subject: Subject, marker: str) -> bool:
    caseless: Callable[[str], str] = subject.caseless if test.ignore_case else str
    if isinstance(value, str):
        text = written.removeprefix(marker) if marker else str(written)
        return (text.casefold() if test.ignore_case else text) == caseless(value)
    one = replace(test, texts=frozenset(), others=() if written.quoted else tuple(as_json(written)))
    return one.passes(value, subject)
