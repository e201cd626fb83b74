"""Under which account, id and lifetime a command goes to the engine, and what is said of one that does not answer."""

import asyncio
from typing import NamedTuple
from uuid import UUID

import pytest

from fondaco.core.commands import HOUSE, CancelOrder, Command
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Answer, OrderCancelled
from fondaco.core.texts import MAX_ID
from fondaco.core.vocabulary import AccountKind, AccountStatus, World
from fondaco.domains.identity.api import Actor, UserRole
from fondaco.domains.trading.desk import MAX_KEY, Desk
from fondaco.domains.trading.errors import OperatorsOnlyError, RefusedError
from fondaco.domains.trading.shapes import MAX_BATCH_ORDERS
from fondaco.engine.away import AwayEngine
from fondaco.engine.live import LiveHouse, Owner
from fondaco.engine.port import OutcomeUnknownError, OverloadedError
from fondaco.engine.queries import LookAtAccount, OrderSeen
from fondaco.infra.database import Database
from fondaco.infra.settings import DatabaseSettings

NOW_NS = 1_800_000_000_000_000_000
ALICE, ADMIN = Actor("alice", UserRole.USER), Actor("admin", UserRole.ADMIN)
OWNER = Owner(1_000, "alice", World.TRADING, AccountKind.SPOT, "USDT", AccountStatus.ACTIVE)
CANCEL = CancelOrder(1_000, 1_005)


class Sent(NamedTuple):
    """How a command was submitted."""

    account_id: int
    command_id: str
    not_after_ns: int


class Witness(AwayEngine):
    """Notes what is submitted, and answers, or never does."""

    def __init__(self, *, answers: bool = True) -> None:
        self.sent: list[Sent] = []
        self._answers = answers

    async def submit(  # type: ignore[override] # this one does answer
        self, account_id: int, command: Command, *, command_id: str, not_after_ns: int
    ) -> Answer:
        """Note it."""
        self.sent.append(Sent(account_id, command_id, not_after_ns))
        if not self._answers:
            await asyncio.Event().wait()
        assert command == CANCEL
        return Answer(7, is_duplicate=False, reply=OrderCancelled(1_005, 1))

    async def look(self, query: object) -> OrderSeen:  # type: ignore[override] # this one never answers
        """Never answer."""
        del query
        never: asyncio.Future[OrderSeen] = asyncio.get_running_loop().create_future()
        return await never


def desk(engine: Witness, *, is_ready: bool = True) -> Desk:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", DatabaseSettings(), application="test")
    live = LiveHouse(engine, nowhere)
    live.accounts[OWNER.account_id] = OWNER
    if is_ready:
        live.ready.set()
    return Desk(engine, live, 100, lambda: NOW_NS, grace_s=0)


async def cancel(engine: Witness, actor: Actor, key: str) -> None:
    await desk(engine).act(actor, OWNER, CANCEL, OrderCancelled, key)


async def test_an_owners_command_goes_under_the_account_and_the_owners_own_key() -> None:
    engine = Witness()
    await cancel(engine, ALICE, "mine")
    assert engine.sent == [Sent(1_000, "mine", NOW_NS + 100_000_000)]


async def test_a_command_without_a_key_gets_an_id_of_its_own() -> None:
    engine = Witness()
    for _ in range(2):
        await cancel(engine, ALICE, "")
    first, second = (UUID(each.command_id) for each in engine.sent)
    assert first < second
    assert first.version == second.version == 7


async def test_operators_act_as_the_house_and_their_keys_meet_nobody_elses() -> None:
    engine = Witness()
    other = Actor("other", UserRole.SUPERADMIN)
    for actor, key in ((ADMIN, "k"), (ADMIN, "k"), (other, "k"), (ADMIN, "l"), (ADMIN, "x" * MAX_KEY)):
        await cancel(engine, actor, key)
    assert {each.account_id for each in engine.sent} == {HOUSE}
    ids = [each.command_id for each in engine.sent]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert all(len(each) <= MAX_ID for each in ids)


def test_the_longest_key_has_room_for_the_number_of_every_order_of_a_batch() -> None:
    assert MAX_KEY + len(f".{MAX_BATCH_ORDERS - 1}") <= MAX_ID


async def test_only_operators_have_the_house_act() -> None:
    engine = Witness()
    with pytest.raises(OperatorsOnlyError):
        await desk(engine).act_as_house(ALICE, CANCEL, OrderCancelled, "k")
    assert engine.sent == []


async def test_an_account_is_its_owners_and_operators_and_missing_for_anybody_else() -> None:
    here = desk(Witness())
    assert here.get_for(ALICE, 1_000) == here.get_for(ADMIN, 1_000) == OWNER
    for actor, account_id in ((Actor("bob", UserRole.MARKET_MAKER), 1_000), (ALICE, 1_001), (ADMIN, HOUSE)):
        with pytest.raises(RefusedError) as missing:
            here.get_for(actor, account_id)
        assert missing.value.refusal is Refusal.UNKNOWN_ACCOUNT


async def test_what_is_not_known_yet_is_not_said_to_be_missing() -> None:
    with pytest.raises(OverloadedError):
        desk(Witness(), is_ready=False).get_for(ALICE, 1_000)


async def test_a_command_that_is_never_answered_may_have_been_done_and_a_look_has_not() -> None:
    engine = Witness(answers=False)
    with pytest.raises(OutcomeUnknownError):
        await cancel(engine, ALICE, "k")
    with pytest.raises(OverloadedError):
        await desk(engine).look(LookAtAccount(1_000), OrderSeen)
