"""Debian's Chromium, driven by Playwright, with axe-core in the page: what a person sees of the daemon, and whether everyone can use it."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

from tests.support.node import MODULES, why_no_node

REQUIRED = "FORWARDER_TEST_BROWSER"
"""Where this variable is `required`, as in CI, a missing browser fails the tests instead of skipping them."""
CHROMIUM = shutil.which("chromium")
LIMIT_MS = 60_000
"""How long a locator waits. It is a limit and no expectation: a busy machine is no mistake of the page."""
_LEAVING = "net::ERR_ABORTED"
"""What a live connection ends with when its view is left."""


def needs_browser() -> pytest.MarkDecorator:
    """Return the mark of tests that need Chromium."""
    is_missing = CHROMIUM is None and os.environ.get(REQUIRED) != "required"
    return pytest.mark.skipif(is_missing, reason="needs Chromium")


def why_no_axe() -> str | None:
    """Return why axe-core cannot be had, or `None`."""
    why = why_no_node()
    if why is not None and os.environ.get(REQUIRED) == "required":
        raise RuntimeError(why)
    return why


class Tab:
    """Is one tab. It notes every error of the console, every failed request and every exception of a script."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("console", self._note_line)
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("requestfailed", self._note_failure)

    def _note_line(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _note_failure(self, request: Request) -> None:
        if request.failure != _LEAVING:
            self.problems.append(f"failed: {request.method} {request.url}: {request.failure}")

    def take_problems(self) -> list[str]:
        """Return the problems so far, which then are none of the test."""
        found, self.problems = self.problems, []
        return found

    async def axe(self) -> list[str]:
        """Return the serious and critical findings of axe-core in this view."""
        script = (MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
        await self.page.evaluate(script)
        found: dict[str, Any] = await self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']} ({each['impact']}): {node['html'][:200]} {node.get('failureSummary', '')}"
            for each in found["violations"]
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"]
        ]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Chromium without a window."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def tab_of(
    browser: Browser,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1280,
    height: int = 900,
    scripts: bool = True,
) -> AsyncIterator[Tab]:
    """Open a tab with a profile of its own; at the end there must have been no problem that the test has not taken."""
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        java_script_enabled=scripts,
        locale="en-GB",
        timezone_id="UTC",
    )
    context.set_default_timeout(LIMIT_MS)
    tab = Tab(await context.new_page())
    yield tab
    await context.close()
    assert tab.problems == []
