"""The work of a rendering is counted, and ends it."""

import pytest

from forwarder.core.templates.budget import TooCostlyError, Work
from forwarder.core.templates.filters import TemplateError


def test_work_beyond_the_limit_is_refused() -> None:
    work = Work(100)
    work.begin(40)
    work.step()
    work.add(20)
    with pytest.raises(TooCostlyError, match="does too much"):
        work.add(1)


def test_each_value_of_an_iteration_is_a_step() -> None:
    work = Work(100)
    work.begin(40)
    values = work.steps(range(3))
    assert next(values) == 0
    with pytest.raises(TooCostlyError):
        next(values)


@pytest.mark.parametrize(
    "value",
    [
        "a" * 1_000,
        ["a" * 500, {"b": "c" * 500}],
        {"a" * 500: ("b" * 500,)},
        list(range(1_000)),
        range(1_000),
        10**4_000,
        [None, 1.5, True] * 100,
    ],
)
def test_a_value_counts_with_everything_in_it(value: object) -> None:
    Work(100_000).add_whole(value)
    with pytest.raises(TooCostlyError):
        Work(100_000).add_whole(value, times=101)
    with pytest.raises(TooCostlyError):
        Work(999).add_whole(value)


def test_a_list_counts_as_often_as_it_is_there() -> None:
    shared: list[object] = ["a"]
    for _ in range(100):
        shared = [shared, shared]
    with pytest.raises(TooCostlyError):
        Work().add_whole(shared)


def test_what_can_be_read_once_only_is_no_value() -> None:
    with pytest.raises(TemplateError, match="a loop cannot be used as a list"):
        Work().add_whole([iter([1])])


def test_a_search_counts_both_lengths() -> None:
    Work(40_000).add_search(10_000, 10)
    with pytest.raises(TooCostlyError):
        Work(40_000).add_search(10_000, 1_000)
