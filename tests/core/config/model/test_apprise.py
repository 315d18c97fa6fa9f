"""`apprise`: what can be the URL of a service."""

import pytest

from forwarder.core.config.model.apprise import parse_apprise
from forwarder.core.config.values.scalars import WrongValueError
from forwarder.core.yaml.tree import Scalar


@pytest.mark.parametrize(
    "text", ["pover://a@b", "mailtos://u:p@example.com?to=a@b", "dbus://host", "https://a.example/x"]
)
def test_a_url_of_a_service_is_accepted_and_not_shown(text: str) -> None:
    found = parse_apprise(Scalar(text))
    assert found.reveal() == text
    assert text not in repr(found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("magpie", "begins with the name of a service"),
        ("pover:magpie", "begins with the name of a service"),
        ("pover://", "begins with the name of a service"),
        ("pover://magpie ", "a space at its end"),
        ("pover://mag\u200bpie", "an invisible character"),
        ("json://{{ source }}/magpie", "takes no {{ … }}"),
    ],
)
def test_another_text_is_refused_without_showing_it(text: str, why: str) -> None:
    with pytest.raises(WrongValueError, match=why) as error:
        parse_apprise(Scalar(text, quoted=True))
    assert "magpie" not in str(error.value)
