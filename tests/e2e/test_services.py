"""Receivers that answer as Slack, Telegram and Discord do, behind the real daemon: no event is lost over a mistake of the address."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import status_text
from tests.support.paths import EVENTS
from tests.support.process import KEY, LOG_ALL, Forwarder, command, forwarder, look

PHOTO = (EVENTS / "x-photo.json").read_bytes()
PLAIN = (EVENTS / "x-plain.json").read_bytes()
QUOTE = (EVENTS / "x-quote.json").read_bytes()


def config_of(folder: Path, stream: str, destination: str, alerts: str = "http://127.0.0.1:9/") -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"streams: [{{url: {stream}, api_key: {KEY}}}]\noutbox: {{url: 'sqlite:outbox.db'}}\n"
        f"destinations:\n  bot: {{{destination}, on_failure: {{to: alerts}}}}\n  alerts: {{url: {alerts}}}\n"
        "routes: [{to: bot}]\n",
        encoding="utf-8",
    )
    return path


def base(receiver: Receiver) -> str:
    return receiver.url.removesuffix("/hook")


async def attempts_of(config: Path) -> list[dict[str, Any]]:
    _, out, _ = await command("deliveries", "--json", "-c", str(config))
    found = []
    for line in out.splitlines():
        _, shown, _ = await command("deliveries", "show", json.loads(line)["delivery_id"], "--json", "-c", str(config))
        found += json.loads(shown)["attempts"]
    return found


async def stop(daemon: Forwarder) -> None:
    """Stop it, after which everything is in the outbox."""
    daemon.send(signal.SIGTERM)
    assert await daemon.ended() == exit_codes.OK


def refuses_pictures(received: Received) -> Answer:
    has_pictures = b'"image_url"' in received.body
    return Answer(status=400, body=b"invalid_blocks") if has_pictures else Answer(body=b"ok")


async def test_slack_gets_a_message_again_without_the_picture_that_it_cannot_fetch(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(respond=refuses_pictures) as slack:
        config = config_of(tmp_path, emulator.ws_url, f"url: {base(slack)}/services/T/B/x, format: slack")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(PHOTO)
            line = await daemon.wait_for("delivery.delivered")
            assert (line["attempt"], line["note"]) == (1, "sent again without pictures, after HTTP 400: invalid_blocks")
            await stop(daemon)
        assert len(slack.requests) == 2
        first, second = slack.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert [json.loads(each.body)["text"] for each in (first, second)] == [json.loads(first.body)["text"]] * 2
        assert "🖼 photo" in second.body.decode()
        (attempt,) = await attempts_of(config)
        assert (attempt["http_status"], attempt["excerpt"]) == (200, "ok")
        assert attempt["reason"] == "sent again without pictures, after HTTP 400: invalid_blocks"
        _, shown, _ = await command("deliveries", "show", str(line["delivery_id"]), "-c", str(config))
        assert "HTTP 200: sent again without pictures, after HTTP 400: invalid_blocks" in shown


async def test_a_slack_message_without_pictures_is_not_sent_twice(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as slack:
        slack.respond = lambda _received: Answer(status=400, body=b"invalid_blocks")
        config = config_of(
            tmp_path, emulator.ws_url, f"url: {base(slack)}/services/T/B/x, format: {{type: slack, pictures: false}}"
        )
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(PHOTO)
            line = await daemon.wait_for("delivery.dead")
            assert line["reason"] == "HTTP 400: the receiver will not take this request: invalid_blocks"
        (request,) = slack.requests
        assert b'"image"' not in request.body


async def test_a_message_that_slack_refuses_both_ways_is_dead_and_says_so(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as slack:
        slack.respond = lambda received: (
            Answer(status=400, body=b"invalid_blocks")
            if b'"image_url"' in received.body
            else Answer(status=400, body=b"invalid_payload")
        )
        config = config_of(tmp_path, emulator.ws_url, f"url: {base(slack)}/services/T/B/x, format: slack")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(PHOTO)
            line = await daemon.wait_for("delivery.dead")
        assert line["reason"] == (
            "HTTP 400: the receiver will not take this request: invalid_payload "
            "(sent again without pictures, after HTTP 400: invalid_blocks)"
        )
        assert len(slack.requests) == 2


def discord_that_refuses_addresses(received: Received) -> Answer:
    if not any("image" in embed for embed in json.loads(received.body)["embeds"]):
        return Answer(body=b'{"id": "5"}')
    error = {"image": {"url": {"_errors": [{"code": "URL_TYPE_INVALID_URL", "message": "Not a well formed URL."}]}}}
    said = {"message": "Invalid Form Body", "code": 50035, "errors": {"embeds": {"0": error}}}
    return Answer(status=400, body=json.dumps(said).encode())


@pytest.mark.parametrize("query", ["", "?source={{ source }}"])
async def test_discord_gets_a_message_again_without_the_picture_whose_address_it_refuses(
    tmp_path: Path, query: str
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(respond=discord_that_refuses_addresses) as discord:
        url = f'"{base(discord)}/api/webhooks/1/token{query}"'
        config = config_of(tmp_path, emulator.ws_url, f"url: {url}, format: discord")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(PHOTO)
            line = await daemon.wait_for("delivery.delivered")
            assert str(line["note"]).startswith("sent again without pictures, after HTTP 400")
        assert len({request.path for request in discord.requests}) == 1


async def test_discord_gets_a_message_again_also_after_the_answer_of_a_url_without_a_version(tmp_path: Path) -> None:
    def refuse(received: Received) -> Answer:
        is_refused = discord_that_refuses_addresses(received).status == 400
        return Answer(status=400, body=b'{"embeds": ["0"]}') if is_refused else Answer(body=b'{"id": "5"}')

    async with Emulator(api_key=KEY) as emulator, Receiver(respond=refuse) as discord:
        url = f"{base(discord)}/api/webhooks/1/token"
        async with forwarder(config_of(tmp_path, emulator.ws_url, f"url: {url}, format: discord")) as daemon:
            await emulator.wait_connected()
            await emulator.send(PHOTO)
            line = await daemon.wait_for("delivery.delivered")
            assert str(line["note"]).startswith("sent again without pictures, after HTTP 400")
        assert len(discord.requests) == 2


class Group:
    """A Telegram group that became a supergroup."""

    old, new = -100200, -1001234567890

    def __init__(self) -> None:
        self.chats: list[int] = []

    def respond(self, received: Received) -> Answer:
        chat = json.loads(received.body)["chat_id"]
        self.chats.append(chat)
        if chat == self.new:
            return Answer(body=b'{"ok":true,"result":{"message_id":5}}')
        said = {
            "ok": False,
            "error_code": 400,
            "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": {"migrate_to_chat_id": self.new},
        }
        return Answer(status=400, body=json.dumps(said).encode())


@pytest.mark.parametrize("place", ["url", "format"])
async def test_a_telegram_group_that_moved_is_followed_and_the_operator_is_told(tmp_path: Path, place: str) -> None:
    group = Group()
    async with Emulator(api_key=KEY) as emulator, Receiver(respond=group.respond) as telegram:
        url = f"{base(telegram)}/bot1:token/sendMessage"
        destination = (
            f'url: "{url}?chat_id={group.old}", format: telegram'
            if place == "url"
            else f"url: {url}, format: {{type: telegram, chat_id: {group.old}}}"
        )
        config = config_of(tmp_path, emulator.ws_url, f"{destination}, concurrency: 1")
        async with forwarder(config, *LOG_ALL) as daemon:
            await emulator.wait_connected()
            await emulator.send(PLAIN)
            await daemon.wait_for("delivery.delivered")
            await emulator.send(QUOTE)
            await daemon.wait_for("delivery.delivered", count=2)
            await stop(daemon)
            told = [line for line in daemon.lines if line["event"] == "destination.address_changed"]
        assert group.chats == [group.old, group.new, group.new]
        (line,) = told
        assert line["level"] == "warning"
        assert f"write chat_id: {group.new} in the config" in str(line["note"])
        assert len(await attempts_of(config)) == 2


def refusal(status: int, said: object) -> Callable[[Received], Answer]:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return lambda _received: Answer(status=status, body=body)


def of_telegram(status: int, description: str) -> Callable[[Received], Answer]:
    return refusal(status, {"ok": False, "error_code": status, "description": description})


TELEGRAM = "/bot1:token/sendMessage", "{type: telegram, chat_id: -100, topic: 7}"
DISCORD = "/api/webhooks/1/token", "discord"
SLACK = "/services/T/B/x", "slack"


@pytest.mark.parametrize(
    ("where", "respond", "words"),
    [
        (TELEGRAM, of_telegram(400, "Bad Request: chat not found"), "HTTP 400: Bad Request: chat not found"),
        (
            TELEGRAM,
            of_telegram(400, "Bad Request: message thread not found"),
            "HTTP 400: Bad Request: message thread not found",
        ),
        (TELEGRAM, of_telegram(400, "Bad Request: TOPIC_CLOSED"), "HTTP 400: Bad Request: TOPIC_CLOSED"),
        (
            TELEGRAM,
            of_telegram(403, "Forbidden: bot was kicked from the supergroup chat"),
            "HTTP 403: Forbidden: bot was kicked from the supergroup chat",
        ),
        (TELEGRAM, of_telegram(401, "Unauthorized"), "HTTP 401: Unauthorized"),
        (TELEGRAM, of_telegram(404, "Not Found"), "HTTP 404: Not Found"),
        (
            DISCORD,
            refusal(
                400, {"message": "Webhooks posted to forum channels must have a thread_name or thread_id", "code": 220001}
            ),
            "HTTP 400: Webhooks posted to forum channels must have a thread_name or thread_id (220001)",
        ),
        (DISCORD, refusal(404, {"message": "Unknown Channel", "code": 10003}), "HTTP 404: Unknown Channel (10003)"),
        (DISCORD, refusal(404, {"message": "Unknown Webhook", "code": 10015}), "HTTP 404: Unknown Webhook (10015)"),
        (SLACK, refusal(403, b"invalid_token"), "HTTP 403: invalid_token"),
        (SLACK, refusal(410, b"channel_is_archived"), "HTTP 410: channel_is_archived"),
    ],
)  # fmt: skip
async def test_an_address_that_is_gone_pauses_and_nothing_is_lost(
    tmp_path: Path, where: tuple[str, str], respond: Callable[[Received], Answer], words: str
) -> None:
    path, format_ = where
    async with Emulator(api_key=KEY) as emulator, Receiver(respond=respond) as service, Receiver() as alerts:
        config = config_of(tmp_path, emulator.ws_url, f"url: {base(service)}{path}, format: {format_}", alerts.url)
        async with forwarder(config, *LOG_ALL) as daemon:
            await emulator.wait_connected()
            await emulator.send(PLAIN)
            paused = await daemon.wait_for("destination.paused")
            await emulator.send(QUOTE)
            await alerts.wait_for(1)
            await all_are_kept(daemon, config, count=2)
            status = await status_text(config)
            assert (paused["reason"], service.received) == (words, 1)
            assert "PAUSED because the receiver is gone since" in status
            assert words in status
            notice = json.loads(alerts.requests[0].body)["payload"]
            assert notice["kind"] == "paused"
            assert notice["text"].startswith(f"bot was paused: {words}. New events are kept.")
            service.respond = lambda _received: Answer(body=b'{"ok":true}')
            assert (await command("resume", "bot", "-c", str(config)))[0] == exit_codes.OK
            await daemon.wait_for("delivery.delivered", count=2, destination="bot")
            await stop(daemon)
    assert look(tmp_path / "outbox.db", "SELECT DISTINCT status FROM deliveries WHERE destination = 'bot'") == [
        ("delivered",)
    ]


async def all_are_kept(daemon: Forwarder, config: Path, *, count: int) -> None:
    """Wait until so many deliveries of the destination wait, and none is dead."""
    while True:
        _, out, _ = await command("deliveries", "--json", "--destination", "bot", "-c", str(config))
        statuses = [json.loads(line)["status"] for line in out.splitlines()]
        if len(statuses) == count:
            break
    assert set(statuses) <= {"pending", "in_flight"}
    assert daemon.process.returncode is None


async def test_an_own_rule_for_the_status_comes_first(tmp_path: Path) -> None:
    respond = of_telegram(400, "Bad Request: chat not found")
    async with Emulator(api_key=KEY) as emulator, Receiver(respond=respond) as telegram:
        settings = "format: {type: telegram, chat_id: -100}, retry: {statuses: {400: dead}}"
        config = config_of(tmp_path, emulator.ws_url, f"url: {base(telegram)}/bot1:token, {settings}")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(PLAIN)
            await daemon.wait_for("delivery.dead")


async def test_one_event_that_telegram_refuses_is_dead_and_the_next_one_arrives(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as telegram:
        config = config_of(
            tmp_path, emulator.ws_url, f"url: {base(telegram)}/bot1:token, format: {{type: telegram, chat_id: -100}}"
        )
        telegram.respond = of_telegram(400, "Bad Request: can't parse entities")
        async with forwarder(config, *LOG_ALL) as daemon:
            await emulator.wait_connected()
            await emulator.send(PLAIN)
            await daemon.wait_for("delivery.dead")
            telegram.respond = None
            await emulator.send(QUOTE)
            await daemon.wait_for("delivery.delivered")


@pytest.mark.parametrize(
    ("success", "refused", "accepted", "reason"),
    [
        pytest.param(
            "{errcode: 0}",
            b'{"errcode":310000,"errmsg":"keywords not in content"}',
            b'{"errcode":0,"errmsg":"ok"}',
            "is not that of a success: keywords not in content (310000)",
            id="DingTalk",
        ),
        pytest.param(
            "[{code: 0}, {StatusCode: 0}]",
            b'{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}',
            b'{"StatusCode":0,"StatusMessage":"success"}',
            "is not that of a success: sign match fail or timestamp is not within one hour from current time (19021)",
            id="Feishu and Lark",
        ),
        pytest.param(
            '["1", {not: {contains: failed}}]',
            b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429",
            b"1",
            "is not that of a success: Webhook message delivery failed with error: Microsoft Teams endpoint",
            id="Teams",
        ),
        pytest.param("ok", b"quota exceeded", b"ok\n", "is not that of a success: quota exceeded", id="text"),
        pytest.param(
            "{errcode: 0}", b"<html><title>Log in</title></html>", b'{"errcode":0}', "is not JSON: Log in", id="a page"
        ),
        pytest.param("{errcode: 0}", b"", b'{"errcode":0}', "is empty", id="nothing"),
        pytest.param(
            "{errcode: 0}",
            b'{"errcode":0,"x":"%s"}' % (b"a" * 80_000),
            b'{"errcode":0}',
            'is not complete: {"errcode":0',
            id="too long",
        ),
    ],
)
async def test_a_200_with_an_error_in_its_body_is_a_failure_and_tried_again(
    tmp_path: Path, success: str, refused: bytes, accepted: bytes, reason: str
) -> None:
    reason = f"HTTP 200, but its body {reason}"
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        receiver.respond = lambda _received: Answer(body=refused if receiver.received == 1 else accepted)
        config = config_of(tmp_path, emulator.ws_url, f"url: {receiver.url}, success: {{body: {success}}}")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(PLAIN)
            line = await daemon.wait_for("delivery.retry_scheduled")
            assert str(line["reason"]).startswith(reason)
            assert line["status"] == 200
            await daemon.wait_for("delivery.delivered")
            await stop(daemon)
    first, second = await attempts_of(config)
    assert str(first["reason"]).startswith(reason)
    assert (first["http_status"], second["http_status"], second["reason"]) == (200, 200, None)


async def test_a_200_with_errors_only_opens_the_breaker_and_ends_in_a_dead_letter(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        receiver.respond = lambda _received: Answer(body=b'{"errcode":1,"errmsg":"no"}')
        settings = "success: {body: {errcode: 0}}, retry: {delays: [0s, 0s, 0s, 0s, 0s]}"
        config = config_of(tmp_path, emulator.ws_url, f"url: {receiver.url}, {settings}")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(PLAIN)
            await daemon.wait_for("destination.down")
            line = await daemon.wait_for("delivery.dead")
            assert line["reason"] == ("HTTP 200, but its body is not that of a success (attempt 6 of 6): no")
        assert not [line for line in daemon.lines if line["event"] == "destination.back"]


async def test_a_google_apps_script_answers_with_a_redirect_which_can_mean_delivered(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        location = f"{base(receiver)}/macros/echo?user_content_key=abc"
        receiver.respond = lambda _received: Answer(
            status=302, headers={"Location": location}, body=b"<HTML><TITLE>Moved Temporarily</TITLE></HTML>"
        )
        settings = "retry: {statuses: {302: delivered}}"
        config = config_of(tmp_path, emulator.ws_url, f"url: {base(receiver)}/macros/s/KEY/exec, {settings}")
        async with forwarder(config, *LOG_ALL) as daemon:
            await emulator.wait_connected()
            await emulator.send(PLAIN)
            line = await daemon.wait_for("delivery.delivered")
            assert (line["attempt"], line["status"]) == (1, 302)
            status = await status_text(config)
            assert "failing" not in status
            await stop(daemon)
        assert [request.path for request in receiver.requests] == ["/macros/s/KEY/exec"]
        code, out, _ = await command("send", "bot", "-c", str(config))
        assert (code, "delivered: HTTP 302" in out, "not delivered" in out) == (exit_codes.OK, True, False)


async def test_forwarder_send_says_that_a_200_is_none(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        receiver.respond = lambda _received: Answer(body=b'{"errcode":310000,"errmsg":"keywords not in content"}')
        config = config_of(tmp_path, "ws://127.0.0.1:9/", f"url: {receiver.url}, success: {{body: {{errcode: 0}}}}")
        code, out, _ = await command("send", "bot", "-c", str(config))
    assert code == exit_codes.FAILURE
    assert "not delivered: HTTP 200, but its body is not that of a success: keywords not in content (310000)" in out
