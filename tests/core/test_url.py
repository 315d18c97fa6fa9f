"""A URL is refused with a sentence, or it can be used: dialled, asked for in TLS, sent in `Host`, and made other URLs of."""

import socket
import ssl

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forwarder.core.networks import Networks, is_address
from forwarder.core.url import UrlError, host_header, read_host, read_url, server_name_of
from forwarder.streams.sse import SseStream
from forwarder.streams.token import Token, address_of
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
@settings(deadline=None, max_examples=500)
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
    ("text", "said"),
    [
        ("http://a\\b/", "a backslash"),
        ("http://a b/", "no spaces"),
        ("http://a\u200b/", "invisible"),
        ("http://\ud800/", "invisible"),
        ("http://a/\tb", "line breaks"),
        ("http://🏳0🌈️/", "no possible name"),
        ("http://a%00b/", "has a % in it"),
        ("http://a:65536/", "1 to 65535"),
        ("http://a:\uff18/", "1 to 65535"),
        ("http:///x", "no host"),
        ("http://[::1]x/", "told apart"),
        ("http://[g::1]/", "no IPv6 address"),
        ("http://[::1%]/", "zone"),
        ("http://1.2.3.256/", "no IPv4 address"),
        ("http://a..b/", "between two dots is empty"),
        (f"http://{'a' * 64}/", "63 between two dots"),
        (f"http://{'.'.join(['a' * 60] * 5)}/", "253 characters"),
        ("http://xn--a/", "xn--"),
        ("http://u[:p@a/", "bracket"),
        ("http://u%3Aa@a/", "colon"),
        (f"http://a/{'a' * 8_000}", "longer than 8000"),
        ("ftp://a/", "begins with http://"),
    ],
)
def test_a_url_that_cannot_be_used_says_why(text: str, said: str) -> None:
    with pytest.raises(UrlError, match=said):
        read_url(text, "http", "https")


def test_a_host_of_its_own_is_read_by_the_same_rules() -> None:
    assert read_host("Bot.Example") == "bot.example"
    with pytest.raises(UrlError):
        read_host(".example")
