"""What a person does on the page of a real daemon, in a real browser."""

import asyncio
import re
from pathlib import Path

from playwright.async_api import Page, Route, expect

from tests.support.browser import LIMIT_MS, Tab, needs_browser, tab_of
from tests.support.crash import until
from tests.support.dead_letters import fill_with_dead_letters
from tests.support.delivery import status
from tests.support.page_scene import TOKEN, browser_at, event
from tests.support.process import look

pytestmark = needs_browser()
expect.set_options(timeout=LIMIT_MS)
UNAUTHORISED = "Failed to load resource: the server responded with a status of 401"


async def sign_in(page: Page, token: str = TOKEN) -> None:
    dialog = page.get_by_role("dialog", name="Sign in")
    await dialog.get_by_label("Token").fill(token)
    await dialog.get_by_role("button", name="Sign in").click()


def take(tab: Tab, text: str) -> None:
    """Take the problems with this text: the browser notes each refusal in its console."""
    tab.problems = [each for each in tab.problems if text not in each]


async def test_a_destination_is_paused_and_resumed_by_who_has_the_token(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(on.url)
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="bot"))
        await row.get_by_role("button", name="Pause bot").click()
        dialog = page.get_by_role("dialog", name="Pause bot")
        await dialog.get_by_label("Why").fill("a <b>test</b>")
        await dialog.get_by_label("For how long").select_option("60")
        await dialog.get_by_role("button", name="Pause").click()
        # the change needs the token, which is asked for; a wrong one is refused
        await sign_in(page, "wrong")
        await expect(page.get_by_role("alert")).to_contain_text("the token is wrong")
        await sign_in(page)
        await expect(row).to_contain_text("paused by hand")
        await expect(row).to_contain_text("a <b>test</b>")
        await expect(page.locator("#acted")).to_contain_text("bot is paused.")
        paused = (await status(on.config))["destinations"]["bot"]["paused"]
        assert (paused["why"], paused["by"]) == ("a <b>test</b>", "person")
        assert paused["until"] is not None
        await row.get_by_role("button", name="Resume bot").click()
        await expect(row.get_by_role("button", name="Pause bot")).to_be_visible()
        assert (await status(on.config))["destinations"]["bot"]["paused"] is None
        # the token is nowhere that a script could read
        kept = await page.evaluate("JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])")
        assert kept == '["",{},{}]'
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("button", name="Sign in", exact=True).first).to_be_visible()
        take(tab, UNAUTHORISED)


async def test_without_a_token_in_the_config_it_says_what_to_do(tmp_path: Path) -> None:
    async with browser_at(tmp_path, admin="behind_proxy: false") as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(on.url)
        await page.get_by_role("button", name="Pause bot").click()
        await page.get_by_role("dialog", name="Pause bot").get_by_role("button", name="Pause").click()
        await expect(page.locator("#acted")).to_contain_text("admin: {token_file: FILE}")
        assert (await status(on.config))["destinations"]["bot"]["paused"] is None
        take(tab, "status of 403")


async def test_where_reading_needs_the_token_a_browser_is_sent_to_the_page_to_sign_in(tmp_path: Path) -> None:
    admin = f"token: {TOKEN}, behind_proxy: true, hosts: [forwarder.example.com]"
    async with browser_at(tmp_path, admin=admin) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(f"{on.url}/events?text=a%26b")
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert "destinations" not in await page.content()
        await page.get_by_label("Token").fill("wrong")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("the token is wrong")
        await page.get_by_label("Token").fill(TOKEN)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Events")).to_be_visible()
        await expect(page.get_by_label("Text")).to_have_value("a&b")
        await page.get_by_role("link", name="Live").click()
        await expect(page.locator("#live-state")).to_have_text("Live.")
        await page.get_by_role("link", name="Overview").click()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        # nobody is sent to another site
        await page.goto(f"{on.url}/login?next=//evil.example/")
        await page.get_by_label("Token").fill(TOKEN)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Destinations")).to_be_visible()
        assert page.url == f"{on.url}/"
        take(tab, UNAUTHORISED)


async def test_a_canary_is_sent_and_its_result_is_shown(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page, said = tab.page, tab.page.locator("#acted")
        await page.goto(on.url)
        # a destination without one says what to configure, and how to send a test event without it
        await page.get_by_role("button", name="Send a canary to bot").click()
        await expect(said).to_contain_text(
            "bot has no canary in the config; canary: {every: 10m} under destinations: bot"
        )
        await expect(said).to_contain_text("forwarder send bot")
        written = on.config.read_text(encoding="utf-8")
        with_canaries = re.sub(r"((?:bot|archive): \{url: '[^']+')", r"\1, canary: {every: 1h}", written)
        on.config.write_text(with_canaries, encoding="utf-8")
        await on.daemon.wait_for("reload.done")
        await on.bot.wait_for(1)  # the first one comes by itself
        await page.goto(on.url)
        await page.get_by_role("button", name="Send a canary to bot").click()
        await sign_in(page)
        await expect(said).to_have_text(re.compile(r"The canary arrived at bot in [0-9.]+ m?s\."))
        await on.bot.wait_for(2)
        assert [each.headers["x-forwarder-trigger"] for each in on.bot.requests] == ["canary", "canary"]
        # what does not arrive is explained in the receiver's words
        await page.get_by_role("button", name="Send a canary to archive").click()
        await expect(said).to_contain_text("The canary did not arrive at archive yet, and is tried again: ")
        await expect(said).to_contain_text("upstream is being deployed")
        # a paused destination gets none
        await page.get_by_role("button", name="Pause archive").click()
        await page.get_by_role("dialog", name="Pause archive").get_by_role("button", name="Pause").click()
        await expect(page.get_by_role("button", name="Resume archive")).to_be_visible()
        await expect(page.get_by_role("button", name="Send a canary to archive")).to_have_count(0)
        await page.get_by_role("link", name="Actions").click()
        actions = page.locator("#actions tbody")
        await expect(actions.get_by_role("cell", name="canary", exact=True)).to_have_count(2)
        await expect(actions.get_by_role("row").first).to_contain_text("pause")
        take(tab, UNAUTHORISED)


async def test_a_stream_is_connected_again(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(on.url)
        await page.get_by_role("button", name="Reconnect main").click()
        await sign_in(page)
        await expect(page.locator("#acted")).to_contain_text("main opens a new connection")
        await on.daemon.wait_for("stream.connected", count=2)
        take(tab, UNAUTHORISED)


async def test_the_focus_stays_where_it_is_while_the_overview_is_renewed(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(on.url)
        await page.get_by_role("button", name="Pause bot").focus()
        await on.emulator.send(event(1, "hello"))
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="bot"))
        await expect(row).to_contain_text("100 %")  # the row was exchanged
        await expect(page.get_by_role("button", name="Pause bot")).to_be_focused()


async def test_an_event_is_sent_again(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await on.emulator.send(event(1, "hello"))
        await on.bot.wait_for(1)
        await on.until_stored(1)
        await page.goto(f"{on.url}/events")
        await page.locator("tbody tr a").click()
        await page.get_by_role("button", name="Resend to bot").click()
        await sign_in(page)
        await expect(page.locator("#acted")).to_contain_text("It is sent to bot again.")
        await on.bot.wait_for(2)
        assert on.bot.requests[1].headers["x-forwarder-trigger"] == "resend"
        take(tab, UNAUTHORISED)


async def test_ten_thousand_dead_letters_are_searched_and_replayed(tmp_path: Path) -> None:
    await fill_with_dead_letters(tmp_path, 10_000)
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(f"{on.url}/dead")
        groups = page.locator("#groups tbody tr")
        await expect(groups).to_have_count(2)
        await expect(page.locator("#groups")).to_contain_text("10,000 in 2 groups")
        # searched
        await page.get_by_label("Author").fill("rare")
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator("#groups")).to_contain_text("100 in 1 group")
        letters = page.locator("#letters tbody tr")
        await expect(letters).to_have_count(50)
        await page.get_by_role("link", name="Older").click()
        await expect(letters).to_have_count(50)
        await expect(page.get_by_role("link", name="Older")).to_have_count(0)
        # one
        await page.get_by_label("Replay at most").select_option("as fast as it goes")
        await letters.first.get_by_role("button", name="Replay").click()
        await sign_in(page)
        await expect(page.locator("#replay-words")).to_have_text("Done: 1 letter is tried again.")
        await expect(letters).to_have_count(49)
        await on.bot.wait_for(1)
        # some
        for number in range(3):
            await letters.nth(number).get_by_role("checkbox").check()
        await page.get_by_role("button", name="Replay the 3 chosen").click()
        await expect(page.locator("#replay-words")).to_have_text("Done: 3 letters are tried again.")
        await on.bot.wait_for(4)
        # all of a group
        await page.goto(f"{on.url}/dead")
        await page.get_by_label("Replay at most").select_option("as fast as it goes")
        group = groups.filter(has_text="no such channel")
        await expect(group).to_contain_text("9,000")
        await group.get_by_role("button", name="Replay").click()
        await expect(page.locator("#replay-words")).to_have_text("Done: 9,000 letters are tried again.")
        await expect(page.get_by_role("progressbar")).to_have_js_property("value", 1)
        await on.bot.wait_for(9_004)
        waiting = "SELECT count(*) FROM deliveries WHERE status = 'dead'"
        await until(lambda: look(tmp_path / "outbox.db", waiting) == [(996,)], limit_s=60, what="the others stay dead")
        await page.reload()
        await expect(page.locator("#groups")).to_contain_text("996 in 1 group")
        take(tab, UNAUTHORISED)


async def test_dead_letters_are_dropped_after_a_question_and_the_page_says_who_did_it(tmp_path: Path) -> None:
    await fill_with_dead_letters(tmp_path, 1_000)
    states = "SELECT status, count(*) FROM deliveries GROUP BY 1 ORDER BY 1"
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(f"{on.url}/dead")
        letters, question = page.locator("#letters tbody tr"), page.get_by_role("dialog", name="Drop")
        words = page.locator("#replay-words")
        # what is cancelled changes nothing
        await letters.first.get_by_role("button", name="Drop").click()
        await expect(question).to_contain_text("Drop 1 letter?")
        await expect(question).to_contain_text("cannot be undone")
        await question.get_by_role("button", name="Cancel").click()
        await expect(letters).to_have_count(50)
        assert look(tmp_path / "outbox.db", states) == [("dead", 1_000)]
        # one
        await letters.first.get_by_role("button", name="Drop").click()
        await question.get_by_role("button", name="Drop").click()
        await sign_in(page)
        await expect(words).to_have_text("Done: 1 letter is dropped.")
        await expect(letters).to_have_count(49)
        # some
        for number in range(3):
            await letters.nth(number).get_by_role("checkbox").check()
        await page.get_by_role("button", name="Drop the 3 chosen").click()
        await expect(question).to_contain_text("Drop 3 letters?")
        await question.get_by_role("button", name="Drop").click()
        await expect(words).to_have_text("Done: 3 letters are dropped.")
        # all of a group: those that the question names
        await page.reload()
        group = page.locator("#groups tbody tr").filter(has_text="no such channel")
        await expect(group).to_contain_text("896")
        await group.get_by_role("button", name="Drop").click()
        await expect(question).to_contain_text("Drop 896 letters to bot?")
        await question.get_by_role("button", name="Drop").click()
        await expect(words).to_have_text("Done: 896 letters are dropped.")
        await expect(group).to_have_count(0)
        await expect(letters.filter(has_text="no such channel")).to_have_count(0)
        assert look(tmp_path / "outbox.db", states) == [("dead", 100), ("skipped", 900)]
        # in the words of the commands
        await page.goto(f"{on.url}/events?state=skipped")
        await expect(page.locator("tbody tr").first).to_contain_text("bot: skipped: dropped")
        await page.get_by_role("link", name="Actions").click()
        rows = page.locator("#actions tbody tr")
        await expect(rows.first).to_contain_text("over HTTP")
        await expect(rows.first).to_contain_text("896")
        take(tab, UNAUTHORISED)


async def test_a_replay_is_stopped_and_what_was_not_queued_stays_dead(tmp_path: Path) -> None:
    await fill_with_dead_letters(tmp_path, 2_000)
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(f"{on.url}/dead")
        await page.get_by_role("button", name="Sign in").click()
        await sign_in(page)
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        slices = 0
        held = asyncio.Event()

        async def hold(route: Route) -> None:
            nonlocal slices
            slices += 1
            if slices == 2:  # the second one hangs
                held.set()
                return
            await route.continue_()

        await page.route("**/api/v1/dead/replay", hold)
        await (
            page.locator("#groups tbody tr")
            .filter(has_text="no such channel")
            .get_by_role("button", name="Replay")
            .click()
        )
        await held.wait()
        await expect(page.locator("#replay-words")).to_have_text("500 of 1,800 letters are tried again")
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#replay-words")).to_have_text("Stopped. 500 of 1,800 letters are tried again.")
        await expect(page.get_by_role("button", name="Stop")).to_be_hidden()
        dead = "SELECT count(*) FROM deliveries WHERE status = 'dead'"
        assert look(tmp_path / "outbox.db", dead) == [(1_500,)]


async def test_what_passes_is_shown_as_it_passes_and_the_list_stays_short(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(f"{on.url}/live")
        await expect(page.locator("#live-state")).to_have_text("Live.")
        await on.emulator.send(event(1, "<b>hello</b> \u202e", "someone"))
        rows = page.locator("#tail tr")
        await expect(rows.filter(has_text="delivered")).to_contain_text("<b>hello</b> \\u202e")
        await expect(rows.filter(has_text="matched")).to_contain_text("someone")
        await expect(rows.filter(has_text="upstream is being deployed").first).to_be_visible()
        await expect(page.locator("#throughput-legend")).not_to_contain_text("events 0.0/s")
        await expect(page.locator("#latency-legend")).to_contain_text("ms")
        for number in range(2, 402):
            await on.emulator.send(event(number, f"post number {number}"))
        await expect(rows.filter(has_text="post number 401").first).to_be_visible()
        await on.bot.wait_for(401)
        assert 100 <= await rows.count() <= 200
        # a filter holds for what comes, and a list that is held does not move
        await page.get_by_label("Show").select_option("events")
        await page.get_by_label("Only with").fill("sought")
        await page.get_by_role("button", name="Hold").click()
        for number, text in enumerate(("a sought post", "another one", "also sought"), 500):
            await on.emulator.send(event(number, text))
        await on.bot.wait_for(404)
        assert await rows.filter(has_text="sought").count() == 0
        await page.get_by_role("button", name="Go on").click()
        await expect(rows.filter(has_text="also sought")).to_be_visible()
        await expect(rows.filter(has_text="a sought post")).to_be_visible()
        assert await rows.filter(has_text="another one").count() == 0


async def test_a_refused_edit_is_shown_at_its_line(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        written = on.config.read_text(encoding="utf-8")
        await page.goto(on.url)
        on.config.write_text(written.replace("to: [bot, archive]", "to: [bot, nobody]"), encoding="utf-8")
        await expect(page.locator("#config")).to_contain_text("The last edit was refused")
        await page.get_by_role("link", name="Config", exact=True).click()
        refused = page.locator("#refused")
        await expect(refused).to_contain_text("nobody")
        await expect(refused.locator("li.wrong").first).to_contain_text("to: [bot, nobody]")
        await expect(page.get_by_role("heading", name="The last edit was refused")).to_be_visible()
        assert TOKEN not in await page.content()
        on.config.write_text(written, encoding="utf-8")
        await on.daemon.wait_for("reload.undone")
        await page.reload()
        await expect(refused).to_have_count(0)
