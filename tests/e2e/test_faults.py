"""When something inside or around the daemon breaks."""

import asyncio
import resource
import signal
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.script import packaged_events
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.process import KEY, command, forwarder, is_sound, look, write_config
from tests.support.raw import serving

CANARY = "canary-9d2e"


async def test_a_writer_that_fails_for_good_ends_the_process_and_a_restart_goes_on(tmp_path: Path) -> None:
    frames = packaged_events()
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(frames[0])
            await receiver.wait_for(1)
            # No write goes past the beginning of a file any more: an I/O error to SQLite.
            resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
            await emulator.send(frames[1])
            assert await daemon.ended() == exit_codes.FAILURE
            assert "daemon.failed" in [line["event"] for line in daemon.lines]
        assert is_sound(tmp_path / "outbox.db")
        async with forwarder(config):
            await emulator.wait_connected()
            await emulator.send(frames[2])
            await receiver.wait_until(lambda receiver: frames[2] in [request.body for request in receiver.requests])


async def test_a_hanging_and_a_dead_destination_do_not_hold_up_a_third(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as well, Receiver() as hanging:
        hanging.respond = lambda _received: Answer(action="hang")
        destinations = {"hanging": f"{hanging.url}\n    timeout: 5m", "dead": "http://127.0.0.1:9/", "well": well.url}
        config = write_config(tmp_path, stream=emulator.ws_url, destinations=destinations)
        async with forwarder(config):
            await emulator.wait_connected()
            for frame in packaged_events():
                await emulator.send(frame)
            await well.wait_for(204)  # well within the timeout of the one that hangs


@pytest.mark.parametrize(
    "tail",
    [b"\r\n", b"Content-Length: 100000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"],
    ids=["no length", "length", "chunks"],
)
async def test_a_2xx_whose_body_never_ends_is_delivered_at_its_headers(tail: bytes, tmp_path: Path) -> None:
    """It holds up nothing, also where one attempt runs at a time, and a kill during the body sends nothing again."""
    ids: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            ids.append(head.lower().partition(b"webhook-id: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            writer.write(b"HTTP/1.1 200 OK\r\n" + tail)
            await reader.read()

    def delivered() -> int:
        rows = look(tmp_path / "outbox.db", "SELECT count(*) FROM deliveries WHERE status = 'delivered'")
        return int(rows[0][0])

    frames = packaged_events()[:21]
    async with Emulator(api_key=KEY) as emulator, serving(serve) as port:
        url = f"http://127.0.0.1:{port}/\n    timeout: 5m\n    order: strict"
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": url})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for frame in frames[:20]:
                await emulator.send(frame)
            await until(lambda: delivered() == 20, limit_s=90, what="all delivered")
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        async with forwarder(config):
            await emulator.wait_connected()
            await emulator.send(frames[20])
            await until(lambda: delivered() == 21, limit_s=90, what="all delivered")
    assert len(ids) == len(set(ids)) == 21


async def test_a_request_that_was_sent_twice_says_so_in_the_log_and_in_the_history(tmp_path: Path) -> None:
    said = "sent twice: the receiver closed an idle connection without an answer"
    frames = packaged_events()[:2]
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        receiver.respond = lambda _received: Answer(action="close" if receiver.received == 2 else None)
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(frames[0])
            await receiver.wait_for(1)
            await emulator.send(frames[1])
            await receiver.wait_for(2)
            line = await daemon.wait_for("delivery.delivered", note=said)
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
        assert line["attempt"] == 1
        assert [request.headers["x-forwarder-attempt"] for request in receiver.requests] == ["1", "1", "1"]
        assert len({request.headers["webhook-id"] for request in receiver.requests[1:]}) == 1
        _, printed, _ = await command("deliveries", "show", line["delivery_id"], "-c", str(config))
        assert f"HTTP 200: {said}\n" in printed


async def test_no_secret_reaches_the_log(tmp_path: Path) -> None:
    async with Emulator(api_key=CANARY) as emulator, Receiver() as receiver:
        receiver.respond = lambda _received: Answer(status=302, headers={"Location": f"http://x.invalid/{CANARY}"})
        options = f"\n    headers: {{Authorization: 'Bearer {CANARY}'}}\n    timeout: 1s"
        config = write_config(
            tmp_path,
            stream=emulator.ws_url,
            key=CANARY,
            destinations={
                "bot": f"{receiver.url}/{CANARY}?token={CANARY}{options}",
                "gone": f"http://no-such-host.invalid/{CANARY}",
                "refused": f"http://127.0.0.1:9/{CANARY}",
                "plain": f"https{receiver.url.removeprefix('http')}/{CANARY}",
            },
        )
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(packaged_events()[0])
            await daemon.wait_for("delivery.retry_scheduled", count=4)
            await emulator.drop("close", 1008)
            await daemon.wait_for("stream.disconnected")
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.unchanged")
            config.write_text(config.read_text().replace(f"{CANARY}?token", f"{CANARY}/{CANARY}?token"))
            assert "url changed" in str((await daemon.wait_for("reload.done"))["plan"])
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
            assert CANARY not in str(daemon.lines)
