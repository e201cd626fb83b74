"""docs/data-layer.md tells the truth: each of its scripts runs, and prints what stands below it (EXD-7, BHC-3)."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from fondaco.core.book.vocabulary import Side
from fondaco.data import house, run
from fondaco.engine.projection.projection import open_projection
from fondaco.infra.database import Database
from fondaco.infra.settings import DatabaseSettings
from fondaco.market.current import set_current_feed
from fondaco.market.messages import Source, Tick
from support import tree
from support.exchange import BTC, Exchange
from support.stored import batch, store_all

PAGE = tree.source(tree.ROOT / "docs" / "data-layer.md")
BLOCKS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, flags=re.DOTALL)
BEGIN_US = 1_723_161_250_000_000
"""2024-08-08 23:54:10."""
STEP_US = 20_000_000


@pytest.fixture
def _a_filled_house(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the page's scripts find: seven trades of BTCUSDT, three of ETHUSDT with a gap, and who brought them."""
    asyncio.run(fill(database_url))
    monkeypatch.setenv("DATABASE_URL", database_url)
    run(house.close())
    yield
    run(house.close())


def test_every_script_of_the_page_has_its_output() -> None:
    assert len(BLOCKS) == PAGE.count("```python") >= 8


@pytest.mark.usefixtures("_a_filled_house")
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_script_prints_what_stands_below_it(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    script, printed = BLOCKS[number]
    exec(compile(script, f"script {number} of docs/data-layer.md", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own page
    assert capsys.readouterr().out == printed


async def fill(url: str) -> None:
    database = Database(url, DatabaseSettings(), application="test")
    bitcoin = [ticked(number, (61_000 + number * 10) * 10**8) for number in range(8) if number]
    bitcoin[0] = ticked(1, 61_000 * 10**8)
    ether = [ticked(1, 2_600 * 10**8), ticked(2, 2_601 * 10**8), ticked(7, 2_602 * 10**8, after_steps=4)]
    await store_all(
        database,
        [batch(bitcoin, source=Source.REPLAY), batch(ether, symbol="ETHUSDT", source=Source.REPLAY)],
    )
    async with database.transaction() as connection:
        await set_current_feed(
            connection,
            source=Source.REPLAY,
            label="recorded trades",
            symbols=["BTCUSDT", "ETHUSDT"],
            anchors={},
            since_us=BEGIN_US,
        )
    await (await open_projection(database)).write([traded().cut()])
    await database.dispose()


def traded() -> Exchange:
    """Ann has bought 0.005 BTC of Bob at 4,000, and bids for as much again."""
    exchange = Exchange()
    exchange.list_markets(BTC)
    ann, bob = exchange.open_account("ann", USDT=1_019_020_000), exchange.open_account("bob", BTC=10_000_000)
    exchange.order(bob, Side.SELL, 400_000, 5)
    exchange.order(ann, Side.BUY, 400_000, 5)
    exchange.pass_time(60 * 10**9)
    exchange.order(ann, Side.BUY, 399_200, 5)
    return exchange


def ticked(number: int, price: int, *, after_steps: int | None = None) -> Tick:
    """A trade, every twenty seconds one."""
    time_us = BEGIN_US + STEP_US * ((after_steps or number) - 1)
    return Tick(number, time_us, price, 10**8, buyer_is_maker=False, received_us=time_us)
