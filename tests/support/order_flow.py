"""Seeded orders of Alice and Bob for engines that run by the clock: what rests, meets, waits, changes, is taken back.

`support.command_stream` has everything that an engine can be told, at moments of its own. This has what moves a book.
"""

import asyncio
from random import Random

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import AmendOrder, CancelAll, CancelOrder, Command, PlaceOrder
from fondaco.core.replies import OrderPlaced, Reply
from fondaco.core.vocabulary import OrderType, TimeInForce
from fondaco.engine.client import EngineClient
from support.engines import submit
from support.floor import ALICE, BOB, SYMBOL, TERMS, limit

MID_TICKS = 50_000
AT_ONCE = 50
"""Commands that are sent before their answers are waited for, so that batches have several."""


class OrderFlow:
    """What two people might do, the same for the same seed and answers."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._orders: list[tuple[int, int]] = []

    async def run(self, client: EngineClient, commands: int) -> None:
        """Have so many commands done."""
        for _ in range(0, commands, AT_ONCE):
            sent = [self.next() for _ in range(AT_ONCE)]
            answers = await asyncio.gather(*(submit(client, account, command) for account, command in sent))
            for (account, _), answer in zip(sent, answers, strict=True):
                self.hear(account, answer.reply)

    def next(self) -> tuple[int, Command]:
        """An account and its next command."""
        account = self._random.choice((ALICE, BOB))
        do = self._random.choices(
            (self._limit, self._cancel, self._amend, self._waiting, self._all), (550, 200, 150, 98, 2)
        )
        return account, do[0](account)

    def hear(self, account: int, reply: Reply) -> None:
        """What was answered."""
        if isinstance(reply, OrderPlaced):
            self._orders.append((account, reply.order_id))

    def _side(self) -> Side:
        return self._random.choice((Side.BUY, Side.SELL))

    def _limit(self, account: int) -> Command:
        """Mostly a little away from the middle, sometimes through it."""
        side, away = self._side(), self._random.choice((-4, 1, 1, 2, 3, 5, 8, 13))
        return limit(account, side, MID_TICKS + (away if side is Side.SELL else -away), self._random.randint(1, 9))

    def _waiting(self, account: int) -> Command:
        side = self._side()
        trigger = MID_TICKS + self._random.randint(0, 4) * (1 if side is Side.BUY else -1)
        return PlaceOrder(
            account,
            SYMBOL,
            side,
            self._random.choice((OrderType.STOP, OrderType.STOP_LIMIT)),
            self._random.randint(1, 9) * TERMS.lot,
            trigger_price=trigger * TERMS.tick,
            price=0,
            time_in_force=TimeInForce.GTC,
        )

    def _cancel(self, account: int) -> Command:
        if not self._orders:
            return self._limit(account)
        return CancelOrder(*self._orders.pop(self._random.randrange(len(self._orders))))

    def _amend(self, account: int) -> Command:
        if not self._orders:
            return self._limit(account)
        owner, order_id = self._random.choice(self._orders)
        price = self._random.choice((0, MID_TICKS + self._random.randint(-9, 9)))
        return AmendOrder(owner, order_id, self._random.randint(1, 9) * TERMS.lot, price * TERMS.tick)

    def _all(self, account: int) -> Command:
        return CancelAll(account)
