"""The JSON of the market endpoints: one struct per answer, and how rows become it.

Decimals are text, because a client's float would bend them; candles alone are JSON numbers, because charts want them
(EXP-45). An atom becomes a JSON number by one division of whole numbers, which Python rounds correctly.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from fondaco.core.listings import Instrument
from fondaco.core.money import format_atoms
from fondaco.market import reads


class ChartCandle(msgspec.Struct, frozen=True, gc=False):
    """A candle of `GET /candles`: time in whole Unix seconds."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class ChartCandles(msgspec.Struct, frozen=True):
    """Answer of `GET /candles`, oldest candle first."""

    asset: str
    duration: str
    candles: list[ChartCandle]


class Candle(msgspec.Struct, frozen=True, gc=False):
    """A candle: `closed` when its time is over, `gap` when trades are known to be missing in it."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    trades: int
    closed: bool
    gap: bool


class Candles(msgspec.Struct, frozen=True):
    """Candles of a symbol, oldest first; `source` is null while no feed has brought the symbol."""

    symbol: str
    timeframe: str
    source: str | None
    candles: list[Candle]


class Tick(msgspec.Struct, frozen=True, gc=False):
    """A trade print; `side` is the taker's."""

    id: int
    time: str
    price: str
    quantity: str
    side: str


class Ticks(msgspec.Struct, frozen=True):
    """Trade prints of a symbol, newest first."""

    symbol: str
    source: str | None
    ticks: list[Tick]


class Price(msgspec.Struct, frozen=True):
    """Quote and day statistics of a symbol."""

    symbol: str
    source: str
    time: str
    last: str
    bid: str
    ask: str
    mid: str
    spread: str
    volume: str
    volume_24h: str
    high_24h: str
    low_24h: str
    change_24h: str
    change_percent_24h: str


class Prices(msgspec.Struct, frozen=True):
    """The newest price of each symbol."""

    prices: list[Price]


class Symbol(msgspec.Struct, frozen=True):
    """A symbol of the house, with the decimal places of its prices and quantities."""

    symbol: str
    base: str
    quote: str
    price_scale: int
    quantity_scale: int
    source: str | None
    label: str | None


class Symbols(msgspec.Struct, frozen=True):
    """The symbols of the house, in the order of listing."""

    symbols: list[Symbol]


class Gap(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Missing trade ids: all above `after_trade_id` and below `before_trade_id`, `missing` of them not stored.

    Of those, the exchange itself does not have `absent`. `problem` says what was in the way when the rest was last
    fetched.
    """

    symbol: str
    source: str
    after_trade_id: int
    before_trade_id: int
    missing: int
    from_: str
    to: str
    detected_at: str
    filled_at: str | None
    absent: int
    attempts: int
    tried_at: str | None
    problem: str | None


class Gaps(msgspec.Struct, frozen=True):
    """Gaps, newest first."""

    gaps: list[Gap]


class Feed(msgspec.Struct, frozen=True):
    """The feed that runs now."""

    source: str
    label: str
    symbols: list[str]
    connected: bool
    since: str


def chart_candles(instrument: Instrument, duration: str, bars: Iterable[reads.Bar]) -> ChartCandles:
    """Write bars for the chart of `GET /candles`."""
    price, quantity = 10**instrument.price_scale, 10**instrument.quantity_scale
    candles = [
        ChartCandle(open_s, open_ / price, high / price, low / price, close / price, int(volume) / quantity)
        for open_s, open_, high, low, close, volume in bars
    ]
    return ChartCandles(instrument.symbol, duration, candles)


def full_candles(instrument: Instrument, bars: Iterable[reads.FullBar], *, now_s: int) -> list[Candle]:
    """Write bars with everything."""
    price, quantity = 10**instrument.price_scale, 10**instrument.quantity_scale
    return [
        Candle(
            bar.open_s,
            bar.open / price,
            bar.high / price,
            bar.low / price,
            bar.close / price,
            int(bar.volume) / quantity,
            int(bar.quote_volume) / (price * quantity),
            bar.trades,
            bar.close_s <= now_s,
            bar.gap,
        )
        for bar in bars
    ]


def tick(instrument: Instrument, row: reads.Print) -> Tick:
    """Write a trade print."""
    return Tick(
        row.trade_id,
        iso(row.time),
        format_atoms(row.price, instrument.price_scale),
        format_atoms(row.quantity, instrument.quantity_scale),
        side(buyer_is_maker=row.buyer_is_maker),
    )


def price(instrument: Instrument, row: reads.Price) -> Price:
    """Write a price row."""

    def money(atoms: int) -> str:
        return format_atoms(atoms, instrument.price_scale)

    def quantity(atoms: Decimal) -> str:
        return format_atoms(int(atoms), instrument.quantity_scale)

    return Price(
        symbol=row.symbol,
        source=row.source,
        time=iso(row.timestamp),
        last=money(row.last),
        bid=money(row.bid),
        ask=money(row.ask),
        mid=money(row.mid),
        spread=money(row.spread),
        volume=quantity(row.volume),
        volume_24h=quantity(row.volume_24h),
        high_24h=money(row.high_24h),
        low_24h=money(row.low_24h),
        change_24h=money(row.change_24h),
        change_percent_24h=f"{row.change_percent_24h:.4f}",
    )


def symbol(instrument: Instrument, current: reads.CurrentFeed | None) -> Symbol:
    """Write a symbol with the source that its readers see."""
    return Symbol(
        instrument.symbol,
        instrument.base.code,
        instrument.quote.code,
        instrument.price_scale,
        instrument.quantity_scale,
        current.source if current else None,
        current.label if current else None,
    )


def gap(row: reads.MissingTrades) -> Gap:
    """Write a gap."""
    return Gap(
        row.symbol,
        row.source,
        row.after_trade_id,
        row.before_trade_id,
        row.missing,
        iso(row.from_time),
        iso(row.to_time),
        iso(row.detected_at),
        iso(row.filled_at) if row.filled_at else None,
        row.absent,
        row.attempts,
        iso(row.tried_at) if row.tried_at else None,
        row.problem,
    )


def side(*, buyer_is_maker: bool) -> str:
    """The taker's side of a print: when the buyer was the maker, somebody sold into the book."""
    return "sell" if buyer_is_maker else "buy"


def iso(time: datetime) -> str:
    """ISO-8601 in UTC with microseconds."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
