"""What operators decide: limits, breakers, and whether a user may act."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.core.commands import LiftBreaker, SetLimit, SetUserStatus, TripBreaker
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Done
from fondaco.core.vocabulary import LimitName, LimitScope, UserStatus, World
from fondaco.domains.identity.api import Actor, UserRole, UserState, find_person, set_state
from fondaco.domains.trading.amounts import atoms, moment_ns
from fondaco.domains.trading.desk import Desk, done, must_be_operator
from fondaco.domains.trading.errors import OperatorsOnlyError, RefusedError
from fondaco.domains.trading.shapes import Answered, NewBreaker, NewLimit

_COUNT_SCALE: Final = 0
_COUNTS: Final = frozenset({LimitName.MAX_OPEN_ORDERS, LimitName.MAX_LEVERAGE})
_OF_SYMBOL: Final = frozenset({LimitName.MAX_POSITION, LimitName.MAX_LEVERAGE})
"""Limits that are about a symbol; values and volumes are about an asset."""


class GoverningService:
    """Acts of the house that an operator asks for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def set_limit(self, actor: Actor, limit: NewLimit, key: str = "") -> Answered:
        """Cap something, or lift the cap."""
        must_be_operator(actor)
        about, scale = self._about(limit)
        value = None if limit.value is None else atoms("value", limit.value, scale)
        is_symbol = limit.scope is LimitScope.SYMBOL
        subject = self._symbol(limit.world, limit.subject) if is_symbol else limit.subject
        command = SetLimit(limit.world, limit.scope, subject, limit.name, about, value)
        return done(*await self._desk.act_as_house(actor, command, Done, key))

    async def trip(self, actor: Actor, breaker: NewBreaker, key: str = "") -> Answered:
        """Halt new orders. The journal keeps the operator's id, never a name."""
        must_be_operator(actor)
        symbol = self._symbol(breaker.world, breaker.symbol or "")
        command = TripBreaker(breaker.world, symbol, breaker.reason, actor.user_id, moment_ns(breaker.until))
        return done(*await self._desk.act_as_house(actor, command, Done, key))

    async def lift(self, actor: Actor, world: World, spelling: str = "", key: str = "") -> Answered:
        """Let new orders in again."""
        must_be_operator(actor)
        command = LiftBreaker(world, self._symbol(world, spelling))
        return done(*await self._desk.act_as_house(actor, command, Done, key))

    async def set_user_state(
        self, actor: Actor, connection: AsyncConnection, user_id: str, state: UserState, key: str = ""
    ) -> Answered:
        """Keep a user out, or let it in again. Nobody decides that of themselves, and of operators only a superadmin.

        The engine comes first, whose word is about money, and the table in the same transaction after it. Where the
        second fails, the same request completes it.
        """
        must_be_operator(actor)
        person = await find_person(connection, user_id)
        if person is None:
            raise RefusedError(Refusal.UNKNOWN_USER)
        is_beyond = person.actor.is_operator and actor.role is not UserRole.SUPERADMIN
        if person.user_id == actor.user_id or is_beyond:
            raise OperatorsOnlyError
        await self._desk.admit(person.user_id)
        status = UserStatus.ACTIVE if state is UserState.ACTIVE else UserStatus.SUSPENDED
        answer = done(*await self._desk.act_as_house(actor, SetUserStatus(person.user_id, status), Done, key))
        await set_state(connection, person.user_id, state)
        return answer

    def _about(self, limit: NewLimit) -> tuple[str, int]:
        """What a limit is about, as the engine spells it, and at which scale its value is counted."""
        if limit.name in _OF_SYMBOL:
            instrument = self._desk.terms(limit.world, limit.about).instrument
            scale = _COUNT_SCALE if limit.name in _COUNTS else instrument.quantity_scale
            return instrument.symbol, scale
        return limit.about, _COUNT_SCALE if limit.name in _COUNTS else self._desk.scale(limit.about)

    def _symbol(self, world: World, spelling: str) -> str:
        return self._desk.terms(world, spelling).instrument.symbol if spelling else ""
