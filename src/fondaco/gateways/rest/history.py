"""The endpoints that tell what has become of accounts, orders, trades and holdings."""

from typing import Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from fondaco.core.ledger import PostingCode
from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import OrderState, World
from fondaco.domains.identity.api import Actor
from fondaco.domains.positions.api import MarginLine, Valuer
from fondaco.domains.trading import history
from fondaco.domains.trading.history import (
    EntryFilter,
    EntryPlace,
    HoldingFilter,
    HoldingPlace,
    OrderFilter,
    OrderPlace,
    TradeFilter,
    TradePlace,
    Whose,
)
from fondaco.domains.trading.lines import AccountLine, BalanceLine, EntryLine, HoldingLine, OrderLine, TradeLine
from fondaco.engine.reading import Tables
from fondaco.gateways.rest.accounts import ACCOUNT
from fondaco.gateways.rest.bodies import success
from fondaco.gateways.rest.entry import ORDER_ID, ORDER_PATH, ORDERS_PATH
from fondaco.gateways.rest.orders import SIGNED_IN
from fondaco.gateways.rest.parameters import QueryParameter, number_id, operation, read_listed
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
    NUMBER,
    READ,
    Call,
    code,
    cursor,
    symbol_of,
    whose_of,
    word,
    yes_or_no,
)
from fondaco.infra.rows import iso

AFTER_ORDER: Final = cursor(OrderPlace(EXAMPLE_TIME, 1005))
AFTER_TRADE: Final = cursor(TradePlace(EXAMPLE_TIME, "BTCUSDT", 1, "buy"))
AFTER_HOLDING: Final = cursor(HoldingPlace(EXAMPLE_TIME, 1006))
AFTER_ENTRY: Final = cursor(EntryPlace(EXAMPLE_TIME, 8))
STATE: Final = word("state", "Only orders in this state.", OrderState)
IS_OPEN: Final = yes_or_no("open", "Only what is still open, or only what has ended; both when left out.")
OF_ORDER: Final = QueryParameter("order_id", "Only trades of this order.", NUMBER, 1005, number_id)
ASSET: Final = code("asset", "Only entries of this asset.", "USDT")
REASON: Final = word("reason", "Only entries for this reason.", PostingCode)


class Accounts(msgspec.Struct, frozen=True):
    """A user's accounts, oldest first."""

    seq: int
    accounts: list[AccountLine]


class OneAccount(msgspec.Struct, frozen=True):
    """An account and what it has; of a margin account also how it stands at the desk's last quotes."""

    seq: int
    account: AccountLine
    balances: list[BalanceLine]
    margin: MarginLine | None


class Balances(msgspec.Struct, frozen=True):
    """What an account has, by asset."""

    seq: int
    balances: list[BalanceLine]


class Ledger(msgspec.Struct, frozen=True):
    """Entries of an account, newest first; `next` is the cursor of the next page."""

    seq: int
    entries: list[EntryLine]
    next: str | None


class Orders(msgspec.Struct, frozen=True):
    """Orders, newest first; `next` is the cursor of the next page."""

    seq: int
    orders: list[OrderLine]
    next: str | None


class OneOrder(msgspec.Struct, frozen=True):
    """An order as it stands."""

    seq: int
    order: OrderLine


class Trades(msgspec.Struct, frozen=True):
    """Trades, newest first; `next` is the cursor of the next page."""

    seq: int
    trades: list[TradeLine]
    next: str | None


class Holdings(msgspec.Struct, frozen=True):
    """Holdings, newest first; `next` is the cursor of the next page."""

    seq: int
    holdings: list[HoldingLine]
    next: str | None


_TIME = iso(EXAMPLE_TIME)
EXAMPLE_ACCOUNT: Final = AccountLine(
    id=1000,
    user_id="01912f4c-2a00-7000-8000-000000000001",
    world="trading",
    kind="margin",
    currency="USDT",
    status="active",
    position_mode="hedging",
    swap_free=False,
    created_at=_TIME,
)
EXAMPLE_BALANCE: Final = BalanceLine("USDT", "900.00000000", "100.00000000", "1000.00000000", _TIME)
EXAMPLE_MARGIN: Final = MarginLine("980.00000000", "500.00000000", "480.00000000", "196.0000")
EXAMPLE_ENTRY: Final = EntryLine(
    8, 1000, "USDT", "credit", "1000.00000000", "1000.00000000", "deposit", 4711, None, _TIME
)
EXAMPLE_ORDER: Final = OrderLine(
    order_id=1005,
    account_id=1000,
    symbol="BTCUSDT",
    client_order_id=None,
    side="buy",
    type="limit",
    state="partially_filled",
    time_in_force="gtc",
    post_only=False,
    price="61837.63000000",
    trigger_price=None,
    quantity="0.01500000",
    quote_quantity=None,
    open_quantity="0.00500000",
    filled="0.01000000",
    average_price="61837.63000000",
    fee="0.61837630",
    fee_currency="USDT",
    close_reason=None,
    created_at=_TIME,
    updated_at=_TIME,
    expires_at=None,
    filled_at=None,
    closed_at=None,
)
EXAMPLE_TRADE: Final = TradeLine(
    trade_id=1,
    account_id=1000,
    symbol="BTCUSDT",
    order_id=1005,
    side="buy",
    is_taker=True,
    price="61837.63000000",
    quantity="0.01000000",
    total="618.37630000",
    fee="0.61837630",
    fee_currency="USDT",
    realized_pnl=None,
    created_at=_TIME,
)
EXAMPLE_HOLDING: Final = HoldingLine(
    id=1006,
    account_id=1000,
    symbol="BTCUSDT",
    side="long",
    status="open",
    quantity="0.01000000",
    cost="618.37630000",
    average_entry_price="61837.63000000",
    realized_pnl="0.00000000",
    unrealized_pnl="0.00000000",
    pnl_currency="USDT",
    opened_at=_TIME,
    updated_at=_TIME,
    closed_at=None,
)


@get(
    "/api/v1/accounts",
    operation_class=operation(AFTER_SEQ),
    operation_id="accounts",
    summary="Your accounts",
    description="All accounts of whoever asks, in every world, oldest first.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(Accounts, "Accounts, oldest first.", Accounts(4711, [EXAMPLE_ACCOUNT])) | documented(*READ),
)
async def list_accounts(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Accounts:
    """`GET /api/v1/accounts`."""
    async with tables.read(AFTER_SEQ.read_or(read_listed(request), 0)) as (connection, seq):
        return Accounts(seq, await history.accounts(connection, actor.user_id))


@get(
    "/api/v1/accounts/{account_id:str}",
    operation_class=operation(ACCOUNT, AFTER_SEQ),
    operation_id="account",
    summary="An account",
    description=(
        "An account with its balances, and of a margin account equity, used and free margin and margin level, at the "
        "desk's last quotes. Another user's looks missing; operators see any."
    ),
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(OneAccount, "The account.", OneAccount(4711, EXAMPLE_ACCOUNT, [EXAMPLE_BALANCE], EXAMPLE_MARGIN))
    | documented(*READ)
    | refusals(Refusal.UNKNOWN_ACCOUNT),
)
async def one_account(
    request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables], valuer: NamedDependency[Valuer]
) -> OneAccount:
    """`GET /api/v1/accounts/{account_id}`."""
    account_id = ACCOUNT.read(request.path_params)
    async with tables.read(AFTER_SEQ.read_or(read_listed(request), 0)) as (connection, seq):
        account = await history.account_for(connection, actor, account_id)
        margin = valuer.margin_of(account.id)
        return OneAccount(seq, account, await history.balances(connection, account.id), margin)


@get(
    "/api/v1/accounts/{account_id:str}/balances",
    operation_class=operation(ACCOUNT, AFTER_SEQ),
    operation_id="balances",
    summary="Balances of an account",
    description="What an account has of each asset: available, held, and both.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(Balances, "Balances by asset.", Balances(4711, [EXAMPLE_BALANCE]))
    | documented(*READ)
    | refusals(Refusal.UNKNOWN_ACCOUNT),
)
async def list_balances(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Balances:
    """`GET /api/v1/accounts/{account_id}/balances`."""
    account_id = ACCOUNT.read(request.path_params)
    async with tables.read(AFTER_SEQ.read_or(read_listed(request), 0)) as (connection, seq):
        account = await history.account_for(connection, actor, account_id)
        return Balances(seq, await history.balances(connection, account.id))


@get(
    "/api/v1/accounts/{account_id:str}/ledger",
    operation_class=operation(ACCOUNT, ASSET, REASON, LIMIT, AFTER_ENTRY, AFTER_SEQ),
    operation_id="ledger",
    summary="Ledger of an account",
    description="Every movement of money on an account, newest first, with the balance that resulted.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(Ledger, "Entries, newest first.", Ledger(4711, [EXAMPLE_ENTRY], str(AFTER_ENTRY.example)))
    | documented(*READ, "bad_limit", "bad_cursor", "bad_word")
    | refusals(Refusal.UNKNOWN_ACCOUNT),
)
async def list_entries(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Ledger:
    """`GET /api/v1/accounts/{account_id}/ledger`."""
    query, account_id = read_listed(request), ACCOUNT.read(request.path_params)
    which = EntryFilter(ASSET.read_or(query, None), REASON.read_or(query, None))
    after, limit = AFTER_ENTRY.read_or(query, None), LIMIT.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        account = await history.account_for(connection, actor, account_id)
        whose = Whose(account.user_id, World(account.world), account.id)
        return Ledger(seq, *await history.ledger(connection, whose, which, after, limit))


@get(
    "/api/v1/ledger",
    operation_class=operation(ANY_ACCOUNT, ANY_WORLD, ASSET, REASON, LIMIT, AFTER_ENTRY, AFTER_SEQ),
    operation_id="ledgers",
    summary="Your ledger",
    description=(
        "Every movement of money on your accounts in a world, or on one account, newest first. What the desk does is "
        "told by its own reasons; `reference_id` is then the position."
    ),
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(Ledger, "Entries, newest first.", Ledger(4711, [EXAMPLE_ENTRY], str(AFTER_ENTRY.example)))
    | documented(*LISTED, "bad_word")
    | refusals(Refusal.UNKNOWN_ACCOUNT),
)
async def list_ledger(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Ledger:
    """`GET /api/v1/ledger`."""
    query = read_listed(request)
    which = EntryFilter(ASSET.read_or(query, None), REASON.read_or(query, None))
    after, limit = AFTER_ENTRY.read_or(query, None), LIMIT.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        whose = await whose_of(connection, actor, query)
        return Ledger(seq, *await history.ledger(connection, whose, which, after, limit))


@get(
    ORDERS_PATH,
    operation_class=operation(ANY_ACCOUNT, ANY_WORLD, ANY_SYMBOL, STATE, IS_OPEN, LIMIT, AFTER_ORDER, AFTER_SEQ),
    operation_id="orders",
    summary="Orders",
    description="Your orders in a world, or those of an account, newest first.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(Orders, "Orders, newest first.", Orders(4711, [EXAMPLE_ORDER], str(AFTER_ORDER.example)))
    | documented(*LISTED, "bad_word", "bad_flag")
    | refusals(Refusal.UNKNOWN_ACCOUNT, Refusal.UNKNOWN_SYMBOL),
)
async def list_orders(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Orders:
    """`GET /api/v1/orders` (BBX-46)."""
    query = read_listed(request)
    state, is_open = STATE.read_or(query, None), IS_OPEN.read_or(query, None)
    after, limit = AFTER_ORDER.read_or(query, None), LIMIT.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        whose = await whose_of(connection, actor, query)
        which = OrderFilter(await symbol_of(connection, whose.world, query), state, is_open)
        return Orders(seq, *await history.orders(connection, whose, which, after, limit))


@get(
    ORDER_PATH,
    operation_class=operation(ORDER_ID, AFTER_SEQ),
    operation_id="order",
    summary="An order",
    description="An order as it stands, also one that has ended. Another user's looks missing; operators see any.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(OneOrder, "The order.", OneOrder(4711, EXAMPLE_ORDER))
    | documented(*READ)
    | refusals(Refusal.UNKNOWN_ORDER),
)
async def one_order(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> OneOrder:
    """`GET /api/v1/orders/{order_id}`."""
    order_id = ORDER_ID.read(request.path_params)
    async with tables.read(AFTER_SEQ.read_or(read_listed(request), 0)) as (connection, seq):
        return OneOrder(seq, await history.order_for(connection, actor, order_id))


@get(
    "/api/v1/trades",
    operation_class=operation(ANY_ACCOUNT, ANY_WORLD, ANY_SYMBOL, OF_ORDER, LIMIT, AFTER_TRADE, AFTER_SEQ),
    operation_id="trades",
    summary="Your trades",
    description="Your trades in a world, or those of an account, newest first, each from the side of your order.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(Trades, "Trades, newest first.", Trades(4711, [EXAMPLE_TRADE], str(AFTER_TRADE.example)))
    | documented(*LISTED)
    | refusals(Refusal.UNKNOWN_ACCOUNT, Refusal.UNKNOWN_SYMBOL),
)
async def list_trades(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Trades:
    """`GET /api/v1/trades` (BBX-46)."""
    query = read_listed(request)
    order_id = OF_ORDER.read(query) if OF_ORDER.name in query else None
    after, limit = AFTER_TRADE.read_or(query, None), LIMIT.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        whose = await whose_of(connection, actor, query)
        which = TradeFilter(await symbol_of(connection, whose.world, query), order_id)
        return Trades(seq, *await history.trades(connection, whose, which, after, limit))


@get(
    "/api/v1/holdings",
    operation_class=operation(ANY_ACCOUNT, ANY_WORLD, ANY_SYMBOL, IS_OPEN, LIMIT, AFTER_HOLDING, AFTER_SEQ),
    operation_id="holdings",
    summary="Holdings",
    description="What you bought and have not sold again, and what was earned by selling, newest first.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(
        Holdings, "Holdings, newest first.", Holdings(4711, [EXAMPLE_HOLDING], str(AFTER_HOLDING.example))
    )
    | documented(*LISTED, "bad_flag")
    | refusals(Refusal.UNKNOWN_ACCOUNT, Refusal.UNKNOWN_SYMBOL),
)
async def list_holdings(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Holdings:
    """`GET /api/v1/holdings`."""
    query = read_listed(request)
    is_open, after = IS_OPEN.read_or(query, None), AFTER_HOLDING.read_or(query, None)
    limit = LIMIT.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        whose = await whose_of(connection, actor, query)
        which = HoldingFilter(await symbol_of(connection, whose.world, query), is_open)
        return Holdings(seq, *await history.holdings(connection, whose, which, after, limit))


HANDLERS: tuple[HTTPRouteHandler, ...] = (
    list_accounts,
    one_account,
    list_balances,
    list_entries,
    list_ledger,
    list_orders,
    one_order,
    list_trades,
    list_holdings,
)
