"""Positions and pending entries: what is asked for in the desk's own numbers, and its answer in people's.

Whoever acts on a position or an entry gets at it only through `PositionService.get_for` and `entry_for`: another's
looks missing. Only the owner of an account opens, moves stops and places entries; an operator may also close and
cancel, which the house then did.
"""

from typing import Final, NamedTuple, TypeVar

from fondaco.core.commands import CancelEntry, Command
from fondaco.core.desk.state import DeskEntry, DeskPosition
from fondaco.core.money import format_atoms
from fondaco.core.replies import (
    Answer,
    Done,
    EntryPlaced,
    PositionClosed,
    PositionModified,
    PositionOpened,
    Reply,
)
from fondaco.core.terms import Terms
from fondaco.domains.identity.api import Actor
from fondaco.domains.positions import reads
from fondaco.domains.positions.amounts import close_command, entry_command, modify_command, open_command
from fondaco.domains.positions.shapes import (
    CancelledEntry,
    ChangedPosition,
    ClosedPosition,
    NewEntry,
    NewPosition,
    OpenedPosition,
    PlacedEntry,
    PositionChange,
    PositionClosing,
    PositionVerdict,
)
from fondaco.domains.positions.valuation import Valuer
from fondaco.domains.trading.api import Desk, NotYoursError, RefusedError, Shortage
from fondaco.engine.live import Owner
from fondaco.engine.queries import CheckPosition, PositionChecked
from fondaco.infra.database import Database

AnyReply = TypeVar("AnyReply", bound=Reply)
_NONE: Final = 0


class Held(NamedTuple):
    """A position that the actor may see, whose it is, and the terms that its numbers are counted by."""

    position: DeskPosition
    owner: Owner
    terms: Terms


class PositionService:
    """Leveraged positions of whoever may have them.

    Args:
        desk: the way to the engine.
        valuer: what is known live of positions and quotes.
        database: where those are looked up that ended long ago.
    """

    def __init__(self, desk: Desk, valuer: Valuer, database: Database) -> None:
        self.desk = desk
        self.valuer = valuer
        self._database = database

    async def get_for(self, actor: Actor, position_id: int) -> Held:
        """A position that the actor may see, open or closed. Raises `RefusedError`: another's looks missing."""
        self.desk.must_know()
        position = self.valuer.desk.position(position_id)
        if position is None or not self._may_see(actor, position.account_id):
            async with self._database.driver_transaction() as connection:
                position = await reads.position_for(connection, actor, position_id)
        owner = self.desk.get_for(actor, position.account_id)
        return Held(position, owner, self.valuer.terms(position.world, position.symbol))

    async def entry_for(self, actor: Actor, entry_id: int) -> tuple[DeskEntry, Owner]:
        """An entry that the actor may see, and whose it is. Raises `RefusedError`: another's looks missing."""
        self.desk.must_know()
        entry = self.valuer.desk.entry(entry_id)
        if entry is None or not self._may_see(actor, entry.account_id):
            async with self._database.driver_transaction() as connection:
                entry = await reads.entry_for(connection, actor, entry_id)
        return entry, self.desk.get_for(actor, entry.account_id)

    async def open(self, actor: Actor, position: NewPosition, key: str = "") -> OpenedPosition:
        """Open a position, or add to one."""
        owner = self._own(actor, position.account_id)
        terms = self.desk.terms(owner.world, position.symbol)
        command = open_command(position, terms)
        answer, opened = await self._act(actor, owner, terms, command, PositionOpened, key)
        scale, quantity_scale = terms.instrument.price_scale, terms.instrument.quantity_scale
        return OpenedPosition(
            seq=answer.seq,
            duplicate=answer.is_duplicate,
            position_id=opened.position_id or None,
            account_id=owner.account_id,
            symbol=terms.instrument.symbol,
            direction=position.direction,
            price=format_atoms(opened.price, scale),
            quantity=format_atoms(opened.quantity, quantity_scale),
            margin=format_atoms(opened.margin, scale),
            closed=format_atoms(opened.closed, quantity_scale),
            result=format_atoms(opened.result, scale),
            available=format_atoms(opened.available, scale),
        )

    async def check(self, actor: Actor, position: NewPosition) -> PositionVerdict:
        """Say whether a position could be opened now, and what it would cost. Nothing is opened."""
        owner = self._own(actor, position.account_id)
        terms = self.desk.terms(owner.world, position.symbol)
        seen = await self.desk.look(CheckPosition(open_command(position, terms)), PositionChecked)
        return _verdict_against(seen, terms) if seen.refusal is not None else self._verdict(seen, terms)

    async def close(self, actor: Actor, position_id: int, closing: PositionClosing, key: str = "") -> ClosedPosition:
        """Close a position, or a part of it."""
        _, owner, terms = await self.get_for(actor, position_id)
        command = close_command(owner.account_id, position_id, closing, terms)
        answer, closed = await self._act(actor, owner, terms, command, PositionClosed, key)
        scale, quantity_scale = terms.instrument.price_scale, terms.instrument.quantity_scale
        return ClosedPosition(
            seq=answer.seq,
            duplicate=answer.is_duplicate,
            position_id=closed.position_id,
            price=format_atoms(closed.price, scale),
            quantity=format_atoms(closed.quantity, quantity_scale),
            left=format_atoms(closed.left, quantity_scale),
            result=format_atoms(closed.result, scale),
            margin=format_atoms(closed.margin, scale),
            available=format_atoms(closed.available, scale),
        )

    async def change(self, actor: Actor, position_id: int, change: PositionChange, key: str = "") -> ChangedPosition:
        """Set, move or remove the stops of a position."""
        _, owner, terms = await self.get_for(actor, position_id)
        self._own(actor, owner.account_id)
        command = modify_command(owner.account_id, position_id, change, terms)
        answer, changed = await self._act(actor, owner, terms, command, PositionModified, key)

        def price(atoms: int) -> str | None:
            return None if atoms == _NONE else format_atoms(atoms, terms.instrument.price_scale)

        return ChangedPosition(
            seq=answer.seq,
            duplicate=answer.is_duplicate,
            position_id=changed.position_id,
            stop_loss=price(changed.stop),
            take_profit=price(changed.take),
            trailing_distance=price(changed.trail),
        )

    async def place_entry(self, actor: Actor, entry: NewEntry, key: str = "") -> PlacedEntry:
        """Have a position opened when the quote comes to a price."""
        owner = self._own(actor, entry.account_id)
        terms = self.desk.terms(owner.world, entry.symbol)
        answer, placed = await self._act(actor, owner, terms, entry_command(entry, terms), EntryPlaced, key)
        return PlacedEntry(seq=answer.seq, duplicate=answer.is_duplicate, entry_id=placed.entry_id)

    async def cancel_entry(self, actor: Actor, entry_id: int, key: str = "") -> CancelledEntry:
        """Take a pending entry back."""
        entry, owner = await self.entry_for(actor, entry_id)
        command, terms = CancelEntry(owner.account_id, entry_id), self.valuer.terms(entry.world, entry.symbol)
        answer, _ = await self._act(actor, owner, terms, command, Done, key)
        return CancelledEntry(seq=answer.seq, duplicate=answer.is_duplicate, entry_id=entry_id)

    def _verdict(self, seen: PositionChecked, terms: Terms) -> PositionVerdict:
        worth = None if seen.position is None else self.valuer.worth(seen.position, spent=seen.premium)
        liquidation_ticks = worth.liquidation_ticks if worth else None

        def money(atoms: int) -> str:
            return format_atoms(atoms, terms.instrument.price_scale)

        return PositionVerdict(
            seen.seq,
            accepted=True,
            price=money(seen.ticks * terms.tick),
            notional=money(seen.notional),
            margin=money(seen.margin),
            premium=money(seen.premium),
            liquidation_price=money(liquidation_ticks * terms.tick) if liquidation_ticks else None,
        )

    async def _act(
        self, actor: Actor, owner: Owner, terms: Terms, command: Command, wanted: type[AnyReply], key: str
    ) -> tuple[Answer, AnyReply]:
        """Have a command done, and know what it did before it is told."""
        try:
            answer, reply = await self.desk.act(actor, owner, command, wanted, key)
        except RefusedError as error:
            raise error.told_in(terms.instrument.quote) from error
        await self.desk.come_to(answer.seq)
        return answer, reply

    def _own(self, actor: Actor, account_id: int) -> Owner:
        """An account that the actor may trade with. Raises `NotYoursError` where an operator may only look."""
        owner = self.desk.get_for(actor, account_id)
        if owner.user_id != actor.user_id:
            raise NotYoursError
        return owner

    def _may_see(self, actor: Actor, account_id: int) -> bool:
        owner = self.desk.live.accounts.get(account_id)
        return owner is not None and (actor.is_operator or owner.user_id == actor.user_id)


def _verdict_against(seen: PositionChecked, terms: Terms) -> PositionVerdict:
    assert seen.refusal is not None, "something stands against it"
    shortage = Shortage(seen.required, seen.available) if seen.required else None
    refused = RefusedError(seen.refusal, seen.seq, shortage=shortage).told_in(terms.instrument.quote)
    return PositionVerdict(
        seen.seq,
        accepted=False,
        code=seen.refusal.value,
        detail=str(refused),
        required=refused.required,
        available=refused.available,
    )
