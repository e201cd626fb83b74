"""The endpoints that act on leveraged positions and on entries that wait for a price."""

from typing import Any, Final

from litestar import Request, delete, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import Direction, EntryKind
from fondaco.domains.identity.api import Actor
from fondaco.domains.positions.api import PositionService
from fondaco.domains.positions.shapes import (
    LEVEL_SCHEMA,
    CancelledEntry,
    ChangedPosition,
    ClosedPosition,
    NewEntry,
    NewLevel,
    NewPosition,
    OpenedPosition,
    PlacedEntry,
    PositionChange,
    PositionClosing,
    PositionVerdict,
)
from fondaco.gateways.rest.bodies import Body, success
from fondaco.gateways.rest.entry import KEY, idempotency_key
from fondaco.gateways.rest.orders import BODY, ENGINE, ORDER, SIGNED_IN, WHO
from fondaco.gateways.rest.parameters import PathParameter, number_id, operation
from fondaco.gateways.rest.problems import documented, refusals
from fondaco.gateways.rest.reading import NUMBER

Call = Request[Any, Any, Any]

POSITIONS_PATH: Final = "/api/v1/positions"
POSITION_PATH: Final = POSITIONS_PATH + "/{position_id:str}"
ENTRIES_PATH: Final = "/api/v1/entries"
ENTRY_PATH: Final = ENTRIES_PATH + "/{entry_id:str}"
POSITION_ID: Final = PathParameter("position_id", "The position.", NUMBER, 1005, number_id, required=True)
ENTRY_ID: Final = PathParameter("entry_id", "The entry.", NUMBER, 1007, number_id, required=True)

NEW_POSITION: Final = Body(
    NewPosition,
    NewPosition(
        account_id=1000,
        symbol="BTCUSDT",
        direction=Direction.LONG,
        quantity="0.5",
        leverage=5,
        stop_loss=NewLevel(price="58000"),
        take_profit=NewLevel(percent="40"),
    ),
    LEVEL_SCHEMA,
)
CLOSING: Final = Body(PositionClosing, PositionClosing(quantity="0.2"))
CHANGE: Final = Body(PositionChange, PositionChange(stop_loss=NewLevel(amount="500"), take_profit=None), LEVEL_SCHEMA)
NEW_ENTRY: Final = Body(
    NewEntry,
    NewEntry(
        account_id=1000,
        symbol="BTCUSDT",
        direction=Direction.SHORT,
        kind=EntryKind.STOP,
        price="57500",
        quantity="0.1",
        leverage=10,
        stop_loss=NewLevel(percent="50"),
    ),
    LEVEL_SCHEMA,
)
OPENED: Final = OpenedPosition(
    seq=4711,
    duplicate=False,
    position_id=1005,
    account_id=1000,
    symbol="BTCUSDT",
    direction=Direction.LONG,
    price="61843.82000000",
    quantity="0.50000000",
    margin="6184.38200000",
    closed="0.00000000",
    result="0.00000000",
    available="3815.61800000",
)
CLOSED: Final = ClosedPosition(
    seq=4712,
    duplicate=False,
    position_id=1005,
    price="62843.82000000",
    quantity="0.20000000",
    left="0.30000000",
    result="200.00000000",
    margin="2473.75280000",
    available="6489.37080000",
)
CHANGED: Final = ChangedPosition(
    seq=4713,
    duplicate=False,
    position_id=1005,
    stop_loss="60177.15000000",
    take_profit=None,
    trailing_distance=None,
)


@post(
    POSITIONS_PATH,
    operation_class=operation(KEY, body=NEW_POSITION.documented()),
    operation_id="openPosition",
    summary="Open a position",
    description=(
        "Opens a leveraged position at the desk's quote, or adds to one. Answered once it is on disk. `docs/desk.md` "
        "has the rules, `docs/refusals.md` why one may be refused."
    ),
    tags=["desk"],
    security=SIGNED_IN,
    responses=success(OpenedPosition, "What it came to.", OPENED, status=201)
    | documented(*ORDER)
    | refusals(Refusal.INSUFFICIENT_MARGIN, Refusal.STALE_QUOTE, Refusal.UNKNOWN_ACCOUNT, Refusal.COMMAND_ID_REUSED),
)
async def open_position(
    request: Call, actor: NamedDependency[Actor], position_service: NamedDependency[PositionService]
) -> OpenedPosition:
    """`POST /api/v1/positions`."""
    body, key = NEW_POSITION.read(await request.body()), idempotency_key(request.scope["headers"])
    return await position_service.open(actor, body, key)


@post(
    POSITIONS_PATH + "/test",
    operation_class=operation(body=NEW_POSITION.documented()),
    operation_id="testPosition",
    summary="Test a position",
    description=(
        "Says whether a position could be opened now, and why not; or what it would cost, and at which price the desk "
        "would close it. Nothing is opened."
    ),
    tags=["desk"],
    status_code=200,
    security=SIGNED_IN,
    responses=success(
        PositionVerdict,
        "Whether it could be opened.",
        PositionVerdict(
            4711,
            accepted=True,
            price="61843.82000000",
            notional="30921.91000000",
            margin="6184.38200000",
            premium="0.00000000",
            liquidation_price="50711.93000000",
        ),
    )
    | documented(*WHO, *BODY, "bad_amount", "not_yours", "engine_away", "queue_full", "follower_behind")
    | refusals(Refusal.LEVERAGE_OUT_OF_RANGE, Refusal.UNKNOWN_ACCOUNT),
)
async def test_position(
    request: Call, actor: NamedDependency[Actor], position_service: NamedDependency[PositionService]
) -> PositionVerdict:
    """`POST /api/v1/positions/test`."""
    return await position_service.check(actor, NEW_POSITION.read(await request.body()))


@post(
    POSITION_PATH + "/close",
    operation_class=operation(POSITION_ID, KEY, body=CLOSING.documented()),
    operation_id="closePosition",
    summary="Close a position",
    description="Closes a position, or a part of it, at the desk's quote. Operators may, which the house then did.",
    tags=["desk"],
    status_code=200,
    security=SIGNED_IN,
    responses=success(ClosedPosition, "What it came to.", CLOSED)
    | documented(*ORDER, "bad_id")
    | refusals(Refusal.STALE_QUOTE, Refusal.UNKNOWN_POSITION, Refusal.COMMAND_ID_REUSED),
)
async def close_position(
    request: Call, actor: NamedDependency[Actor], position_service: NamedDependency[PositionService]
) -> ClosedPosition:
    """`POST /api/v1/positions/{position_id}/close`."""
    position_id, key = POSITION_ID.read(request.path_params), idempotency_key(request.scope["headers"])
    return await position_service.close(actor, position_id, CLOSING.read(await request.body()), key)


@patch(
    POSITION_PATH,
    operation_class=operation(POSITION_ID, KEY, body=CHANGE.documented()),
    operation_id="changePosition",
    summary="Move stops",
    description="Sets, moves or removes the stops of a position: what is left out stays as it is, null takes it away.",
    tags=["desk"],
    security=SIGNED_IN,
    responses=success(ChangedPosition, "The stops as they are now.", CHANGED)
    | documented(*ORDER, "bad_id")
    | refusals(Refusal.STOP_WRONG_SIDE, Refusal.UNKNOWN_POSITION, Refusal.COMMAND_ID_REUSED),
)
async def change_position(
    request: Call, actor: NamedDependency[Actor], position_service: NamedDependency[PositionService]
) -> ChangedPosition:
    """`PATCH /api/v1/positions/{position_id}`."""
    position_id, key = POSITION_ID.read(request.path_params), idempotency_key(request.scope["headers"])
    return await position_service.change(actor, position_id, CHANGE.read(await request.body()), key)


@post(
    ENTRIES_PATH,
    operation_class=operation(KEY, body=NEW_ENTRY.documented()),
    operation_id="placeEntry",
    summary="Wait for a price",
    description=(
        "Has a position opened when the desk's quote comes to a price: a better one than now (`limit`) or a worse one "
        "(`stop`). Nothing is set aside for it."
    ),
    tags=["desk"],
    security=SIGNED_IN,
    responses=success(PlacedEntry, "It waits.", PlacedEntry(seq=4714, duplicate=False, entry_id=1007), status=201)
    | documented(*ORDER)
    | refusals(Refusal.WOULD_TRIGGER_NOW, Refusal.UNKNOWN_ACCOUNT, Refusal.COMMAND_ID_REUSED),
)
async def place_entry(
    request: Call, actor: NamedDependency[Actor], position_service: NamedDependency[PositionService]
) -> PlacedEntry:
    """`POST /api/v1/entries`."""
    body, key = NEW_ENTRY.read(await request.body()), idempotency_key(request.scope["headers"])
    return await position_service.place_entry(actor, body, key)


@delete(
    ENTRY_PATH,
    operation_class=operation(ENTRY_ID, KEY),
    operation_id="cancelEntry",
    summary="Wait no longer",
    description="Takes a pending entry back. Another user's looks missing. Operators may, which the house then did.",
    tags=["desk"],
    status_code=200,
    security=SIGNED_IN,
    responses=success(CancelledEntry, "It was taken back.", CancelledEntry(seq=4715, duplicate=False, entry_id=1007))
    | documented(*WHO, *ENGINE, "bad_id")
    | refusals(Refusal.UNKNOWN_ENTRY, Refusal.COMMAND_ID_REUSED),
)
async def cancel_entry(
    request: Call, actor: NamedDependency[Actor], position_service: NamedDependency[PositionService]
) -> CancelledEntry:
    """`DELETE /api/v1/entries/{entry_id}`."""
    entry_id, key = ENTRY_ID.read(request.path_params), idempotency_key(request.scope["headers"])
    return await position_service.cancel_entry(actor, entry_id, key)


HANDLERS: tuple[HTTPRouteHandler, ...] = (
    open_position,
    test_position,
    close_position,
    change_position,
    place_entry,
    cancel_entry,
)
