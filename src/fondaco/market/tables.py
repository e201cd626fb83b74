"""The tables of market data. Amounts are BIGINT atoms, sums NUMERIC, times UTC with zone.

Every row carries its ``source``, so that play data never mixes with real history. Text columns that are compared on
every insert use the "C" collation: byte order is what they mean, and it costs a third less than a locale's.
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Identity, Index, Integer, Numeric, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from fondaco.core.candles import Timeframe
from fondaco.infra.columns import SymbolCode, WordOf
from fondaco.infra.database import Base, Timestamps
from fondaco.market.messages import Source

OWNER = {"owner": "market"}


def _one_of(column: str, values: type[Source] | type[Timeframe]) -> CheckConstraint:
    listed = ", ".join(f"'{each.value}'" for each in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _symbol(*, primary_key: bool = False) -> Mapped[str]:
    return mapped_column(SymbolCode(), primary_key=primary_key)


def _source(*, primary_key: bool = False) -> Mapped[Source]:
    return mapped_column(WordOf(Source), primary_key=primary_key)


def _atoms() -> Mapped[int]:
    return mapped_column(BigInteger)


def _sum() -> Mapped[Decimal]:
    """A sum of atoms: whole, but beyond 64 bits on a busy day."""
    return mapped_column(Numeric(asdecimal=True))


class TickRow(Base):
    """Raw trade prints of outside markets, one row each, unique by source, symbol, time and trade id (EXP-31)."""

    __tablename__ = "ticks"
    __table_args__ = (
        _one_of("source", Source),
        # Time alone, for maintenance such as dropping old rows (EXP-37): a block-range index is a thousandth of the
        # size, since rows arrive almost in order of time.
        Index(None, "time", postgresql_using="brin"),
        {"postgresql_partition_by": "RANGE (time)", "info": OWNER},
    )

    source: Mapped[Source] = _source(primary_key=True)
    symbol: Mapped[str] = _symbol(primary_key=True)
    time: Mapped[datetime] = mapped_column(primary_key=True)
    trade_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    price: Mapped[int] = _atoms()
    quantity: Mapped[int] = _atoms()
    buyer_is_maker: Mapped[bool] = mapped_column(Boolean)
    received_at: Mapped[datetime]


class CandleRow(Base):
    """Candles of nine timeframes, derived from ticks in the transaction that stores them; never entered by hand.

    In a house with TimescaleDB a view over continuous aggregates, with the same columns.
    """

    __tablename__ = "candles"
    __table_args__ = (
        _one_of("source", Source),
        _one_of("timeframe", Timeframe),
        # Half-empty pages let an update of the running candle stay on its page, without touching the index.
        {"postgresql_with": {"fillfactor": "70"}, "info": OWNER},
    )

    source: Mapped[Source] = _source(primary_key=True)
    symbol: Mapped[str] = _symbol(primary_key=True)
    timeframe: Mapped[Timeframe] = mapped_column(WordOf(Timeframe), primary_key=True)
    open_time: Mapped[datetime] = mapped_column(primary_key=True)
    close_time: Mapped[datetime]
    open: Mapped[int] = _atoms()
    high: Mapped[int] = _atoms()
    low: Mapped[int] = _atoms()
    close: Mapped[int] = _atoms()
    volume: Mapped[Decimal] = _sum()
    quote_volume: Mapped[Decimal] = _sum()
    taker_volume: Mapped[Decimal] = _sum()
    taker_quote_volume: Mapped[Decimal] = _sum()
    trades: Mapped[int] = mapped_column(BigInteger)
    first_time: Mapped[datetime]
    first_trade_id: Mapped[int] = mapped_column(BigInteger)
    last_time: Mapped[datetime]
    last_trade_id: Mapped[int] = mapped_column(BigInteger)


class PriceRow(Base):
    """Quote and day statistics of a symbol at a moment, one row per symbol and moment (BHC-50)."""

    __tablename__ = "prices"
    __table_args__ = (
        _one_of("source", Source),
        CheckConstraint("spread = ask - bid", name="spread"),
        {"info": OWNER},
    )

    source: Mapped[Source] = _source(primary_key=True)
    symbol: Mapped[str] = _symbol(primary_key=True)
    timestamp: Mapped[datetime] = mapped_column(primary_key=True)
    last: Mapped[int] = _atoms()
    bid: Mapped[int] = _atoms()
    ask: Mapped[int] = _atoms()
    mid: Mapped[int] = _atoms()
    spread: Mapped[int] = _atoms()
    volume: Mapped[Decimal] = _sum()
    volume_24h: Mapped[Decimal] = _sum()
    high_24h: Mapped[int] = _atoms()
    low_24h: Mapped[int] = _atoms()
    change_24h: Mapped[int] = _atoms()
    change_percent_24h: Mapped[Decimal] = mapped_column(Numeric(10, 4))


class TickHeadRow(Base):
    """The newest tick stored of each series: where gap detection and a restarted feed go on."""

    __tablename__ = "tick_heads"
    __table_args__ = (_one_of("source", Source), {"info": OWNER})

    source: Mapped[Source] = _source(primary_key=True)
    symbol: Mapped[str] = _symbol(primary_key=True)
    trade_id: Mapped[int] = mapped_column(BigInteger)
    time: Mapped[datetime]


class GapRow(Base):
    """Missing trade ids of a symbol: where a feed lost prints, how many, and when they were filled in.

    ``missing`` counts the ids that are not stored, ``absent`` those among them that the exchange itself does not have.
    A gap is filled once no other is missing.
    """

    __tablename__ = "gaps"
    __table_args__ = (
        _one_of("source", Source),
        CheckConstraint("before_trade_id > after_trade_id + 1", name="order"),
        CheckConstraint("absent BETWEEN 0 AND missing", name="absent"),
        Index("idx_gaps_open", "source", "symbol", "from_time", postgresql_where=text("filled_at IS NULL")),
        {"info": OWNER},
    )

    source: Mapped[Source] = _source(primary_key=True)
    symbol: Mapped[str] = _symbol(primary_key=True)
    after_trade_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    before_trade_id: Mapped[int] = mapped_column(BigInteger)
    missing: Mapped[int] = mapped_column(BigInteger)
    from_time: Mapped[datetime]
    to_time: Mapped[datetime]
    detected_at: Mapped[datetime]
    filled_at: Mapped[datetime | None]
    absent: Mapped[int] = mapped_column(BigInteger, server_default="0")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    tried_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(Text)


class QuarantineRow(Base):
    """Messages of a feed that are no tick, kept with the reason: they block nothing and are not lost (EXP-15)."""

    __tablename__ = "quarantine"
    __table_args__ = (Index(None, "received_at"), {"info": OWNER})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    source: Mapped[Source] = _source()
    symbol: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    raw: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]


class MarketFeedRow(Timestamps, Base):
    """The one source that readers see for a symbol: the feed that ran last, with its label for people."""

    __tablename__ = "market_feeds"
    __table_args__ = (_one_of("source", Source), {"info": OWNER})

    symbol: Mapped[str] = _symbol(primary_key=True)
    source: Mapped[Source] = _source()
    label: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime]


class FeedAnchorRow(Timestamps, Base):
    """Where a replayed recording was laid on the clock, so that a restart yields the very same ticks."""

    __tablename__ = "feed_anchors"
    __table_args__ = (_one_of("source", Source), {"info": OWNER})

    source: Mapped[Source] = _source(primary_key=True)
    symbol: Mapped[str] = _symbol(primary_key=True)
    anchor_time: Mapped[datetime]


class StaleRangeRow(Base):
    """Minutes whose late ticks the continuous aggregates of TimescaleDB have not taken in yet (else empty)."""

    __tablename__ = "stale_ranges"
    __table_args__ = (CheckConstraint("to_time > from_time", name="order"), {"info": OWNER})

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    from_time: Mapped[datetime]
    to_time: Mapped[datetime]
    noted_at: Mapped[datetime]


class TickPurgeRow(Base):
    """Up to where ticks were purged in a house with TimescaleDB: older ones are refused (else empty)."""

    __tablename__ = "tick_purges"
    __table_args__ = ({"info": OWNER},)

    purged_before: Mapped[datetime] = mapped_column(primary_key=True)
    purged_at: Mapped[datetime]
