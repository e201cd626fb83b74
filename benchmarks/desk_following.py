"""Quotes that set off a little: trailing stops that follow a rising price, and cross accounts over three symbols."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from desk_idle import timed
from desk_stakes import (
    MID_TICKS,
    SPREAD_TICKS,
    START_NS,
    STEP,
    SYMBOLS,
    WHOLE,
    bet_of,
    loaded_with,
    opened,
    quote_of,
    submission,
)
from fondaco.core.commands import Submission
from fondaco.core.desk.desk import Slot
from fondaco.core.desk.state import DeskPosition
from fondaco.core.fees import PPM
from fondaco.core.machine import Machine
from fondaco.core.snapshot import MarkRow
from fondaco.core.state import FIRST_ID
from fondaco.core.vocabulary import AccountKind, Direction, MarginMode
from harness import Baseline, Stopwatch, median_of_runs, progress, report

TRAILING = 100_000
CROSS_ACCOUNTS = 100_000
TRAILING_AN_ACCOUNT = 100
QUOTES = 9_000
"""Of each run, in turn for the three symbols."""
STEP_NS = 16_000_000
MOVE_PPM = 20
"""Standard deviation of a symbol's move from quote to quote, 48 ms later: some 60 % a year."""
WILD_PPM = 50
"""The same on a day of fear."""
RISE_PPM = 2
FALL_PPM = 8
WAVE = 1_000
FALLS_AFTER = 900
"""The first symbol, the one of the trailing stops, rises besides. In the last of so many quotes it falls back, a little
further each time, so that stops fire which have stood until then."""
FUNDS = 50_000 * WHOLE
LEVERAGE = 20
LEAST_LEVEL = 0.85
MOST_LEVEL = 5.0
"""Margin levels with which cross accounts begin."""
LEAST_DISTANCE_PPM = 300
MOST_DISTANCE_PPM = 20_000
PAST = 100_000
"""Quotes ago that the oldest trailing stop was set at most: an hour and twenty minutes."""
SCANS = 5
LONG = Direction.LONG


class Stakes(NamedTuple):
    """What stands when it begins."""

    cross: list[DeskPosition]
    trailing: list[DeskPosition]
    marks: list[MarkRow]


def quote_trailing_cross(name: str, *, quick: bool) -> None:
    """Microseconds a quote, amortised: whatever a quote sets off is in it."""
    part = 10 if quick else 1
    stakes = _stakes(CROSS_ACCOUNTS // part, TRAILING // part)
    accounts = (CROSS_ACCOUNTS + TRAILING // TRAILING_AN_ACCOUNT) // part
    machine = loaded_with(
        opened(accounts, kind=AccountKind.MARGIN, funds=FUNDS), [*stakes.cross, *stakes.trailing], stakes.marks
    )
    progress(f"  {name}: {len(machine.house.desk.positions):,} positions stand")
    # Before anything is closed: later it has less to look at than the engine had.
    theirs = _scan_us(machine, stakes, SCANS)
    walk, quotes = Walk(seed=21), QUOTES // part
    closed, accounts_looked_at, processor_us = list[int](), list[int](), list[float]()

    def run() -> float:
        waiting = [walk.next() for _ in range(quotes)]
        standing, before = len(machine.house.desk.positions), _wakes(machine)
        took = timed(machine, waiting)
        processor_us.append(round(took.processor_us, 1))
        assert not machine.backlog
        closed.append(standing - len(machine.house.desk.positions))
        after = _wakes(machine)
        accounts_looked_at.append(sum(after[each] != wakes for each, wakes in before.items() if each in after))
        return took.wall_us

    value, runs = median_of_runs(run)
    counts = {"closed": closed[1:], "accounts_looked_at": accounts_looked_at[1:], "processor_us": processor_us[1:]}
    walk.move_ppm = WILD_PPM
    wild_us = run()
    report(
        name,
        value,
        "µs",
        Baseline(f"a scan of all positions of the symbol and their accounts, {SCANS} quotes", theirs),
        runs=[round(each, 2) for each in runs],
        quotes=quotes,
        trailing_stops=len(stakes.trailing),
        cross_accounts=len(stakes.cross) // len(SYMBOLS),
        cross_positions=len(stakes.cross),
        **counts,
        moves_ppm=MOVE_PPM,
        waves=f"{FALLS_AFTER} quotes up by {RISE_PPM} ppm, {WAVE - FALLS_AFTER} down by {FALL_PPM} and more",
        wild={
            "moves_ppm": WILD_PPM,
            "µs": round(wild_us, 1),
            "closed": closed[-1],
            "looked_at": accounts_looked_at[-1],
        },
        state="positions and holds loaded as rows of a dump; the warm-up is the first run of the walk",
    )


def _wakes(machine: Machine) -> dict[int, dict[Slot, int]]:
    """The prices at which each account is looked at: they move when it was."""
    return {account_id: dict(cross.wakes) for account_id, cross in machine.house.desk.cross.items()}


class Walk:
    """Quotes of the three symbols in turn, without end: random walks, of which the first rises."""

    def __init__(self, seed: int) -> None:
        self.move_ppm = MOVE_PPM
        self._draw = np.random.default_rng(seed)
        self._mids = dict.fromkeys(SYMBOLS, float(MID_TICKS))
        self._now_ns = START_NS
        self._count = 0

    def next(self) -> tuple[Submission, int]:
        """The next quote, and its moment."""
        symbol = SYMBOLS[self._count % len(SYMBOLS)]
        wave, quote_of_wave = divmod(self._count // len(SYMBOLS), WAVE)
        rise_ppm = 0
        if symbol == SYMBOLS[0]:
            rise_ppm = RISE_PPM if quote_of_wave < FALLS_AFTER else -FALL_PPM - wave
        self._mids[symbol] *= 1 + (rise_ppm + self.move_ppm * float(self._draw.normal())) / PPM
        self._count += 1
        self._now_ns += STEP_NS
        quote = quote_of(symbol, int(self._mids[symbol]), self._now_ns, self._count)
        return submission(quote, "quote", self._now_ns), self._now_ns


def _stakes(accounts: int, trailing: int) -> Stakes:
    """Cross accounts with a position in each symbol, and long positions whose stops trail behind the first one's bid.

    A cross account's margins are so chosen from its equity that its margin level is one of those to begin with.
    """
    draw = np.random.default_rng(22)
    first_id = 10 * FIRST_ID + accounts + trailing
    levels = draw.uniform(LEAST_LEVEL, MOST_LEVEL, accounts).tolist()
    sides = draw.integers(0, 2, (accounts, len(SYMBOLS))).tolist()
    cross: list[DeskPosition] = []
    for number in range(accounts):
        margin = int(FUNDS / levels[number] / len(SYMBOLS))
        lots = max(1, margin * LEVERAGE // (MID_TICKS * STEP))
        for symbol, is_long in zip(SYMBOLS, sides[number], strict=True):
            ticks = MID_TICKS + SPREAD_TICKS if is_long else MID_TICKS
            bet = bet_of(first_id + len(cross), LONG if is_long else Direction.SHORT, ticks, lots, symbol)
            bet.account_id, bet.mode, bet.leverage = FIRST_ID + number, MarginMode.CROSS, LEVERAGE
            bet.margin = -(-bet.entry_notional // LEVERAGE)
            cross.append(bet)
    return Stakes(cross, *_trailing(first_id + len(cross), FIRST_ID + accounts, trailing))


def _trailing(first_id: int, first_account_id: int, count: int) -> tuple[list[DeskPosition], list[MarkRow]]:
    """Long positions with the best prices since they were opened, each at a random moment of a walk that ends here."""
    draw = np.random.default_rng(23)
    walk = np.cumsum(draw.normal(0, MOVE_PPM, PAST))
    past = (MID_TICKS * (1 + (walk - walk[-1]) / PPM)).astype(np.int64)
    bests = np.maximum.accumulate(past[::-1])[::-1]
    trails: list[DeskPosition] = []
    marks: list[MarkRow] = []
    while len(trails) < count:
        moments = draw.integers(0, PAST, count)
        distances = MID_TICKS * draw.integers(LEAST_DISTANCE_PPM, MOST_DISTANCE_PPM, count) // PPM
        for mark, opened_ticks, distance in zip(
            bests[moments].tolist(), past[moments].tolist(), distances.tolist(), strict=True
        ):
            # One whose stop would stand above the price is closed already.
            if mark - distance < MID_TICKS and len(trails) < count:
                bet = bet_of(first_id + len(trails), LONG, opened_ticks + SPREAD_TICKS, 1 + len(trails) % 20)
                bet.account_id = first_account_id + len(trails) // TRAILING_AN_ACCOUNT
                bet.trail_ticks = distance
                trails.append(bet)
                marks.append(MarkRow(bet.position_id, mark))
    return trails, marks


def _scan_us(machine: Machine, stakes: Stakes, quotes: int) -> float:
    """Microseconds for looking at every position of the symbol, its trailing mark and its account's equity."""
    house = machine.house
    marks = {row.position_id: row.mark_ticks for row in stakes.marks}
    own: dict[int, list[DeskPosition]] = {}
    for row in stakes.cross:
        own.setdefault(row.account_id, []).append(row)
    prices = dict.fromkeys(SYMBOLS, (MID_TICKS, MID_TICKS + SPREAD_TICKS))
    rules = house.desk.rules_of(stakes.cross[0].world)
    rows = [*stakes.cross, *stakes.trailing]
    cash = {account_id: house.ledger.balance(account_id, "USDT").available for account_id in own}
    watch = Stopwatch()
    for number in range(quotes):
        symbol = SYMBOLS[number % len(SYMBOLS)]
        bid, ask = prices[symbol]
        for row in rows:
            if row.symbol != symbol:
                continue
            if row.trail_ticks:
                mark = marks[row.position_id] = max(bid, marks[row.position_id])
                assert bid > mark - row.trail_ticks
                loss = row.entry_notional - bid * row.lots * STEP
                assert loss * PPM < row.margin * row.margin_call_ppm
            else:
                equity, used = _standing(cash[row.account_id], own[row.account_id], prices)
                assert equity * PPM > used * rules.stop_out_level_ppm
                assert equity * PPM > used * rules.warning_level_ppm
        assert ask > bid
    return 1e6 * watch.seconds() / quotes


def _standing(cash: int, rows: Sequence[DeskPosition], prices: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """Equity and used margin."""
    equity, used = cash, 0
    for row in rows:
        bid, ask = prices[row.symbol]
        if row.direction is LONG:
            equity += bid * row.lots * STEP - row.entry_notional
        else:
            equity += row.entry_notional - ask * row.lots * STEP
        used += row.margin
    return equity, used
