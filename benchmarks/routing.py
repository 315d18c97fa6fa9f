"""What matching costs: one event against 100 and against 10,000 rules, by the index and by asking every rule.

    python -m benchmarks.routing

Prints for each kind of rules the median time of one event in µs, over the project's example posts. The comparisons to read are the
ratios of one run: 10,000 rules to 100, the index to the plain walk, and folded texts to exact ones (`exact: true`), which take turns. The
last table has this ratio for texts of other kinds.
"""

# ruff: noqa: RUF001 - texts that look like others are measured here

import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from statistics import median
from time import perf_counter

from forwarder.core.event import Event, decode_event
from forwarder.core.matching import Condition, Names, Subject, compile_condition
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


TEXTS = {
    "ASCII": "Breaking: BTC to the moon, everyone is long now. ",
    "ASCII, with line breaks": "Breaking: BTC to the moon,\n\neveryone is long now. ",
    "one emoji and ’": "Breaking: it’s BTC to the moon, everyone is long now. 🚀 ",
    "letters in another font": "𝗕𝗿𝗲𝗮𝗸𝗶𝗻𝗴: 𝗕𝗧𝗖 𝘁𝗼 𝘁𝗵𝗲 𝗺𝗼𝗼𝗻, everyone is long now. ",
    "Russian": "Биткоин летит на луну, все покупают прямо сейчас. ",
    "Vietnamese": "Giá tiền điện tử tăng mạnh, mọi người đang mua vào. ",
    "Korean": "비트코인 가격이 달까지 오르고 모두가 지금 사고 있습니다. ",
    "Chinese": "比特币价格飞向月球，现在大家都在买入，今天的新闻很重要。",
    "Hindi": "बिटकॉइन चाँद पर जा रहा है और सब लोग अभी खरीद रहे हैं। ",
}
LENGTH = 280


def posts_of(text: str) -> list[Event]:
    """Return a post of X that consists of this text again and again."""
    payload = {"text": (text * LENGTH)[:LENGTH], "user": {"screen_name": "nova", "id_str": "7"}, "id_str": "1"}
    value = {"source": "x", "mid": "1", "sid": "7", "timestamp": 0, "payload": payload}
    return [decode_event(json.dumps(value).encode())]


def trees_of(kind: Callable[[int], dict[str, Tree]], size: int) -> list[dict[str, Tree]]:
    return [kind(number) for number in range(size)]


def conditions_of(trees: Sequence[dict[str, Tree]], *, exact: bool = False) -> list[Condition]:
    def report(path: object, message: str) -> None:
        raise ValueError(f"{path}: {message}")

    return [compile_condition(tree, report, Names(exact=exact)) for tree in trees]


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


def folding_ratio(folded: Index, exact: Index, events: Sequence[Event], rounds: int) -> float:
    """Return how many times as long an event takes with folded texts as with exact ones."""
    took: dict[Index, list[float]] = {folded: [], exact: []}
    for number in range(rounds):
        event = events[number // 2 % len(events)]
        for index in (folded, exact) if number % 2 else (exact, folded):
            subject = Subject(event, NOW)
            began = perf_counter()
            looked_up(index, subject)
            took[index].append(perf_counter() - began)
    return median(took[folded]) / median(took[exact])


def main() -> None:
    events = [decode_event(body) for name, body in SAMPLES.items() if name != "a notice"]
    print(
        f"{'rules':24}{'100':>9}{'10,000':>9}{'ratio':>8}{'plain 10,000':>14}{'index/plain':>13}{'built in ms':>13}{'folded/exact':>14}"
    )
    for name, kind in KINDS.items():
        indexed: list[float] = []
        for size in SIZES:
            trees = trees_of(kind, size)
            conditions = conditions_of(trees)
            began = perf_counter()
            index = Index(conditions)
            built_ms = (perf_counter() - began) * 1e3
            check_same(index, conditions, events)
            indexed.append(time_of(partial(looked_up, index), events, ROUNDS * 10))
        exact = Index(conditions_of(trees, exact=True))
        folding = folding_ratio(index, exact, events, ROUNDS * 20)
        walk = time_of(partial(plain, conditions), events, ROUNDS)
        few, many = indexed
        print(
            f"{name:24}{few:9.1f}{many:9.1f}{many / few:8.2f}{walk:14.1f}{many / walk:13.3f}{built_ms:13.1f}{folding:14.2f}"
        )
    print(f"\n{'texts, for 10,000 rules':32}{'folded/exact':>14}")
    trees = trees_of(keyword, SIZES[-1])
    folded, exact = Index(conditions_of(trees)), Index(conditions_of(trees, exact=True))
    for name, text in TEXTS.items():
        print(f"{name:32}{folding_ratio(folded, exact, posts_of(text), ROUNDS * 20):14.2f}")


if __name__ == "__main__":
    main()
