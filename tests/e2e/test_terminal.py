"""The market page in a real browser: candles that move, and go on moving whatever one does to the page or the house.

Pictures of what was seen go to tests/e2e/shots, or where FONDACO_SHOTS says.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from fondaco.core.candles import Timeframe
from support.browser_house import HISTORY_MINUTES, LABEL, MISSING_MINUTES, NO_DATABASE, BrowserHouse
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOTS = Path(os.environ.get("FONDACO_SHOTS", Path(__file__).parent / "shots"))
WAIT_MS = 20_000

HAS_CANDLES = "window.fondaco !== undefined && window.fondaco.lastBar() !== null"
PAINTED = """colours => {
  const hex = (r, g, b) => '#' + [r, g, b].map(each => each.toString(16).padStart(2, '0')).join('');
  const seen = {};
  for (const canvas of document.querySelectorAll('[data-testid=chart] canvas')) {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) {
      const colour = hex(data[i], data[i + 1], data[i + 2]);
      if (colours.includes(colour)) seen[colour] = (seen[colour] ?? 0) + 1;
    }
  }
  return seen;
}"""
UP_AND_DOWN = ["#2fbf8f", "#f2646a"]
"""The tokens of the dark theme."""


async def holds(page: Page, expression: str) -> None:
    """Wait until an expression of the page is true; Playwright's own way needs eval, which our pages forbid."""

    async def is_true() -> bool:
        return await page.evaluate(expression) is True

    await eventually(is_true)


async def opened(page: Page, house: BrowserHouse, path: str = "/") -> None:
    """Open the page and wait for its candles."""
    await page.goto(house.base_url + path)
    await holds(page, HAS_CANDLES)
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=WAIT_MS)


async def closes_at(page: Page, price: str) -> None:
    """Wait until the last bar closes at a price."""
    await page.wait_for_function(
        "price => window.fondaco.lastBar()?.close === price", arg=float(price), timeout=WAIT_MS
    )


async def shoot(page: Page, name: str) -> None:
    """Keep a picture for people to look at."""
    await page.screenshot(path=SHOTS / f"{name}.png")


async def test_the_page_paints_candles_and_names_where_they_come_from(page: Page, house: BrowserHouse) -> None:
    await opened(page, house)
    await expect(page).to_have_url(re.compile("/markets/BTCUSDT"))
    await expect(page.get_by_test_id("feed-label")).to_contain_text(LABEL)
    await expect(page.get_by_test_id("feed-label")).to_have_attribute("data-source", "simulated")
    await expect(page.get_by_test_id("tape").get_by_role("listitem")).not_to_have_count(0)
    await expect(page.get_by_test_id("legend")).to_contain_text(re.compile(r"O\s*[\d,.]+"))
    painted = await page.evaluate(PAINTED, UP_AND_DOWN)
    assert sorted(painted) == sorted(UP_AND_DOWN)
    await house.trade("BTCUSDT", "60040.50")
    await expect(page.get_by_test_id("day-figures")).to_contain_text(re.compile(r"[+\u2212][\d.]+%"), timeout=WAIT_MS)
    await shoot(page, "market")


async def test_a_new_trade_moves_the_last_bar_the_price_and_the_tape(page: Page, house: BrowserHouse) -> None:
    await opened(page, house)
    await house.trade("BTCUSDT", "61999.50", side="sell")
    await closes_at(page, "61999.50")
    await expect(page.get_by_test_id("last-price")).to_contain_text("61,999.50")
    newest = page.get_by_test_id("tape").get_by_role("listitem").first
    await expect(newest).to_contain_text("61,999.50")
    await expect(newest).to_have_attribute("data-side", "sell")
    await expect(page.get_by_test_id("legend")).to_contain_text("61,999.50")


async def test_candles_go_on_moving_after_every_switch_of_timeframe(page: Page, house: BrowserHouse) -> None:
    await opened(page, house)
    for number, timeframe in enumerate([*Timeframe, Timeframe.M1]):
        await page.get_by_test_id(f"timeframe-{timeframe}").click()
        await expect(page).to_have_url(re.compile(f"timeframe={timeframe}$"))
        await holds(page, HAS_CANDLES)
        price = f"{61_000 + number}.25"
        await house.trade("BTCUSDT", price)
        await closes_at(page, price)
        length_s = timeframe.length_us // 1_000_000
        assert await page.evaluate("window.fondaco.lastBar().time") % length_s == (
            4 * 86_400 if length_s > 86_400 else 0
        )


async def test_candles_go_on_moving_after_a_switch_of_symbol(page: Page, house: BrowserHouse) -> None:
    await opened(page, house)
    for symbol, price in (("ETHUSDT", "3111.75"), ("BTCUSDT", "61222.75")):
        await page.get_by_test_id("symbol-select").click()
        await page.get_by_test_id(f"symbol-{symbol}").click()
        await expect(page).to_have_url(re.compile(symbol))
        await holds(page, HAS_CANDLES)
        await house.trade(symbol, price)
        await closes_at(page, price)
        await expect(page.get_by_test_id("last-price")).to_have_attribute("data-value", f"{price}000000")


async def test_a_crash_of_the_server_heals_and_nothing_is_missing(page: Page, house: BrowserHouse) -> None:
    await opened(page, house)
    await house.crash_server()
    connection = page.get_by_test_id("connection")
    await expect(connection).to_have_attribute("data-state", re.compile("reconnecting|connecting"), timeout=WAIT_MS)
    await house.trade("BTCUSDT", "60777.50")
    await shoot(page, "market-reconnecting")
    await house.start_server()
    await closes_at(page, "60777.50")
    await expect(connection).to_have_attribute("data-state", "live", timeout=WAIT_MS)
    await house.trade("BTCUSDT", "60888.25")
    await closes_at(page, "60888.25")


async def test_without_its_database_the_page_says_so_and_goes_on_by_itself(page: Page, house: BrowserHouse) -> None:
    await house.crash_server()
    try:
        await house.start_server(database_url=NO_DATABASE)
        await page.goto(f"{house.base_url}/markets/BTCUSDT?timeframe=4h")
        await expect(page.get_by_test_id("notice").first).to_contain_text("The database is starting", timeout=WAIT_MS)
        await shoot(page, "market-database-starting")
    finally:
        await house.crash_server()
        await house.start_server()
    await holds(page, HAS_CANDLES)
    await expect(page.get_by_test_id("notice")).to_have_count(0)


async def test_scrolling_back_loads_older_history_once_it_is_needed(page: Page, house: BrowserHouse) -> None:
    await opened(page, house)
    before = await page.evaluate("window.fondaco.barCount()")
    assert before < HISTORY_MINUTES - len(MISSING_MINUTES)
    await page.get_by_test_id("chart").focus()
    await page.keyboard.press("Home")
    whole = HISTORY_MINUTES - len(MISSING_MINUTES)
    await holds(page, f"window.fondaco.barCount() >= {whole}")
    await expect(page.get_by_test_id("to-newest")).to_be_visible()
    await page.get_by_test_id("to-newest").click()
    await expect(page.get_by_test_id("to-newest")).to_have_count(0)


async def test_times_are_shown_in_the_zone_that_was_chosen_last(page: Page, house: BrowserHouse) -> None:
    await opened(page, house)
    await house.trade("BTCUSDT", "60123.25")
    newest = page.get_by_test_id("tape").get_by_role("listitem").first
    await expect(newest).to_contain_text("60,123.25")
    moment = await newest.locator("time").get_attribute("datetime")
    assert moment is not None
    clock = "iso => new Date(iso).toLocaleTimeString('en-GB', { timeZone: zone })"
    local = await page.evaluate(clock.replace("zone }", "'Europe/Zurich' }"), moment)
    await expect(newest.locator("time")).to_have_text(local)
    await page.get_by_test_id("timezone-utc").click()
    await expect(newest.locator("time")).to_have_text(moment[11:19])
    await page.reload()
    await expect(newest.locator("time")).to_have_text(moment[11:19], timeout=WAIT_MS)


async def test_the_legend_follows_the_keys_from_candle_to_candle(page: Page, house: BrowserHouse) -> None:
    await opened(page, house)
    legend = page.get_by_test_id("legend")
    newest = await legend.inner_text()
    await page.get_by_test_id("chart").focus()
    for _ in range(3):
        await page.keyboard.press("ArrowLeft")
    await expect(legend).not_to_have_text(newest)
    await page.keyboard.press("Escape")
    await house.trade("BTCUSDT", "60321.75")
    await expect(legend).to_contain_text("60,321.75")


async def test_a_phone_shows_it_all_without_scrolling_sideways(chrome: Browser, house: BrowserHouse) -> None:
    context = await chrome.new_context(viewport={"width": 360, "height": 780}, color_scheme="light", has_touch=True)
    page = await context.new_page()
    await opened(page, house)
    assert await page.evaluate("document.documentElement.dataset.theme") == "light"
    assert await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    for name in ("last-price", "feed-label", "connection", "timeframe-1m", "chart"):
        await expect(page.get_by_test_id(name)).to_be_in_viewport()
    await shoot(page, "market-phone-light")
    await page.get_by_test_id("theme").click()
    await page.reload()
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await context.close()


async def test_an_unknown_market_is_said_to_be_one(page: Page, house: BrowserHouse) -> None:
    await page.goto(f"{house.base_url}/markets/NOPE")
    await expect(page.get_by_test_id("notice").first).to_contain_text("This market is not listed here", timeout=WAIT_MS)
    await page.goto(f"{house.base_url}/markets/btc")
    await house.trade("BTCUSDT", "60444.25")
    await holds(page, HAS_CANDLES)
    await closes_at(page, "60444.25")
