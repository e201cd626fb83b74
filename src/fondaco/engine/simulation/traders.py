"""Traders of a simulation: they say what they want under an id of their own, again and again until they hear.

What they hear is written down (`Heard`) at the moment when the engine lets it out; from then on it must be true.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from fondaco.core.book.vocabulary import SELL, SelfTrade, Side
from fondaco.core.commands import (
    HOUSE,
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    Deposit,
    PlaceOrder,
    ReleaseHold,
    RequestWithdrawal,
    SettleWithdrawal,
    Transfer,
)
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Answer, HoldPlaced, OrderPlaced, Refused
from fondaco.core.vocabulary import OrderType, TimeInForce
from fondaco.engine.client import EngineClient
from fondaco.engine.port import OutcomeUnknownError, OverloadedError
from fondaco.engine.simulation.ground import Ground
from fondaco.engine.simulation.luck import Luck

SYMBOLS = ("GOLDCASH", "TINCASH")
LIFE_NS = 5_000_000_000
RETRIES = 100
QUOTE_ID = "quote-"
"""How the ids of quotes begin: the machine does not remember them, so each time that one comes it is done."""
ASSETS = ("CASH", "GOLD", "TIN")
WEIGHTS = (50, 30, 6, 3, 3, 3, 3, 2)
"""Of orders, cancels, amends, deposits, transfers, withdrawals, ends of those, and cancelling all."""
KIND_WEIGHTS = (15, 60, 8, 7, 5, 5)
"""Of `OrderType`, in its order."""
MODES = tuple(mode for mode in SelfTrade if mode is not SelfTrade.ALLOW)


class Heard:
    """Everything that anybody was ever told."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.answers: dict[tuple[int, str], Answer] = {}
        self.lies: list[str] = []
        """What was let out and was not true."""

    def write_down(self, account_id: int, command_id: str, answer: Answer) -> None:
        """Somebody hears an answer: by now it must be on disk, and what was answered before."""
        if answer.seq == 0:
            return
        sent = self._ground.sent
        if answer.seq > len(sent) or sent[answer.seq - 1] != (account_id, command_id):
            self.lies.append(f"{command_id} of {account_id} was answered as command {answer.seq}, which is not on disk")
            return
        if isinstance(answer.reply, Refused) and answer.reply.code is Refusal.EXPIRED_IN_QUEUE:
            return
        if command_id.startswith(QUOTE_ID):
            command_id = f"{command_id} as {answer.seq}"
        before = self.answers.setdefault((account_id, command_id), answer)
        if (before.seq, before.reply) != (answer.seq, answer.reply):
            self.lies.append(f"{command_id} of {account_id} was answered {before} and then {answer}")

    def look(self, seq: int) -> None:
        """Somebody sees the machine as it is after a command: by now that must be on disk."""
        if seq > len(self._ground.sent):
            self.lies.append(f"somebody saw command {seq} before it was on disk")


class Network:
    """The way to whoever leads: things come late, twice, or not at all."""

    def __init__(self, clients: Callable[[], list[EngineClient]], heard: Heard, luck: Luck) -> None:
        self._clients = clients
        self._heard = heard
        self._luck = luck
        self._doubles: set[asyncio.Task[Answer | None]] = set()

    async def ask(self, account_id: int, command: Command, command_id: str, now_ns: Callable[[], int]) -> Answer | None:
        """Send a command until it is answered; None when nobody ever answered."""
        for _ in range(RETRIES):
            answer = await self._send(account_id, command, command_id, now_ns() + LIFE_NS)
            if answer is not None and not _came_late(answer):
                return answer
            await self._luck.wait_ms(1, 400)
        return None

    async def look(self) -> None:
        """Look at the machine."""
        client = self._client()
        if client is None:
            return
        try:
            self._heard.look(await client.read(lambda machine: machine.seq))
        except (OverloadedError, OutcomeUnknownError):
            return

    async def settle(self) -> None:
        """Wait for what is still on its way."""
        await asyncio.gather(*self._doubles)

    async def _send(self, account_id: int, command: Command, command_id: str, not_after_ns: int) -> Answer | None:
        luck = self._luck
        if luck.strikes(luck.chances.request_comes_twice):
            double = asyncio.ensure_future(self._deliver(account_id, command, command_id, not_after_ns))
            self._doubles.add(double)
            double.add_done_callback(self._doubles.discard)
        if luck.strikes(luck.chances.request_is_lost):
            return None
        answer = await self._deliver(account_id, command, command_id, not_after_ns)
        return None if luck.strikes(luck.chances.reply_is_lost) else answer

    async def _deliver(self, account_id: int, command: Command, command_id: str, not_after_ns: int) -> Answer | None:
        luck = self._luck
        await luck.wait_ms(0, 3)
        if luck.strikes(luck.chances.request_is_late):
            await luck.wait_ms(100, 8_000)
        client = self._client()
        if client is None:
            return None
        try:
            answer = await client.submit(account_id, command, command_id=command_id, not_after_ns=not_after_ns)
        except (OverloadedError, OutcomeUnknownError):
            return None
        self._heard.write_down(account_id, command_id, answer)
        return answer

    def _client(self) -> EngineClient | None:
        """Somebody who leads, or believes so."""
        clients = self._clients()
        return self._luck.random.choice(clients) if clients else None


class Sent(NamedTuple):
    """A command, and whose it is."""

    account_id: int
    command: Command


class Trader:
    """Somebody with an account who does a bit of everything.

    Args:
        account_id: its own.
        other_account_id: another one of the same user.
        luck: where its whims come from.
    """

    def __init__(self, account_id: int, other_account_id: int, luck: Luck) -> None:
        self._account_id = account_id
        self._other_account_id = other_account_id
        self._luck = luck
        self._orders: list[int] = []
        self._holds: list[int] = []

    def wish(self) -> Sent:
        """What it wants next."""
        wants = (self._order, self._cancel, self._amend, self._deposit, self._transfer, self._withdraw, self._end_hold)
        want = self._luck.random.choices((*wants, self._cancel_all), weights=WEIGHTS)[0]
        if (want in (self._cancel, self._amend) and not self._orders) or (want == self._end_hold and not self._holds):
            want = self._order
        return want()

    def hear(self, answer: Answer) -> None:
        """Remember what came of it."""
        reply = answer.reply
        if isinstance(reply, OrderPlaced):
            self._orders = [*self._orders[-20:], reply.order_id]
        elif isinstance(reply, HoldPlaced):
            self._holds.append(reply.hold_id)

    def _order(self) -> Sent:
        random = self._luck.random
        kind = random.choices(tuple(OrderType), KIND_WEIGHTS)[0]
        side = SELL if kind in (OrderType.TAKE_PROFIT, OrderType.STOP_LOSS) else random.choice(tuple(Side))
        time_in_force = TimeInForce.GTC
        if kind is OrderType.LIMIT:
            time_in_force = random.choices((TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK), (80, 12, 8))[0]
        has_price = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        has_trigger = kind not in (OrderType.LIMIT, OrderType.MARKET)
        order = PlaceOrder(
            self._account_id,
            random.choice(SYMBOLS),
            side,
            kind,
            random.randint(1, 9),
            self._price() if has_price else 0,
            time_in_force,
            self._price() if has_trigger else 0,
            self_trade=random.choice(MODES),
            client_order_id=f"mine-{random.randrange(10**9)}" if random.randrange(4) == 0 else "",
        )
        return Sent(self._account_id, order)

    def _cancel(self) -> Sent:
        order_id = self._orders.pop(self._luck.random.randrange(len(self._orders)))
        return Sent(self._account_id, CancelOrder(self._account_id, order_id))

    def _amend(self) -> Sent:
        random = self._luck.random
        order_id, price = random.choice(self._orders), random.choice((0, self._price()))
        return Sent(self._account_id, AmendOrder(self._account_id, order_id, random.randint(1, 9), price))

    def _deposit(self) -> Sent:
        random = self._luck.random
        return Sent(HOUSE, Deposit(self._account_id, random.choice(ASSETS), random.randint(1, 500)))

    def _transfer(self) -> Sent:
        random, account_id = self._luck.random, self._account_id
        moved = Transfer(account_id, self._other_account_id, random.choice(ASSETS), random.randint(1, 300))
        return Sent(account_id, moved)

    def _withdraw(self) -> Sent:
        amount = self._luck.random.randint(1, 300)
        return Sent(self._account_id, RequestWithdrawal(self._account_id, "CASH", amount))

    def _end_hold(self) -> Sent:
        hold_id = self._holds.pop()
        return Sent(HOUSE, self._luck.random.choice((SettleWithdrawal(hold_id), ReleaseHold(hold_id))))

    def _cancel_all(self) -> Sent:
        return Sent(self._account_id, CancelAll(self._account_id, self._luck.random.choice(("", *SYMBOLS))))

    def _price(self) -> int:
        return 100 + self._luck.random.randint(-6, 6)


def _came_late(answer: Answer) -> bool:
    return isinstance(answer.reply, Refused) and answer.reply.code is Refusal.EXPIRED_IN_QUEUE
