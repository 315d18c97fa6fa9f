"""What of a request is secret, and is hidden where a response repeats it."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forwarder.core.destinations.request import WebhookRequest
from forwarder.core.url import read_url
from forwarder.destinations.redaction import HIDDEN, Redactor, secret_texts, without

URL = "https://u:passw@a.example/api/webhooks/1/abcdefghijklmnop?token=qrstuvwxyz0123"


def secrets() -> list[str]:
    return secret_texts(
        headers=["Bearer 0123456789abcdef", "four"], target="/api/webhooks/1/abcdefghijklmnop?wait=true", url=URL
    )


def found(*headers: str, target: str = "/", url: str = "https://a.example/") -> list[str]:
    return secret_texts(headers=headers, target=target, url=url)


def test_long_parts_of_headers_and_url_and_the_password_are_secret_and_short_words_are_not() -> None:
    found = secrets()
    for secret in ("Bearer 0123456789abcdef", "0123456789abcdef", "abcdefghijklmnop", "qrstuvwxyz0123", "passw"):
        assert secret in found
    for name in ("webhooks", "api", "Bearer", "four", "a.example", "true", "1"):
        assert name not in found
    assert found == sorted(found, key=len, reverse=True)


@pytest.mark.parametrize(
    ("header", "hidden"),
    [
        ("Basic " + base64.b64encode(b"user:pa:ss").decode(), {"user:pa:ss", "pa:ss"}),
        ("basic  " + base64.b64encode("üser:pässwort".encode()).decode().rstrip("="), {"üser:pässwort", "pässwort"}),
        ("Basic " + base64.b64encode(b"user:x").decode(), {"user:x", "x"}),
        ("Basic " + base64.urlsafe_b64encode(b"u:\xc3\xbe\xc3\xbf??>>").decode(), {"þÿ??>>"}),
        ("Basic " + base64.b64encode(b"an-api-key:").decode(), {"an-api-key"}),
        ("Basic " + base64.b64encode(b"an-api-key").decode(), {"an-api-key"}),
        ("Bearer short1", {"short1"}),
        ('Token token="abcde", id=1', {"abcde"}),
        ("sid=abc123; theme=dark", {"abc123"}),
    ],
)
def test_short_credentials_in_a_header_are_secret(header: str, hidden: set[str]) -> None:
    assert hidden <= set(found(header))


def test_no_word_of_a_scheme_is_a_secret() -> None:
    assert not {"Basic", "Bearer", "Token", "token", "dark", "1", "a"} & set(
        found("Basic %", "Bearer x1y2z", "theme=dark; a=1")
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/hook?token=abc123",
        "https://a.example/hook?x=1&custom=abc123",
        "https://a.example/hook?sig=abc123#part",
        "https://a.example/hook?abc123",
        "https://a.example/hook?a=1;key=abc123",
        "https://u:abc123@a.example/hook",
        "https://:abc123@a.example/hook",
    ],
)
def test_short_values_of_a_query_and_passwords_are_secret(url: str) -> None:
    assert "abc123" in found(url=url)
    target = url.removeprefix("https://a.example").partition("#")[0]
    if target.startswith("/"):
        assert "abc123" in found(target=target)
    assert without("you sent abc123.", found(url=url)) == "you sent ***."


def test_a_value_is_secret_as_it_is_written_and_as_it_reads() -> None:
    secrets = found(url="https://a.example/hook?k=a%2Fbc%2Bd")
    for echo in ("a/bc+d", "a%2Fbc%2Bd", "a\\/bc+d", "a%2fbc%2bd"):
        assert without(f"<{echo}>", secrets) == "<***>"


def test_names_with_a_secret_meaning_make_the_shortest_value_a_secret_as_a_word() -> None:
    secrets = found(url="https://a.example/hook?pin_code=42&page=7&wait=true")
    assert without("code 42, not 420; page 7, true", secrets) == "code ***, not 420; page 7, true"


@pytest.mark.parametrize(
    "name", ["key", "apiKey", "x-sig", "sig", "authorization", "auth", "pin_code", "code", "access_token", "k"]
)
def test_the_shortest_value_of_a_secret_name_is_a_secret(name: str) -> None:
    assert "x" in found(url=f"https://a.example/hook?{name}=x")


@pytest.mark.parametrize("name", ["design", "author", "country_code", "encoding", "page", "keyboard"])
def test_the_shortest_value_of_another_name_is_none(name: str) -> None:
    assert "x" not in found(url=f"https://a.example/hook?{name}=x")


def test_a_secret_is_replaced_whole() -> None:
    said = without("denied: Bearer 0123456789abcdef at /abcdefghijklmnop", secrets())
    assert said == f"denied: {HIDDEN} at /{HIDDEN}"


def test_a_url_that_php_repeats_in_json_is_hidden() -> None:
    body = '{"error":"no hook","path":"\\/api\\/webhooks\\/1\\/abcdefghijklmnop?wait=true","auth":"dTpwYXNzdw=="}'
    headers = ["Basic dTpwYXNzdw=="]
    secrets = secret_texts(headers=headers, target="/api/webhooks/1/abcdefghijklmnop?wait=true", url=URL)
    assert without(body, secrets) == '{"error":"no hook","path":"***","auth":"***"}'


REQUESTS = st.builds(
    lambda target, more: WebhookRequest(fixed={}, id="msg_1", timestamp=1, more=more, target=target, body=b""),
    st.sampled_from([None, "/canary-of-one", "/canary-of-two"]),
    st.sampled_from([{}, {"Title": "canary-title"}, {"Content-Encoding": "gzip"}]),
)
LINES = st.sampled_from(
    [
        "Host: a.example\r\n",
        "Host: a.example\r\nX-Key: canary-key\r\n",
        "X-Key: canary-other\r\nx-forwarder-attempt: 2\r\n",
    ]
)
BODIES = st.sampled_from(
    [
        *(b"ok", b"", b"canary-key", b"at /canary-of-one", b"at /canary-of-two", b"canary-title", b"gzip"),
        *(b"canary-other " + b"x" * 900, b"/canary-hook", b"a\nb"),
    ]
)


@given(exchanges=st.lists(st.tuples(BODIES, REQUESTS, LINES), max_size=12))
def test_an_excerpt_does_not_depend_on_the_exchanges_before_it(
    exchanges: list[tuple[bytes, WebhookRequest, str]],
) -> None:
    """What was found out for one of them is used for the next."""
    url = read_url("https://a.example/canary-hook", "https")
    redactor = Redactor(url, "/canary-hook")
    for body, request, lines in exchanges:
        text = redactor.excerpt(body, request, lines)
        assert text == Redactor(url, "/canary-hook").excerpt(body, request, lines)
        sent = f"{lines} {request.target or '/canary-hook'} {request.more.get('Title', '')}"
        assert not any(word in text for word in sent.split() if word.strip("/").startswith("canary"))


@pytest.mark.parametrize("length", [5, 12, 17])
def test_the_beginning_of_a_secret_at_the_end_of_a_body_that_is_cut_is_hidden(length: int) -> None:
    request = WebhookRequest(fixed={}, id="msg_1", timestamp=1, more={"X-Own": "own-canary-of-this"}, body=b"")
    redactor = Redactor(read_url("https://a.example/", "https"), "/")
    lines = "X-Key: all-canary-of-all\r\n"
    for secret in ("own-canary-of-this", "all-canary-of-all"):
        body = b"you sent " + secret[:length].encode()
        assert redactor.excerpt(body, request, lines, is_cut=True) == "you sent ***"
    assert redactor.excerpt(b"you sent own-", request, lines) == "you sent own-"
    assert redactor.excerpt(b"you sent nothing", request, lines, is_cut=True) == "you sent nothing"


def test_what_a_response_repeats_is_kept_where_the_request_has_it_in_a_header_that_is_no_secret() -> None:
    request = WebhookRequest(fixed={}, id="msg_1", timestamp=1, more={"Content-Encoding": "some-encoding"}, body=b"")
    redactor = Redactor(read_url("https://a.example/", "https"), "/")
    assert redactor.excerpt(b"no some-encoding", request, "User-Agent: some-agent/1.0\r\n") == "no some-encoding"
    assert redactor.excerpt(b"no some-agent/1.0", request, "User-Agent: some-agent/1.0\r\n") == "no some-agent/1.0"


SECRETS = st.one_of(
    st.binary(min_size=1, max_size=12).map(bytes.hex),
    st.text("aA1 %&=\\+/;", min_size=1, max_size=16).filter(str.isprintable),
    st.sampled_from(["sha256=0123456789abcdef", "sid=x1", "Basic dTpwYXNzdw==", "1 2 3 4 5 6 7"]),
)
WAYS = st.sampled_from(
    [
        str,
        str.upper,
        lambda value: value.encode().hex(),
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: base64.b64encode(b"u:" + value.encode()).decode().rstrip("="),
        lambda value: "".join(value.split()),
        lambda value: value.rpartition("=")[2],
        lambda value: value.replace("%", "").replace("&", ""),
        lambda _value: "ok",
    ]
)


@example(value="1 2 3 4 5 6 7", way=lambda value: value.replace(" ", ""), around="")
@example(value="%61%62%63%64%65%66", way=lambda _value: "abcdef", around="")
@given(value=SECRETS, way=WAYS, around=st.sampled_from(["", "a ", '{"a":"']))
def test_a_secret_of_one_request_is_hidden_as_one_of_all_is(value: str, way: Callable[[str], str], around: str) -> None:
    request = WebhookRequest(fixed={}, id="msg_1", timestamp=1, more={"X-Signature": value}, body=b"")
    body = around + way(value)
    hidden = without(body, found(value)).strip()
    assert Redactor(read_url("https://a.example/", "https"), "/").excerpt(body.encode(), request, "") == hidden
