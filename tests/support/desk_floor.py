"""A desk that deals over HTTP: an instrument with leverage, terms, rules and quotes, on the floor of `support.trading`.

Quotes stay fresh for an hour, so no test hurries; one that wants a stale quote sends one that is older.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fondaco.core.commands import (
    HOUSE,
    Command,
    Deposit,
    ListAsset,
    ListInstrument,
    OpenAccount,
    SetDeskRules,
    SetDeskTerms,
    SetQuote,
)
from fondaco.core.desk.state import Quote
from fondaco.core.desk.terms import MAX_AGE_NS, DeskRules, DeskTerms
from fondaco.core.listings import Asset, Instrument
from fondaco.core.replies import AccountOpened, Answer, Refused
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import AccountKind, PositionMode, World
from fondaco.engine.client import EngineClient
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings
from support.engines import submit
from support.floor import WHOLE
from support.trading import TOKENS, Floor, Json, open_floor

DEALT: Final = "ETHUSDT"
BID, ASK = 49_990, 50_000
"""The first quote, in whole USDT, which are the ticks."""
DEALT_TERMS: Final = Terms(
    world=World.TRADING,
    instrument=Instrument(DEALT, Asset("ETH"), Asset("USDT")),
    tick=WHOLE,
    lot=WHOLE // 100,
    max_price_ticks=1_000_000,
    max_order_lots=1_000_000,
    max_leverage=100,
)
DESK_TERMS: Final = DeskTerms(
    World.TRADING,
    DEALT,
    is_dealt=True,
    min_lots=2,
    max_lots=100_000,
    guarantee_ppm=1_000,
    guarantee_distance_ppm=10_000,
)
RULES: Final = DeskRules(World.TRADING, max_quote_age_ns=MAX_AGE_NS)


async def open_desk(client: EngineClient, *, is_quoted: bool = True) -> None:
    """Have the desk deal in an instrument of its own, at `BID` and `ASK`."""
    for command in (ListAsset("ETH", 8), ListInstrument(DEALT_TERMS), SetDeskTerms(DESK_TERMS), SetDeskRules(RULES)):
        await do(client, command)
    if is_quoted:
        await quote(client, BID, ASK)


@asynccontextmanager
async def dealing_floor(
    database: Database, settings: Settings = TOKENS, *, is_quoted: bool = True
) -> AsyncIterator[Floor]:
    """Open the exchange and the desk until the block ends."""
    async with open_floor(database, settings) as floor:
        await open_desk(floor.engine.client, is_quoted=is_quoted)
        await settled(floor)
        yield floor


async def quote(client: EngineClient, bid: int, ask: int, *, age_s: int = 0) -> int:
    """Set the desk's quote, in ticks; returns the number of the command."""
    received_ns = (time.time_ns() - age_s * 1_000_000_000) // 1_000 * 1_000
    price = Quote(bid * WHOLE, ask * WHOLE, received_ns, source_price=(bid + ask) * WHOLE // 2, tick_id=bid)
    return (await do(client, SetQuote(World.TRADING, DEALT, "binance", 100, (price,)))).seq


async def grow_old(floor: Floor) -> None:
    """Have the quote that stands count as stale, by rules that no quote can please for long."""
    await do(floor.engine.client, SetDeskRules(DeskRules(World.TRADING, max_quote_age_ns=1)))


async def margin_account(floor: Floor, name: str, money: int, mode: PositionMode = PositionMode.HEDGING) -> int:
    """A margin account of somebody's, with so many whole USDT."""
    command = OpenAccount(floor[name].user_id, World.TRADING, "USDT", AccountKind.MARGIN, 0, mode)
    reply = (await do(floor.engine.client, command)).reply
    assert isinstance(reply, AccountOpened)
    await do(floor.engine.client, Deposit(reply.account_id, "USDT", money * WHOLE))
    await settled(floor)
    return reply.account_id


async def do(client: EngineClient, command: Command) -> Answer:
    """Have the house do a command, which must be done."""
    answer = await submit(client, HOUSE, command)
    assert not isinstance(answer.reply, Refused), (command, answer)
    return answer


async def settled(floor: Floor) -> int:
    """Wait until the edge knows all that was done; returns the number of the last command."""
    seq = await floor.engine.client.read(lambda machine: machine.seq)
    await floor.house.live.come_to(seq)
    return seq


def position(floor: Floor, name: str, **changes: object) -> Json:
    """A long position of somebody's; changes that are None leave a field out."""
    whole = {
        "account_id": floor[name].account_id,
        "symbol": DEALT,
        "direction": "long",
        "quantity": "0.5",
        "leverage": 5,
    } | changes
    return {field: value for field, value in whole.items() if value is not None}


def entry(floor: Floor, name: str, **changes: object) -> Json:
    """An entry of somebody's that waits for a better price; changes that are None leave a field out."""
    return position(floor, name, **({"kind": "limit", "price": "40000"} | changes))


async def opened_position(floor: Floor, name: str, **changes: object) -> Json:
    """Open a position that must be opened."""
    answer = await floor.ask(name, "POST", "/positions", position(floor, name, **changes))
    assert answer.status_code == 201, answer.text
    told: Json = answer.json()
    return told


async def read(floor: Floor, name: str, path: str, **query: object) -> Json:
    """Read something that must be answered, after all that was done."""
    seq = await settled(floor)
    parameters: dict[str, Any] = {"after_seq": seq, **query}
    text = "&".join(f"{field}={value}" for field, value in parameters.items())
    answer = await floor.ask(name, "GET", f"{path}?{text}")
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told
