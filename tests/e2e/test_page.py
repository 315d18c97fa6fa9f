"""The page of a real daemon, in a real browser: what a person sees, with scripts and without."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import expect

from tests.support.browser import LIMIT_MS, needs_browser, tab_of, why_no_axe
from tests.support.page_scene import browser_at, event

pytestmark = needs_browser()
expect.set_options(timeout=LIMIT_MS)
HOSTILE = [
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    "\"'><svg onload=alert(1)> {{ 7*7 }} ${7*7} \u202e reversed \u2066 \x00\x1b[31m",
    "long " * 20_000,
]
VIEWS = ["/", "/live", "/events", "/dead", "/gaps", "/rules", "/config", "/actions", "/login"]


async def test_the_overview_shows_what_is_wrong_and_follows_the_daemon(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(on.url)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("OK")
        await on.emulator.send(event(1, "hello"))
        # nothing is loaded again by hand
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="archive"))
        await expect(row).to_contain_text("upstream is being deployed")
        await expect(row).to_contain_text("down")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("DEGRADED")
        await expect(page.locator("#counts")).to_contain_text("events seen1")


async def test_the_page_can_be_read_without_scripts(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser):
        await on.emulator.send(event(1, "refuse this"))
        await on.emulator.send(event(2, "an advert"))
        await on.until_stored(2, dead=1)
        async with tab_of(browser, scripts=False) as tab:
            page = tab.page
            await page.goto(on.url)
            await expect(page.get_by_role("heading", name="Destinations")).to_be_visible()
            await expect(page.get_by_role("button", name="Pause")).to_have_count(0)
            await page.get_by_role("link", name="Events").click()
            await page.get_by_label("Text").fill("refuse")
            await page.get_by_role("button", name="Search").click()
            await expect(page.locator("tbody tr")).to_have_count(1)
            await page.locator("tbody tr a").click()
            await expect(page.get_by_text("no <b>such</b> channel").first).to_be_visible()
            await page.get_by_role("link", name="Dead letters").click()
            await expect(page.locator("#groups")).to_contain_text("no <b>such</b> channel")


async def test_hostile_posts_are_shown_and_do_nothing(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        for number, text in enumerate(HOSTILE):
            await on.emulator.send(event(number, text, author=f"{text[:60]}{number}"))
        await on.until_stored(len(HOSTILE))
        await page.goto(f"{on.url}/events")
        await expect(page.locator("tbody tr")).to_have_count(len(HOSTILE))
        links = await page.locator("tbody tr a").evaluate_all("links => links.map(link => link.href)")
        for link, text in zip(reversed(links), HOSTILE, strict=True):
            await page.goto(link)
            shown = await page.locator(".whole-text").inner_text()
            assert shown.strip()[:30] == text.strip()[:30].replace("\u202e", "\\u202e")
            assert await page.title() != "owned"
            assert await page.locator("main script, main img").count() == 0
        await page.goto(f"{on.url}/events?text=reversed")
        await expect(page.locator("tbody")).to_contain_text("\\u202e reversed \\u2066 \\u0000\\u001b[31m")


async def test_an_event_says_why_it_went_nowhere(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await on.emulator.send(event(1, "an advert"))
        await on.emulator.send(event(2, "a post"))
        await on.until_stored(2)
        await page.goto(f"{on.url}/events")
        await page.get_by_label("State").select_option("unmatched")
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.locator("tbody tr a").click()
        why = page.locator("section").filter(has=page.get_by_role("heading", name="Why, route by route"))
        await expect(why).to_contain_text("not matched")
        await expect(why.locator(".no").first).to_contain_text("not")
        await expect(why.locator(".yes").first).to_contain_text('text contains "advert"')
        await expect(why).to_contain_text("No route matches: it goes nowhere.")


CONTRAST = """element => {
    const parts = color => color.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const light = color => parts(color)
        .map(each => each / 255)
        .map(each => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
        .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
    const style = getComputedStyle(element);
    const [dark, bright] = [light(style.color), light(style.backgroundColor)].sort((one, other) => one - other);
    return (bright + 0.05) / (dark + 0.05);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_disabled_button_can_be_read(tmp_path: Path, scheme: Literal["light", "dark"]) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser, scheme=scheme) as tab:
        await tab.page.goto(f"{on.url}/dead")
        button = tab.page.get_by_role("button", name="Replay the chosen")
        await expect(button).to_be_disabled()
        assert await button.evaluate(CONTRAST) >= 4.5  # WCAG 2.2, 1.4.3; axe leaves disabled buttons out


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
async def test_everyone_can_use_every_view(tmp_path: Path, scheme: Literal["light", "dark"], width: int) -> None:
    if (why := why_no_axe()) is not None:
        pytest.skip(why)
    async with browser_at(tmp_path) as (on, browser):
        await on.emulator.send(event(1, "refuse this"))
        await on.emulator.send(event(2, "an advert"))
        await on.until_stored(2, dead=1)
        async with tab_of(browser, scheme=scheme, width=width) as tab:
            page = tab.page
            await page.goto(f"{on.url}/events?state=dead")
            link = await page.locator("tbody tr a").get_attribute("href")
            for path in (*VIEWS, link or "", "/events/nothing"):
                await page.goto(on.url + path)
                assert await tab.axe() == [], path
                overflow = await page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert overflow == 0, f"{path} is wider than the screen"
            tab.problems = [each for each in tab.problems if "/events/nothing" not in each]
            # what is there only after something was done
            await page.goto(on.url)
            await page.get_by_role("button", name="Pause bot").click()
            assert await tab.axe() == [], "the dialog of a pause"
            await page.keyboard.press("Escape")
            await page.goto(f"{on.url}/dead")
            await page.get_by_role("button", name="Drop event").click()
            await expect(page.get_by_role("dialog", name="Drop")).to_be_visible()
            assert await tab.axe() == [], "the question before a drop"
            await page.keyboard.press("Escape")
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
            assert await tab.axe() == [], "the dialog to sign in"
            await page.goto(f"{on.url}/live")
            await expect(page.locator("#live-state")).to_have_text("Live.")
            await on.emulator.send(event(3, "a post"))
            await expect(page.locator("#tail tr").filter(has_text="upstream is being deployed").first).to_be_visible()
            assert await tab.axe() == [], "what passes"
            await page.goto(f"{on.url}/rules")
            await page.get_by_role("button", name="Try on the event").click()
            await expect(page.locator("#result")).to_contain_text("It goes to")
            assert await tab.axe() == [], "the result of rules on an event"
            await page.get_by_role("button", name="Try on the history").click()
            await expect(page.locator("#result")).to_contain_text("events of the history were compared")
            assert await tab.axe() == [], "the result of rules on the history"
            edited = on.config.read_text(encoding="utf-8").replace("to: [bot, archive]", "to: [bot, nobody]")
            on.config.write_text(edited, encoding="utf-8")
            await on.daemon.wait_for("reload.refused")
            await page.goto(f"{on.url}/config")
            await expect(page.locator("#refused li.wrong").first).to_be_visible()
            assert await tab.axe() == [], "a refused edit"


async def test_the_keyboard_is_enough(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(f"{on.url}/events")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("Text")).to_be_focused()
        await page.keyboard.type("nothing like it")
        await page.keyboard.press("Enter")
        await expect(page.locator("tbody")).to_contain_text("No event that is kept matches this search.")


async def test_a_daemon_that_is_gone_is_said(tmp_path: Path) -> None:
    async with browser_at(tmp_path) as (on, browser), tab_of(browser) as tab:
        page = tab.page
        await page.goto(on.url)
        await expect(page.locator("#lost")).to_be_hidden()
        on.daemon.process.terminate()
        await on.daemon.ended()
        await expect(page.locator("#lost")).to_contain_text("The daemon does not answer")
        tab.take_problems()
