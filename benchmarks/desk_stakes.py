"""What the desk's benchmarks deal in: a house with many leveraged positions, and quotes for it. Seeded.

People, instruments and money come in by commands. The positions are then put into a dump of that house as rows, which
is loaded as a snapshot is: opening a million of them by commands would take minutes and say nothing more.
"""

import ctypes
import gc
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path

import msgspec
import numpy as np

from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    Command,
    Deposit,
    ListAsset,
    ListInstrument,
    OpenAccount,
    SetDeskRules,
    SetDeskTerms,
    SetQuote,
    Submission,
    Tick,
    encode_command,
)
from fondaco.core.desk.state import DeskPosition, Quote
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.desk.valuing import margin_call_ticks, warning_ticks
from fondaco.core.ledger import HoldReason
from fondaco.core.listings import Asset, Instrument
from fondaco.core.machine import Machine
from fondaco.core.snapshot import Dump, HoldRow, MarkRow, dump, load
from fondaco.core.state import FIRST_ID
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import AccountKind, Direction, MarginMode, World

WORLD = World.TRADING
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
WHOLE = 10**8
TICK = WHOLE // 100
LOT = WHOLE // 1_000
STEP = TICK * LOT // WHOLE
START_NS = 1_790_000_000_000_000_000
VALID_NS = 30_000_000_000
MID_TICKS = 5_000_000
"""50,000 USDT, for all of them."""
SPREAD_TICKS = 500
"""From bid to ask: a hundredth of a per cent, as the desk's markup makes it."""
CALM_PPM = 5_000
"""So near to the price no level waits at first: what had waited there is closed already."""
ENTRY_SPREAD = 0.03
"""Standard deviation of entries around the price, as a part of it."""
LEVERAGES = (2, 3, 5, 10, 20)
POSITIONS_AN_ACCOUNT = 100
ACCOUNTS_A_USER = 1_000
LEAST_ROOM = 0.006
MOST_ROOM = 0.1
"""How far from the price stop losses and take profits lie, as parts of it."""

_libc = ctypes.CDLL(None)


def opened(accounts: int, *, kind: AccountKind = AccountKind.SPOT, funds: int = 10**6 * WHOLE) -> Machine:
    """A house with the three instruments, a first quote of each, and accounts of ids in a row from `first_account`."""
    machine = Machine()
    assets = ("USDT", *(symbol.removesuffix("USDT") for symbol in SYMBOLS))
    commands: list[Command] = [ListAsset(code, 8) for code in assets]
    commands += [ListInstrument(_terms(symbol)) for symbol in SYMBOLS]
    commands += [
        SetDeskTerms(DeskTerms(WORLD, symbol, is_dealt=True, min_lots=1, max_lots=1_000_000)) for symbol in SYMBOLS
    ]
    commands += [SetDeskRules(DeskRules(WORLD))]
    commands += [AdmitUser(f"u{number}") for number in range(-(-accounts // ACCOUNTS_A_USER))]
    commands += [OpenAccount(f"u{number // ACCOUNTS_A_USER}", WORLD, "USDT", kind) for number in range(accounts)]
    commands += [Deposit(FIRST_ID + number, "USDT", funds) for number in range(accounts)]
    commands += [quote_of(symbol, MID_TICKS, START_NS) for symbol in SYMBOLS]
    for number, command in enumerate(commands):
        answer = machine.apply(submission(command, f"open-{number}", START_NS), machine.seq + 1, START_NS)
        assert answer.reply.__class__.__name__ != "Refused", answer
    machine.log.take()
    return machine


def loaded_with(machine: Machine, positions: Sequence[DeskPosition], marks: Iterable[MarkRow] = ()) -> Machine:
    """A house loaded from the dump of another into which these positions, and what is held for them, were put."""
    rows = msgspec.msgpack.decode(dump(machine), type=Dump)
    rows.remembered.clear()
    rows.desk.positions.extend(positions)
    rows.desk.marks.extend(marks)
    isolated = (each for each in positions if each.mode is MarginMode.ISOLATED)
    rows.holds.extend(
        HoldRow(each.position_id, each.account_id, "USDT", each.margin, HoldReason.MARGIN, "") for each in isolated
    )
    rows.next_id = 1 + max(each.position_id for each in positions)
    loaded = load(msgspec.msgpack.encode(rows))
    # Rules that are set have every cross account looked at, so that each waits for its prices.
    commands: Iterator[Command] = chain([SetDeskRules(DeskRules(WORLD))], repeat(Tick()))
    while loaded.backlog or loaded.seq == machine.seq:
        loaded.apply(submission(next(commands), f"rules-{loaded.seq}", START_NS), loaded.seq + 1, START_NS)
    loaded.log.take()
    return loaded


def bets(count: int, seed: int) -> Iterator[DeskPosition]:
    """Isolated positions in the first symbol, as they stand after a while: none has a level close to the price."""
    draw = np.random.default_rng(seed)
    first_id = FIRST_ID + count // POSITIONS_AN_ACCOUNT
    made = 0
    while made < count:
        columns = (
            draw.integers(0, 2, count),
            draw.normal(1.0, ENTRY_SPREAD, count) * MID_TICKS,
            draw.integers(0, len(LEVERAGES), count),
            draw.integers(1, 200, count),
            draw.uniform(LEAST_ROOM, MOST_ROOM, count) * MID_TICKS,
            draw.uniform(LEAST_ROOM, MOST_ROOM, count) * MID_TICKS,
            draw.integers(0, 4, count),
        )
        table = np.stack([column.astype(np.int64) for column in columns], axis=1).tolist()
        for is_long, entry, leverage, lots, stop, take, levels in table:
            bet = bet_of(first_id + made, Direction.LONG if is_long else Direction.SHORT, entry, lots)
            bet.account_id = FIRST_ID + made // POSITIONS_AN_ACCOUNT
            bet.leverage = LEVERAGES[leverage]
            bet.margin = -(-bet.entry_notional // bet.leverage)
            if not _stands(bet, margin_call_ticks(bet, STEP)):
                continue
            bet.is_warned = not _stands(bet, warning_ticks(bet, STEP))
            sign = 1 if is_long else -1
            bet.stop_ticks = MID_TICKS - sign * stop if levels & 1 else 0
            bet.take_ticks = MID_TICKS + sign * take if levels & 2 else 0
            yield bet
            made += 1
            if made == count:
                return


def bet_of(
    position_id: int, direction: Direction, entry_ticks: int, lots: int, symbol: str = SYMBOLS[0]
) -> DeskPosition:
    """An isolated position of two times leverage, of the first account, whose margin is still to be set."""
    notional = entry_ticks * lots * STEP
    return DeskPosition(
        position_id,
        FIRST_ID,
        WORLD,
        symbol,
        direction,
        MarginMode.ISOLATED,
        2,
        START_NS,
        START_NS,
        DeskRules(WORLD).margin_call_ppm,
        DeskRules(WORLD).loss_warning_ppm,
        lots=lots,
        entry_notional=notional,
        margin=-(-notional // 2),
        opened_lots=lots,
        opened_notional=notional,
    )


def quote_of(symbol: str, bid_ticks: int, received_ns: int, tick_id: int = 1) -> SetQuote:
    """The desk's price, from so much upwards."""
    bid, ask = bid_ticks * TICK, (bid_ticks + SPREAD_TICKS) * TICK
    return SetQuote(WORLD, symbol, "benchmark", 100, (Quote(bid, ask, received_ns, bid, tick_id),))


def submission(command: Command, command_id: str, now_ns: int) -> Submission:
    """A command of the house's on its way."""
    return Submission(HOUSE, command_id, now_ns + VALID_NS, msgspec.Raw(encode_command(command)))


def resident_bytes() -> int:
    """What this process has in memory, once what fell out of use was given back."""
    gc.collect()
    _libc.malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096


def _stands(bet: DeskPosition, level: int) -> bool:
    """Whether a losing level lies outside the calm around the price."""
    room = MID_TICKS * CALM_PPM // 1_000_000
    if bet.direction is Direction.LONG:
        return level < MID_TICKS - room
    return level > MID_TICKS + SPREAD_TICKS + room


def _terms(symbol: str) -> Terms:
    return Terms(
        world=WORLD,
        instrument=Instrument(symbol, Asset(symbol.removesuffix("USDT")), Asset("USDT")),
        tick=TICK,
        lot=LOT,
        max_price_ticks=20_000_000,
        max_order_lots=1_000_000,
        max_leverage=100,
    )
