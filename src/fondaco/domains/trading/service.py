"""Orders: what is asked for in the engine's own numbers, and its answer in people's.

The HTTP API and the streams both end here; what they do not have in common, how a request is read and a reply
written, stays with them.
"""

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from fondaco.core.commands import CancelAll, CancelOrder
from fondaco.core.money import format_atoms
from fondaco.core.refusals import SENTENCES, Refusal
from fondaco.core.replies import OrderAmended, OrderCancelled, OrderPlaced, OrdersCancelled
from fondaco.domains.identity.api import Actor
from fondaco.domains.trading.amounts import amend_command, place_command
from fondaco.domains.trading.desk import Desk
from fondaco.domains.trading.errors import NotYoursError, RefusedError, TradingError
from fondaco.domains.trading.shapes import (
    AmendedOrder,
    CancelledOrder,
    CancelledOrders,
    NewOrder,
    OrderChange,
    OrderVerdict,
    PlacedOrder,
)
from fondaco.engine.live import Owner
from fondaco.engine.port import OutcomeUnknownError, OverloadedError
from fondaco.engine.queries import CheckOrder, LookAtOrder, OrderChecked, OrderSeen
from fondaco.infra.ids import new_id

BatchAnswer: TypeAlias = PlacedOrder | TradingError | OverloadedError | OutcomeUnknownError
"""What becomes of one order among several."""


class TradingService:
    """Orders of whoever may give them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def get_for(self, actor: Actor, account_id: int) -> Owner:
        """An account that the actor may see: see `Desk.get_for`."""
        return self.desk.get_for(actor, account_id)

    async def place(self, actor: Actor, order: NewOrder, key: str = "") -> PlacedOrder:
        """Place an order."""
        owner = self._own(actor, order.account_id)
        terms = self.desk.terms(owner.world, order.symbol)
        command = place_command(order, terms)
        answer, placed = await self.desk.act(actor, owner, command, OrderPlaced, key)
        instrument = terms.instrument
        return PlacedOrder(
            seq=answer.seq,
            duplicate=answer.is_duplicate,
            order_id=placed.order_id,
            account_id=owner.account_id,
            symbol=instrument.symbol,
            client_order_id=order.client_order_id,
            state=placed.state,
            filled=format_atoms(placed.filled, instrument.quantity_scale),
            filled_notional=format_atoms(placed.filled_notional, instrument.price_scale),
            fee=format_atoms(placed.fee, instrument.price_scale),
        )

    async def place_all(self, actor: Actor, orders: Sequence[NewOrder], key: str = "") -> list[BatchAnswer]:
        """Place orders in this order. Each is answered by itself, under an id made of the key and its place."""
        self.desk.must_know()
        key = key or str(new_id())
        placing = [self._settled(actor, order, f"{key}.{index}") for index, order in enumerate(orders)]
        # Tasks begin in the order in which they were made, and each submits before it waits for anything.
        return list(await asyncio.gather(*placing))

    async def check(self, actor: Actor, order: NewOrder) -> OrderVerdict:
        """Say whether an order would be accepted, without placing it."""
        owner = self._own(actor, order.account_id)
        command = place_command(order, self.desk.terms(owner.world, order.symbol))
        seen = await self.desk.look(CheckOrder(command), OrderChecked)
        refusal = seen.refusal
        if refusal is None:
            return OrderVerdict(seen.seq, accepted=True, code=None, detail=None)
        return OrderVerdict(seen.seq, accepted=False, code=refusal.value, detail=SENTENCES[refusal])

    async def amend(self, actor: Actor, order_id: int, change: OrderChange, key: str = "") -> AmendedOrder:
        """Change an order that rests.

        The symbol tells how prices and quantities are counted, so the order must be of it. An order that has ended can
        no longer be asked; the engine then answers what it answered before, or that there is none.
        """
        owner = self._own(actor, change.account_id)
        terms = self.desk.terms(owner.world, change.symbol)
        command = amend_command(order_id, change, terms)
        seen = await self.desk.look(LookAtOrder(owner.account_id, order_id), OrderSeen)
        if seen.order is not None and seen.order.symbol != terms.instrument.symbol:
            raise RefusedError(Refusal.UNKNOWN_ORDER)
        answer, amended = await self.desk.act(actor, owner, command, OrderAmended, key)
        return AmendedOrder(
            seq=answer.seq,
            duplicate=answer.is_duplicate,
            order_id=amended.order_id,
            state=amended.state,
            filled=format_atoms(amended.filled, terms.instrument.quantity_scale),
            kept_place=amended.kept_place,
        )

    async def cancel(self, actor: Actor, account_id: int, order_id: int, key: str = "") -> CancelledOrder:
        """Take an order back."""
        owner = self.desk.get_for(actor, account_id)
        command = CancelOrder(account_id, order_id)
        answer, cancelled = await self.desk.act(actor, owner, command, OrderCancelled, key)
        return CancelledOrder(seq=answer.seq, duplicate=answer.is_duplicate, order_id=cancelled.order_id)

    async def cancel_all(self, actor: Actor, account_id: int, symbol: str = "", key: str = "") -> CancelledOrders:
        """Take back every order of an account, or those of one symbol."""
        owner = self.desk.get_for(actor, account_id)
        wanted = self.desk.terms(owner.world, symbol).instrument.symbol if symbol else ""
        command = CancelAll(account_id, wanted)
        answer, done = await self.desk.act(actor, owner, command, OrdersCancelled, key)
        return CancelledOrders(
            seq=answer.seq, duplicate=answer.is_duplicate, cancelled=done.count, goes_on=done.goes_on
        )

    def _own(self, actor: Actor, account_id: int) -> Owner:
        """An account that the actor may trade with. Raises `NotYoursError` where an operator may only look."""
        owner = self.desk.get_for(actor, account_id)
        if owner.user_id != actor.user_id:
            raise NotYoursError
        return owner

    async def _settled(self, actor: Actor, order: NewOrder, key: str) -> BatchAnswer:
        try:
            return await self.place(actor, order, key)
        except (TradingError, OverloadedError, OutcomeUnknownError) as error:
            return error
