"""Totals over leveraged positions: of a user, of each symbol, and of the house that deals in them.

As in `fondaco.domains.reports.reports`, each report is of one world, and results of different currencies are never
added up. A result is what closing has brought before the part of a loss that the owner did not have to bear, which
stands beside it as ``covered``; nights and premiums are apart from both.
"""

from datetime import date
from typing import Final, NamedTuple

import msgspec

from fondaco.core.vocabulary import World
from fondaco.domains.reports.reports import MAX_LINES
from fondaco.infra.database import PsycopgConnection
from fondaco.infra.rows import rows


class DeskResultLine(msgspec.Struct, frozen=True, gc=False):
    """What a user has earned and paid at the desk in a currency."""

    currency: str
    positions: int
    realized_pnl: str
    unrealized_pnl: str
    covered: str
    financing: str
    premiums: str


class DeskSymbolLine(msgspec.Struct, frozen=True, gc=False):
    """What all leveraged positions of a symbol come to; the average is by position."""

    symbol: str
    currency: str
    positions: int
    quantity: str
    realized_pnl: str
    average_pnl: str


class DealtLine(msgspec.Struct, frozen=True, gc=False):
    """A leveraged position with its entry, exit and result."""

    id: int
    user_id: str
    symbol: str
    side: str
    status: str
    quantity: str
    leverage: int
    open_price: str
    close_price: str | None
    take_profit: str | None
    stop_loss: str | None
    open_time: str
    close_time: str | None
    profit_loss: str
    currency: str


class ExposureLine(msgspec.Struct, frozen=True, gc=False):
    """What clients hold of a symbol at the desk, and at what it was opened; the desk is on the other side."""

    symbol: str
    currency: str
    positions: int
    long_quantity: str
    short_quantity: str
    net_quantity: str
    long_entry_notional: str
    short_entry_notional: str


class ProfitLine(msgspec.Struct, frozen=True, gc=False):
    """What the desk and the insurance fund took in an asset on a day (UTC); what they paid is below zero."""

    day: str
    asset: str
    results: str
    covers: str
    financing: str
    profit: str
    """The three before it together."""
    premiums: str
    insurance_covers: str
    insurance_funding: str


class Dealt(NamedTuple):
    """Which leveraged positions: of a user or of everybody, of a symbol or of all, and perhaps only those that won."""

    world: World
    user_id: str | None = None
    symbol: str | None = None
    only_won: bool = False


_RESULTS: Final = """
SELECT p.pnl_currency AS currency, count(*) AS positions, sum(p.realized_pnl) AS realized_pnl,
    coalesce(sum(p.unrealized_pnl), as_decimal(0, min(a.scale))) AS unrealized_pnl, sum(p.covered) AS covered,
    sum(p.financing) AS financing, sum(p.premium) AS premiums
FROM accounts own JOIN v_desk_positions p ON p.account_id = own.id JOIN assets a ON a.code = p.pnl_currency
WHERE own.user_id = %(user_id)s AND own.world = %(world)s GROUP BY p.pnl_currency ORDER BY p.pnl_currency
"""

_SYMBOLS: Final = """
WITH dealt AS (
    SELECT symbol, count(*) AS positions, sum(opened_quantity) AS quantity, sum(realised) AS realised
    FROM desk_positions WHERE world = %(world)s GROUP BY symbol
),
listed AS (
    SELECT symbol, quote, base_scale, quote_scale,
        ('1e-' || base_scale)::numeric AS base_atom, ('1e-' || quote_scale)::numeric AS quote_atom
    FROM trading_pairs WHERE world = %(world)s
)
SELECT l.symbol, l.quote AS currency, d.positions, round(d.quantity * l.base_atom, l.base_scale) AS quantity,
    round(d.realised * l.quote_atom, l.quote_scale) AS realized_pnl,
    round(d.realised * l.quote_atom / d.positions, l.quote_scale) AS average_pnl
FROM dealt d JOIN listed l USING (symbol) ORDER BY l.symbol LIMIT %(limit)s
"""

_DEALT: Final = """
SELECT id, user_id, symbol, side, status, opened_quantity AS quantity, leverage, average_entry_price AS open_price,
    average_close_price AS close_price, take_profit, stop_loss, opened_at AS open_time, closed_at AS close_time,
    realized_pnl AS profit_loss, pnl_currency AS currency
FROM v_desk_positions
WHERE world = %(world)s AND (%(user_id)s::text IS NULL OR user_id = %(user_id)s)
    AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s) AND (NOT %(only_won)s OR realized_pnl > 0)
ORDER BY opened_at DESC, id DESC LIMIT %(limit)s
"""

_EXPOSURE: Final = """
SELECT symbol, currency, positions, long_quantity, short_quantity, net_quantity, long_entry_notional,
    short_entry_notional
FROM v_desk_exposure WHERE world = %(world)s ORDER BY symbol LIMIT %(limit)s
"""

_PROFIT: Final = """
SELECT day::text AS day, asset, results, covers, financing, profit, premiums, insurance_covers, insurance_funding
FROM v_desk_profit WHERE world = %(world)s AND day BETWEEN %(since)s AND %(until)s
ORDER BY v_desk_profit.day DESC, asset LIMIT %(limit)s
"""


async def desk_results(connection: PsycopgConnection, world: World, user_id: str) -> list[DeskResultLine]:
    """A user's total over all leveraged positions, for each currency (EXD-24)."""
    return await rows(connection, _RESULTS, {"world": world, "user_id": user_id}, DeskResultLine)


async def desk_symbols(connection: PsycopgConnection, world: World) -> list[DeskSymbolLine]:
    """Summed quantity, summed and average result, and number of positions of each symbol (EXD-27)."""
    return await rows(connection, _SYMBOLS, {"world": world, "limit": MAX_LINES}, DeskSymbolLine)


async def dealt(connection: PsycopgConnection, which: Dealt, limit: int) -> list[DealtLine]:
    """Leveraged positions, latest opening first; of one symbol, and only those that made money (EXD-22, EXD-23)."""
    return await rows(connection, _DEALT, which._asdict() | {"limit": limit}, DealtLine)


async def exposure(connection: PsycopgConnection, world: World) -> list[ExposureLine]:
    """What all clients together hold at the desk, by symbol."""
    return await rows(connection, _EXPOSURE, {"world": world, "limit": MAX_LINES}, ExposureLine)


async def profit(connection: PsycopgConnection, world: World, since: date, until: date) -> list[ProfitLine]:
    """What the desk has earned on each day from one to another, both included, the latest first."""
    wanted = {"world": world, "since": since, "until": until, "limit": MAX_LINES}
    return await rows(connection, _PROFIT, wanted, ProfitLine)
