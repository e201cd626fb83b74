"""A machine as bytes and back: `dump` says everything that cannot be derived, `load` builds the machine from it.

``dump(load(dump(machine))) == dump(machine)``, and what was loaded emits the same events from then on. Rows are sorted
by their ids. Which order stands before which in the book follows from ``priority_seq``; kernel handles, heaps and
indexes are made anew.
"""

from collections import deque
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from fondaco.core.desk.desk import CrossAccount, Desk, QuoteRun, Run
from fondaco.core.desk.state import DeskEntry, DeskPosition, DeskQuote
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.exchange.market import Market
from fondaco.core.house import BREAKER_ENDS, ENTRY_EXPIRES, House, Work
from fondaco.core.ledger import Hold, HoldReason, Ledger
from fondaco.core.machine import Machine
from fondaco.core.remembered import Memory, Remembered
from fondaco.core.state import MAY_OWE, Account, Breaker, Limit, Order, Position, User
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import OrderState, World

VERSION: Final = 1


class BalanceRow(msgspec.Struct, array_like=True, gc=False):
    """A balance that is not empty. What is held follows from the holds."""

    account_id: int
    asset: str
    total: int


class HoldRow(msgspec.Struct, array_like=True, gc=False):
    """An open hold."""

    hold_id: int
    account_id: int
    asset: str
    amount: int
    reason: HoldReason
    note: str


class MarketRow(msgspec.Struct, array_like=True):
    """A market without its orders and positions."""

    terms: Terms
    last_ticks: int
    trade_id: int
    is_closed: bool
    anchor_ticks: int
    anchor_ns: int


class MarkRow(msgspec.Struct, array_like=True, gc=False):
    """The best price that a trailing stop has seen."""

    position_id: int
    mark_ticks: int


class CrossRow(msgspec.Struct, array_like=True, gc=False):
    """A cross account: whether its owner was warned, and the prices at which it is looked at.

    When it is looked at decides nothing, but counts to what one command may do; so it must be the same once loaded.
    """

    account_id: int
    is_warned: bool
    wakes: list[tuple[str, int, int]]
    """Symbol, slot and ticks."""
    due: list[str]
    """Symbols with whose next quote it is looked at, whatever that is."""


class DeskDump(msgspec.Struct):
    """The desk. What positions and entries wait for follows from the rest."""

    terms: list[DeskTerms] = msgspec.field(default_factory=list)
    rules: list[DeskRules] = msgspec.field(default_factory=list)
    quotes: list[DeskQuote] = msgspec.field(default_factory=list)
    positions: list[DeskPosition] = msgspec.field(default_factory=list)
    marks: list[MarkRow] = msgspec.field(default_factory=list)
    entries: list[DeskEntry] = msgspec.field(default_factory=list)
    cross: list[CrossRow] = msgspec.field(default_factory=list)
    paid_days: list[tuple[World, int]] = msgspec.field(default_factory=list)
    runs: list[Run] = msgspec.field(default_factory=list)


class Dump(msgspec.Struct):
    """Everything. New fields get defaults, so that older dumps can still be read."""

    version: int
    seq: int
    now_ns: int
    rules_version: int
    next_id: int
    posting_id: int
    forgotten_seq: int
    assets: dict[str, int]
    users: list[User]
    accounts: list[Account]
    balances: list[BalanceRow]
    holds: list[HoldRow]
    markets: list[MarketRow]
    orders: list[Order]
    fired: list[int]
    works: list[Work]
    positions: list[Position]
    limits: list[Limit]
    breakers: list[Breaker]
    client_ids: list[tuple[int, int, str, int]]
    remembered: list[Remembered]
    desk: DeskDump = msgspec.field(default_factory=DeskDump)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Dump).decode


def dump(machine: Machine) -> bytes:
    """Everything that the machine knows. Its events must have been taken."""
    house = machine.house
    holds = house.ledger.holds
    return _encode(
        Dump(
            VERSION,
            house.seq,
            house.now_ns,
            house.rules_version,
            house.next_id,
            house.ledger.posting_id,
            house.forgotten_seq,
            house.assets,
            sorted(house.users.values(), key=lambda each: each.number),
            [house.accounts[key] for key in sorted(house.accounts)],
            [BalanceRow(each.account_id, each.asset, each.total) for each in house.ledger.balances() if each.total],
            [_hold_row(holds[key]) for key in sorted(holds)],
            [_market_row(house.markets[key]) for key in sorted(house.markets)],
            [house.orders[key] for key in sorted(house.orders)],
            list(house.fired),
            list(house.works),
            sorted(_positions(house), key=lambda each: each.position_id),
            [house.limits[key] for key in sorted(house.limits)],
            sorted(house.breakers.values(), key=lambda each: each.breaker_id),
            [(seq, account, id_, house.client_ids[account, id_]) for seq, account, id_ in house.client_ids_by_age],
            list(machine.remembered),
            _desk_rows(house.desk),
        )
    )


def load(body: bytes) -> Machine:
    """A machine as it was dumped. Raises `msgspec.DecodeError` when the bytes are no dump."""
    rows = _decode(body)
    assert rows.version == VERSION
    house = House()
    house.seq, house.now_ns, house.rules_version = rows.seq, rows.now_ns, rows.rules_version
    house.next_id, house.forgotten_seq = rows.next_id, rows.forgotten_seq
    house.assets = rows.assets
    _load_people(house, rows)
    _load_ledger(house, rows)
    for row in rows.markets:
        house.markets[row.terms.world, row.terms.instrument.symbol] = _market(row)
    for position in rows.positions:
        house.markets[position.world, position.symbol].positions[position.account_id] = position
    house.fired = deque(rows.fired)
    house.works = deque(rows.works)
    _load_orders(house, rows.orders)
    for limit in rows.limits:
        house.limits[limit.world, limit.scope, limit.subject, limit.name, limit.about] = limit
    for breaker in rows.breakers:
        house.breakers[breaker.world, breaker.symbol] = breaker
        if breaker.until_ns:
            house.remind(breaker.until_ns, BREAKER_ENDS, breaker.breaker_id)
    _load_desk(house, rows.desk)
    house.client_ids_by_age.clear()
    for seq, account_id, client_order_id, order_id in rows.client_ids:
        house.client_ids[account_id, client_order_id] = order_id
        house.client_ids_by_age.append((seq, account_id, client_order_id))
    return Machine(house, Memory(rows.remembered))


def state_hash(machine: Machine) -> bytes:
    """32 bytes that stand for everything that the machine knows."""
    return hash_of(dump(machine))


def hash_of(body: bytes) -> bytes:
    """32 bytes that stand for a dump."""
    return blake2b(body, digest_size=32).digest()


def _load_people(house: House, rows: Dump) -> None:
    for user in rows.users:
        house.users[user.user_id] = user
        house.accounts_of[user.user_id] = []
    for account in rows.accounts:
        house.accounts[account.account_id] = account
        house.accounts_of[account.user_id].append(account.account_id)


def _load_ledger(house: House, rows: Dump) -> None:
    ledger = Ledger(house.log, rows.posting_id)
    for account_id in MAY_OWE:
        ledger.allow_negative(account_id)
    for row in rows.balances:
        ledger.balance(row.account_id, row.asset).available = row.total
    for hold in rows.holds:
        ledger.place_hold(
            hold.hold_id, ledger.balance(hold.account_id, hold.asset), hold.amount, hold.reason, hold.note
        )
    ledger.forget_touched()
    house.ledger = ledger


def _load_orders(house: House, orders: Iterable[Order]) -> None:
    """Orders in the order of their priority, so that each stands in its book behind those it stood behind."""
    fired = frozenset(house.fired)
    for order in sorted(orders, key=lambda each: each.priority_seq):
        house.add_order(order)
        market = house.market_of(order)
        if order.state is not OrderState.PENDING:
            owner = market.owner_of(order.account_id, house.accounts[order.account_id].user_number)
            placed = market.book.place(order.order_id, order.side, order.price_ticks, order.open_lots, owner=owner)
            assert not placed.fills
            market.handles[order.order_id] = placed.handle
        elif order.order_id not in fired:
            market.triggers.add(order)


def _desk_rows(desk: Desk) -> DeskDump:
    books = [desk.books[key] for key in sorted(desk.books)]
    positions = [desk.positions[key] for key in sorted(desk.positions)]
    trailing = [each for each in positions if each.trail_ticks]
    return DeskDump(
        [book.terms for book in books if book.terms is not None],
        [desk.rules[world] for world in sorted(desk.rules)],
        [book.quote for book in books if book.quote is not None],
        positions,
        [MarkRow(each.position_id, desk.book_of(each).mark_ticks(each)) for each in trailing],
        [desk.entries[key] for key in sorted(desk.entries)],
        [_cross_row(desk, desk.cross[key]) for key in sorted(desk.cross)],
        [(world, desk.paid_days[world]) for world in sorted(desk.paid_days)],
        list(desk.runs),
    )


def _cross_row(desk: Desk, cross: CrossAccount) -> CrossRow:
    wakes = [(symbol, slot, cross.wakes[symbol, slot]) for symbol, slot in sorted(cross.wakes)]
    symbols = sorted(symbol for world, symbol in desk.books if world is cross.world)
    due = [symbol for symbol in symbols if cross.account_id in desk.books[cross.world, symbol].due_accounts]
    return CrossRow(cross.account_id, cross.is_warned, wakes, due)


def _load_desk(house: House, rows: DeskDump) -> None:
    desk = house.desk
    for terms in rows.terms:
        market = house.markets[terms.world, terms.symbol]
        book = desk.open_book(market.terms)
        book.terms, book.is_closed = terms, market.is_closed
    desk.rules = {rules.world: rules for rules in rows.rules}
    desk.paid_days = dict(rows.paid_days)
    for quote in rows.quotes:
        book = desk.books[quote.world, quote.symbol]
        book.quote, book.newest_ns = quote, quote.received_ns
    desk.runs = deque(rows.runs)
    for run in rows.runs:
        if isinstance(run, QuoteRun):
            desk.books[run.quote.world, run.quote.symbol].newest_ns = run.quote.received_ns
    _load_stakes(house, rows)


def _load_stakes(house: House, rows: DeskDump) -> None:
    """Positions and entries, and what they wait for."""
    desk = house.desk
    marks = {row.position_id: row.mark_ticks for row in rows.marks}
    for position in rows.positions:
        desk.add_position(position)
        desk.book_of(position).arm(position, marks.get(position.position_id, 0))
    for entry in rows.entries:
        desk.add_entry(entry)
        if entry.expires_ns:
            house.remind(entry.expires_ns, ENTRY_EXPIRES, entry.entry_id)
    for row in rows.cross:
        _load_cross(desk, row)
    for key in sorted(desk.books):
        desk.books[key].settle_bounds()


def _load_cross(desk: Desk, row: CrossRow) -> None:
    cross = desk.cross[row.account_id]
    cross.is_warned = row.is_warned
    for symbol, slot, ticks in row.wakes:
        cross.wakes[symbol, slot] = ticks
        desk.books[cross.world, symbol].wake(row.account_id, slot, ticks)
    for symbol in row.due:
        desk.books[cross.world, symbol].look_at(row.account_id)


def _hold_row(hold: Hold) -> HoldRow:
    return HoldRow(hold.hold_id, hold.balance.account_id, hold.balance.asset, hold.amount, hold.reason, hold.note)


def _market_row(market: Market) -> MarketRow:
    return MarketRow(
        market.terms,
        market.last_ticks,
        market.trade_id,
        market.is_closed,
        market.anchor_ticks,
        market.anchor_ns,
    )


def _market(row: MarketRow) -> Market:
    market = Market(row.terms)
    market.last_ticks, market.trade_id, market.is_closed = row.last_ticks, row.trade_id, row.is_closed
    market.anchor_ticks, market.anchor_ns = row.anchor_ticks, row.anchor_ns
    return market


def _positions(house: House) -> Iterable[Position]:
    return (position for market in house.markets.values() for position in market.positions.values())
