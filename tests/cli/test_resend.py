"""`forwarder resend` on the file alone: what it refuses, what it says, and what it leaves alone."""

import re
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.cli.listing import local
from forwarder.core.delivery import delivery_id
from forwarder.core.ledger import SkipReason
from forwarder.outbox.open import open_outbox
from tests.support.history import fill, records
from tests.support.outbox import BOT, EVENTS, attempt, keep
from tests.support.process import command, look


async def test_a_dry_run_shows_what_would_be_sent_and_queues_nothing(config: Path) -> None:
    await fill(config)
    code, out, err = await command("resend", EVENTS[0].id, "--dry-run", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    assert "bot: would be sent (until now: delivered " in out
    assert "1 delivery would be sent." in out
    (line,) = await records(config, "resend", EVENTS[0].id, "--dry-run")
    assert (line["would_queue"], line["queued"], line["status_before"]) == (True, False, "delivered")
    assert len(await records(config, "deliveries", "--status", "pending")) == 1


async def test_it_queues_what_was_delivered_and_what_is_dead(config: Path) -> None:
    await fill(config)
    for event in EVENTS[:2]:
        (line,) = await records(config, "resend", event.id[:16])
        assert line["queued"]
    found = look(config.with_name("outbox.db"), "SELECT status, trigger FROM deliveries ORDER BY event_seq")
    assert found == [("pending", "resend"), ("pending", "resend"), ("pending", "first")]
    assert (await records(config, "audit"))[0]["balanced"]


@pytest.mark.parametrize(
    ("to", "change", "said"),
    [
        ("bto", "", 'no destination is called "bto"; did you mean "bot"? There are: bot, other'),
        (
            "other",
            "disable",
            "other is disabled in {config} (enabled: false), so nothing is sent to it. Enabled are: bot",
        ),
        ("bot", "remove", "bot was removed from {config}, so nothing is sent to it. There are: other"),
    ],
)
async def test_a_destination_that_cannot_get_it_is_an_error_that_says_why(
    config: Path, to: str, change: str, said: str
) -> None:
    await fill(config)
    text = config.read_text(encoding="utf-8")
    if change == "disable":
        text = text.replace("other: {", "other: {enabled: false, ")
    elif change == "remove":
        text = text.replace("{bot: {url: 'http://127.0.0.1:9/'}, ", "{").replace("to: bot", "to: other")
    config.write_text(text, encoding="utf-8")
    code, out, err = await command("resend", EVENTS[0].id, "--to", to, "-c", str(config))
    assert (code, out, err) == (exit_codes.USAGE, "", said.format(config=config) + "\n")


@pytest.mark.parametrize("change", ["disable", "remove"])
async def test_without_to_a_destination_that_cannot_get_it_is_left_out_with_the_reason(
    config: Path, change: str
) -> None:
    await fill(config)
    text = config.read_text(encoding="utf-8")
    text = text.replace("bot: {", "bot: {enabled: false, ") if change == "disable" else text.replace("bot", "new")
    config.write_text(text, encoding="utf-8")
    code, out, _ = await command("resend", EVENTS[0].id, "-c", str(config))
    assert code == exit_codes.FAILURE
    why = "disabled (enabled: false in the config)" if change == "disable" else "not in the config any more"
    assert f"bot: not sent: {why}" in out
    assert "0 deliveries sent." in out


async def test_a_paused_destination_is_named_without_a_daemon(config: Path) -> None:
    await fill(config)
    assert (await command("pause", "bot", "-c", str(config)))[0] == exit_codes.OK
    code, out, _ = await command("resend", EVENTS[0].id, "-c", str(config))
    assert code == exit_codes.OK
    assert re.search(
        r"bot is paused since [^:]+ [0-9:]+ \S+: what is sent again waits until forwarder resume bot\n", out
    )
    (end,) = await records(config, "pause", "bot", "--for", "1d")
    code, out, _ = await command("resend", EVENTS[0].id, "-c", str(config))
    assert code == exit_codes.OK
    assert f"waits until {local(str(end['until']))}" in out
    assert ", or forwarder resume bot\n" in out


async def test_what_was_skipped_is_sent_only_where_it_is_named(config: Path) -> None:
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        keep(outbox, 0, SkipReason.SAMPLED)
    code, out, _ = await command("resend", EVENTS[0].id, "-c", str(config))
    assert code == exit_codes.FAILURE
    assert "bot: not sent: it was skipped (sampled); --to bot sends it" in out
    (line,) = await records(config, "resend", EVENTS[0].id, "--to", "bot")
    assert line["queued"]


async def test_of_a_post_the_event_that_was_sent_is_meant(config: Path) -> None:
    """The first two of the events are a post of fast-x and of x."""
    assert EVENTS[0].mid == EVENTS[1].mid
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        outbox.complete(keep(outbox, 0), attempt(200))
        keep(outbox, 1, SkipReason.PREFERRED)
    (line,) = await records(config, "resend", EVENTS[0].mid, "--dry-run")
    assert (line["source"], line["would_queue"]) == (EVENTS[0].source, True)
    code, _, err = await command("resend", EVENTS[0].mid, "--to", "other", "-c", str(config))
    assert (code, "means 2 events" in err) == (exit_codes.FAILURE, True)


async def test_of_an_event_that_came_twice_the_newest_is_meant(config: Path) -> None:
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        for _ in range(2):
            outbox.complete(keep(outbox, 0), attempt(200))
    (line,) = await records(config, "resend", EVENTS[0].id)
    assert line["event_seq"] == 2
    assert len(await records(config, "resend", EVENTS[0].id, "--all")) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("f" * 32,), "no event for 'ffff"),
        (("https://x.com/novadesk/status/5",), "no event for 'https://x.com/novadesk/status/5' in the outbox"),
        (("5", "--source", "discord"), "no event of discord for '5' in the outbox"),
    ],
)
async def test_what_is_not_there_is_said(config: Path, words: tuple[str, ...], said: str) -> None:
    await fill(config)
    code, out, err = await command("resend", *words, "-c", str(config))
    assert (code, out) == (exit_codes.FAILURE, "")
    assert said in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("https://x.com/novadesk",), "this link names no post. Links of posts are https://x.com/NAME/status/ID"),
        (("", "--all"), "argument WHAT: must not be empty"),
        ((" ", "--all"), "argument WHAT: must not be empty"),
        (("msg_", "--all"), "'msg_' is neither a webhook-id (msg_ and 40 hex digits), nor an event's id (32 of them)"),
        (("5", "--source", "Twitter"), 'no source is called "Twitter"; did you mean "x"?'),
    ],
)
async def test_what_cannot_be_meant_is_a_usage_error(config: Path, words: tuple[str, ...], said: str) -> None:
    await fill(config)
    code, out, err = await command("resend", *words, "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert said in err


@pytest.mark.parametrize(
    "what",
    [
        f"msg_{EVENTS[0].id}",
        f"msg_{EVENTS[0].id[:16]}",
        f"msg_{EVENTS[0].id[:3]}",
        delivery_id(EVENTS[0].id, BOT)[:-1],
        delivery_id(EVENTS[0].id, BOT).removeprefix("msg_"),
        delivery_id(EVENTS[0].id, BOT) + "0",
        "abc",
    ],
)
async def test_a_part_of_an_id_sends_nothing_to_every_destination(config: Path, what: str) -> None:
    await fill(config)
    code, out, err = await command("resend", what, "--all", "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert "or the beginning of one (at least 4)" in err
    assert len(await records(config, "deliveries", "--status", "pending")) == 1


@pytest.mark.parametrize(
    "what",
    [
        EVENTS[0].id.upper(),
        f"  {EVENTS[0].id[:8].upper()} ",
        delivery_id(EVENTS[0].id, BOT).upper(),
        f" {delivery_id(EVENTS[0].id, BOT)}",
    ],
)
async def test_an_id_may_be_in_upper_case_or_have_spaces_around_it(config: Path, what: str) -> None:
    await fill(config)
    (line,) = await records(config, "resend", what, "--dry-run")
    assert (line["event_id"], line["destination"]) == (EVENTS[0].id, BOT)


async def test_a_post_may_have_spaces_around_its_id(config: Path) -> None:
    await fill(config)
    found = await records(config, "resend", f" {EVENTS[2].mid} ", "--dry-run", "--all")
    assert {line["mid"] for line in found} == {EVENTS[2].mid}
