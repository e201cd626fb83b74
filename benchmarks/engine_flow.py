"""Batches of an exchange for benchmarks: limit orders and cancels of a thousand accounts in ten markets.

55 % orders, 45 % cancels of recent ones; the distance from the mid is set so that about 13 % of the commands fill.
"""

from random import Random
from typing import Final

import msgspec

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    CancelOrder,
    Command,
    Deposit,
    ListAsset,
    ListInstrument,
    OpenAccount,
    PlaceOrder,
    Submission,
    encode_command,
)
from fondaco.core.listings import Asset, Instrument
from fondaco.core.machine import Machine
from fondaco.core.replies import AccountOpened, OrderCancelled, OrderPlaced, Reply
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import OrderType, World
from fondaco.engine.journal import BEGINNING, Committed, Mark, chained

ACCOUNTS: Final = 1_000
MARKETS: Final = 10
CANCEL_SHARE: Final = 0.45
SPREAD_TICKS: Final = 20
NEAREST_TICKS: Final = -7
"""How near to the mid orders begin; set so that about 13 % of the commands fill."""
MID_TICKS: Final = 50_000
RECENT: Final = 1_000
"""A cancel picks among so many of the last orders; those that were filled meanwhile refuse it."""
LOT, TICK = 100_000, 10_000
BEGIN_NS: Final = 1_762_000_000_000_000_000
STEP_NS: Final = 50_000
"""Between two commands: twenty thousand a second."""
PLENTY: Final = 10**15


class Flow:
    """A machine and the commands that come to it."""

    def __init__(self, seed: int = 7) -> None:
        self._random = Random(seed)  # noqa: S311 - a seed makes the run the same again
        self._machine = Machine()
        self._now_ns = BEGIN_NS
        self._mark = BEGINNING
        self._mids = [MID_TICKS] * MARKETS
        self._placed: list[tuple[int, int]] = []
        self.cancelled = 0
        self._symbols = [f"A{number}USDT" for number in range(MARKETS)]
        self.filling = 0
        self._accounts = self._open()

    def batch(self, commands: int) -> Committed:
        """The next batch of so many commands."""
        for _ in range(commands):
            if self._placed and self._random.random() < CANCEL_SHARE:
                self._cancel()
            else:
                self._place()
        return self._cut()

    def opening(self) -> Committed:
        """The batch in which markets and accounts were opened."""
        return self._cut()

    def _open(self) -> list[int]:
        assets = [Asset("USDT", 6), *(Asset(f"A{number}") for number in range(MARKETS))]
        for asset in assets:
            self._do(ListAsset(asset.code, asset.scale))
        for asset in assets[1:]:
            instrument = Instrument(f"{asset.code}USDT", asset, assets[0])
            terms = Terms(
                world=World.TRADING,
                instrument=instrument,
                tick=TICK,
                lot=LOT,
                max_price_ticks=1_000_000,
                max_order_lots=1_000_000,
                maker_ppm=1_000,
                taker_ppm=2_000,
                band_ppm=1_000_000,
            )
            self._do(ListInstrument(terms))
        opened = []
        for number in range(ACCOUNTS):
            self._do(AdmitUser(f"user{number}"))
            reply = self._do(OpenAccount(f"user{number}", World.TRADING, "USDT"))
            assert isinstance(reply, AccountOpened)
            opened.append(reply.account_id)
            for asset in assets:
                self._do(Deposit(reply.account_id, asset.code, PLENTY))
        return opened

    def _place(self) -> None:
        random, market = self._random, self._random.randrange(MARKETS)
        self._mids[market] += random.randint(-1, 1)
        side = random.choice((Side.BUY, Side.SELL))
        away = NEAREST_TICKS + int(random.expovariate(1 / SPREAD_TICKS))
        ticks = self._mids[market] + (-away if side is Side.BUY else away)
        account = random.choice(self._accounts)
        order = PlaceOrder(
            account, self._symbols[market], side, OrderType.LIMIT, random.randint(1, 100) * LOT, ticks * TICK
        )
        reply = self._do(order, account)
        assert isinstance(reply, OrderPlaced), reply
        self.filling += reply.filled > 0
        self._placed.append((account, reply.order_id))

    def _cancel(self) -> None:
        """Cancel a recent order that nobody has cancelled yet."""
        placed = self._placed
        at = len(placed) - 1 - self._random.randrange(min(RECENT, len(placed)))
        account, order_id = placed[at]
        placed[at] = placed[-1]
        placed.pop()
        self.cancelled += isinstance(self._do(CancelOrder(account, order_id), account), OrderCancelled)

    def _do(self, command: Command, account_id: int = HOUSE) -> Reply:
        self._now_ns += STEP_NS
        seq = self._machine.seq + 1
        body = msgspec.Raw(encode_command(command))
        submission = Submission(account_id, f"c{seq}", self._now_ns + 1_000_000_000, body)
        return self._machine.apply(submission, seq, self._now_ns, command).reply

    def _cut(self) -> Committed:
        events = self._machine.log.take()
        before = self._mark
        self._mark = Mark(before.batch_no + 1, self._machine.seq, chained(before.chain_hash, events))
        return Committed(self._mark, events)
