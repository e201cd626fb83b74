"""Recorded prices as the desk's quotes, and a crowd of random traders who bet on them.

Prices come from real trades (BTC, ETH) and from candles, each of which is a path of four real prices; of SOL no trades
were recorded. Several prices are put into one command as the desk's feed does it: the extremes that were passed, in
their own order, and last what the price is. A quote lies a markup below and above its price, rounded outward.
"""

import csv
import gzip
import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from fondaco.core.commands import ClosePosition, ModifyPosition, OpenPosition, PlaceEntry, SetQuote
from fondaco.core.desk.state import KEEP, DeskPosition, Level, Quote
from fondaco.core.listings import Asset, Instrument
from fondaco.core.money import parse_positive_atoms
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import Direction, EntryKind, LevelKind, MarginMode, World
from support import needs

PPM = 1_000_000
MS_NS = 1_000_000
USDT = Asset("USDT", 6)
LOTS = {"BTCUSDT": 100_000, "ETHUSDT": 1_000_000, "SOLUSDT": 10_000_000}
"""0.001 BTC, 0.01 ETH, 0.1 SOL. A tick is 0.01 USDT."""
TERMS = {
    symbol: Terms(
        world=World.TRADING,
        instrument=Instrument(symbol, Asset(symbol.removesuffix("USDT")), USDT),
        tick=10_000,
        lot=lot,
        max_price_ticks=20_000_000,
        max_order_lots=100_000,
        max_leverage=100,
    )
    for symbol, lot in LOTS.items()
}


BTC_TRADES = "binance_spot_btcusdt_trades_2024-08-08_2024-08-09.csv.gz"
ETH_TRADES = "binance_usdm_ethusdt_trades_2024-07-18_2024-07-19.csv.gz"
SOL_CANDLES = "binance_spot_solusdt_1m_2026-03-23_2026-04-22.csv.gz"
SOL_BEGINS_MS = 1_774_267_740_000
MINUTE_MS = 60_000


class Move(NamedTuple):
    """Prices that a symbol passed, in quote atoms, and when it had passed them."""

    at_ns: int
    symbol: str
    prices: tuple[int, ...]
    tick_id: int


def trades(path: Path, symbol: str, window_ms: int) -> Iterator[Move]:
    """Recorded trades, those of one window in one move. Times begin at zero."""
    with gzip.open(path, "rt") as lines:
        rows = [(int(row["time"]), int(row["id"]), atoms(row["price"])) for row in csv.DictReader(lines)]
    begin_ms = rows[0][0]
    for window, of_window in groupby(rows, key=lambda row: (row[0] - begin_ms) // window_ms):
        group = list(of_window)
        yield Move((window + 1) * window_ms * MS_NS, symbol, extremes([row[2] for row in group]), group[-1][1])


def candles(path: Path, symbol: str, from_ms: int, to_ms: int) -> Iterator[Move]:
    """Recorded candles of a span. A rising one is taken to have seen its low first."""
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            at_ms = int(row["open_time"])
            if from_ms <= at_ms < to_ms:
                first, high, low, last = (atoms(row[name]) for name in ("open", "high", "low", "close"))
                path_of = (first, low, high, last) if last >= first else (first, high, low, last)
                yield Move((at_ms - from_ms) * MS_NS, symbol, extremes(path_of), at_ms)


def atoms(text: str) -> int:
    """A price in quote atoms."""
    found = parse_positive_atoms(text, USDT.scale)
    assert isinstance(found, int)
    return found


def extremes(prices: Sequence[int]) -> tuple[int, ...]:
    """The lowest and the highest of some prices, in the order in which they came first, and the last, each once."""
    low, high = min(prices), max(prices)
    found = sorted({prices.index(low), prices.index(high)})
    path = [prices[at] for at in found]
    return tuple(path if path[-1] == prices[-1] else [*path, prices[-1]])


def merged(*series: Iterator[Move]) -> Iterator[Move]:
    """Several series in one, by time."""
    return heapq.merge(*series, key=lambda move: (move.at_ns, move.symbol))


def the_ticks(window_ms: int) -> Iterator[Move]:
    """Eleven minutes of trades of BTC and ETH; beside them SOL's candles, a minute of them each second."""
    sol = candles(needs.recorded(SOL_CANDLES), "SOLUSDT", SOL_BEGINS_MS, SOL_BEGINS_MS + 650 * MINUTE_MS)
    return merged(
        trades(needs.recorded(BTC_TRADES), "BTCUSDT", window_ms),
        trades(needs.recorded(ETH_TRADES), "ETHUSDT", window_ms),
        (move._replace(at_ns=move.at_ns // 60) for move in sol),
    )


def quotes_of(move: Move, now_ns: int, markup_ppm: int) -> SetQuote:
    """What the desk's feed would send."""
    tick = TERMS[move.symbol].tick
    found = tuple(
        Quote(
            bid=price * (PPM - markup_ppm) // (PPM * tick) * tick,
            ask=-(-price * (PPM + markup_ppm) // (PPM * tick)) * tick,
            received_ns=now_ns,
            source_price=price,
            tick_id=move.tick_id,
        )
        for price in move.prices
    )
    return SetQuote(World.TRADING, move.symbol, "binance", markup_ppm, found)


class Crowd:
    """Traders who open, close, wait and move stops at random, the same for the same seed.

    Args:
        seed: of all that they do.
        cross: accounts that open cross positions, over all symbols.
        isolated: accounts that open isolated ones.
        away_ppm: how far from the price their stops lie at most.
    """

    def __init__(self, seed: int, cross: Sequence[int], isolated: Sequence[int], *, away_ppm: int) -> None:
        self.opened = 0
        self._random = Random(seed)
        self._cross, self._isolated, self._away_ppm = cross, isolated, away_ppm
        self._prices: dict[str, int] = {}

    def see(self, move: Move) -> None:
        """Know the price of now."""
        self._prices[move.symbol] = move.prices[-1]

    def open(self, symbol: str) -> OpenPosition:
        """An open that is well written; whether it can be paid for is another matter."""
        random = self._random
        self.opened += 1
        is_cross = random.random() < 0.5
        direction = random.choice((Direction.LONG, Direction.SHORT))
        return OpenPosition(
            account_id=random.choice(self._cross if is_cross else self._isolated),
            symbol=symbol,
            direction=direction,
            quantity=self._lots(symbol) * TERMS[symbol].lot,
            leverage=random.choice((100, 100, 50, 20)),
            mode=MarginMode.CROSS if is_cross else MarginMode.ISOLATED,
            **self._levels(symbol, direction),
        )

    def wait(self, symbol: str) -> PlaceEntry:
        """The same for later."""
        random, opens = self._random, self.open(symbol)
        tick, price = TERMS[symbol].tick, self._prices[symbol]
        rises = random.random() < 0.5
        away = 3 * self._away(symbol)
        return PlaceEntry(
            account_id=opens.account_id,
            symbol=symbol,
            direction=opens.direction,
            kind=EntryKind.STOP if rises is (opens.direction is Direction.LONG) else EntryKind.LIMIT,
            price=(price // tick + (away if rises else -away)) * tick,
            quantity=opens.quantity,
            leverage=opens.leverage,
            mode=opens.mode,
            trail=Level(LevelKind.PRICE, self._away(symbol) * tick),
        )

    def close(self, position: DeskPosition) -> ClosePosition:
        """All of it, or a part."""
        lots = self._random.choice((0, 0, max(1, position.lots // 3)))
        return ClosePosition(position.account_id, position.position_id, lots * TERMS[position.symbol].lot)

    def modify(self, position: DeskPosition) -> ModifyPosition:
        """Other stops, or a trailing one."""
        said: dict[str, Any] = self._levels(position.symbol, position.direction)
        trail = Level(LevelKind.PRICE, self._away(position.symbol) * TERMS[position.symbol].tick)
        return ModifyPosition(position.account_id, position.position_id, **({"trail": trail} | said))

    def _lots(self, symbol: str) -> int:
        """Worth some hundred to some ten thousand USDT."""
        worth = self._random.choice((500, 2_000, 10_000, 40_000)) * int(10**USDT.scale)
        return max(1, worth // TERMS[symbol].notional(self._prices[symbol] // TERMS[symbol].tick, 1))

    def _away(self, symbol: str) -> int:
        most = self._prices[symbol] * self._away_ppm // PPM // TERMS[symbol].tick
        return self._random.randint(1, max(1, most))

    def _levels(self, symbol: str, direction: Direction) -> dict[str, Any]:
        random, tick = self._random, TERMS[symbol].tick
        price, sign = self._prices[symbol] // tick, -1 if direction is Direction.LONG else 1
        spread = price // 200
        found = {
            "stop": Level(LevelKind.PRICE, (price + sign * (spread + self._away(symbol))) * tick),
            "take": Level(LevelKind.PRICE, (price - sign * (spread + self._away(symbol))) * tick),
            "trail": Level(LevelKind.PRICE, (self._away(symbol)) * tick),
        }
        return {name: level if random.random() < 0.4 else KEEP for name, level in found.items()}
