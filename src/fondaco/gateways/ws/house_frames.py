"""The frames of the house's own exchange: books, trades and accounts, in decimal text.

Their ``seq`` is the engine's: the number of the last command that a frame tells of. An update tells of the commands
``first_seq`` to ``seq``, and ``first_seq`` is one more than the ``seq`` of the frame before it, so that a client sees a
hole where there is one. Merging two updates for a slow reader is joining their ranges.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from fondaco.core.book.vocabulary import BUY, Depth, Side
from fondaco.core.events import Trade
from fondaco.core.ledger import BalanceChanged
from fondaco.core.money import format_atoms
from fondaco.core.state import Order, Position
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import CloseReason, OrderState, OrderType, TimeInForce, World
from fondaco.engine.account_logs import Effect
from fondaco.engine.books import Print
from fondaco.engine.live import LiveHouse
from fondaco.engine.queries import AccountSeen
from fondaco.gateways.ws.desk_frames import (
    DeskEntryItem,
    DeskFillItem,
    DeskPositionItem,
    QuoteData,
    StopOutItem,
    WarningItem,
    entry_items,
    fill_items,
    position_items,
    stop_out_items,
    warning_items,
)

MILLISECOND_NS = 1_000_000
GONE = "0"
"""The quantity of a level at which nothing rests any more."""

Level: TypeAlias = tuple[str, str]
"""Price and quantity."""


class BookData(msgspec.Struct, frozen=True, gc=False):
    """Levels of both sides, best first in a snapshot."""

    bids: list[Level]
    asks: list[Level]


class TradeItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A trade of the house on the wire; ``side`` is the taker's."""

    id: int
    time_ms: int
    price: str
    quantity: str
    side: str


class OrderItem(msgspec.Struct, frozen=True, gc=False):
    """An order as it stands."""

    order_id: int
    symbol: str
    client_order_id: str | None
    side: str
    type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    price: str | None
    trigger_price: str | None
    quantity: str
    open: str
    filled: str
    filled_notional: str
    fee: str
    state: OrderState
    close_reason: CloseReason | None
    created_ms: int
    updated_ms: int


class OwnTradeItem(msgspec.Struct, frozen=True, gc=False):
    """A trade of the account. One that met itself has bought and sold: then there are two of it."""

    id: int
    symbol: str
    order_id: int
    side: str
    price: str
    quantity: str
    notional: str
    fee: str
    maker: bool


class BalanceItem(msgspec.Struct, frozen=True, gc=False):
    """What the account has of an asset."""

    asset: str
    available: str
    held: str


class HoldingItem(msgspec.Struct, frozen=True, gc=False):
    """What the account has bought of a symbol and not sold again; of a quantity of 0 it has ended."""

    holding_id: int
    symbol: str
    quantity: str
    cost: str
    realised: str
    opened_ms: int


class EffectItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one command did to the account. Kinds of rows that it left alone are left out."""

    seq: int
    time_ms: int
    orders: list[OrderItem] = []
    trades: list[OwnTradeItem] = []
    balances: list[BalanceItem] = []
    holdings: list[HoldingItem] = []
    positions: list[DeskPositionItem] = []
    entries: list[DeskEntryItem] = []
    fills: list[DeskFillItem] = []
    stop_outs: list[StopOutItem] = []
    warnings: list[WarningItem] = []


class AccountData(msgspec.Struct, frozen=True):
    """An account: what it has, and all that has not ended: orders, holdings, positions, entries."""

    balances: list[BalanceItem]
    orders: list[OrderItem]
    holdings: list[HoldingItem]
    positions: list[DeskPositionItem]
    entries: list[DeskEntryItem]


class HouseSnapshot(msgspec.Struct, frozen=True, tag_field="type", tag="snapshot"):
    """The whole state of a channel after command ``seq``."""

    channel: str
    seq: int
    data: BookData | list[TradeItem] | AccountData | QuoteData | None


class HouseUpdate(msgspec.Struct, frozen=True, tag_field="type", tag="update", omit_defaults=True):
    """What the commands ``first_seq`` to ``seq`` changed. ``dropped`` trades are missing from it."""

    channel: str
    first_seq: int
    seq: int
    data: BookData | list[TradeItem] | list[EffectItem] | QuoteData
    dropped: int = 0


def merge_house_updates(
    older: HouseUpdate, newer: HouseUpdate, *, max_trades: int, max_levels: int
) -> tuple[HouseUpdate | None, int]:
    """Merge two updates of one channel for a slow reader; says how many trades gave way.

    Of each level the newest state counts, and of quotes the newest. None when so many levels have changed that a
    snapshot says it shorter.
    """
    gave_way = 0
    data: BookData | list[TradeItem] | QuoteData
    if isinstance(newer.data, QuoteData):
        data = newer.data
    elif isinstance(newer.data, BookData):
        assert isinstance(older.data, BookData)
        data = BookData(_merged(older.data.bids, newer.data.bids), _merged(older.data.asks, newer.data.asks))
        if len(data.bids) + len(data.asks) > max_levels:
            return None, 0
    else:
        both = _trades(older) + _trades(newer)
        gave_way = max(0, len(both) - max_trades)
        data = both[gave_way:]
    dropped = older.dropped + newer.dropped + gave_way
    return HouseUpdate(newer.channel, older.first_seq, newer.seq, data, dropped), gave_way


def levels(depths: Iterable[Depth], terms: Terms) -> list[Level]:
    """Write levels."""
    tick, lot = terms.tick, terms.lot
    price_scale, quantity_scale = terms.instrument.price_scale, terms.instrument.quantity_scale
    return [
        (format_atoms(price * tick, price_scale), format_atoms(lots * lot, quantity_scale) if lots else GONE)
        for price, lots, _ in depths
    ]


def trade_items(prints: Iterable[Print], terms: Terms) -> list[TradeItem]:
    """Write trades that everybody may see."""
    return [
        TradeItem(each.trade_id, each.time_ms, _price(terms, each.price_ticks), _quantity(terms, each.lots), word)
        for each in prints
        for word in (_word(each.taker),)
    ]


def account_data(seen: AccountSeen, live: LiveHouse) -> AccountData:
    """Write an account."""
    return AccountData(
        [_balance_item(each, live) for each in seen.balances],
        [_order_item(each, _terms(live, each.world, each.symbol)) for each in seen.orders],
        [_holding_item(each, _terms(live, each.world, each.symbol)) for each in seen.positions],
        position_items(seen.leveraged, live),
        entry_items(seen.entries, live),
    )


def effect_items(effects: Iterable[Effect], account_id: int, live: LiveHouse) -> list[EffectItem]:
    """Write what commands did to an account."""
    return [
        EffectItem(
            each.seq,
            each.now_ns // MILLISECOND_NS,
            [_order_item(order, _terms(live, order.world, order.symbol)) for order in each.orders.values()],
            [item for trade in each.trades for item in _own_trade_items(trade, account_id, live)],
            [_balance_item(balance, live) for balance in each.balances],
            [_holding_item(holding, _terms(live, holding.world, holding.symbol)) for holding in each.holdings],
            position_items(each.positions.values(), live),
            entry_items(each.entries.values(), live),
            fill_items(each.fills, live),
            stop_out_items(each.stop_outs, live),
            warning_items(each.warnings, live),
        )
        for each in effects
    ]


def _trades(update: HouseUpdate) -> list[TradeItem]:
    assert isinstance(update.data, list)
    return [each for each in update.data if isinstance(each, TradeItem)]


def _merged(older: list[Level], newer: list[Level]) -> list[Level]:
    quantities: Mapping[str, str] = {**dict(older), **dict(newer)}
    return list(quantities.items())


def _terms(live: LiveHouse, world: World, symbol: str) -> Terms:
    """The terms of a market that may have been closed since."""
    return live.listings[world, symbol].terms


def _order_item(order: Order, terms: Terms) -> OrderItem:
    return OrderItem(
        order.order_id,
        order.symbol,
        order.client_order_id or None,
        _word(order.side),
        order.type,
        order.time_in_force,
        order.post_only,
        _price(terms, order.price_ticks) if order.price_ticks else None,
        _price(terms, order.trigger_ticks) if order.trigger_ticks else None,
        _quantity(terms, order.lots),
        _quantity(terms, order.open_lots),
        _quantity(terms, order.filled_lots),
        format_atoms(order.filled_notional, terms.instrument.price_scale),
        format_atoms(order.fee, terms.instrument.price_scale),
        order.state,
        order.close_reason or None,
        order.created_ns // MILLISECOND_NS,
        order.updated_ns // MILLISECOND_NS,
    )


def _own_trade_items(trade: Trade, account_id: int, live: LiveHouse) -> Iterable[OwnTradeItem]:
    terms = _terms(live, trade.world, trade.symbol)
    scale = terms.instrument.price_scale
    for side, account, order_id, fee in (
        (Side.BUY, trade.buy_account_id, trade.buy_order_id, trade.buy_fee),
        (Side.SELL, trade.sell_account_id, trade.sell_order_id, trade.sell_fee),
    ):
        if account == account_id:
            yield OwnTradeItem(
                trade.trade_id,
                trade.symbol,
                order_id,
                _word(side),
                _price(terms, trade.price_ticks),
                _quantity(terms, trade.lots),
                format_atoms(trade.notional, scale),
                format_atoms(fee, scale),
                trade.taker is not side,
            )


def _balance_item(balance: BalanceChanged, live: LiveHouse) -> BalanceItem:
    scale = live.assets[balance.asset]
    return BalanceItem(balance.asset, format_atoms(balance.available, scale), format_atoms(balance.held, scale))


def _holding_item(position: Position, terms: Terms) -> HoldingItem:
    scale = terms.instrument.price_scale
    return HoldingItem(
        position.position_id,
        position.symbol,
        _quantity(terms, position.lots),
        format_atoms(position.cost, scale),
        format_atoms(position.realised, scale),
        position.opened_ns // MILLISECOND_NS,
    )


def _price(terms: Terms, ticks: int) -> str:
    return format_atoms(ticks * terms.tick, terms.instrument.price_scale)


def _quantity(terms: Terms, lots: int) -> str:
    return format_atoms(lots * terms.lot, terms.instrument.quantity_scale)


def _word(side: Side) -> str:
    return "buy" if side is BUY else "sell"
