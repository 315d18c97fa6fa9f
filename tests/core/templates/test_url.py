"""URLs that are filled for each event: values stay in their place."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.posts.samples import SAMPLES
from forwarder.core.templates.fields import fields_of
from forwarder.core.templates.filters import TemplateError
from forwarder.core.templates.url import MAX_TARGET, UrlTemplate, split_url

FIELDS = fields_of(SAMPLES["x"], id_="msg_1")


NASTY = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["..", ".", "", "/", "//evil.example", "a/../b", "?x=1", "#", "%2e%2e", "@evil", "\r\n", "\ud800", "a b"]
    ),
)


@given(first=NASTY, second=NASTY, third=NASTY)
def test_no_value_leaves_its_place_in_a_url(first: str, second: str, third: str) -> None:
    origin, target = split_url(
        "https://hooks.example:8443/a/{{ payload.first }}/b-{{ payload.second }}/c?q={{ payload.third }}&z=1#f"
    )
    assert origin == "https://hooks.example:8443"
    fields = {**FIELDS, "payload": {"first": first, "second": second, "third": third}}
    try:
        filled = UrlTemplate(target).fill(fields)
    except TemplateError:
        assert first in {"", ".", ".."}
        return
    assert first not in {"", ".", ".."}
    assert filled.isascii()
    assert filled.isprintable()
    assert " " not in filled
    parts = urlsplit(origin + filled)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "hooks.example:8443", "")
    nothing, a, one, two, c = parts.path.split("/")
    assert (nothing, a, c) == ("", "a", "c")
    sent = (value.encode("utf-8", "replace").decode() for value in (first, f"b-{second}", third))
    query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=True)
    assert (unquote(one), unquote(two), query["q"][0]) == tuple(sent)
    assert query["z"] == ["1"]
    assert set(query) == {"q", "z"}


@pytest.mark.parametrize("fixed", ["", ".", "%2e", "%2E", "%2e%2E"])
@pytest.mark.parametrize("parameters", ["", ";v=1"])
def test_a_value_makes_no_dot_segment_together_with_what_stands_beside_it(fixed: str, parameters: str) -> None:
    for value in ("", ".", ".."):
        for part in (fixed + "{{ payload.x }}", "{{ payload.x }}" + fixed):
            dots = (fixed + value).lower().replace("%2e", ".")
            template, fields = UrlTemplate(f"/a/{part}{parameters}/b"), {**FIELDS, "payload": {"x": value}}
            if dots in {"", ".", ".."}:
                with pytest.raises(TemplateError, match="dots alone"):
                    template.fill(fields)
            else:
                assert template.fill(fields).count("/") == 3


def test_an_expression_may_hold_the_marks_of_a_url() -> None:
    template = UrlTemplate("/{{ post.link | replace('/', '-') }}/{{ payload.x or 'a?b#c' }}")
    assert template.fill(FIELDS) == "/https%3A--x.com-novadesk-status-2006700000000918273/a%3Fb%23c"


@pytest.mark.parametrize(
    "url",
    [
        "https://{{ source }}/a",
        "https://a.example:{{ mid }}/",
        "{{ source }}://a.example/",
        "https://u{{ mid }}@a.example/",
    ],
)
def test_scheme_host_and_port_are_no_templates(url: str) -> None:
    with pytest.raises(TemplateError, match="not in its scheme, host or port"):
        split_url(url)


def test_a_url_that_becomes_too_long_is_refused() -> None:
    with pytest.raises(TemplateError, match="longer than"):
        UrlTemplate("/?q={{ payload.t }}").fill({**FIELDS, "payload": {"t": "a" * MAX_TARGET}})


@pytest.mark.parametrize("target", ["/{{ mid", "/{% if mid %}a{% endif %}", "/mid }}", "/{# mid #}"])
def test_only_closed_expressions_are_templates(target: str) -> None:
    with pytest.raises(TemplateError, match="must be closed"):
        UrlTemplate(target)


@pytest.mark.parametrize(
    ("target", "filled"),
    [
        ("/%3Aa/{{ mid }}?sig=a%2Fb&z=[%40]|", "/%3Aa/M?sig=a%2Fb&z=[%40]|"),
        ("/a|[%2f]-{{ mid }}-{b}/../c", "/a|[%2f]-M-{b}/../c"),
        ("/{{ mid }}?", "/M?"),
        ("/ü{{ mid }}ö", "/%C3%BCM%C3%B6"),
        ("/100%{{ mid }}", "/100%25M"),
        ("/100%4{{ mid }}%", "/100%254M%"),
        ("/%41{{ mid }}", "/%41M"),
    ],
)
def test_fixed_parts_stay_as_written_and_form_no_escape_with_a_value(target: str, filled: str) -> None:
    assert UrlTemplate(target).fill({**FIELDS, "mid": "M"}) == filled


def test_a_control_character_is_refused() -> None:
    with pytest.raises(TemplateError, match="control characters"):
        UrlTemplate("/a\0b/{{ mid }}")
