"""A recovered event on its way out, over a restart: every attempt says so, whoever has it made."""

from pathlib import Path

from forwarder.core.gaps.gap import GapId
from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.server import Emulator
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.crash import until
from tests.support.lanes import utc_now
from tests.support.outbox import keep
from tests.support.process import command, forwarder, look, write_config


def refuse_the_first(request: Received) -> Answer:
    return Answer(status=503 if request.headers["x-forwarder-trigger"] == "recovered" else 200)


async def test_retries_and_replays_of_a_recovered_event_say_that_it_is_one(tmp_path: Path) -> None:
    async with Emulator() as emulator, Receiver(respond=refuse_the_first) as bot:
        path = tmp_path / "outbox.db"
        retry = "retry: {delays: [10ms]}"
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": bot.url}, each=retry)
        async with open_outbox(FileSettings(path=path)) as outbox:
            recovered = keep(outbox, 0, at=utc_now(), gap=GapId(1))
            live = keep(outbox, 1, at=utc_now())
        async with forwarder(config):
            delivered = "SELECT count(*) FROM deliveries WHERE status = 'delivered'"
            await until(lambda: look(path, delivered) == [(2,)], limit_s=90, what="both are delivered")
            code, out, err = await command("replay", "--to", "bot", "--since", "1h", "--wait", "-c", str(config))
            assert code == 0, out + err
    marks: dict[str, list[tuple[str, str | None]]] = {recovered.id: [], live.id: []}
    for request in bot.requests:
        header = request.headers["x-forwarder-trigger"], request.headers.get("x-forwarder-recovered")
        marks[request.headers["webhook-id"]].append(header)
    assert {mark for _, mark in marks[live.id]} == {None}
    assert {mark for _, mark in marks[recovered.id]} == {"true"}
    assert [trigger for trigger, _ in marks[recovered.id]] == ["recovered", "retry", "replay"]
