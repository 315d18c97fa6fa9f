"""A URL is refused with a sentence, or it can be used: dialled, asked for in TLS, sent in `Host`, and made other URLs of."""

import socket
import ssl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from forwarder.core import url
from forwarder.core.destinations.networks import Networks, is_address
from forwarder.core.url import (
    UrlError,
    host_header,
    read_host,
    read_url,
    request_target,
    server_name_of,
    with_parameters,
)
from forwarder.streams.sse import SseStream
from forwarder.streams.token import Token, address_of
from tests.support.examples import examples
from tests.support.nasty import HOSTS, PORTS, TARGETS, URLS

TLS = ssl.create_default_context()
urls = st.one_of(
    st.sampled_from(URLS),
    st.builds(
        lambda scheme, host, port, target: f"{scheme}://{host}{port}{target}",
        st.sampled_from(["http", "https", "HTTPS"]),
        st.one_of(
            st.sampled_from(HOSTS), st.text(max_size=6), st.lists(st.sampled_from(HOSTS), max_size=3).map(".".join)
        ),
        st.one_of(st.sampled_from(PORTS), st.integers(-1, 70_000).map(":{}".format)),
        st.one_of(st.sampled_from(TARGETS), st.text(max_size=6).map("/{}".format)),
    ),
    st.text(st.sampled_from("htps:/a.@[]%?#\\1-_é\u200bﷺ0x{} \n"), max_size=20),
)


def use(text: str) -> None:
    """Use a URL as everything here does. Raises `UrlError` alone."""
    url = read_url(text, "http", "https")
    host = url.raw_host
    assert host
    assert url.port in range(1, 65_536)
    # Nothing is looked up: only what is wrong with the text itself would raise another error.
    try:
        socket.getaddrinfo(host, url.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        is_numeric = True
    except socket.gaierror:
        is_numeric = False
    assert is_numeric == is_address(host) or "%" in host  # what is dialled as an address is judged as one
    if is_numeric:
        Networks().why_not(host)
    host.encode("idna")
    TLS.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=server_name_of(host))
    header = host_header(url)
    assert header.isascii()
    assert not set(header) & set(" %/\\@#?\r\n")
    assert url.raw_path_qs.isascii()
    assert url.raw_path_qs.isprintable()
    assert " " not in url.raw_path_qs
    assert url.raw_path_qs.startswith("/")
    assert request_target(text).removesuffix("?") == url.raw_path_qs.removesuffix("?")
    assert str(read_url(str(url), "http", "https")) == str(url)  # it stays what it is
    asked = SseStream(name="s", url=text, api_key="k", use_fast_x=True).address()
    asked = asked.update_query(token=Token("t", 0.0).value)
    assert (asked.raw_host, asked.port, asked.query["token"]) == (host, url.port, "t")
    assert address_of(url).raw_host == host


@given(urls)
@example("http://a\\b/")
@example("http://🏳0🌈️/")
@example("http://aﷺb.example/")
@example("https://.a/")
@example("https://a..b/")
@example("http://xn--a/")
@example("http://xn--/")
@example("http://[::1%25lo]:80/")
@example("http://h:+80/")
@example("http://0xA9FEA9FE/")
@example("http://%/{{")
@examples(500)
def test_any_text_is_refused_with_a_sentence_or_can_be_used(text: str) -> None:
    try:
        use(text)
    except UrlError as error:
        said = str(error)
        assert said
        assert "codec" not in said


@pytest.mark.parametrize(
    ("text", "host", "header", "name"),
    [
        ("http://A.example/", "a.example", "a.example", "a.example"),
        ("https://a.example.:8443/", "a.example.", "a.example.:8443", "a.example"),
        ("http://bücher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("http://[::1%25lo]:80/", "::1%lo", "[::1]:80", "::1"),
        ("http://[::1%lo]/", "::1%lo", "[::1]", "::1"),
        ("http://127.1/", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("http://2852039166/", "169.254.169.254", "169.254.169.254", "169.254.169.254"),
        ("http://\uff11\uff12\uff17.0.0.1/", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("http://u:p@h_1:080/", "h_1", "h_1:80", "h_1"),
    ],
)
def test_a_host_is_the_same_wherever_it_is_used(text: str, host: str, header: str, name: str) -> None:
    url = read_url(text, "http", "https")
    assert (url.raw_host, host_header(url), server_name_of(host)) == (host, header, name)


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/?",
        "/hook/%3Aab%2Fc%40d?sig=a%2Fb&z=%3A%40",
        "/%c3%BC%7e%41?%e2",
        "//a///b//",
        "/a/./../b/%2e%2e/c?../d",
        "/!$&'()*+,;=:@?/?:@!$'()*,;[]",
        '/{a}|b^`"<c>\\?x={1|2}',
        "/100%?a=%&b=%zz",
        "/?a=b+c&&=&a",
    ],
)
def test_path_and_query_stay_as_written(target: str) -> None:
    url = read_url(f"http://a.example{target}", "http")
    assert request_target(f"http://a.example{target}") == target
    assert url.raw_path_qs == target.removesuffix("?")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("http://a.example", "/"),
        ("http://a.example?x=%3A", "/?x=%3A"),
        ("http://a.example#x", "/"),
        ("http://u:p@a.example:80/x?#y?z", "/x?"),
        ("http://a.example/ü?q=ö%C3%b6", "/%C3%BC?q=%C3%B6%C3%b6"),
    ],
)
def test_what_cannot_be_in_a_request_line_is_encoded_and_a_fragment_is_not_sent(text: str, target: str) -> None:
    assert request_target(text) == target


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("http://a/s?sig=%3A%2f", "http://a/s?sig=%3A%2f&b=1%2C2"),
        ("http://a/%3A", "http://a/%3A?b=1%2C2"),
        ("http://a/s?b=0&c=%2F&%62=3&b", "http://a/s?c=%2F&b=1%2C2"),
        ("http://a/s?x#f?g", "http://a/s?x&b=1%2C2#f?g"),
        ("http://a/s?x&&y=&", "http://a/s?x&&y=&&b=1%2C2"),
    ],
)
def test_parameters_are_added_to_a_query_that_stays_as_written(text: str, asked: str) -> None:
    assert str(with_parameters(read_url(text, "http"), {"b": "1,2"})) == asked
    assert str(with_parameters(read_url(text, "http"), {})) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://a\\b/", "a backslash"),
        ("http://a b/", "a space in it"),
        ("http://a\u200b/", "zero-width space"),
        ("http://\ud800/", "invisible"),
        ("http://a/\tb", r"a tab \(U\+0009\) in it"),
        ("http://🏳0🌈️/", "no possible name"),
        ("http://a%00b/", "has a % in it"),
        ("http://a:65536/", "1 to 65535"),
        (f"http://a:{'9' * 5_000}/", "1 to 65535"),
        ("http://a:00/", "1 to 65535"),
        ("http://a:\uff18/", "not a number"),
        ("http:///x", "no host"),
        ("http://[::1]x/", "told apart"),
        ("http://[g::1]/", "not an IPv6 address"),
        ("http://[::1%]/", "zone"),
        ("http://1.2.3.256/", "no IPv4 address"),
        ("http://a..b/", "between two dots is empty"),
        (f"http://{'a' * 64}/", "63 between two dots"),
        (f"http://{'.'.join(['a' * 60] * 5)}/", "253 characters"),
        ("http://xn--a/", "xn--"),
        ("http://u[:p@a/", "bracket"),
        ("http://u%3Aa@a/", "colon"),
        (f"http://a/{'a' * 8_000}", "longer than 8000"),
        ("ftp://a/", "begins with ftp://, which cannot be used here; write http:// or https://"),
        ("", "empty"),
        ("a.example/hook", "no scheme"),
        ("localhost:9000/hook", "no scheme"),
        ("//a.example/hook", "no scheme"),
        ("TOKEN://a.example/hook", "a scheme that cannot be used here"),
        ("hxxps://a.example/", "did you mean https://"),
        ("http//a.example", "no :// after its scheme; write http://"),
        ("HTTPS:a.example", "write https://"),
        ("http:\\\\a.example\\b", "backslashes after its scheme"),
        ("http://http//a.example", "its scheme twice"),
        ("'http://a/'", "a quotation mark at its beginning"),
        ("http://a/\u201d", "a quotation mark at its end"),
        ("![a](http://a/)", "Markdown"),
        ("$(cat url)", "begins with"),
        ("http://u:1#2@a/", "a # in it, which ends the host; write %23"),
        ("http://u:p@a#b@c/", "write %23"),
        ("http://u:p?x@a/", "write %3F"),
        ("http://u:p/x@a/", "write %2F"),
        ("http://[::1:80/", "a bracket of an IPv6 address without the other one"),
        ("http://::1/", "needs brackets"),
        ("http://2001:db8:1:2:3:4:5:6/", "needs brackets"),
        ("http://a:80:90/", "more than one colon"),
    ],
)
def test_a_url_that_cannot_be_used_says_why(text: str, said: str) -> None:
    with pytest.raises(UrlError, match=said):
        read_url(text, "http", "https")


@pytest.mark.parametrize(
    "text",
    [
        "http://a:80/@b",
        "http://a:80?m=b@c",
        "http://[::1]/@b",
        "http://a/'b'",
        "http://a/#b@c",
        "http://u:p@a/?#b@c",
        "HTTP://A",
    ],
)
def test_what_looks_odd_and_can_be_used_is_accepted(text: str) -> None:
    assert read_url(text, "http", "https").scheme == "http"


SECRET = "Magpie4711"


@given(
    st.lists(
        st.sampled_from([*"#?@:/[]()$<!\"'\\ \ufeff", "://", "http", "https", SECRET, ".example", "80"]), max_size=9
    )
)
@example(["'", "http", "://", SECRET])
@example([SECRET, "://", "80"])
@example(["http", "://", SECRET, ":", SECRET, "#", SECRET, "@", ".example"])
@example(["http", "://", SECRET, ":", SECRET, "/"])
def test_no_error_shows_a_part_of_the_url(pieces: list[str]) -> None:
    said = ""
    try:
        read_url("".join(pieces), "http", "https")
    except UrlError as error:
        said = str(error).replace("[::1]:8080", "")
    assert SECRET not in said
    assert "80" not in said


def test_a_host_of_its_own_is_read_by_the_same_rules() -> None:
    assert read_host("Bot.Example") == "bot.example"
    with pytest.raises(UrlError):
        read_host(".example")


def test_a_url_that_another_parser_reads_with_another_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url, "URL", lambda _text, encoded: URL("http://other.example/", encoded=encoded))
    with pytest.raises(UrlError, match="the URL's host cannot be told apart from the rest"):
        read_url("http://one.example/", "http")


@pytest.mark.parametrize(
    ("written", "host"),
    [("127.1", "127.0.0.1"), ("0x7f.1", "127.0.0.1"), ("0177.0.0.1", "127.0.0.1"), ("2130706433", "127.0.0.1")],
)
def test_a_host_that_ends_with_a_number_is_read_as_an_address(written: str, host: str) -> None:
    assert read_host(written) == host


@pytest.mark.parametrize("written", ["1.2.3.4.5", "a.1", "256.1", "1.2.3.256", "4294967296", "09.1"])
def test_a_host_that_ends_with_a_number_and_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(UrlError, match="ends with a number and is no IPv4 address"):
        read_host(written)
