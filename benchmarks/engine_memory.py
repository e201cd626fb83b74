"""The machine without a journal: refuse, hold, match, settle, events. Everything but the disk.

The stream is the one of `engine_book`: 55 % limits at geometric distances from a walking mid, 45 % cancels among recent
orders, here over 1,000 accounts and 10 symbols. About 13 % of commands fill.
"""

from itertools import islice
from time import perf_counter
from typing import NamedTuple

import msgspec
import numpy as np

import engine_book
from fondaco.core.book.layout import CANCEL
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
from fondaco.core.listings import instrument
from fondaco.core.machine import Machine
from fondaco.core.replies import AccountOpened, OrderPlaced, Refused
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import OrderType, World
from fondaco.engine.garbage import without_collections
from harness import median_of_runs, report

ACCOUNTS = 1_000
SYMBOLS = 10
COMMANDS = 300_000
QUICK_COMMANDS = 50_000
BATCH = 500
SPREAD_TICKS = 20
TICK = 1_000_000
LOT = 1_000
STEP_NS = 10_000
LIFE_NS = 30_000_000_000
START_NS = 1_700_000_000_000_000_000


class Setting(NamedTuple):
    """A house with accounts that have money, and a market for each symbol."""

    machine: Machine
    accounts: list[int]


def submission(machine: Machine, command: Command, account_id: int = HOUSE) -> Submission:
    """A command on its way, under an id of its own."""
    seq = machine.seq + 1
    return Submission(account_id, f"c{seq}", START_NS + seq * STEP_NS + LIFE_NS, msgspec.Raw(encode_command(command)))


def apply(machine: Machine, command: Command, account_id: int = HOUSE) -> object:
    """Do a command as the house, or for an account."""
    seq = machine.seq + 1
    return machine.apply(submission(machine, command, account_id), seq, START_NS + seq * STEP_NS, command).reply


def furnish() -> Setting:
    """Open `SYMBOLS` markets and `ACCOUNTS` accounts that can pay for everything."""
    machine = Machine()
    apply(machine, ListAsset("USDT", 8))
    accounts: list[int] = []
    for number in range(SYMBOLS):
        apply(machine, ListAsset(f"COIN{number}", 8))
        terms = Terms(
            world=World.TRADING,
            instrument=instrument(f"COIN{number}/USDT", {}),
            tick=TICK,
            lot=LOT,
            max_price_ticks=engine_book.MAX_PRICE,
            max_order_lots=10**9,
            maker_ppm=200,
            taker_ppm=1_000,
            band_ppm=1_000_000,
        )
        apply(machine, ListInstrument(terms))
    for number in range(ACCOUNTS):
        apply(machine, AdmitUser(f"user{number}"))
        opened = apply(machine, OpenAccount(f"user{number}", World.TRADING, "USDT"))
        assert isinstance(opened, AccountOpened)
        accounts.append(opened.account_id)
        apply(machine, Deposit(opened.account_id, "USDT", 10**15))
        for coin in range(SYMBOLS):
            apply(machine, Deposit(opened.account_id, f"COIN{coin}", 10**13))
    machine.log.take()
    return Setting(machine, accounts)


def orders(setting: Setting, count: int, seed: int) -> list[PlaceOrder | int]:
    """Orders, and between them the number of the order that a cancel is about."""
    random = np.random.default_rng(seed)
    rows = engine_book.stream(engine_book.walking_mid(count, random), SPREAD_TICKS, random)
    made: list[PlaceOrder | int] = []
    for at, (kind, first, price, lots) in enumerate(rows.tolist()):
        if kind == CANCEL:
            made.append(first)
            continue
        account = setting.accounts[at * 7_919 % ACCOUNTS]
        symbol = f"COIN{at % SYMBOLS}USDT"
        made.append(PlaceOrder(account, symbol, Side(first), OrderType.LIMIT, lots * LOT, price * TICK))
    return made


def memory(name: str, *, quick: bool) -> None:
    """Commands a second, each encoded as it comes, done, and told."""
    count = QUICK_COMMANDS if quick else COMMANDS
    counted: dict[str, int] = {}

    def run() -> float:
        setting = furnish()
        stream = iter(orders(setting, count, seed=7))
        placed: list[int] = []
        kinds = {"fills": 0, "refused": 0, "event_bytes": 0}
        with without_collections():  # as the engine runs
            began = perf_counter()
            while part := list(islice(stream, BATCH)):
                _apply_all(setting.machine, part, placed, kinds)
            took = perf_counter() - began
        counted.update(kinds)
        return count / took

    value, runs = median_of_runs(run)
    report(name, value, "orders/s", None, commands=count, runs=[round(each) for each in runs], **counted)


def _apply_all(machine: Machine, part: list[PlaceOrder | int], placed: list[int], kinds: dict[str, int]) -> None:
    for each in part:
        command = each if isinstance(each, PlaceOrder) else CancelOrder(*_owner(machine, placed[each]))
        reply = apply(machine, command, command.account_id)
        placed.append(reply.order_id if isinstance(reply, OrderPlaced) else 0)
        if isinstance(reply, OrderPlaced) and reply.filled:
            kinds["fills"] += 1
        elif isinstance(reply, Refused):
            kinds["refused"] += 1
    kinds["event_bytes"] += len(machine.log.take())


def _owner(machine: Machine, order_id: int) -> tuple[int, int]:
    """Whose order that is; somebody's when it has ended, and the cancel is refused."""
    order = machine.house.orders.get(order_id)
    return (order.account_id if order else 1_000, order_id)
