"""The endpoints that tell what has become of leveraged positions, entries and stop-outs, and what they are worth."""

from typing import Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from fondaco.core.refusals import Refusal
from fondaco.domains.identity.api import Actor
from fondaco.domains.positions import reads
from fondaco.domains.positions.api import Valuer
from fondaco.domains.positions.lines import FillLine, LevelLine, PendingEntryLine, PositionLine, StopOutLine
from fondaco.domains.positions.reads import PendingEntryPlace, PositionPlace, StopOutPlace, Which
from fondaco.engine.reading import Tables
from fondaco.gateways.rest.bodies import success
from fondaco.gateways.rest.orders import SIGNED_IN
from fondaco.gateways.rest.parameters import operation, read_listed
from fondaco.gateways.rest.positions import ENTRIES_PATH, POSITION_ID, POSITION_PATH, POSITIONS_PATH
from fondaco.gateways.rest.problems import documented, refusals
from fondaco.gateways.rest.reading import (
    AFTER_SEQ,
    ANY_ACCOUNT,
    ANY_SYMBOL,
    ANY_WORLD,
    DEFAULT_PAGE,
    EXAMPLE_TIME,
    LIMIT,
    LISTED,
    READ,
    Call,
    cursor,
    symbol_of,
    whose_of,
    yes_or_no,
)
from fondaco.infra.rows import iso

AFTER_POSITION: Final = cursor(PositionPlace(EXAMPLE_TIME, 1005))
AFTER_PENDING: Final = cursor(PendingEntryPlace(EXAMPLE_TIME, 1007))
AFTER_STOP_OUT: Final = cursor(StopOutPlace(EXAMPLE_TIME, 1009))
IS_OPEN: Final = yes_or_no("open", "Only what is still open, or only what has ended; both when left out.")


class Positions(msgspec.Struct, frozen=True):
    """Leveraged positions, newest first; `next` is the cursor of the next page."""

    seq: int
    positions: list[PositionLine]
    next: str | None


class OnePosition(msgspec.Struct, frozen=True):
    """A leveraged position and what the desk has opened and closed of it, newest first."""

    seq: int
    position: PositionLine
    fills: list[FillLine]


class Entries(msgspec.Struct, frozen=True):
    """Entries, newest first; `next` is the cursor of the next page."""

    seq: int
    entries: list[PendingEntryLine]
    next: str | None


class StopOuts(msgspec.Struct, frozen=True):
    """Receipts of stop-outs, newest first; `next` is the cursor of the next page."""

    seq: int
    stop_outs: list[StopOutLine]
    next: str | None


_TIME: Final = iso(EXAMPLE_TIME)
EXAMPLE_POSITION: Final = PositionLine(
    position_id=1005,
    account_id=1000,
    symbol="BTCUSDT",
    direction="long",
    mode="isolated",
    leverage=5,
    status="open",
    quantity="0.50000000",
    entry_price="61843.82000000",
    notional="30921.91000000",
    margin="6184.38200000",
    stop_loss="58000.00000000",
    take_profit=None,
    trailing_distance=None,
    guaranteed=False,
    price="62843.82000000",
    unrealized_pnl="500.00000000",
    unrealized_percent="8.0848",
    liquidation_price="50711.93000000",
    quoted_at=_TIME,
    realized_pnl="0.00000000",
    realized_percent=None,
    covered="0.00000000",
    financing="0.00000000",
    premium="0.00000000",
    pnl_currency="USDT",
    opened_quantity="0.50000000",
    opened_price="61843.82000000",
    closed_price=None,
    close_reason=None,
    entry_id=None,
    opened_at=_TIME,
    updated_at=_TIME,
    closed_at=None,
)
EXAMPLE_FILL: Final = FillLine(
    fill_id=1006,
    kind="open",
    quantity="0.50000000",
    price="61843.82000000",
    notional="30921.91000000",
    margin="6184.38200000",
    result="0.00000000",
    covered="0.00000000",
    close_reason=None,
    stop_out_id=None,
    bid="61831.44000000",
    ask="61843.82000000",
    source="binance",
    source_price="61837.63000000",
    tick_id=3_691_000_000,
    markup_ppm=100,
    received_at=_TIME,
    age_ms=12,
    created_at=_TIME,
)
EXAMPLE_PENDING: Final = PendingEntryLine(
    entry_id=1007,
    account_id=1000,
    symbol="BTCUSDT",
    direction="short",
    kind="stop",
    mode="isolated",
    leverage=10,
    state="pending",
    price="57500.00000000",
    quantity="0.10000000",
    stop_loss=LevelLine(percent="50.0000"),
    take_profit=None,
    trailing_stop=None,
    guaranteed=False,
    reason=None,
    position_id=None,
    created_at=_TIME,
    updated_at=_TIME,
    expires_at=None,
)
EXAMPLE_STOP_OUT: Final = StopOutLine(
    stop_out_id=1009,
    account_id=1000,
    policy="largest_loss",
    symbol="BTCUSDT",
    bid="56800.00000000",
    ask="56812.00000000",
    currency="USDT",
    equity_before="980.00000000",
    margin_before="2000.00000000",
    equity_after="980.00000000",
    margin_after="800.00000000",
    positions=[1005],
    entries=[1007],
    insurance_paid="0.00000000",
    desk_paid="0.00000000",
    created_at=_TIME,
)


@get(
    POSITIONS_PATH,
    operation_class=operation(ANY_ACCOUNT, ANY_WORLD, ANY_SYMBOL, IS_OPEN, LIMIT, AFTER_POSITION, AFTER_SEQ),
    operation_id="positions",
    summary="Positions",
    description=(
        "Your leveraged positions in a world, or those of an account, newest first, with what they are worth at the "
        "desk's last quote. What you bought on the exchange stands under `/api/v1/holdings`."
    ),
    tags=["desk"],
    security=SIGNED_IN,
    responses=success(
        Positions, "Positions, newest first.", Positions(4711, [EXAMPLE_POSITION], str(AFTER_POSITION.example))
    )
    | documented(*LISTED, "bad_flag")
    | refusals(Refusal.UNKNOWN_ACCOUNT, Refusal.UNKNOWN_SYMBOL),
)
async def list_positions(
    request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables], valuer: NamedDependency[Valuer]
) -> Positions:
    """`GET /api/v1/positions`."""
    query = read_listed(request)
    is_open, after = IS_OPEN.read_or(query, None), AFTER_POSITION.read_or(query, None)
    limit = LIMIT.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        whose = await whose_of(connection, actor, query)
        which = Which(await symbol_of(connection, whose.world, query), is_open)
        return Positions(seq, *await reads.positions(connection, valuer, whose, which, after, limit))


@get(
    POSITION_PATH,
    operation_class=operation(POSITION_ID, AFTER_SEQ),
    operation_id="position",
    summary="A position",
    description=(
        "A leveraged position, also one that was closed, with what the desk opened and closed of it and the quotes "
        "that it dealt at. Another user's looks missing; operators see any."
    ),
    tags=["desk"],
    security=SIGNED_IN,
    responses=success(OnePosition, "The position.", OnePosition(4711, EXAMPLE_POSITION, [EXAMPLE_FILL]))
    | documented(*READ)
    | refusals(Refusal.UNKNOWN_POSITION),
)
async def one_position(
    request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables], valuer: NamedDependency[Valuer]
) -> OnePosition:
    """`GET /api/v1/positions/{position_id}`."""
    position_id = POSITION_ID.read(request.path_params)
    async with tables.read(AFTER_SEQ.read_or(read_listed(request), 0)) as (connection, seq):
        position = await reads.position_for(connection, actor, position_id)
        return OnePosition(seq, reads.line_of(valuer, position), await reads.fills(connection, position))


@get(
    ENTRIES_PATH,
    operation_class=operation(ANY_ACCOUNT, ANY_WORLD, ANY_SYMBOL, IS_OPEN, LIMIT, AFTER_PENDING, AFTER_SEQ),
    operation_id="entries",
    summary="Entries",
    description="Your entries in a world, or those of an account, newest first, also those that have ended.",
    tags=["desk"],
    security=SIGNED_IN,
    responses=success(Entries, "Entries, newest first.", Entries(4711, [EXAMPLE_PENDING], str(AFTER_PENDING.example)))
    | documented(*LISTED, "bad_flag")
    | refusals(Refusal.UNKNOWN_ACCOUNT, Refusal.UNKNOWN_SYMBOL),
)
async def list_entries(
    request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables], valuer: NamedDependency[Valuer]
) -> Entries:
    """`GET /api/v1/entries`."""
    query = read_listed(request)
    is_open, after = IS_OPEN.read_or(query, None), AFTER_PENDING.read_or(query, None)
    limit = LIMIT.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        whose = await whose_of(connection, actor, query)
        which = Which(await symbol_of(connection, whose.world, query), is_open)
        return Entries(seq, *await reads.entries(connection, valuer, whose, which, after, limit))


@get(
    "/api/v1/stop-outs",
    operation_class=operation(ANY_ACCOUNT, ANY_WORLD, ANY_SYMBOL, LIMIT, AFTER_STOP_OUT, AFTER_SEQ),
    operation_id="stopOuts",
    summary="Stop-outs",
    description=(
        "Receipts of what the desk closed for want of margin: how things stood before and after, what was closed and "
        "cancelled, and who paid what was short. Newest first."
    ),
    tags=["desk"],
    security=SIGNED_IN,
    responses=success(
        StopOuts, "Receipts, newest first.", StopOuts(4711, [EXAMPLE_STOP_OUT], str(AFTER_STOP_OUT.example))
    )
    | documented(*LISTED)
    | refusals(Refusal.UNKNOWN_ACCOUNT, Refusal.UNKNOWN_SYMBOL),
)
async def list_stop_outs(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> StopOuts:
    """`GET /api/v1/stop-outs`."""
    query = read_listed(request)
    after, limit = AFTER_STOP_OUT.read_or(query, None), LIMIT.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        whose = await whose_of(connection, actor, query)
        symbol = await symbol_of(connection, whose.world, query)
        return StopOuts(seq, *await reads.stop_outs(connection, whose, symbol, after, limit))


HANDLERS: tuple[HTTPRouteHandler, ...] = (list_positions, one_position, list_entries, list_stop_outs)
