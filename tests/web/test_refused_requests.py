"""Requests that are refused: each with its right answer, which has no secret and no traceback, and the daemon is well after it."""

import asyncio
import json

import aiohttp
import pytest

from forwarder.web import connection, request_limits
from forwarder.web.guard import MAX_BODY_BYTES
from tests.support.history import CONFIG
from tests.support.outbox import EVENTS
from tests.support.web import TOKEN, Served

PAUSE = "POST /api/v1/destinations/bot/pause HTTP/1.1\n"
HOST = "Host: 127.0.0.1:PORT\n"
OURS = "X-Forwarder: 1\n"
RIGHT = f"Authorization: Bearer {TOKEN}\n"
JSON = "Content-Type: application/json\n"


def get(path: str, headers: str = HOST) -> str:
    return f"GET {path} HTTP/1.1\n{headers}\n"


def post(path: str, body: str | bytes, headers: str = HOST + OURS + RIGHT + JSON) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    return (
        f"POST /api/v1{path} HTTP/1.1\n{headers}Content-Length: {len(data)}\n\n".replace("\n", "\r\n").encode() + data
    )


def pause(headers: str) -> str:
    return f"{PAUSE}{headers}Content-Length: 0\n\n"


REFUSED: dict[str, tuple[str | bytes, int]] = {
    # who
    "no token": (pause(HOST + OURS), 401),
    "a wrong token": (pause(HOST + OURS + "Authorization: Bearer wrong-wrong-wrong-wrong\n"), 401),
    "the beginning of the token": (pause(HOST + OURS + f"Authorization: Bearer {TOKEN[:-1]}\n"), 401),
    "the token and more": (pause(HOST + OURS + f"Authorization: Bearer {TOKEN}x\n"), 401),
    "another case of the token": (pause(HOST + OURS + f"Authorization: Bearer {TOKEN.upper()}\n"), 401),
    "the token as a password": (pause(HOST + OURS + f"Authorization: Basic {TOKEN}\n"), 401),
    "the token without its scheme": (pause(HOST + OURS + f"Authorization: {TOKEN}\n"), 401),
    "the token as the second of two": (pause(HOST + OURS + f"Authorization: Bearer wrong {TOKEN}\n"), 401),
    "a wrong token and no body": (
        f"POST /api/v1/reload HTTP/1.1\n{HOST}{OURS}{JSON}Authorization: Bearer wrong-wrong-wrong\nContent-Length: 9\n\n",
        401,
    ),
    "no token and no body": (f"POST /api/v1/reload HTTP/1.1\n{HOST}{OURS}{JSON}Content-Length: 9\n\n", 401),
    "the token in the query": (f"POST /api/v1/reload?token={TOKEN} HTTP/1.1\n{HOST}{OURS}Content-Length: 0\n\n", 401),
    "the token in a cookie": (pause(HOST + OURS + f"Cookie: forwarder-PORT={TOKEN}\n"), 401),
    "a session that nobody began": (pause(HOST + OURS + "Cookie: forwarder-PORT=abcdefghijklmnop\n"), 401),
    "a wrong token for reading": (get("/api/v1/status", HOST + "Authorization: Bearer wrong-wrong-wrong\n"), 401),
    "a token that is no UTF-8": (
        b"POST /api/v1/reload HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX-Forwarder: 1\r\nAuthorization: Bearer \xff\xfe\r\nContent-Length: 0\r\n\r\n",
        401,
    ),
    # where from
    "no header of ours": (pause(HOST + RIGHT), 403),
    "a wrong value of our header": (pause(HOST + RIGHT + "X-Forwarder: true\n"), 403),
    "a cookie without our header": (pause(HOST + "Cookie: forwarder-PORT=abcdefghijklmnop\n"), 403),
    "a page of another site": (pause(HOST + OURS + RIGHT + "Origin: https://evil.example\n"), 403),
    "a page of another port": (pause(HOST + OURS + RIGHT + "Origin: http://127.0.0.1:9999\n"), 403),
    "a page of no origin": (pause(HOST + OURS + RIGHT + "Origin: null\n"), 403),
    "a page over HTTPS": (pause(HOST + OURS + RIGHT + "Origin: https://127.0.0.1:PORT\n"), 403),
    "a cross-site request": (pause(HOST + OURS + RIGHT + "Sec-Fetch-Site: cross-site\n"), 403),
    "a form of another site": (
        pause(HOST + OURS + RIGHT + "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\n"),
        403,
    ),
    "a same-site request": (pause(HOST + OURS + RIGHT + "Sec-Fetch-Site: same-site\n"), 403),
    "an image of another site": (
        get("/api/v1/events", HOST + "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: no-cors\n"),
        403,
    ),
    "a request before a request of another site": (
        f"OPTIONS /api/v1/reload HTTP/1.1\n{HOST}Origin: https://evil.example\nAccess-Control-Request-Method: POST\n\n",
        405,
    ),
    # by which name
    "another name": (get("/api/v1/status", "Host: evil.example\n"), 421),
    "another name with our port": (get("/api/v1/status", "Host: evil.example:PORT\n"), 421),
    "our address as a part of another name": (get("/api/v1/status", "Host: 127.0.0.1:PORT.evil.example\n"), 421),
    "no port": (get("/api/v1/status", "Host: 127.0.0.1\n"), 421),
    "a user before the name": (get("/api/v1/status", "Host: a@127.0.0.1:PORT\n"), 421),
    "an empty name": (get("/api/v1/status", "Host: \n"), 421),
    "two names": (get("/api/v1/status", HOST + "Host: evil.example\n"), 400),
    "no name": (get("/api/v1/status", ""), 400),
    "HTTP/1.0 without a name": ("GET /api/v1/status HTTP/1.0\n\n", 421),
    "a name in the target": (get("http://evil.example/api/v1/status"), 400),
    "our name in the target": (get("http://127.0.0.1:PORT/api/v1/status"), 400),
    "a forwarded name": (get("/api/v1/status", "Host: evil.example\nX-Forwarded-Host: 127.0.0.1:PORT\n"), 421),
    # which path
    "a path that is not there": (get("/api/v1/nothing"), 404),
    "the path above": (get("/api/v1/../../etc/passwd"), 404),
    "the path above, encoded": (get("/api/v1/%2e%2e/%2e%2e/etc/passwd"), 404),
    "an encoded slash": (get("/api/v1/events%2f..%2fconfig"), 404),
    "two slashes": (get("//evil.example/api/v1/status"), 404),
    "a null byte": (get("/api/v1/status%00"), 404),
    "a backslash": (get("/api/v1\\status"), 404),
    "a path that is no UTF-8": (get("/api/v1/%ff%fe"), 404),
    "another version": (get("/api/v2/status"), 404),
    "a token of a proxy": ("CONNECT evil.example:443 HTTP/1.1\nHost: 127.0.0.1:PORT\n\n", 400),
    "the whole server": (f"OPTIONS * HTTP/1.1\n{HOST}\n", 400),
    "an id that is none": (get("/api/v1/events/nothing"), 404),
    "an id that nobody has": (get(f"/api/v1/events/{'0' * 32}"), 404),
    "a destination that is not there": (post("/destinations/nobody/pause", "{}"), 404),
    "a stream that is not there": (post("/streams/nobody/reconnect", "{}"), 404),
    "a name that is too long": (post(f"/destinations/{'a' * 100}/pause", "{}"), 404),
    # which method
    "DELETE": (f"DELETE /api/v1/events HTTP/1.1\n{HOST}{OURS}{RIGHT}\n", 405),
    "PUT": (f"PUT /api/v1/config HTTP/1.1\n{HOST}{OURS}{RIGHT}Content-Length: 0\n\n", 405),
    "TRACE": (f"TRACE /api/v1/status HTTP/1.1\n{HOST}\n", 405),
    "POST where one reads": (post("/status", "{}"), 405),
    "GET where one changes": (get("/api/v1/reload", HOST + OURS + RIGHT), 405),
    "a method of another word": (
        post("/status", "{}", HOST + OURS + RIGHT + JSON + "X-HTTP-Method-Override: GET\n"),
        405,
    ),
    "a method that is none": (f"STEAL /api/v1/status HTTP/1.1\n{HOST}\n", 400),
    # which body
    "a body of a form": (
        post("/reload", "a=b", HOST + OURS + RIGHT + "Content-Type: application/x-www-form-urlencoded\n"),
        415,
    ),
    "a body of text": (post("/reload", "{}", HOST + OURS + RIGHT + "Content-Type: text/plain\n"), 415),
    "a body of text that says it is JSON, too": (
        post("/reload", "{}", HOST + OURS + RIGHT + "Content-Type: text/plain; a=application/json\n"),
        415,
    ),
    "two types of body": (post("/reload", "{}", HOST + OURS + RIGHT + "Content-Type: text/plain\n" + JSON), 400),
    "a body of no type": (post("/reload", "{}", HOST + OURS + RIGHT), 415),
    "a body that is packed": (post("/reload", "{}", HOST + OURS + RIGHT + JSON + "Content-Encoding: gzip\n"), 415),
    "no JSON": (post("/reload", "{"), 400),
    "no UTF-8": (post("/destinations/bot/pause", b'{"why": "\xff"}'), 400),
    "half a character": (post("/destinations/bot/pause", '{"why": "\\ud800"}'), 400),
    "deep JSON": (post("/reload", '{"a": ' * 50_000), 400),
    "deep JSON in a key that is not known": (
        post("/rules/try", '{"event": "", "x": ' + "[" * 100_000 + "]" * 100_000 + "}"),
        400,
    ),
    "a list": (post("/destinations/bot/pause", "[]"), 400),
    "a key that is not known": (post("/destinations/bot/pause", '{"untill": 1}'), 400),
    "a number that is too large": (post("/destinations/bot/pause", '{"for_s": 1e300}'), 400),
    "a number that is none": (post("/destinations/bot/pause", '{"for_s": NaN}'), 400),
    "a number with many digits": (post("/destinations/bot/pause", f'{{"until_ms": {"9" * 5000}}}'), 400),
    "a negative number": (post("/resend", '{"keys": [[-1, "bot"]]}'), 400),
    "too many keys": (post("/resend", json.dumps({"keys": [[1, "bot"]] * 501})), 400),
    "no filter for dead letters": (post("/dead/drop", "{}"), 400),
    "a body that is too large": (post("/reload", b" " * (MAX_BODY_BYTES + 1)), 413),
    "a body that says it is too large": (
        f"POST /api/v1/reload HTTP/1.1\n{HOST}{OURS}{RIGHT}{JSON}Content-Length: 99999999999\n\n",
        413,
    ),
    "a body in pieces that is too large": (
        f"POST /api/v1/reload HTTP/1.1\n{HOST}{OURS}{RIGHT}{JSON}Transfer-Encoding: chunked\n\n200000\n{' ' * 0x200000}\n0\n\n",
        413,
    ),
    "a body for reading": (f"GET /api/v1/status HTTP/1.1\n{HOST}Content-Length: 2\n\n{{}}", 400),
    # which query
    "a parameter that is not known": (get("/api/v1/events?sort=asc"), 400),
    "a parameter twice": (get("/api/v1/events?text=a&text=b"), 400),
    "a text that is a null character": (get("/api/v1/events?text=%00"), 400),
    "a reason with a null character": (get("/api/v1/dead?reason=a%00"), 400),
    "a link that is a null character": (get("/api/v1/deliveries?link=%00"), 400),
    "a stream with a null character": (get("/api/v1/gaps?stream=a%00"), 400),
    "dead letters of a null character": (post("/dead/drop", '{"text": "\\u0000"}'), 400),
    "a limit that is too high": (get("/api/v1/events?limit=1000000"), 400),
    "a page that is none": (get("/api/v1/events?after=1'--"), 400),
    "a state that is none": (get("/api/v1/events?state=lost"), 400),
    "a time without its zone": (get("/api/v1/events?since=2026-01-01T00:00:00"), 400),
    "a query for the description": (get("/api/v1/openapi.json?a=b"), 400),
    # which form
    "no HTTP": ("\x16\x03\x01\x02\n\n", 400),
    "a version that is none": (f"GET /api/v1/status HTTP/9.9\n{HOST}\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a header that is too long": (get("/api/v1/status", HOST + f"X-Long: {'a' * 100_000}\n"), 400),
    "too many headers": (get("/api/v1/status", HOST + "".join(f"X-{number}: a\n" for number in range(1_000))), 400),
    "a line that is too long": (get(f"/api/v1/events?text={'a' * 100_000}"), 400),
    "a header over two lines": (get("/api/v1/status", HOST + "X-A: a\n b\n"), 400),
    "a space before a colon": (get("/api/v1/status", HOST + "X-A : a\n"), 400),
    "two lengths": (
        f"POST /api/v1/reload HTTP/1.1\n{HOST}{OURS}{RIGHT}{JSON}Content-Length: 2\nContent-Length: 3\n\n{{}}",
        400,
    ),
    "a length and pieces": (
        f"POST /api/v1/reload HTTP/1.1\n{HOST}{OURS}{RIGHT}{JSON}Content-Length: 2\nTransfer-Encoding: chunked\n\n0\n\n",
        400,
    ),
    "a length that is none": (
        f"POST /api/v1/reload HTTP/1.1\n{HOST}{OURS}{RIGHT}{JSON}Content-Length: +2\n\n{{}}",
        400,
    ),
    "pieces of another kind": (
        f"POST /api/v1/reload HTTP/1.1\n{HOST}{OURS}{RIGHT}{JSON}Transfer-Encoding: gzip\n\n",
        400,
    ),
    "a piece whose length is none": (
        f"POST /api/v1/reload HTTP/1.1\n{HOST}{OURS}{RIGHT}{JSON}Transfer-Encoding: chunked\n\nzz\n{{}}\n0\n\n",
        400,
    ),
}
"""What is refused: the request, and the status of its answer. Where the parser of HTTP and we both may refuse, it is the parser."""

SECRETS = (TOKEN, "http://127.0.0.1:9/", "Traceback", ".py", "msgspec", "aiohttp")


async def answered(served: Served, request: str | bytes) -> tuple[int, bytes, bytes]:
    """Return the status, the head and the body of the answer to a raw request."""
    data = request.replace("\n", "\r\n").encode("latin-1") if isinstance(request, str) else request
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        writer.write(data.replace(b"PORT", str(served.port).encode()))
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length:")), 0
        )
        return int(head.split()[1]), head, await reader.readexactly(length)
    finally:
        writer.close()


@pytest.mark.parametrize("name", REFUSED)
async def test_each_has_its_answer_and_the_daemon_is_well_after_it(
    served: Served, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("forwarder.web.wrong_tokens._DELAY_S", 0.01)
    request, status = REFUSED[name]
    found, head, body = await answered(served, request)
    assert found == status, body
    said = json.loads(body)
    assert said.keys() == {"error"}
    assert said["error"].isprintable()
    for secret in SECRETS:
        assert secret not in (head + body).decode("latin-1")
    assert b"Content-Security-Policy: default-src 'none'" in head
    assert b"Access-Control" not in head
    assert (await served.get("/status"))["verdict"]["level"] == "OK"
    assert served.asked == []


def test_there_are_enough_of_them() -> None:
    assert len(REFUSED) >= 100
    assert {status for _, status in REFUSED.values()} == {400, 401, 403, 404, 405, 413, 415, 421}
    assert "127.0.0.1:9/" in CONFIG


async def test_a_body_that_does_not_come_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_limits, "_BODY_WITHIN_S", 0.1)
    request = f"POST /api/v1/reload HTTP/1.1\n{HOST}{OURS}{RIGHT}{JSON}Content-Length: 10\n\n{{"
    found, _, body = await answered(served, request)
    assert (found, json.loads(body)) == (408, {"error": "the body did not come in time"})


async def test_a_head_that_does_not_come_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_HEAD_WITHIN_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"GET /api/v1/status HTTP/1.1\r\n")
    assert await reader.read() == b""
    writer.close()


async def test_wrong_tokens_are_answered_late_and_not_many_at_the_same_time(served: Served) -> None:
    wrong = {"Authorization": "Bearer wrong-wrong-wrong-wrong"}

    async def tried() -> int:
        async with served.session.get(f"{served.url}/status", headers=wrong) as answer:
            return answer.status

    answers = await asyncio.gather(*(tried() for _ in range(20)))
    assert answers.count(401) == 8
    assert answers.count(429) == 12
    assert (await served.get(f"/events/{EVENTS[0].id}"))["event_seq"] == 1


async def test_while_too_many_tokens_are_wrong_the_right_one_is_not_told_from_them(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forwarder.web.wrong_tokens._DELAY_S", 60.0)
    right = {"Authorization": f"Bearer {TOKEN}"}
    headers = {"X-Forwarder": "1", **right}
    async with served.session.post(f"{served.url}/session", headers=headers) as answer:
        session = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    guesses = [
        asyncio.ensure_future(
            served.session.get(f"{served.url}/status", headers={"Authorization": f"Bearer wrong-{n}"})
        )
        for n in range(9)
    ]
    done, late = await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED)
    assert [each.result().status for each in done] == [429]
    async with served.session.get(f"{served.url}/session", headers=right) as answer:
        assert answer.status == 429
    async with served.session.get(f"{served.url}/session", headers=session) as answer:
        assert (await answer.json())["may_change"]
    elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with aiohttp.ClientSession(connector=elsewhere) as other:
        async with other.get(f"{served.url}/session", headers=right) as answer:
            assert (await answer.json())["may_change"]
    for each in late:
        each.cancel()


async def test_slow_bodies_take_no_places_of_others(served: Served) -> None:
    request = f"POST /api/v1/rules/try HTTP/1.1\n{HOST}{OURS}{JSON}Content-Length: 1000\n\n{{"
    data = request.replace("\n", "\r\n").replace("PORT", str(served.port)).encode()
    slow = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(40)]
    for _, writer in slow:
        writer.write(data)
    first = await slow[0][0].readline()
    assert first.split()[1] == b"408"  # the oldest make room
    assert (await served.get("/status"))["verdict"]["level"] == "OK"
    await served.post("/destinations/bot/pause")
    assert len(served.asked) == 1
    for _, writer in slow:
        writer.close()


async def test_a_second_request_in_the_first_one_is_not_carried_out(served: Served) -> None:
    """A proxy that reads the length otherwise must not let a request slip in."""
    hidden = f"POST /api/v1/destinations/bot/pause HTTP/1.1\n{HOST}{OURS}{RIGHT}Content-Length: 0\n\n"
    request = f"POST /api/v1/reload HTTP/1.1\n{HOST}{OURS}{RIGHT}{JSON}Content-Length: 0\nTransfer-Encoding: chunked\n\n{hidden}"
    found, _, _ = await answered(served, request)
    assert found == 400
    assert served.asked == []
