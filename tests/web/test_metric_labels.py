"""Which names have a label value of their own: only so many, and always the same ones."""

from hypothesis import given
from hypothesis import strategies as st

from forwarder.web.metric_labels import OTHER, BoundedLabels


def test_those_with_the_highest_numbers_come_first() -> None:
    labels = BoundedLabels(2)
    labels.admit({"a": 1, "b": 3, "c": 2})
    assert [labels.of(name) for name in "abc"] == [OTHER, "b", "c"]
    assert labels.sums([("a", 1), ("b", 3), ("c", 2), ("unknown", 5)]) == {OTHER: 6, "b": 3, "c": 2}


def test_a_name_keeps_its_label_so_that_no_series_jumps() -> None:
    labels = BoundedLabels(2)
    labels.admit({"a": 1, "b": 3, "c": 2})
    labels.admit({"a": 100, "b": 3, "c": 2, "d": 50})
    assert [labels.of(name) for name in "abcd"] == [OTHER, "b", "c", OTHER]


def test_one_that_is_gone_makes_room_for_a_new_one() -> None:
    labels = BoundedLabels(2)
    labels.admit({"a": 1, "b": 3, "c": 2})
    labels.admit({"a": 1, "c": 2, "d": 1})
    assert [labels.of(name) for name in "acd"] == [OTHER, "c", "d"]


@given(st.lists(st.dictionaries(st.text(max_size=2), st.integers(0, 9)), max_size=8), st.integers(0, 4))
def test_however_names_come_and_go_there_are_never_more_labels_and_nothing_is_lost(
    steps: list[dict[str, int]], most: int
) -> None:
    labels = BoundedLabels(most)
    for names in steps:
        labels.admit(names)
        sums = labels.sums(names.items())
        assert sum(sums.values()) == sum(names.values())
        assert len(sums.keys() - {OTHER}) <= most
