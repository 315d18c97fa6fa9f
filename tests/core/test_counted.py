"""Numbers with their nouns."""

import pytest

from forwarder.core.counted import counted


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 deliveries"), (1, "1 delivery"), (2, "2 deliveries"), (1_240, "1,240 deliveries")]
)
def test_a_number_has_the_form_of_its_noun(count: int, said: str) -> None:
    assert counted(count, "delivery", "deliveries") == said


def test_most_nouns_only_get_an_s() -> None:
    assert [counted(count, "event") for count in (1, 2)] == ["1 event", "2 events"]
