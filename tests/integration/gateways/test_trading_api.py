"""Trading over HTTP, on a whole engine: what is asked for is done, once, and said as people write it."""

from collections.abc import AsyncIterator

import pytest

from fondaco.infra.database import Database
from support.floor import SYMBOL
from support.trading import Floor, open_floor


@pytest.fixture
async def floor(database: Database) -> AsyncIterator[Floor]:
    async with open_floor(database) as opened:
        yield opened


async def test_two_people_trade_with_each_other(floor: Floor) -> None:
    resting = await floor.placed("alice", side="sell", client_order_id="mine")
    assert resting == {
        "seq": resting["seq"],
        "duplicate": False,
        "order_id": resting["order_id"],
        "account_id": floor["alice"].account_id,
        "symbol": SYMBOL,
        "client_order_id": "mine",
        "state": "open",
        "filled": "0.00000000",
        "filled_notional": "0.00000000",
        "fee": "0.00000000",
    }
    taking = await floor.placed("bob", quantity="0.2")
    assert taking["seq"] > resting["seq"]
    assert (taking["state"], taking["filled"], taking["filled_notional"], taking["fee"]) == (
        "filled",
        "0.20000000",
        "10000.00000000",
        "10.00000000",
    )
