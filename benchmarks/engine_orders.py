"""Orders for the engine's benchmarks: 55 % limits, 45 % cancels, over 1,000 accounts and 10 symbols, seeded."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np

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
)
from fondaco.core.listings import Asset, Instrument
from fondaco.core.machine import Machine
from fondaco.core.replies import Answer, OrderCancelled, OrderPlaced
from fondaco.core.state import FIRST_ID
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import OrderState, OrderType, SelfTradeScope, World
from fondaco.engine.door import Entry, enter
from fondaco.engine.journal import BEGINNING, JournalRow
from fondaco.engine.sequencer import Bounds, Sequencer

ACCOUNTS = 1_000
SYMBOLS = tuple(f"S{number}USDT" for number in range(10))
WHOLE = 10**8
FUNDS = 10**9 * WHOLE
MID_TICKS = 50_000
LIMIT_SHARE = 0.55
SPREAD_TICKS = 20
NEAREST_TICKS = -7
"""The distance from the mid at which orders begin; set so that about 13 % of commands fill."""
RECENT = 1_000
"""A cancel takes one of so many last orders that rest."""
CHUNK = 100_000
BATCH_COMMANDS = 1_000
VALID_NS = 60_000_000_000
START_NS = 1_790_000_000_000_000_000


class Sent(NamedTuple):
    """A command and who sends it."""

    account_id: int
    command: Command
    command_id: str


def opening(users: Sequence[str] = ()) -> Iterator[Sent]:
    """What opens the exchange, every account with funds.

    Args:
        users: who own the accounts, the first so many the first, and so on; each account has one of its own if none.
    """
    assets = ("USDT", *(symbol.removesuffix("USDT") for symbol in SYMBOLS))
    commands: list[Command] = [ListAsset(code, 8) for code in assets]
    commands += [ListInstrument(_terms(symbol)) for symbol in SYMBOLS]
    owners = users or [f"u{number}" for number in range(ACCOUNTS)]
    commands += [AdmitUser(owner) for owner in owners]
    for number in range(ACCOUNTS):
        commands.append(OpenAccount(owners[number * len(owners) // ACCOUNTS], World.TRADING, "USDT"))
        commands += [Deposit(FIRST_ID + number, code, FUNDS // ACCOUNTS) for code in assets]
    yield from (Sent(HOUSE, command, f"open-{number}") for number, command in enumerate(commands))


class Flow:
    """An endless stream of orders and cancels. Tell it the answers: only orders that rest can be cancelled."""

    def __init__(self, seed: int, *, cancels: bool = True, nearest_ticks: int = NEAREST_TICKS) -> None:
        self.commands = self.filling = self.cancelled = 0
        self._random = np.random.default_rng(seed)
        self._share = LIMIT_SHARE if cancels else 1.0
        self._mids = [MID_TICKS] * len(SYMBOLS)
        self._resting: deque[tuple[int, int]] = deque(maxlen=RECENT)
        self._nearest_ticks = nearest_ticks
        self._ids = (f"{seed}-{number}" for number in count())
        self._rows: Iterator[list[int]] = iter(())

    def next(self) -> Sent:
        """The next command."""
        is_limit, symbol, side, distance, step, lots, account = self._row()
        command_id = next(self._ids)
        if not is_limit and self._resting:
            account_id, order_id = self._resting.popleft()
            return Sent(account_id, CancelOrder(account_id, order_id), command_id)
        self._mids[symbol] += step
        ticks = self._mids[symbol] + (distance if side else -distance)
        account_id = FIRST_ID + account
        quantity, price = lots * WHOLE // 100, ticks * WHOLE // 100
        order = PlaceOrder(
            account_id, SYMBOLS[symbol], Side.SELL if side else Side.BUY, OrderType.LIMIT, quantity, price
        )
        return Sent(account_id, order, command_id)

    def note(self, sent: Sent, answer: Answer) -> None:
        """What a command came to."""
        self.commands += 1
        reply = answer.reply
        if isinstance(reply, OrderPlaced):
            self.filling += bool(reply.filled)
            if reply.state in {OrderState.OPEN, OrderState.PARTIALLY_FILLED}:
                self._resting.append((sent.account_id, reply.order_id))
        self.cancelled += isinstance(reply, OrderCancelled)

    @property
    def filling_share(self) -> float:
        """The share of commands that filled something at once."""
        return round(self.filling / max(self.commands, 1), 3)

    @property
    def cancelled_share(self) -> float:
        """The share of commands that cancelled an order."""
        return round(self.cancelled / max(self.commands, 1), 3)

    def _row(self) -> list[int]:
        row = next(self._rows, None)
        if row is None:
            draw = self._random
            columns = (
                draw.random(CHUNK) < self._share,
                draw.integers(0, len(SYMBOLS), CHUNK),
                draw.integers(0, 2, CHUNK),
                draw.geometric(1 / SPREAD_TICKS, CHUNK) + self._nearest_ticks,
                draw.integers(-1, 2, CHUNK),
                draw.integers(1, 100, CHUNK),
                draw.integers(0, ACCOUNTS, CHUNK),
            )
            self._rows = iter(np.stack([column.astype(np.int64) for column in columns], axis=1).tolist())
            row = next(self._rows)
        return row


class Journal(NamedTuple):
    """A journal that was made in memory, and the machine at its end."""

    rows: list[JournalRow]
    machine: Machine
    flow: Flow


def journal_of(
    commands: int,
    *,
    seed: int = 7,
    cancels: bool = True,
    nearest_ticks: int = NEAREST_TICKS,
    batch_commands: int = BATCH_COMMANDS,
) -> Journal:
    """The journal of an opened exchange and so many orders and cancels after that, in full batches."""
    machine, flow, rows = Machine(), Flow(seed, cancels=cancels, nearest_ticks=nearest_ticks), []
    bounds = Bounds(queue_commands=10_000, follower_lag=2**60)
    sequencer: Sequencer[Sent] = Sequencer(
        machine, BEGINNING, epoch=1, bounds=bounds, clock_ns=START_NS, spent_ns=lambda: 0
    )
    first = list(opening())
    left = commands
    now_ns = START_NS
    while first or left:
        batch_of = first[:batch_commands] or [flow.next() for _ in range(min(batch_commands, left))]
        left -= 0 if first else len(batch_of)
        del first[:batch_commands]
        now_ns += 10_000_000
        for sent in batch_of:
            assert sequencer.offer(entered(sent, now_ns), sent) is None
        batch = sequencer.next_batch(now_ns)
        assert batch is not None
        assert batch.row is not None
        rows.append(batch.row)
        for sent, answer in sequencer.committed(batch):
            assert isinstance(answer, Answer)
            if sent.account_id:
                flow.note(sent, answer)
    return Journal(rows, machine, flow)


def entered(sent: Sent, now_ns: int | None = None) -> Entry:
    """Let it in at the door."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    entry = enter(sent.account_id, sent.command_id, now_ns + VALID_NS // 2, sent.command)
    assert isinstance(entry, Entry)
    return entry


def _terms(symbol: str) -> Terms:
    instrument = Instrument(symbol, Asset(symbol.removesuffix("USDT")), Asset("USDT"))
    return Terms(
        world=World.TRADING,
        instrument=instrument,
        tick=WHOLE // 100,
        lot=WHOLE // 100,
        max_price_ticks=1_000_000,
        max_order_lots=1_000_000,
        max_open_orders=2_000_000,
        maker_ppm=500,
        taker_ppm=1_000,
        band_ppm=500_000,
        self_trade_scope=SelfTradeScope.ACCOUNT,
    )
