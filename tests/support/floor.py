"""A small exchange for tests of the engine: what opens it, and commands of those who trade there.

Nothing but commands: `support.engines` has them done by an engine, and so does whoever needs some to send.
"""

from typing import Final

import msgspec

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import (
    AdmitUser,
    Command,
    Deposit,
    ListAsset,
    ListInstrument,
    OpenAccount,
    PlaceOrder,
    RequestWithdrawal,
    Submission,
    encode_command,
)
from fondaco.core.listings import Asset, Instrument
from fondaco.core.state import FIRST_ID
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import OrderType, World

NOW_NS: Final = 1_800_000_000_000_000_000
VALID_NS: Final = 30_000_000_000
SYMBOL: Final = "BTCUSDT"
WHOLE: Final = 10**8
ALICE: Final = FIRST_ID
BOB: Final = FIRST_ID + 1
FUNDS: Final = 10_000_000 * WHOLE

BTC, USDT = Asset("BTC"), Asset("USDT")
TERMS: Final = Terms(
    world=World.TRADING,
    instrument=Instrument(SYMBOL, BTC, USDT),
    tick=WHOLE,
    lot=WHOLE // 100,
    max_price_ticks=1_000_000,
    max_order_lots=1_000_000,
    max_open_orders=100_000,
    maker_ppm=500,
    taker_ppm=1_000,
)
OPENING: Final[tuple[Command, ...]] = (
    ListAsset("BTC", 8),
    ListAsset("USDT", 8),
    ListInstrument(TERMS),
    *(AdmitUser(user_id) for user_id in ("alice", "bob")),
    *(OpenAccount(user_id, World.TRADING, "USDT") for user_id in ("alice", "bob")),
    *(Deposit(account_id, asset, FUNDS) for account_id in (ALICE, BOB) for asset in ("BTC", "USDT")),
)
"""What the house submits to open the exchange."""


def limit(account_id: int, side: Side, price_ticks: int, lots: int) -> PlaceOrder:
    """A limit order."""
    return PlaceOrder(
        account_id, SYMBOL, side, OrderType.LIMIT, quantity=lots * TERMS.lot, price=price_ticks * TERMS.tick
    )


def crossing(account_id: int, step: int) -> PlaceOrder:
    """One of an endless series of orders: buys and sells round one price, most of which meet sooner or later."""
    return limit(account_id, Side.BUY if step % 2 else Side.SELL, 50_000 + step % 7 - 3, 1 + step % 5)


def set_aside(amount: int, account_id: int = ALICE) -> RequestWithdrawal:
    """Alice's plainest command: afterwards so much more of her money is held."""
    return RequestWithdrawal(account_id, "USDT", amount)


def submission(account_id: int, command: Command, command_id: str, now_ns: int = NOW_NS) -> Submission:
    """A command on its way."""
    return Submission(account_id, command_id, now_ns + VALID_NS, msgspec.Raw(encode_command(command)))
