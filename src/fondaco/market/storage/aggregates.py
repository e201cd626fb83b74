"""The continuous aggregates that make candles of ticks, one for each timeframe, and the view that readers see.

Open and close follow (time, trade id), as everywhere in the house: the least and the greatest of ``[time, trade id,
price]``, since arrays compare element by element. TimescaleDB's ``first`` and ``last`` look at time alone, and many
trades share a millisecond.

Only 1m reads ticks. The longer ones read shorter candles, which merge exactly, and so they outlive the ticks: purging
ticks touches the past of the 1m aggregate alone. Buckets are UTC, and weeks begin on Monday, as TimescaleDB's do.

Each has a refresh policy that leaves out the newest bucket and comes back after one bucket's time. How far they look
back is given for five of them (EXP-34); the other four lie between their neighbours. What lies further back is
refreshed by `HypertableStorage.settle`.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from fondaco.core.candles import Timeframe

EPOCH = "timestamptz '1970-01-01 00:00:00+00'"
_TIME_US = "(extract(epoch FROM {} - " + EPOCH + ") * 1000000)::bigint"
"""Whole microseconds. Through an interval, because of a timestamp with zone ``extract`` is not immutable."""


class Aggregate(NamedTuple):
    """One timeframe's continuous aggregate: what it reads, and how many days its policy looks back."""

    timeframe: Timeframe
    parent: Timeframe | None
    look_back_days: int

    @property
    def name(self) -> str:
        """Of the aggregate in the database."""
        return f"candles_{self.timeframe}"

    @property
    def interval(self) -> str:
        """One bucket, in seconds: a day of an interval may have 23 hours, in a session's time zone."""
        return f"interval '{self.timeframe.length_us // 1_000_000} seconds'"


AGGREGATES = (
    Aggregate(Timeframe.M1, None, 1),
    Aggregate(Timeframe.M2, Timeframe.M1, 2),
    Aggregate(Timeframe.M5, Timeframe.M1, 7),
    Aggregate(Timeframe.M10, Timeframe.M1, 14),
    Aggregate(Timeframe.M15, Timeframe.M1, 21),
    Aggregate(Timeframe.H1, Timeframe.M1, 30),
    Aggregate(Timeframe.H4, Timeframe.H1, 60),
    Aggregate(Timeframe.D1, Timeframe.H1, 90),
    Aggregate(Timeframe.W1, Timeframe.D1, 365),
)
"""Parents before their children. EXP-34 gives 1, 2, 7, 14 and 90 days for 1m, 2m, 5m, 10m and 1d."""
MINUTES = AGGREGATES[0]

_OF_TICKS: Mapping[str, str] = MappingProxyType(
    {
        "first_print": f"min(ARRAY[{_TIME_US.format('time')}, trade_id, price])",
        "high": "max(price)",
        "low": "min(price)",
        "last_print": f"max(ARRAY[{_TIME_US.format('time')}, trade_id, price])",
        "volume": "sum(quantity)",
        "quote_volume": "sum(price::numeric * quantity)",
        "taker_volume": "coalesce(sum(quantity) FILTER (WHERE NOT buyer_is_maker), 0)",
        "taker_quote_volume": "coalesce(sum(price::numeric * quantity) FILTER (WHERE NOT buyer_is_maker), 0)",
        "trades": "count(*)",
        "first_time": "min(time)",
        "last_time": "max(time)",
    }
)
_OF_CANDLES: Mapping[str, str] = MappingProxyType(
    {
        "first_print": "min(first_print)",
        "high": "max(high)",
        "low": "min(low)",
        "last_print": "max(last_print)",
        "volume": "sum(volume)",
        "quote_volume": "sum(quote_volume)",
        "taker_volume": "sum(taker_volume)",
        "taker_quote_volume": "sum(taker_quote_volume)",
        "trades": "sum(trades)::bigint",
        "first_time": "min(first_time)",
        "last_time": "max(last_time)",
    }
)


def create(aggregate: Aggregate) -> tuple[str, str]:
    """Make an aggregate, empty but answering, and the index that its readers need."""
    source = "ticks" if aggregate.parent is None else f"candles_{aggregate.parent}"
    time, columns = ("time", _OF_TICKS) if aggregate.parent is None else ("open_time", _OF_CANDLES)
    listed = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    view = (
        f"CREATE MATERIALIZED VIEW {aggregate.name} WITH (timescaledb.continuous, "  # noqa: S608 - names of ours
        "timescaledb.materialized_only = false, timescaledb.create_group_indexes = false) AS "
        f"SELECT source, symbol, time_bucket({aggregate.interval}, {time}) AS open_time, {listed} "
        f"FROM {source} GROUP BY 1, 2, 3 WITH NO DATA"
    )
    return view, f"CREATE INDEX ON {aggregate.name} (source, symbol, open_time)"


def add_policy(aggregate: Aggregate) -> str:
    """Have an aggregate refreshed from time to time."""
    return (
        f"SELECT add_continuous_aggregate_policy('{aggregate.name}', "
        f"start_offset => interval '{aggregate.look_back_days} days', end_offset => {aggregate.interval}, "
        f"schedule_interval => {aggregate.interval})"
    )


def candles_view(name: str) -> str:
    """Make the relation that readers see: the columns of the plain table, in its order."""
    return f"CREATE VIEW {name} AS " + " UNION ALL ".join(_branch(each) for each in AGGREGATES)


def keep_minutes(materialised: str) -> str:
    """Put 1m candles whose ticks are gone straight into what the 1m aggregate holds. Takes the moment they end."""
    columns = ", ".join(("source", "symbol", "open_time", *_OF_TICKS))
    values = {
        **{name: name for name in _OF_TICKS},
        "first_print": f"ARRAY[{_TIME_US.format('first_time')}, first_trade_id, open]",
        "last_print": f"ARRAY[{_TIME_US.format('last_time')}, last_trade_id, close]",
    }
    return (
        f"INSERT INTO {materialised} ({columns}) SELECT source, symbol, open_time, {', '.join(values.values())} "  # noqa: S608 - names of ours
        "FROM candles WHERE timeframe = '1m' AND open_time < %s"
    )


def signature() -> str:
    """A short word for all of this: a house whose view bears another was made by another version."""
    statements = [statement for each in AGGREGATES for statement in create(each)]
    return hashlib.sha256("\n".join([*statements, candles_view("candles")]).encode()).hexdigest()[:16]


def _branch(aggregate: Aggregate) -> str:
    return (
        f"SELECT source, symbol, '{aggregate.timeframe}'::text COLLATE \"C\" AS timeframe, open_time, "  # noqa: S608 - names of ours
        f"open_time + {aggregate.interval} AS close_time, first_print[3] AS open, high, low, last_print[3] AS close, "
        "volume, quote_volume, taker_volume, taker_quote_volume, trades, first_time, first_print[2] AS first_trade_id, "
        f"last_time, last_print[2] AS last_trade_id FROM {aggregate.name}"
    )
