"""Which posts belong to a sample."""

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.routing.sampling import WHOLE, is_in_sample

MIDS = [str(1_800_000_000_000_000_000 + number) for number in range(20_000)]
SHARES = st.integers(1, WHOLE)


@given(st.text(min_size=1), SHARES, SHARES)
def test_what_is_in_a_sample_is_in_every_larger_one_and_everything_is_in_the_whole(
    mid: str, one: int, other: int
) -> None:
    if is_in_sample(mid, min(one, other)):
        assert is_in_sample(mid, max(one, other))
    assert is_in_sample(mid, WHOLE)


def test_a_sample_has_its_share_of_ids_that_follow_each_other() -> None:
    for share in (10, 100, 1_000, 5_000):
        found = sum(is_in_sample(mid, share) for mid in MIDS)
        assert abs(found - len(MIDS) * share / WHOLE) < 5 * (len(MIDS) * share / WHOLE) ** 0.5


def test_the_side_of_a_post_is_the_same_in_every_version() -> None:
    """A changed hash would have a replay, or a second node, choose others."""
    assert [mid for mid in MIDS[:40] if is_in_sample(mid, 1_000)] == [
        "1800000000000000000",
        "1800000000000000004",
        "1800000000000000015",
        "1800000000000000017",
        "1800000000000000018",
        "1800000000000000019",
        "1800000000000000020",
        "1800000000000000021",
        "1800000000000000025",
        "1800000000000000038",
    ]


def test_any_text_is_an_id() -> None:
    assert is_in_sample("\ud800", WHOLE)
