"""What the rows of each table are made of: its columns in order, and how a row comes of an event.

Those of the desk stand in `desk_rows`.

Events carry prices in ticks and quantities in lots, tables have atoms; `Steps` are what lies between.
"""

from typing import Any, Final, NamedTuple, TypeAlias

from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.events import AssetListed, InstrumentListed, RiskAlert, Trade
from fondaco.core.ledger import BalanceChanged, HoldChanged, Posting
from fondaco.core.state import ENDED, Account, Breaker, Limit, Order, Position
from fondaco.core.vocabulary import Direction, OrderState
from fondaco.engine.projection.copying import Layout, flag, integer, layout, moment, number, short, text, word
from fondaco.engine.projection.folding import Told
from fondaco.engine.projection.tables import EntryType, OrderSide, SelfTradePolicy

HOUSE_EXCHANGE: Final = "house"
SIDES: Final = {Side.BUY: OrderSide.BUY.value, Side.SELL: OrderSide.SELL.value}
POLICIES: Final = {each: SelfTradePolicy[each.name].value for each in SelfTrade}
LONG: Final = Direction.LONG.value
DEBIT: Final = EntryType.DEBIT.value
CREDIT: Final = EntryType.CREDIT.value

Row: TypeAlias = tuple[Any, ...]
"""Values in the order of a layout's columns."""


class Steps(NamedTuple):
    """An instrument's tick in quote atoms per whole base unit, and its lot in base atoms."""

    tick: int
    lot: int


ASSETS: Final = layout("assets", code=word, scale=short, created_at=moment)
TRADING_PAIRS: Final = layout(
    "trading_pairs",
    world=word,
    symbol=word,
    exchange=word,
    base=word,
    quote=word,
    base_scale=short,
    quote_scale=short,
    tick=number,
    lot=number,
    max_price=number,
    max_quantity=number,
    max_open_orders=number,
    maker_ppm=integer,
    taker_ppm=integer,
    band_ppm=integer,
    max_leverage=integer,
    breaker_move_ppm=integer,
    breaker_window_ns=number,
    breaker_pause_ns=number,
    self_trade_scope=word,
    active=flag,
    created_at=moment,
    updated_at=moment,
)
ACCOUNTS: Final = layout(
    "accounts",
    id=number,
    user_id=text,
    world=word,
    kind=word,
    currency=word,
    status=word,
    position_mode=word,
    is_swap_free=flag,
    created_at=moment,
    updated_at=moment,
)
BALANCES: Final = layout("balances", account_id=number, asset=word, available=number, held=number, updated_at=moment)
HOLDS: Final = layout(
    "balance_holds",
    id=number,
    created_at=moment,
    account_id=number,
    asset=word,
    amount=number,
    reason=word,
    note=text,
    released_at=moment,
)
ENTRIES: Final = layout(
    "ledger_entries",
    id=number,
    created_at=moment,
    account_id=number,
    asset=word,
    type=word,
    amount=number,
    balance_after=number,
    reason=word,
    reference=number,
    symbol=word,
)
ORDERS: Final = layout(
    "orders",
    id=number,
    created_at=moment,
    account_id=number,
    world=word,
    symbol=word,
    client_order_id=text,
    side=word,
    type=word,
    time_in_force=word,
    post_only=flag,
    self_trade=word,
    trigger_price=number,
    quote_quantity=number,
    expires_at=moment,
    maker_ppm=integer,
    taker_ppm=integer,
    accepted_seq=number,
    price=number,
    quantity=number,
    open_quantity=number,
    filled_quantity=number,
    filled_notional=number,
    fee=number,
    priority_seq=number,
    seq=number,
    updated_at=moment,
    state=word,
    close_reason=word,
    filled_at=moment,
    closed_at=moment,
)
_KEY: Final = 2
_CHANGING: Final = ORDERS.columns.index("price")
"""From here on an order's columns may change."""
CHANGED_ORDERS: Final = Layout(
    "orders",
    (*ORDERS.columns[:_KEY], *ORDERS.columns[_CHANGING:]),
    (*ORDERS.fields[:_KEY], *ORDERS.fields[_CHANGING:]),
)
TRADES: Final = layout(
    "trades",
    world=word,
    symbol=word,
    id=number,
    created_at=moment,
    price=number,
    quantity=number,
    notional=number,
    buy_order_id=number,
    sell_order_id=number,
    buyer_account_id=number,
    seller_account_id=number,
    buyer_fee=number,
    seller_fee=number,
    seller_realised=number,
    taker_side=word,
    seq=number,
)
POSITIONS: Final = layout(
    "positions",
    id=number,
    account_id=number,
    world=word,
    symbol=word,
    direction=word,
    quantity=number,
    cost=number,
    realised=number,
    opened_at=moment,
    updated_at=moment,
    closed_at=moment,
)
LIMITS: Final = layout(
    "risk_limits",
    world=word,
    scope=word,
    subject=text,
    name=word,
    about=word,
    value=number,
    created_at=moment,
    updated_at=moment,
)
BREAKERS: Final = layout(
    "circuit_breakers",
    id=number,
    world=word,
    symbol=word,
    reason=text,
    activated_by=text,
    activated_at=moment,
    until=moment,
    deactivated_at=moment,
)
ALERTS: Final = layout(
    "risk_alerts",
    id=number,
    severity=word,
    kind=text,
    message=text,
    entity_type=text,
    entity_id=text,
    created_at=moment,
)


def asset_row(told: Told[AssetListed]) -> Row:
    """An asset as it was listed."""
    return (told.event.code, told.event.scale, told.ns)


def pair_row(told: Told[InstrumentListed]) -> Row:
    """A market as it was opened."""
    terms = told.event.terms
    instrument = terms.instrument
    return (
        terms.world,
        instrument.symbol,
        HOUSE_EXCHANGE,
        instrument.base.code,
        instrument.quote.code,
        instrument.base.scale,
        instrument.quote.scale,
        terms.tick,
        terms.lot,
        terms.max_price_ticks * terms.tick,
        terms.max_order_lots * terms.lot,
        terms.max_open_orders,
        terms.maker_ppm,
        terms.taker_ppm,
        terms.band_ppm,
        terms.max_leverage,
        terms.breaker_move_ppm,
        terms.breaker_window_ns,
        terms.breaker_pause_ns,
        terms.self_trade_scope,
        True,
        told.ns,
        told.ns,
    )


def account_row(told: Told[Account]) -> Row:
    """An account as it stands."""
    account = told.event
    return (
        account.account_id,
        account.user_id,
        account.world,
        account.kind,
        account.currency,
        account.status,
        account.position_mode,
        account.is_swap_free,
        told.first_ns,
        told.ns,
    )


def balance_row(told: Told[BalanceChanged]) -> Row:
    """A balance as it stands."""
    balance = told.event
    return (balance.account_id, balance.asset, balance.available, balance.held, told.ns)


def hold_row(told: Told[HoldChanged], created_ns: int) -> Row:
    """A hold as it stands."""
    hold = told.event
    released_ns = None if hold.amount else told.ns
    return (
        hold.hold_id,
        created_ns,
        hold.account_id,
        hold.asset,
        hold.amount,
        hold.reason,
        hold.note or None,
        released_ns,
    )


def entry_rows(told: Told[Posting]) -> tuple[Row, Row]:
    """Both halves of a posting."""
    it, ns = told.event, told.ns
    number_, shared = 2 * it.posting_id, (it.code, it.reference, it.symbol or None)
    return (
        (number_, ns, it.debit_account_id, it.asset, DEBIT, it.amount, it.debit_after, *shared),
        (number_ + 1, ns, it.credit_account_id, it.asset, CREDIT, it.amount, it.credit_after, *shared),
    )


def order_row(told: Told[Order], steps: Steps) -> Row:
    """An order as it stands."""
    order, (tick, lot) = told.event, steps
    return (
        order.order_id,
        order.created_ns,
        order.account_id,
        order.world,
        order.symbol,
        order.client_order_id or None,
        SIDES[order.side],
        order.type,
        order.time_in_force,
        order.post_only,
        POLICIES[order.self_trade],
        order.trigger_ticks * tick or None,
        order.quote_quantity or None,
        order.expires_ns or None,
        order.maker_ppm,
        order.taker_ppm,
        order.accepted_seq,
        *_changing(told, tick, lot),
    )


def changed_order_row(told: Told[Order], steps: Steps) -> Row:
    """What may have changed of an order, behind its key."""
    return (told.event.order_id, told.event.created_ns, *_changing(told, *steps))


def _changing(told: Told[Order], tick: int, lot: int) -> Row:
    order = told.event
    return (
        order.price_ticks * tick or None,
        order.lots * lot,
        order.open_lots * lot,
        order.filled_lots * lot,
        order.filled_notional,
        order.fee,
        order.priority_seq,
        told.seq,
        order.updated_ns,
        order.state,
        order.close_reason or None,
        order.updated_ns if order.state is OrderState.FILLED else None,
        order.updated_ns if order.state in ENDED else None,
    )


def trade_row(told: Told[Trade], steps: Steps) -> Row:
    """A trade."""
    trade, (tick, lot) = told.event, steps
    return (
        trade.world,
        trade.symbol,
        trade.trade_id,
        told.ns,
        trade.price_ticks * tick,
        trade.lots * lot,
        trade.notional,
        trade.buy_order_id,
        trade.sell_order_id,
        trade.buy_account_id,
        trade.sell_account_id,
        trade.buy_fee,
        trade.sell_fee,
        trade.sell_realised,
        SIDES[trade.taker],
        told.seq,
    )


def position_row(told: Told[Position], steps: Steps) -> Row:
    """A position as it stands."""
    position = told.event
    return (
        position.position_id,
        position.account_id,
        position.world,
        position.symbol,
        LONG,
        position.lots * steps.lot,
        position.cost,
        position.realised,
        position.opened_ns,
        position.changed_ns,
        position.closed_ns or None,
    )


def limit_row(told: Told[Limit]) -> Row:
    """A limit as it stands."""
    it = told.event
    return (it.world, it.scope, it.subject, it.name, it.about, it.value, told.first_ns, told.ns)


def breaker_row(told: Told[Breaker]) -> Row:
    """A breaker as it stands."""
    it = told.event
    return (
        it.breaker_id,
        it.world,
        it.symbol or None,
        it.reason,
        it.by or None,
        it.since_ns,
        it.until_ns or None,
        it.lifted_ns or None,
    )


def alert_row(told: Told[RiskAlert]) -> Row:
    """An alert, with the kind of thing and the thing that it is about."""
    it = told.event
    entity_type, _, entity_id = it.entity.partition(":")
    return (it.alert_id, it.severity, it.kind, it.message, entity_type, entity_id, told.ns)
