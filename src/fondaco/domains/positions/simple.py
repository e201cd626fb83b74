"""The plain order interface of `/api/v1/order`: open a leveraged position at the market, close it, read it, list it.

Whoever speaks it names no account: it acts on the user's own one, the first that was opened in the house's public world
and is not closed, unless another is named. Stop loss and take profit are *amounts* here, what the position may lose and
shall earn, and zero means none (EXP-27, EXP-85). The position is the one that `/api/v1/positions` has, where levels are
prices: so an amount is read back from its price, the same to a tick's worth.

Numbers are read as they are written, as text or as JSON numbers, and never become floats.
"""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from fondaco.core.desk.state import DeskPosition
from fondaco.core.money import AmountProblem, charge, display_atoms, format_atoms, parse_atoms
from fondaco.core.refusals import Refusal
from fondaco.core.terms import MAX_LEVERAGE, Terms
from fondaco.core.vocabulary import AccountStatus, Direction, PositionState, World
from fondaco.domains.identity.api import Actor
from fondaco.domains.positions.lines import moment
from fondaco.domains.positions.service import PositionService
from fondaco.domains.positions.shapes import NewLevel, NewPosition, PositionClosing
from fondaco.domains.trading.api import Answered, BadAmountError, RefusedError, Symbol, TradingError
from fondaco.engine.live import Owner

Word: TypeAlias = Literal["LONG", "SHORT", "PUT", "long", "short", "put"]
"""PUT is another word for SHORT (EXP-C1)."""
ONE_DIRECTION: Final = "Give one of `type` and `direction`."
ORDER_SCHEMA: Final = {"SimpleOrder": {"oneOf": [{"required": ["type"]}, {"required": ["direction"]}]}}
"""The same for the document."""
_NULL: Final = "null"
_NO_SCALE: Final = 0


def _number(description: str, **bounds: object) -> Meta:
    schema = {"anyOf": [{"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}, {"type": "number", **bounds}]}
    return Meta(description=description, extra_json_schema=schema)


Number: TypeAlias = Annotated[Raw, _number("A decimal, as text or as a number.", minimum=0)]
Whole: TypeAlias = Annotated[Raw, _number("A whole number.", minimum=1, maximum=MAX_LEVERAGE, multipleOf=1)]


class NoAccountError(TradingError):
    """The user has no account that the order could be for (EXP-70)."""

    def __init__(self, world: World) -> None:
        super().__init__(f"You have no open account in the {world} world. Open one, or name one of another world.")


class SimpleOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A market order for a leveraged position. Levels are amounts of money; 0 is none."""

    asset: Symbol
    leverage: Whole
    quantity: Number
    type: Word | UnsetType = UNSET
    direction: Word | UnsetType = UNSET
    stop_loss: Number | UnsetType = UNSET
    take_profit: Number | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.type is UNSET) == (self.direction is UNSET):
            raise ValueError(ONE_DIRECTION)


class SimpleLine(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A position as an order: `buyPrice` is the price of opening, whatever the direction."""

    order_id: int
    status: Literal["OPEN", "CLOSED"]
    type: Literal["LONG", "SHORT"]
    asset: str
    leverage: int
    quantity: str
    margin: str
    buy_price: str
    stop_loss: str
    take_profit: str
    final_pnl: str
    """What closing has brought its owner; 0 while nothing was closed."""
    liquidation_reason: str | None
    """MARGIN_CALL, STOP_LOSS, TAKE_PROFIT and the like; null when its owner closed it."""
    created_at: str
    closed_at: str | None


class SimpleOpened(Answered, frozen=True, rename="camel"):
    """The order that was opened, and the balance afterwards. In a netting account it may have closed others only."""

    success: bool
    order: SimpleLine | None
    balance: str


class SimpleClosed(Answered, frozen=True, rename="camel"):
    """The order that was closed, what that brought, for people too, and the balance afterwards."""

    success: bool
    order: SimpleLine
    result: str
    formatted_result: str
    balance: str


class SimpleOrders:
    """Positions through the plain order interface.

    Args:
        positions: does what is asked for.
        world: in which an account is looked for where none is named.
    """

    def __init__(self, positions: PositionService, world: World) -> None:
        self._positions = positions
        self._world = world

    def account_for(self, actor: Actor, account_id: int | None) -> Owner:
        """The account that is named, or the user's own. Raises `NoAccountError`, `RefusedError`."""
        desk = self._positions.desk
        if account_id is not None:
            return desk.get_for(actor, account_id)
        live = desk.live
        for own in live.accounts_of.get(actor.user_id, ()):
            owner = live.accounts[own]
            if owner.world is self._world and owner.status is not AccountStatus.CLOSED:
                return owner
        raise NoAccountError(self._world)

    async def open(self, actor: Actor, account_id: int | None, order: SimpleOrder, key: str = "") -> SimpleOpened:
        """Open a position (EXP-60 to 69)."""
        owner = self.account_for(actor, account_id)
        terms = self._positions.desk.terms(owner.world, order.asset)
        opened = await self._positions.open(actor, _new_position(owner, order, terms), key)
        line = None
        if opened.position_id is not None:
            position, _, _ = await self._positions.get_for(actor, opened.position_id)
            line = simple_line(position, terms)
        return SimpleOpened(
            seq=opened.seq, duplicate=opened.duplicate, success=True, order=line, balance=opened.available
        )

    async def close(self, actor: Actor, order_id: int, key: str = "") -> SimpleClosed:
        """Close a position with all that is left of it (EXP-73 to 76)."""
        if not (actor.is_operator or self._positions.desk.live.accounts_of.get(actor.user_id)):
            raise NoAccountError(self._world)
        closed = await self._positions.close(actor, order_id, PositionClosing(), key)
        position, _, terms = await self._positions.get_for(actor, order_id)
        scale = terms.instrument.price_scale
        result = parse_atoms(closed.result, scale)
        assert isinstance(result, int), "we wrote it"
        return SimpleClosed(
            seq=closed.seq,
            duplicate=closed.duplicate,
            success=True,
            order=simple_line(position, terms),
            result=closed.result,
            formatted_result=f"{display_atoms(result, scale)} {terms.instrument.quote.code}",
            balance=closed.available,
        )


def simple_line(position: DeskPosition, terms: Terms) -> SimpleLine:
    """Write a position as an order. What was closed is shown as it was opened."""
    scale, is_open = terms.instrument.price_scale, position.state is PositionState.OPEN
    lots = position.lots if is_open else position.opened_lots
    entry = position.entry_notional if is_open else position.opened_notional
    margin = position.margin if is_open else charge(position.opened_notional, position.leverage)
    whole, sign = lots * terms.step_notional, 1 if position.direction is Direction.LONG else -1
    at_stop, at_take = position.stop_ticks * whole, position.take_ticks * whole
    price = (2 * entry * terms.tick + whole) // (2 * whole)
    return SimpleLine(
        order_id=position.position_id,
        status="OPEN" if is_open else "CLOSED",
        type="LONG" if position.direction is Direction.LONG else "SHORT",
        asset=position.symbol,
        leverage=position.leverage,
        quantity=format_atoms(lots * terms.lot, terms.instrument.quantity_scale),
        margin=format_atoms(margin, scale),
        buy_price=format_atoms(price, scale),
        stop_loss=format_atoms(sign * (entry - at_stop) if at_stop else 0, scale),
        take_profit=format_atoms(sign * (at_take - entry) if at_take else 0, scale),
        final_pnl=format_atoms(position.realised + position.covered, scale),
        liquidation_reason=None if position.closing in ("", "owner") else position.closing.upper(),
        created_at=moment(position.opened_ns) or "",
        closed_at=moment(position.closed_ns),
    )


def _new_position(owner: Owner, order: SimpleOrder, terms: Terms) -> NewPosition:
    word = order.direction if isinstance(order.type, UnsetType) else order.type
    assert word is not UNSET, "an order says one of the two"
    return NewPosition(
        account_id=owner.account_id,
        symbol=order.asset,
        direction=Direction.LONG if word.upper() == "LONG" else Direction.SHORT,
        quantity=_text(order.quantity) or "",
        leverage=_whole(order.leverage),
        stop_loss=_amount("stopLoss", order.stop_loss, terms),
        take_profit=_amount("takeProfit", order.take_profit, terms),
    )


def _whole(raw: Raw) -> int:
    """A leverage as it is written: 1.5 is none (EXP-61). Raises `RefusedError`."""
    number = parse_atoms(_text(raw) or "", _NO_SCALE)
    if isinstance(number, AmountProblem):
        raise RefusedError(Refusal.LEVERAGE_OUT_OF_RANGE)
    return number


def _amount(field: str, raw: Raw | UnsetType, terms: Terms) -> NewLevel | None:
    """A level as an amount, or none for 0. Raises `BadAmountError`."""
    text = None if isinstance(raw, UnsetType) else _text(raw)
    if text is None:
        return None
    scale = terms.instrument.price_scale
    atoms = parse_atoms(text, scale)
    if isinstance(atoms, AmountProblem):
        raise BadAmountError(field, text, atoms, scale)
    if atoms < 0:
        raise BadAmountError(field, text, AmountProblem.NOT_POSITIVE, scale)
    return NewLevel(amount=text) if atoms else None


def _text(raw: Raw) -> str | None:
    """What a JSON value says, letter by letter; None for null. What is no number is found out by whoever reads it."""
    written = bytes(raw).decode()
    if written == _NULL:
        return None
    return msgspec.json.decode(written, type=str) if written.startswith('"') else written
