"""`fondaco up` as a newcomer meets it: the page opens, says what feeds it, and its candles move by themselves."""

import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from support.houses import running_house
from support.places import open_folder
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOTS = Path(os.environ.get("FONDACO_SHOTS", Path(__file__).parent / "shots"))
WAIT_MS = 30_000
CLOSED_CANDLES = 500
LAST_CLOSE = "window.fondaco?.lastBar()?.close ?? null"


async def test_a_first_start_shows_history_and_moves(page: Page) -> None:
    with open_folder() as folder:
        async with running_house(folder / "house", FONDACO_MARKET__HISTORY_CANDLES="500") as house:
            await page.goto(house.address)
            await expect(page.get_by_test_id("feed-label")).to_contain_text("Simulated", timeout=WAIT_MS)
            await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=WAIT_MS)

            await eventually(lambda: _has_history(page, house.address), patience_s=90)
            await page.reload()

            async def has_a_close() -> bool:
                return await page.evaluate(LAST_CLOSE) is not None

            await eventually(has_a_close)
            first = await page.evaluate(LAST_CLOSE)

            async def has_moved() -> bool:
                return bool(await page.evaluate(LAST_CLOSE) != first)

            await eventually(has_moved)
            await expect(page.get_by_test_id("last-price")).not_to_be_empty()
            await page.screenshot(path=SHOTS / "first-start.png")
            assert await house.stop() == 0


async def _has_history(page: Page, address: str) -> bool:
    """More closed candles than a first start promises."""
    answer = await page.request.get(f"{address}/candles?asset=BTCUSDT&duration=1m&limit=5000")
    return answer.ok and len((await answer.json())["candles"]) > CLOSED_CANDLES
