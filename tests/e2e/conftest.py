"""Fixtures of the browser tests: a house, a browser, a page."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from fondaco.gateways.rest.terminal import built_folder
from support.browser_house import BrowserHouse, browser_house
from support.needs import browser as chromium
from support.needs import lacking
from support.places import open_folder

BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(module_database_url: str) -> AsyncIterator[BrowserHouse]:
    """A house with some hours of history, stored."""
    if built_folder() is None:
        lacking("the terminal is not built; in web/: npm ci && npm run build")
    with open_folder() as folder:
        async with browser_house(folder, module_database_url) as house:
            yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chrome() -> AsyncIterator[Browser]:
    """Debian's chromium, with a fresh profile."""
    executable = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=BROWSER_ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(chrome: Browser) -> AsyncIterator[Page]:
    """A page for a person in Zurich who likes it dark; an error in its script fails the test."""
    context = await chrome.new_context(
        viewport={"width": 1440, "height": 860},
        color_scheme="dark",
        timezone_id="Europe/Zurich",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    await context.close()
    assert errors == []
