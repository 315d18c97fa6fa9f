"""A value is compared with digests as it is compared with values."""

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.event import JSONValue
from forwarder.core.matching import Subject
from forwarder.core.matching.compile_tests import equals
from forwarder.core.matching.sealed_equals import SealedEquals, digest_of, normal_form, seal
from forwarder.core.yaml.tree import Expanded, Scalar
from tests.support.conditions import NOW, event

SUBJECT = Subject(event({}), NOW)
TEXTS = st.text(max_size=4) | st.sampled_from(["@a", "A", "a", "7", "-7", "07", ""])
VALUES: st.SearchStrategy[JSONValue] = (
    TEXTS | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none() | st.sampled_from([7, 7.0, -7.0])
)


def whole(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdecimal() and str(int(text)) == text


@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(VALUES, max_size=4), st.booleans(), st.sampled_from(["", "@"]))
def test_digests_pass_what_the_values_pass(
    texts: list[str], values: list[JSONValue], ignore_case: bool, marker: str
) -> None:
    written = [Scalar(text, quoted=not whole(text)) for text in texts]
    plain = equals(tuple(written), ignore_case=ignore_case, marker=marker)
    sealed = equals(
        tuple(seal(each, normal_form(each, ignore_case=ignore_case, marker=marker), salt="s") for each in written),
        ignore_case=ignore_case,
        marker=marker,
    )
    assert isinstance(sealed, SealedEquals)
    assert sealed.ignore_case == ignore_case
    for value in (*values, *texts, *(int(text) for text in texts if whole(text))):
        assert sealed.passes(value, SUBJECT) == plain.passes(value, SUBJECT), value


def test_a_digest_names_its_variable_and_depends_on_the_salt() -> None:
    sealed = seal(Expanded("secret", quoted=True, written="${NAME}"), "secret", salt="s")
    assert (sealed.written, sealed.quoted, sealed.salt) == ("${NAME}", True, "s")
    assert str(sealed) == digest_of("secret", "s") != digest_of("secret", "t")
    assert seal(Scalar("a"), "a", salt="s").written == ""
