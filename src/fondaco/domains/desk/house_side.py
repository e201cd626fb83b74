"""How the desk stands, for those who answer for it: terms, quotes, exposure, profit, insurance, receipts.

Read from the engine's tables. Plain SQL: sums over positions and postings leave 64 bits, and decimals must be exact.
What is open at a quote is worked out when it is asked for, by the formula of docs/desk.md: all lots of one direction
close at one price, so the sums of lots, entries and gains paid out ahead are enough. Guaranteed stops are left aside:
the quote has not passed them, or they would be closed.
"""

from datetime import datetime
from typing import Final

from fondaco.core.state import DESK_ACCOUNT, INSURANCE_ACCOUNT
from fondaco.core.vocabulary import World
from fondaco.domains.desk.shapes import (
    ExposureLine,
    InsuranceLine,
    ProfitLine,
    QuoteLine,
    RulesLine,
    StopOutLine,
    TermsLine,
)
from fondaco.infra.cursors import Id, Place
from fondaco.infra.database import PsycopgConnection
from fondaco.infra.paging import Page, read_page
from fondaco.infra.rows import rows

MAX_LINES: Final = 1_000
"""Instruments of a world that are listed at most."""

_TERMS: Final = """
SELECT d.world, d.symbol, d.is_dealt, as_decimal(d.min_quantity, p.base_scale) AS min_quantity,
    as_decimal(d.max_quantity, p.base_scale) AS max_quantity,
    as_decimal(d.max_net_quantity, p.base_scale) AS max_net_quantity, p.max_leverage, d.long_financing_ppm,
    d.short_financing_ppm, d.triple_weekday, d.guarantee_ppm, d.guarantee_distance_ppm, d.updated_at
FROM desk_terms d JOIN trading_pairs p USING (world, symbol) WHERE d.world = %(world)s
ORDER BY d.symbol LIMIT %(limit)s
"""
_RULES: Final = """
SELECT world, max_quote_age_ns / 1000000 AS max_quote_age_ms, margin_call_ppm, loss_warning_ppm, warning_level_ppm,
    stop_out_level_ppm, stop_out_policy, updated_at
FROM desk_rules ORDER BY world
"""
_QUOTES: Final = """
SELECT q.world, q.symbol, as_decimal(q.bid, p.quote_scale) AS bid, as_decimal(q.ask, p.quote_scale) AS ask,
    q.received_at, greatest(0, extract(epoch FROM clock_timestamp() - q.received_at) * 1000)::bigint AS age_ms,
    q.source, as_decimal(q.source_price, p.quote_scale) AS source_price, q.tick_id, q.markup_ppm
FROM desk_quotes q JOIN trading_pairs p USING (world, symbol) WHERE q.world = %(world)s
ORDER BY q.symbol LIMIT %(limit)s
"""
_EXPOSURE: Final = """
WITH held AS (
    SELECT symbol, count(*) AS positions,
        coalesce(sum(quantity) FILTER (WHERE direction = 'long'), 0) AS long,
        coalesce(sum(quantity) FILTER (WHERE direction = 'short'), 0) AS short,
        sum(CASE direction WHEN 'long' THEN entry_notional + settled ELSE settled - entry_notional END) AS cost
    FROM desk_positions WHERE closed_at IS NULL AND world = %(world)s GROUP BY symbol
),
listed AS (
    SELECT symbol, quote, base_scale, quote_scale,
        ('1e-' || base_scale)::numeric AS base_atom, ('1e-' || quote_scale)::numeric AS quote_atom
    FROM trading_pairs WHERE world = %(world)s
),
sides AS (
    SELECT d.symbol, coalesce(h.positions, 0) AS positions, coalesce(h.long, 0) AS long, coalesce(h.short, 0) AS short,
        coalesce(h.cost, 0) AS cost, d.max_net_quantity, q.bid, q.ask, q.received_at
    FROM desk_terms d LEFT JOIN held h USING (symbol) LEFT JOIN desk_quotes q USING (world, symbol)
    WHERE d.world = %(world)s
)
SELECT s.symbol, l.quote AS currency, s.positions, round(s.long * l.base_atom, l.base_scale) AS long,
    round(s.short * l.base_atom, l.base_scale) AS short, round((s.long - s.short) * l.base_atom, l.base_scale) AS net,
    as_decimal(s.max_net_quantity, l.base_scale) AS max_net, as_decimal(s.bid, l.quote_scale) AS bid,
    as_decimal(s.ask, l.quote_scale) AS ask, s.received_at,
    round((s.long - s.short) * CASE WHEN s.long >= s.short THEN s.bid ELSE s.ask END * l.base_atom * l.quote_atom,
        l.quote_scale) AS net_value,
    round(-((s.long * s.bid - s.short * s.ask) * l.base_atom - s.cost) * l.quote_atom, l.quote_scale) AS unrealised
FROM sides s JOIN listed l USING (symbol) ORDER BY s.symbol LIMIT %(limit)s
"""
_INSURANCE: Final = """
SELECT b.asset, as_decimal(b.available, a.scale) AS amount FROM balances b JOIN assets a ON a.code = b.asset
WHERE b.account_id = %(account_id)s ORDER BY b.asset
"""
# As the view v_desk_profit has it, but of some days alone, so that the others are not read.
_PROFIT: Final = """
WITH posted AS (
    SELECT (created_at AT TIME ZONE 'UTC')::date AS day, asset, reason,
        sum(CASE type WHEN 'credit' THEN amount ELSE -amount END) AS earned
    FROM ledger_entries
    WHERE account_id = %(account_id)s AND created_at >= %(since)s AND created_at < %(until)s
    GROUP BY 1, asset, reason
),
days AS (
    SELECT day, asset, coalesce(sum(earned) FILTER (WHERE reason = 'desk_result'), 0) AS results,
        coalesce(sum(earned) FILTER (WHERE reason = 'loss_cover'), 0) AS covers,
        coalesce(sum(earned) FILTER (WHERE reason = 'financing'), 0) AS financing, sum(earned) AS profit
    FROM posted GROUP BY day, asset
)
SELECT d.day::text AS day, d.asset, round(d.results * u.atom, u.scale) AS results,
    round(d.covers * u.atom, u.scale) AS covers, round(d.financing * u.atom, u.scale) AS financing,
    round(d.profit * u.atom, u.scale) AS profit
FROM days d JOIN (SELECT code, scale, ('1e-' || scale)::numeric AS atom FROM assets) u ON u.code = d.asset
ORDER BY d.day DESC, d.asset
"""
_STOP_OUTS: Final = """
SELECT s.id, s.account_id, s.world, s.policy, s.symbol, p.quote AS currency, as_decimal(s.bid, p.quote_scale) AS bid,
    as_decimal(s.ask, p.quote_scale) AS ask, as_decimal(s.equity_before, p.quote_scale) AS equity_before,
    as_decimal(s.margin_before, p.quote_scale) AS margin_before,
    as_decimal(s.equity_after, p.quote_scale) AS equity_after,
    as_decimal(s.margin_after, p.quote_scale) AS margin_after, s.positions, s.entries,
    as_decimal(s.insurance_paid, p.quote_scale) AS insurance_paid,
    as_decimal(s.desk_paid, p.quote_scale) AS desk_paid, s.created_at
FROM stop_outs s JOIN trading_pairs p USING (world, symbol)
WHERE s.world = %(world)s AND (%(account_id)s::bigint IS NULL OR s.account_id = %(account_id)s)
    AND (%(id)s::bigint IS NULL OR s.id < %(id)s)
ORDER BY s.id DESC LIMIT %(limit)s
"""


class StopOutPlace(Place, frozen=True, tag="stop_outs"):
    """A receipt, in the order in which they were written."""

    id: Id


async def terms(connection: PsycopgConnection, world: World) -> list[TermsLine]:
    """How the desk deals in each instrument of a world."""
    return await rows(connection, _TERMS, {"world": world, "limit": MAX_LINES}, TermsLine)


async def rules(connection: PsycopgConnection) -> list[RulesLine]:
    """The rules of each world that has some."""
    return await rows(connection, _RULES, {}, RulesLine)


async def quotes(connection: PsycopgConnection, world: World) -> list[QuoteLine]:
    """The latest quote of each instrument of a world."""
    return await rows(connection, _QUOTES, {"world": world, "limit": MAX_LINES}, QuoteLine)


async def exposure(connection: PsycopgConnection, world: World) -> list[ExposureLine]:
    """What clients hold of each instrument of a world, at the current quotes."""
    return await rows(connection, _EXPOSURE, {"world": world, "limit": MAX_LINES}, ExposureLine)


async def insurance(connection: PsycopgConnection, world: World) -> list[InsuranceLine]:
    """What a world's insurance fund has."""
    return await rows(connection, _INSURANCE, {"account_id": INSURANCE_ACCOUNT[world]}, InsuranceLine)


async def profit(connection: PsycopgConnection, world: World, since: datetime, until: datetime) -> list[ProfitLine]:
    """What the desk of a world earned on each day, newest first; a day that is cut off counts as far as it is in."""
    wanted = {"account_id": DESK_ACCOUNT[world], "since": since, "until": until}
    return await rows(connection, _PROFIT, wanted, ProfitLine)


async def stop_outs(
    connection: PsycopgConnection, world: World, *, account_id: int | None, after: StopOutPlace | None, limit: int
) -> Page[StopOutLine]:
    """Receipts of stop-outs and margin calls, newest first, of all accounts or of one."""
    wanted = {"world": world, "account_id": account_id, "id": after and after.id}
    return await read_page(connection, _STOP_OUTS, wanted, StopOutLine, lambda line: StopOutPlace(line.id), limit)
