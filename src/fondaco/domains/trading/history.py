"""What has become of accounts, orders, trades and holdings, read from the engine's tables for whoever may see it.

A user sees their own, an operator everybody's; what belongs to another looks missing. A list is one page, newest
first, of one account or of a user's accounts in one world, since play money and real money are never listed together.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from fondaco.core.listings import canonical_symbol
from fondaco.core.refusals import Refusal
from fondaco.core.vocabulary import OrderState, World
from fondaco.domains.identity.api import Actor
from fondaco.domains.trading import statements
from fondaco.domains.trading.desk import DEFAULT_QUOTE
from fondaco.domains.trading.errors import RefusedError
from fondaco.domains.trading.lines import AccountLine, BalanceLine, EntryLine, HoldingLine, OrderLine, TradeLine
from fondaco.infra.columns import SYMBOL
from fondaco.infra.cursors import Id, Moment, Place
from fondaco.infra.database import PsycopgConnection
from fondaco.infra.paging import Page, read_page
from fondaco.infra.rows import row, rows

MAX_PAGE: Final = 1_000
"""Rows of a page at most."""

Symbol: TypeAlias = Annotated[str, msgspec.Meta(pattern=f"^{SYMBOL.pattern}$")]


class OrderPlace(Place, frozen=True, tag="orders"):
    """An order, in the order of acceptance."""

    time: Moment
    id: Id


class TradePlace(Place, frozen=True, tag="trades"):
    """One side of a trade."""

    time: Moment
    symbol: Symbol
    id: Id
    side: Literal["buy", "sell"]


class HoldingPlace(Place, frozen=True, tag="holdings"):
    """A holding, in the order of its first purchase."""

    time: Moment
    id: Id


class EntryPlace(Place, frozen=True, tag="ledger"):
    """An entry of an account's ledger."""

    time: Moment
    id: Id


class Whose(NamedTuple):
    """Whose rows: those of an account, or of a user's accounts in a world."""

    user_id: str
    world: World
    account_id: int | None = None


class OrderFilter(NamedTuple):
    """Which orders."""

    symbol: str | None = None
    state: OrderState | None = None
    is_open: bool | None = None


class TradeFilter(NamedTuple):
    """Which trades."""

    symbol: str | None = None
    order_id: int | None = None


class HoldingFilter(NamedTuple):
    """Which holdings."""

    symbol: str | None = None
    is_open: bool | None = None


class EntryFilter(NamedTuple):
    """Which entries."""

    asset: str | None = None
    reason: str | None = None


async def account_for(connection: PsycopgConnection, actor: Actor, account_id: int) -> AccountLine:
    """An account that the actor may see. Raises `RefusedError`: another's looks missing."""
    found = await row(connection, statements.ACCOUNT, {"id": account_id}, AccountLine)
    if found is None or not (actor.is_operator or actor.user_id == found.user_id):
        raise RefusedError(Refusal.UNKNOWN_ACCOUNT)
    return found


async def order_for(connection: PsycopgConnection, actor: Actor, order_id: int) -> OrderLine:
    """An order that the actor may see. Raises `RefusedError`: another's looks missing."""
    found = await row(connection, statements.ORDER, {"id": order_id, **_seen_by(actor)}, OrderLine)
    if found is None:
        raise RefusedError(Refusal.UNKNOWN_ORDER)
    return found


async def whose_for(connection: PsycopgConnection, actor: Actor, world: World, account_id: int | None) -> Whose:
    """Whose rows a list is of: the account's that is named, else the actor's own in a world. Raises `RefusedError`."""
    if account_id is None:
        return Whose(actor.user_id, world)
    account = await account_for(connection, actor, account_id)
    return Whose(account.user_id, World(account.world), account_id)


async def symbol_for(connection: PsycopgConnection, world: World, spelling: str) -> str:
    """A symbol of a world in whatever spelling, also one that is closed. Raises `RefusedError`."""
    symbol = canonical_symbol(spelling)
    if SYMBOL.fullmatch(symbol) is not None:
        wanted = {"world": world, "symbol": symbol, "whole": symbol + DEFAULT_QUOTE}
        found = await (await connection.execute(statements.SYMBOL, wanted)).fetchone()
        if found is not None:
            return str(found[0])
    raise RefusedError(Refusal.UNKNOWN_SYMBOL)


async def accounts(connection: PsycopgConnection, user_id: str) -> list[AccountLine]:
    """A user's accounts, oldest first. They are bounded: the engine opens no more than a thousand."""
    return await rows(connection, statements.ACCOUNTS, {"user_id": user_id}, AccountLine)


async def balances(connection: PsycopgConnection, account_id: int) -> list[BalanceLine]:
    """What an account has, by asset."""
    return await rows(connection, statements.BALANCES, {"id": account_id}, BalanceLine)


async def orders(
    connection: PsycopgConnection, whose: Whose, which: OrderFilter, after: OrderPlace | None, limit: int
) -> Page[OrderLine]:
    """Orders, newest first (BBX-46, EXD-12)."""
    statement = statements.ORDERS_OF_USER if whose.account_id is None else statements.ORDERS_OF_ACCOUNT
    wanted = whose._asdict() | which._asdict() | _behind(after)
    return await read_page(connection, statement, wanted, OrderLine, _order_place, limit)


async def trades(
    connection: PsycopgConnection, whose: Whose, which: TradeFilter, after: TradePlace | None, limit: int
) -> Page[TradeLine]:
    """Trades, newest first (BBX-46). One that an account made with itself is told from both sides."""
    statement = statements.TRADES_OF_USER if whose.account_id is None else statements.TRADES_OF_ACCOUNT
    behind = {"after_symbol": after and after.symbol, "side": after and after.side} | _behind(after)
    wanted = whose._asdict() | which._asdict() | behind
    return await read_page(connection, statement, wanted, TradeLine, _trade_place, limit)


async def holdings(
    connection: PsycopgConnection, whose: Whose, which: HoldingFilter, after: HoldingPlace | None, limit: int
) -> Page[HoldingLine]:
    """Holdings, newest first."""
    statement = statements.HOLDINGS_OF_USER if whose.account_id is None else statements.HOLDINGS_OF_ACCOUNT
    wanted = whose._asdict() | which._asdict() | _behind(after)
    return await read_page(connection, statement, wanted, HoldingLine, _holding_place, limit)


async def ledger(
    connection: PsycopgConnection, whose: Whose, which: EntryFilter, after: EntryPlace | None, limit: int
) -> Page[EntryLine]:
    """Entries of ledgers, newest first."""
    statement = statements.LEDGER_OF_USER if whose.account_id is None else statements.LEDGER_OF_ACCOUNT
    wanted = whose._asdict() | which._asdict() | _behind(after)
    return await read_page(connection, statement, wanted, EntryLine, _entry_place, limit)


def _seen_by(actor: Actor) -> dict[str, Any]:
    return {"all": actor.is_operator, "user_id": actor.user_id}


def _behind(after: OrderPlace | TradePlace | HoldingPlace | EntryPlace | None) -> dict[str, Any]:
    return {"time": after and after.time, "id": after and after.id}


def _order_place(line: OrderLine) -> OrderPlace:
    return OrderPlace(datetime.fromisoformat(line.created_at), line.order_id)


def _trade_place(line: TradeLine) -> TradePlace:
    return TradePlace(datetime.fromisoformat(line.created_at), line.symbol, line.trade_id, line.side)


def _holding_place(line: HoldingLine) -> HoldingPlace:
    return HoldingPlace(datetime.fromisoformat(line.opened_at), line.id)


def _entry_place(line: EntryLine) -> EntryPlace:
    return EntryPlace(datetime.fromisoformat(line.created_at), line.id)
