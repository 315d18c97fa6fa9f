"""What matching costs: one event against 100 and against 10,000 rules, by the index and by asking every rule.

    python -m benchmarks.routing

Prints for each kind of rules the median time of one event in µs, over the project's example posts. The comparisons to read are the
ratios of one run: 10,000 rules to 100, and the index to the plain walk.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from statistics import median
from time import perf_counter

from forwarder.core.event import Event, decode_event
from forwarder.core.matching import Condition, Subject, compile_condition
from forwarder.core.matching.index import Index
from forwarder.core.posts.samples import SAMPLES
from forwarder.core.yaml.tree import Scalar, Tree

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIZES = (100, 10_000)
ROUNDS = 300
CHANCE = random.Random(7)  # noqa: S311 - the same rules each time


COMMON = ("gm", "mainnet", "tonight", "launch", "everyone")
"""Words of the example posts."""


def word() -> str:
    if CHANCE.random() < 0.002:  # one rule in a few hundred matches
        return CHANCE.choice(COMMON)
    return "".join(CHANCE.choices("abcdefghijklmnopqrstuvwxyz", k=CHANCE.randint(5, 10)))


def quoted(text: str) -> Scalar:
    return Scalar(text, quoted=True)


def account(number: int) -> dict[str, Tree]:
    return {"source": [quoted("x"), quoted("fast-x")], "author": quoted(f"account{number}")}


def keyword(_number: int) -> dict[str, Tree]:
    return {"text": {"word": [quoted(word()), quoted(word())]}}


def both(number: int) -> dict[str, Tree]:
    return {**account(number % 2_000), **keyword(number)}


def regex(number: int) -> dict[str, Tree]:
    return {"text": {"regex": quoted(rf"\b{word()}[0-9]{{2,}}\b")}} if number % 20 == 0 else both(number)


def poor(number: int) -> dict[str, Tree]:
    kinds = ("repost", "quote", "reply", "edit")
    return {"source": quoted(f"source{number % 50}"), "kind": quoted(kinds[number % 4])}


def negated(number: int) -> dict[str, Tree]:
    return {"not": {"any": [account(number), keyword(number)]}}


KINDS: dict[str, Callable[[int], dict[str, Tree]]] = {
    "accounts": account,
    "keywords": keyword,
    "accounts and keywords": both,
    "the same, 5 % regexes": regex,
    "sources and kinds": poor,
    "negations only": negated,
}


def conditions_of(kind: Callable[[int], dict[str, Tree]], size: int) -> list[Condition]:
    def report(path: object, message: str) -> None:
        raise ValueError(f"{path}: {message}")

    return [compile_condition(kind(number), report) for number in range(size)]


def plain(conditions: Sequence[Condition], subject: Subject) -> list[int]:
    return [number for number, condition in enumerate(conditions) if condition.matches(subject)]


def looked_up(index: Index, subject: Subject) -> list[int]:
    return list(index.matching(subject))


def check_same(index: Index, conditions: Sequence[Condition], events: Sequence[Event]) -> None:
    for event in events:
        if looked_up(index, Subject(event, NOW)) != plain(conditions, Subject(event, NOW)):
            raise RuntimeError(f"the index and the walk differ about {event!r}")


def time_of(match: Callable[[Subject], object], events: Sequence[Event], rounds: int) -> float:
    took: list[float] = []
    for number in range(rounds):
        event = events[number % len(events)]
        began = perf_counter()
        match(Subject(event, NOW))
        took.append(perf_counter() - began)
    return median(took) * 1e6


def main() -> None:
    events = [decode_event(body) for name, body in SAMPLES.items() if name != "a notice"]
    print(f"{'rules':24}{'100':>9}{'10,000':>9}{'ratio':>8}{'plain 10,000':>14}{'index/plain':>13}{'built in ms':>13}")
    for name, kind in KINDS.items():
        indexed: list[float] = []
        for size in SIZES:
            conditions = conditions_of(kind, size)
            began = perf_counter()
            index = Index(conditions)
            built_ms = (perf_counter() - began) * 1e3
            check_same(index, conditions, events)
            indexed.append(time_of(partial(looked_up, index), events, ROUNDS * 10))
        walk = time_of(partial(plain, conditions), events, ROUNDS)
        few, many = indexed
        print(f"{name:24}{few:9.1f}{many:9.1f}{many / few:8.2f}{walk:14.1f}{many / walk:13.3f}{built_ms:13.1f}")


if __name__ == "__main__":
    main()
