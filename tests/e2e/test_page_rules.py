"""Rules are tried on the page of a real daemon, without saving them."""

from pathlib import Path

from playwright.async_api import expect

from tests.support.browser import LIMIT_MS, needs_browser, tab_of
from tests.support.delivery import status
from tests.support.page_scene import browser_at, event

pytestmark = needs_browser()
expect.set_options(timeout=LIMIT_MS)


async def test_rules_are_tried_on_an_event_and_on_the_history(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await on.emulator.send(event(1, "a listing"))
        await on.emulator.send(event(2, "an advert"))
        await on.bot.wait_for(1)
        await page.goto(f"{on.url}/rules")
        result = page.locator("#result")
        await page.get_by_role("textbox", name="Event").fill(event(3, "an advert <i>for</i> you").decode())
        await page.get_by_role("button", name="Try on the event").click()
        await expect(result).to_contain_text("No route matches: it goes nowhere.")
        await expect(result.locator(".yes")).to_contain_text('text contains "advert"')
        rules = "routes:\n  - name: adverts\n    match: {text: {contains: advert}}\n    to: [bot]\n"
        await page.get_by_role("textbox", name="Rules").fill(rules)
        await page.get_by_role("button", name="Try on the event").click()
        await expect(result).to_contain_text("It goes to bot (by adverts).")
        await page.get_by_role("button", name="Try on the history").click()
        await expect(result).to_contain_text("2 events of the history were compared.")
        await expect(result).to_contain_text("bot would get: 1")
        await expect(result).to_contain_text("bot would not get: 1")
        await page.get_by_role("textbox", name="Rules").fill("routes:\n  - name: x\n    matsch: {}\n    to: [bot]\n")
        await page.get_by_role("button", name="Try on the event").click()
        await expect(result).to_contain_text("matsch: unknown key")
        await page.get_by_role("textbox", name="Rules").fill("")
        await page.get_by_role("textbox", name="Event").fill("no event")
        await page.get_by_role("button", name="Try on the event").click()
        await expect(result).to_contain_text("JSON")
        # nothing was saved, and nothing was sent
        assert on.bot.received == 1
        assert (await status(on.config))["config"]["refused"] is None
