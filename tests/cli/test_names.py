"""A name that does not exist is an error with those that there are; one that has nothing to show is an empty list."""

from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.cli.locations import UsageError, places_of
from forwarder.cli.names import require_enabled
from tests.support.history import CONFIG, fill, records
from tests.support.process import command


@pytest.mark.parametrize(
    "line",
    [
        "events --destination typo",
        "deliveries --destination typo",
        "dead list --destination typo",
        "dead replay --destination typo",
        "dead drop --destination typo",
        "replay --since 2025-01-01 --to typo",
        "replay --since 2025-01-01 --to typo --dry-run",
    ],
)
async def test_an_unknown_destination_is_an_error_with_those_that_there_are(config: Path, line: str) -> None:
    await fill(config)
    code, out, err = await command(*line.split(), "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert "destination is called" in err
    assert "typo" in err
    assert "here are: bot, other" in err


@pytest.mark.parametrize(
    "line",
    [
        "events --route typo",
        "deliveries --route typo",
        "dead list --route typo",
        "replay --since 2025-01-01 --to bot --route typo",
    ],
)
async def test_an_unknown_route_is_an_error_with_those_that_there_are(config: Path, line: str) -> None:
    await fill(config)
    code, out, err = await command(*line.split(), "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert 'no route is called "typo"; there are: ' in err


@pytest.mark.parametrize(
    "line",
    [
        "events",
        "deliveries",
        "dead list",
        "replay --since 2025-01-01 --to bot",
        "explain --mid 1",
    ],
)
async def test_an_unknown_source_is_an_error_with_the_one_that_is_meant(config: Path, line: str) -> None:
    await fill(config)
    known = "x, fast-x, telegram, discord, rss, web, forwarder, mastodon"
    text = config.read_text(encoding="utf-8").replace(
        "routes:", "matchers: {toots: {any: [{source: [mastodon]}]}}\nroutes:"
    )
    config.write_text(text, encoding="utf-8")
    code, out, err = await command(*line.split(), "--source", "Twitter", "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert err == f'no source is called "Twitter"; did you mean "x"? There are: {known}\n'
    code, _, err = await command("events", "--source", "mastodon", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    code, _, err = await command("events", "--source", "TELEGRAM", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")


async def test_a_near_miss_is_answered_with_the_name(config: Path) -> None:
    await fill(config)
    code, _, err = await command("events", "--destination", "BOT", "-c", str(config))
    assert (code, err) == (
        exit_codes.USAGE,
        'no destination is called "BOT"; did you mean "bot"? There are: bot, other\n',
    )


async def test_a_route_without_a_name_is_known_by_its_number(config: Path) -> None:
    await fill(config)
    config.write_text(config.read_text(encoding="utf-8").replace("name: all, ", ""), encoding="utf-8")
    code, _, err = await command("events", "--route", "route 1", "--until", "2020-01-01", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")


async def test_a_known_name_with_nothing_to_show_is_an_empty_list(config: Path) -> None:
    await fill(config)
    for line in ("events --destination bot", "deliveries --destination other", "dead list --destination other"):
        code, _, err = await command(*line.split(), "--until", "2020-01-01", "-c", str(config))
        assert (code, err) == (exit_codes.OK, "")


async def test_a_name_that_only_the_outbox_still_has_is_known(config: Path) -> None:
    await fill(config)
    config.write_text(config.read_text(encoding="utf-8").replace("bot", "new"), encoding="utf-8")
    code, out, err = await command("deliveries", "--destination", "bot", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    assert "bot" in out
    code, _, err = await command("deliveries", "--destination", "bot", "--until", "2020-01-01", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")


async def test_a_disabled_destination_is_known(config: Path) -> None:
    await fill(config)
    text = config.read_text(encoding="utf-8").replace("other: {", "other: {enabled: false, ")
    config.write_text(text, encoding="utf-8")
    code, _, err = await command("events", "--destination", "other", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")


async def test_explain_knows_the_routes_of_today_and_of_then(config: Path) -> None:
    await fill(config)
    (event, *_) = await records(config, "events", "--limit", "1")
    code, out, err = await command("explain", "--id", event["event_id"], "--route", "typo", "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert 'no route is called "typo"; there are: all' in err
    code, _, _ = await command("explain", "--id", event["event_id"], "--route", "all", "-c", str(config))
    assert code == exit_codes.OK


@pytest.mark.parametrize("verb", ["send", "preview"])
async def test_commands_for_one_destination_end_with_one_code(config: Path, verb: str) -> None:
    code, out, err = await command(verb, "nobody", "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert 'no destination is called "nobody"' in err


async def test_a_pattern_that_chooses_no_test_is_an_error(config: Path) -> None:
    code, _, err = await command("test", "-k", "typo", "-c", str(config))
    assert (code, err) == (exit_codes.USAGE, 'no test is called "typo"; the config has none\n')
    text = config.read_text(encoding="utf-8")
    event = "{source: x, mid: '1', sid: '2', timestamp: 1, payload: {text: a}}"
    config.write_text(f"{text}\ntests: [{{name: one, event: {event}, expect: []}}]\n", encoding="utf-8")
    code, _, err = await command("test", "-k", "typo", "-c", str(config))
    assert (code, err) == (exit_codes.USAGE, 'no test is called "typo"; there are: one\n')


async def test_check_refuses_a_failing_test_as_a_reload_does(config: Path) -> None:
    text = config.read_text(encoding="utf-8")
    event = "{source: x, mid: '1', sid: '2', timestamp: 1, payload: {text: a}}"
    failing = f"{text}\ntests: [{{name: wrong, event: {event}, expect: [nowhere]}}]\n".replace("nowhere", "other")
    config.write_text(failing.replace("expect: [other]", "expect: []"), encoding="utf-8")
    code, _, err = await command("check", "-c", str(config))
    assert code == exit_codes.FAILURE
    assert 'tests: "wrong"' in err
    assert "reload.require_tests" in err
    config.write_text(config.read_text(encoding="utf-8") + "reload: {require_tests: false}\n", encoding="utf-8")
    code, _, err = await command("check", "-c", str(config))
    assert code == exit_codes.OK
    assert 'warning: test fails: tests: "wrong"' in err


def test_the_destinations_of_included_files_are_known(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("include: [more.yaml, lost.yaml]\nstreams: [{api_key: '${NOT_SET}'}]\n")
    (tmp_path / "more.yaml").write_text("destinations: {bot: {url: '${NOT_SET}'}, off: {enabled: false}}\n")
    found = places_of(config)
    require_enabled(found, "bot")
    with pytest.raises(UsageError, match="here are: bot"):
        require_enabled(found, "off")


async def test_what_waits_for_a_destination_that_is_gone_is_explained(config: Path) -> None:
    await fill(config)
    for before, after, why, todo in (
        (
            "{bot: {url: 'http://127.0.0.1:9/'}, ",
            "{",
            "bot is not in the config any more",
            "put it back under this name",
        ),
        ("bot: {", "bot: {enabled: false, ", "bot is disabled (enabled: false in the config)", "set enabled: true"),
    ):
        config.write_text(CONFIG.replace(before, after).replace("to: bot", "to: other"), encoding="utf-8")
        for line in ("deliveries", f"deliveries show {(await records(config, 'deliveries'))[0]['delivery_id']}"):
            _, out, _ = await command(*line.split(), "-c", str(config))
            assert f"{why}. 1 delivery of these is kept for it. To have it delivered, {todo}. To send to another" in out
        _, out, _ = await command("deliveries", "--status", "dead", "-c", str(config))
        assert why not in out
        for line in ("dead list", "dead list --details"):
            _, out, _ = await command(*line.split(), "-c", str(config))
            assert f"{why}, so dead replay delivers nothing to it. forwarder replay --to NAME sends to another" in out
            assert "forwarder dead drop --destination bot gives them up." in out
    code, out, err = await command("dead", "replay", "--all", "-c", str(config))
    assert (code, out) == (exit_codes.OK, "1 queued for delivery.\n")
    assert err == f"note: {why}: what is queued for it waits until that changes\n"


async def test_a_destination_of_an_included_file_is_not_called_removed(config: Path) -> None:
    await fill(config)
    config.with_name("more.yaml").write_text("destinations: {bot: {enabled: false, url: 'http://127.0.0.1:9/'}}\n")
    text = CONFIG.replace("bot: {url: 'http://127.0.0.1:9/'}, ", "").replace("to: bot", "to: other")
    config.write_text(f"include: [more.yaml]\n{text}", encoding="utf-8")
    (event, *_) = await records(config, "events", "--destination", "bot")
    code, _, err = await command("resend", event["event_id"], "--to", "bot", "-c", str(config))
    assert (code, "bot is disabled in" in err) == (exit_codes.USAGE, True)
