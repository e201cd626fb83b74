"""What owners must be told of what the desk has done by itself, written to the outbox for whoever notifies them.

A notice is written in the transaction that moves the watermark past its event, so it is there once, however often the
engine, the follower or this very write is interrupted. Its id follows from its event: the moment, the command's number,
and its place among the notices of that command.

One for each stop loss or trailing stop and each take profit that closed something, one for each receipt (an isolated
position's margin call, or a cross account's stop-out with everything that it closed), one for each warning.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from fondaco.core.desk.state import DeskFill, MarginWarning, StopOut
from fondaco.core.money import format_atoms
from fondaco.core.vocabulary import Closing, World
from fondaco.engine.projection.folding import Fold, Told
from fondaco.engine.projection.months import EPOCH
from fondaco.infra.database import PsycopgConnection
from fondaco.infra.ids import uuid7
from fondaco.infra.outbox import Message, enqueue_all

TOPIC: Final = "notifications"
"""The outbox's topic; the key is the user, so that each is told in order."""
MAX_OF_A_COMMAND: Final = 2**20
"""Notices of one command stay below this: the desk closes at most 10,000 positions in one."""

_OWNERS: Final = """
SELECT c.id, c.user_id, c.currency, a.scale FROM accounts c JOIN assets a ON a.code = c.currency WHERE c.id = ANY(%s)
"""
_MARKETS: Final = "SELECT world, symbol, tick, lot, base_scale, quote, quote_scale FROM trading_pairs"


class NoticeKind(StrEnum):
    """What has happened. The values are stable: they stand in messages."""

    STOP_LOSS_HIT = "stop_loss_hit"
    TAKE_PROFIT_HIT = "take_profit_hit"
    MARGIN_CALL = "margin_call"
    MARGIN_WARNING = "margin_warning"


class ClosedPart(msgspec.Struct, frozen=True):
    """A position, or a part of it, that was closed. Amounts are decimals as text."""

    position_id: int
    symbol: str
    direction: str
    quantity: str
    price: str
    result: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a message. Amounts are decimals as text, in ``currency``; prices in the symbol's quote asset.

    ``closed`` has all that was closed, in its order; position and price stand by themselves when it was one.
    """

    kind: NoticeKind
    seq: int
    """The command."""
    at: str
    """When, in UTC."""
    user_id: str
    account_id: int
    world: World
    symbol: str
    """Whose quote it was; empty when an account is warned for another reason."""
    currency: str
    position_id: int | None = None
    reason: str | None = None
    """Why it was closed (`Closing`), or by which rule (`fondaco.engine.projection.desk_tables.ReceiptPolicy`)."""
    price: str | None = None
    result: str | None = None
    """What all of it brought, before what was covered."""
    covered: str | None = None
    """The part of a loss that the owner did not have to bear."""
    equity: str | None = None
    """Of the account or isolated position that a call or warning is about, before anything was closed."""
    margin: str | None = None
    stop_out_id: int | None = None
    closed: Sequence[ClosedPart] = ()


class Owner(NamedTuple):
    """Whose account it is, and what it counts in."""

    user_id: str
    currency: str
    scale: int


class Market(NamedTuple):
    """How a market's ticks and lots are written."""

    tick: int
    lot: int
    base_scale: int
    quote: str
    quote_scale: int

    def price(self, ticks: int) -> str:
        """A price as a decimal."""
        return format_atoms(ticks * self.tick, self.quote_scale)

    def quantity(self, lots: int) -> str:
        """A quantity as a decimal."""
        return format_atoms(lots * self.lot, self.base_scale)

    def amount(self, atoms: int) -> str:
        """An amount of the quote asset as a decimal."""
        return format_atoms(atoms, self.quote_scale)


Markets: TypeAlias = Mapping[tuple[str, str], Market]
Noticed: TypeAlias = Told[DeskFill] | Told[StopOut] | Told[MarginWarning]

_HITS: Final = {
    Closing.STOP_LOSS: NoticeKind.STOP_LOSS_HIT,
    Closing.TRAILING_STOP: NoticeKind.STOP_LOSS_HIT,
    Closing.TAKE_PROFIT: NoticeKind.TAKE_PROFIT_HIT,
}


async def notify(connection: PsycopgConnection, fold: Fold) -> None:
    """Write the notices of a run, once its rows are in the tables."""
    noticed = _news(fold)
    if not noticed:
        return
    ids = sorted({told.event.account_id for told in noticed})
    found = await (await connection.execute(_OWNERS, (ids,))).fetchall()
    owners = {account_id: Owner(*rest) for account_id, *rest in found}
    found = await (await connection.execute(_MARKETS)).fetchall()
    markets = {(world, symbol): Market(*rest) for world, symbol, *rest in found}
    await enqueue_all(connection, messages(fold, owners, markets))


def messages(fold: Fold, owners: Mapping[int, Owner], markets: Markets) -> Iterator[Message]:
    """The messages of what has happened in a run, in that order."""
    closed_by: dict[int, list[DeskFill]] = {}
    for fill in (told.event for told in fold.fills):
        if fill.stop_out_id:
            closed_by.setdefault(fill.stop_out_id, []).append(fill)
    seq, number = 0, 0
    for told in _news(fold):
        number = number + 1 if told.seq == seq else 0
        seq = told.seq
        assert number < MAX_OF_A_COMMAND
        owner = owners[told.event.account_id]
        notice = _notice(told, closed_by, owner, markets)
        row_id = uuid7(told.ns // 1_000, told.seq * MAX_OF_A_COMMAND + number)
        yield Message(row_id, TOPIC, owner.user_id, msgspec.to_builtins(notice))


def _news(fold: Fold) -> list[Noticed]:
    """What its owner does not know: not what somebody closed by hand, nor what a receipt tells."""
    return [told for told in fold.noticed if not isinstance(told.event, DeskFill) or told.event.closing in _HITS]


def _notice(told: Noticed, closed_by: Mapping[int, Sequence[DeskFill]], owner: Owner, markets: Markets) -> Notice:
    event = told.event
    market = markets.get((event.world, event.symbol))
    if isinstance(event, MarginWarning):
        scale = owner.scale if market is None else market.quote_scale
        return replace(
            _begun(NoticeKind.MARGIN_WARNING, told, owner, owner.currency if market is None else market.quote),
            position_id=event.position_id or None,
            equity=format_atoms(event.equity, scale),
            margin=format_atoms(event.margin, scale),
        )
    assert market is not None
    if isinstance(event, StopOut):
        begun = _begun(NoticeKind.MARGIN_CALL, told, owner, market.quote)
        return _called(begun, event, closed_by.get(event.stop_out_id, ()), market, markets)
    return replace(
        _begun(_HITS[event.closing], told, owner, market.quote),
        position_id=event.position_id,
        reason=event.closing,
        price=market.price(event.price_ticks),
        result=market.amount(event.result),
        covered=market.amount(event.covered),
        closed=[_part(event, market)],
    )


def _called(begun: Notice, event: StopOut, fills: Sequence[DeskFill], market: Market, markets: Markets) -> Notice:
    """A receipt. All that it closed is quoted in one asset, the account's or, of an isolated position, the symbol's."""
    only = fills[0] if len(fills) == 1 else None
    return replace(
        begun,
        position_id=None if only is None else only.position_id,
        reason=event.policy,
        price=None if only is None else markets[only.world, only.symbol].price(only.price_ticks),
        result=market.amount(sum(each.result for each in fills)),
        covered=market.amount(event.insurance_paid + event.desk_paid),
        equity=market.amount(event.equity_before),
        margin=market.amount(event.margin_before),
        stop_out_id=event.stop_out_id,
        closed=[_part(each, markets[each.world, each.symbol]) for each in fills],
    )


def _begun(kind: NoticeKind, told: Noticed, owner: Owner, currency: str) -> Notice:
    """What every notice says."""
    event = told.event
    return Notice(
        kind=kind,
        seq=told.seq,
        at=(EPOCH + timedelta(microseconds=told.ns // 1_000)).isoformat(),
        user_id=owner.user_id,
        account_id=event.account_id,
        world=event.world,
        symbol=event.symbol,
        currency=currency,
    )


def _part(fill: DeskFill, market: Market) -> ClosedPart:
    return ClosedPart(
        fill.position_id,
        fill.symbol,
        fill.direction,
        market.quantity(fill.lots),
        market.price(fill.price_ticks),
        market.amount(fill.result),
    )
