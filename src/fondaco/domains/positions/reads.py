"""What has become of positions, entries and stop-outs, read from the engine's tables for whoever may see it.

Lists are as those of `fondaco.domains.trading.history`: one page, newest first, of one account or of a user's accounts
in one world. What belongs to another looks missing. What follows the quote is worked out on the way.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

from psycopg.rows import dict_row

from fondaco.core.desk.state import DeskEntry, DeskPosition
from fondaco.core.refusals import Refusal
from fondaco.domains.identity.api import Actor
from fondaco.domains.positions.lines import (
    FillLine,
    PendingEntryLine,
    PositionLine,
    StopOutLine,
    entry_line,
    position_line,
    time_of,
)
from fondaco.domains.positions.valuation import Shifts, Valuer
from fondaco.domains.trading.api import MAX_PAGE, RefusedError, Whose
from fondaco.engine.live_desk import ENTRY, POSITION, entry_of, position_of
from fondaco.infra.cursors import Id, Moment, Place, to_cursor
from fondaco.infra.database import PsycopgConnection
from fondaco.infra.paging import Page, read_page
from fondaco.infra.rows import rows

_OF_ACCOUNT: Final = "a.id = %(account_id)s"
_OF_USER: Final = "a.user_id = %(user_id)s AND a.world = %(world)s"
_PAGE: Final = """
SELECT l.* FROM accounts a CROSS JOIN LATERAL (
    SELECT {columns} FROM {table} x JOIN trading_pairs t USING (world, symbol)
    WHERE x.account_id = a.id
        AND (%(symbol)s::text IS NULL OR x.symbol = %(symbol)s)
        {further}
        AND (%(time)s::timestamptz IS NULL OR (x.{time}, x.id) < (%(time)s, %(id)s))
    ORDER BY x.{time} DESC, x.id DESC LIMIT %(limit)s
) l WHERE {whose} ORDER BY {order} DESC LIMIT %(limit)s
"""
_IS_OPEN: Final = "AND (%(is_open)s::boolean IS NULL OR (x.closed_at IS NULL) = %(is_open)s)"
_STOP_OUT: Final = """
    x.id AS stop_out_id, x.account_id, x.policy, x.symbol, as_decimal(x.bid, t.quote_scale) AS bid,
    as_decimal(x.ask, t.quote_scale) AS ask, t.quote AS currency,
    as_decimal(x.equity_before, t.quote_scale) AS equity_before,
    as_decimal(x.margin_before, t.quote_scale) AS margin_before,
    as_decimal(x.equity_after, t.quote_scale) AS equity_after,
    as_decimal(x.margin_after, t.quote_scale) AS margin_after, x.positions, x.entries,
    as_decimal(x.insurance_paid, t.quote_scale) AS insurance_paid, as_decimal(x.desk_paid, t.quote_scale) AS desk_paid,
    x.created_at
"""
_FILLS: Final = """
SELECT f.id AS fill_id, CASE WHEN f.is_open THEN 'open' ELSE 'close' END AS kind,
    as_decimal(f.quantity, t.base_scale) AS quantity, as_decimal(f.price, t.quote_scale) AS price,
    as_decimal(f.notional, t.quote_scale) AS notional, as_decimal(f.margin, t.quote_scale) AS margin,
    as_decimal(f.result, t.quote_scale) AS result, as_decimal(f.covered, t.quote_scale) AS covered, f.close_reason,
    f.stop_out_id, as_decimal(f.bid, t.quote_scale) AS bid, as_decimal(f.ask, t.quote_scale) AS ask, f.source,
    as_decimal(f.source_price, t.quote_scale) AS source_price, f.tick_id, f.markup_ppm, f.received_at,
    f.age_ns / 1000000 AS age_ms, f.created_at
FROM desk_fills f JOIN trading_pairs t USING (world, symbol)
WHERE f.position_id = %(id)s AND f.created_at >= %(opened_at)s
ORDER BY f.created_at DESC, f.id DESC LIMIT %(limit)s
"""


def _page(columns: str, table: str, time: str, order: str, further: str) -> tuple[str, str]:
    """The statement of a list, of an account and of a user."""
    of_account, of_user = (
        _PAGE.format(columns=columns, table=table, time=time, order=order, further=further, whose=whose)
        for whose in (_OF_ACCOUNT, _OF_USER)
    )
    return of_account, of_user


_POSITIONS_OF_ACCOUNT, _POSITIONS_OF_USER = _page(
    POSITION, "desk_positions", "opened_at", "l.opened_ns DESC, l.position_id", _IS_OPEN
)
_ENTRIES_OF_ACCOUNT, _ENTRIES_OF_USER = _page(
    ENTRY, "desk_entries", "created_at", "l.created_ns DESC, l.entry_id", _IS_OPEN
)
_STOP_OUTS_OF_ACCOUNT, _STOP_OUTS_OF_USER = _page(
    _STOP_OUT, "stop_outs", "created_at", "l.created_at DESC, l.stop_out_id", ""
)
_ONE_POSITION: Final = (
    f"SELECT {POSITION} FROM desk_positions x JOIN trading_pairs t USING (world, symbol) "  # noqa: S608 - texts of ours
    "JOIN accounts a ON a.id = x.account_id WHERE x.id = %(id)s AND (%(all)s OR a.user_id = %(user_id)s)"
)
_ONE_ENTRY: Final = (
    f"SELECT {ENTRY} FROM desk_entries x JOIN trading_pairs t USING (world, symbol) "  # noqa: S608 - texts of ours
    "JOIN accounts a ON a.id = x.account_id WHERE x.id = %(id)s AND (%(all)s OR a.user_id = %(user_id)s)"
)

Row = TypeVar("Row", DeskPosition, DeskEntry)


class PositionPlace(Place, frozen=True, tag="positions"):
    """A leveraged position, in the order of opening."""

    time: Moment
    id: Id


class PendingEntryPlace(Place, frozen=True, tag="entries"):
    """A pending entry, in the order of coming."""

    time: Moment
    id: Id


class StopOutPlace(Place, frozen=True, tag="stop_outs"):
    """A receipt, in the order of happening."""

    time: Moment
    id: Id


class Which(NamedTuple):
    """Which rows of a list."""

    symbol: str | None = None
    is_open: bool | None = None


async def position_for(connection: PsycopgConnection, actor: Actor, position_id: int) -> DeskPosition:
    """A position that the actor may see. Raises `RefusedError`: another's looks missing."""
    found = await _one(connection, _ONE_POSITION, actor, position_id)
    if found is None:
        raise RefusedError(Refusal.UNKNOWN_POSITION)
    return position_of(found)


async def entry_for(connection: PsycopgConnection, actor: Actor, entry_id: int) -> DeskEntry:
    """An entry that the actor may see. Raises `RefusedError`: another's looks missing."""
    found = await _one(connection, _ONE_ENTRY, actor, entry_id)
    if found is None:
        raise RefusedError(Refusal.UNKNOWN_ENTRY)
    return entry_of(found)


async def found_positions(
    connection: PsycopgConnection, whose: Whose, which: Which, after: PositionPlace | None, limit: int
) -> Page[DeskPosition]:
    """Positions as the engine has them, newest first."""
    statement = _POSITIONS_OF_USER if whose.account_id is None else _POSITIONS_OF_ACCOUNT
    wanted = _wanted(whose, which, after, limit)
    return await _page_of(connection, statement, wanted, position_of, _position_place)


async def positions(
    connection: PsycopgConnection,
    valuer: Valuer,
    whose: Whose,
    which: Which,
    after: PositionPlace | None,
    limit: int,
) -> Page[PositionLine]:
    """Positions with what they are worth now, newest first."""
    found = await found_positions(connection, whose, which, after, limit)
    shifts: Shifts = {}
    return Page([line_of(valuer, each, shifts) for each in found.lines], found.next)


def line_of(valuer: Valuer, position: DeskPosition, shifts: Shifts | None = None) -> PositionLine:
    """A position with what it is worth now."""
    worth = valuer.worth(position, shifts=shifts)
    return position_line(position, valuer.terms(position.world, position.symbol), worth)


async def entries(
    connection: PsycopgConnection,
    valuer: Valuer,
    whose: Whose,
    which: Which,
    after: PendingEntryPlace | None,
    limit: int,
) -> Page[PendingEntryLine]:
    """Entries, newest first."""
    statement = _ENTRIES_OF_USER if whose.account_id is None else _ENTRIES_OF_ACCOUNT
    found = await _page_of(connection, statement, _wanted(whose, which, after, limit), entry_of, _entry_place)
    return Page([entry_line(each, valuer.terms(each.world, each.symbol)) for each in found.lines], found.next)


async def fills(connection: PsycopgConnection, position: DeskPosition) -> list[FillLine]:
    """What the desk has opened and closed of a position, the newest `MAX_PAGE`, newest first."""
    opened_at = time_of(position.opened_ns)
    wanted = {"id": position.position_id, "opened_at": opened_at, "limit": MAX_PAGE}
    return await rows(connection, _FILLS, wanted, FillLine)


async def stop_outs(
    connection: PsycopgConnection, whose: Whose, symbol: str | None, after: StopOutPlace | None, limit: int
) -> Page[StopOutLine]:
    """Receipts of closings for want of margin, newest first."""
    statement = _STOP_OUTS_OF_USER if whose.account_id is None else _STOP_OUTS_OF_ACCOUNT
    wanted = whose._asdict() | {"symbol": symbol} | _behind(after)
    return await read_page(connection, statement, wanted, StopOutLine, _stop_out_place, limit)


async def _one(connection: PsycopgConnection, statement: str, actor: Actor, id_: int) -> dict[str, Any] | None:
    wanted = {"id": id_, "all": actor.is_operator, "user_id": actor.user_id}
    async with connection.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(statement.encode(), wanted)).fetchone()


async def _page_of(
    connection: PsycopgConnection,
    statement: str,
    wanted: Mapping[str, Any],
    read: Callable[[dict[str, Any]], Row],
    place_of: Callable[[Row], Place],
) -> Page[Row]:
    """The first rows of a list, one fewer than the statement is asked for: that one says whether more follow."""
    limit = wanted["limit"] - 1
    async with connection.cursor(row_factory=dict_row) as cursor:
        found = [read(each) for each in await (await cursor.execute(statement.encode(), wanted)).fetchall()]
    shown = found[:limit]
    return Page(shown, to_cursor(place_of(shown[-1])) if len(found) > limit else None)


def _wanted(whose: Whose, which: Which, after: PositionPlace | PendingEntryPlace | None, limit: int) -> dict[str, Any]:
    return whose._asdict() | which._asdict() | _behind(after) | {"limit": limit + 1}


def _behind(after: PositionPlace | PendingEntryPlace | StopOutPlace | None) -> dict[str, Any]:
    return {"time": after and after.time, "id": after and after.id}


def _position_place(position: DeskPosition) -> PositionPlace:
    return PositionPlace(time_of(position.opened_ns), position.position_id)


def _entry_place(entry: DeskEntry) -> PendingEntryPlace:
    return PendingEntryPlace(time_of(entry.created_ns), entry.entry_id)


def _stop_out_place(line: StopOutLine) -> StopOutPlace:
    return StopOutPlace(datetime.fromisoformat(line.created_at), line.stop_out_id)
