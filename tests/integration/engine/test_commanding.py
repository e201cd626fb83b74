"""Commands of a domain's transaction are done once, in order, or not at all; what cannot be done is said."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest
from sqlalchemy import select, update

from fondaco.core.commands import HOUSE, AdmitUser, Command, Deposit, OpenAccount, SetUserStatus
from fondaco.core.replies import DONE, Answer
from fondaco.core.vocabulary import UserStatus, World
from fondaco.engine import commanding
from fondaco.engine.commanding import OPENED, TOPIC, Step, command_handlers, enqueue_commands
from fondaco.engine.journal import Committed
from fondaco.engine.port import Engine, OutcomeUnknownError, Overloaded, OverloadedError, StartOver, Why
from fondaco.engine.queries import Query, Seen
from fondaco.infra.database import Database
from fondaco.infra.ids import new_id
from fondaco.infra.outbox import MAX_ATTEMPTS, Courier, HopelessError, LaterError, OutboxRow
from support.engines import open_exchange, submit
from support.live import House, whole_engine

ADMISSION = (
    Step("admit-dora", AdmitUser("dora")),
    Step("open-dora", OpenAccount("dora", World.TRADING, "USDT")),
    Step("fund-dora", Deposit(OPENED, "USDT", 7)),
)


class Bad(Engine):
    """An engine behind a bad line: it does what it is told, and the answers to deposits are lost as a test says."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.errors: list[Exception] = []

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Do it, and raise instead of answering if there is an error to come."""
        answer = await self.engine.submit(account_id, command, command_id=command_id, not_after_ns=not_after_ns)
        if self.errors and isinstance(command, Deposit):
            raise self.errors.pop()
        return answer

    async def look(self, query: Query) -> Seen:
        """Look."""
        return await self.engine.look(query)

    def follow(self) -> AsyncGenerator[Committed | StartOver, None]:
        """Follow."""
        return self.engine.follow()


async def enqueue(database: Database, *steps: Step, key: str = "dora") -> None:
    """Write commands in a transaction of their own."""
    async with database.transaction() as connection:
        await enqueue_commands(connection, key, steps)


async def row(database: Database) -> tuple[str, int, str | None]:
    """State, attempts and last error of the one message."""
    async with database.transaction() as connection:
        found = (await connection.execute(select(OutboxRow.state, OutboxRow.attempts, OutboxRow.last_error))).one()
    return (found.state, found.attempts, found.last_error)


async def money(house: House) -> list[int]:
    """What each of dora's accounts has."""
    return await house.client.read(
        lambda machine: [
            sum(each.available for each in machine.balances_of(id_))
            for id_ in machine.house.accounts_of.get("dora", [])
        ]
    )


async def test_commands_are_done_in_order_for_the_account_that_was_opened(database: Database) -> None:
    async with whole_engine(database) as house:
        await open_exchange(house.client)
        await enqueue(database, *ADMISSION)
        await enqueue(database, Step("suspend-dora", SetUserStatus("dora", UserStatus.SUSPENDED)))
        courier = Courier(database, command_handlers(house.client))
        assert [await courier.deliver_batch() for _ in range(3)] == [1, 1, 0]
        assert await money(house) == [7]
        status = await house.client.read(lambda machine: machine.house.users["dora"].status)
        assert status is UserStatus.SUSPENDED


async def test_nothing_is_commanded_by_a_transaction_that_fails(database: Database) -> None:
    with suppress(ZeroDivisionError):
        async with database.transaction() as connection:
            await enqueue_commands(connection, "dora", ADMISSION)
            raise ZeroDivisionError
    async with whole_engine(database) as house:
        assert await Courier(database, command_handlers(house.client)).deliver_batch() == 0


@pytest.mark.parametrize(
    "error", [OutcomeUnknownError(), OverloadedError(Overloaded(Why.ENGINE_AWAY, 1)), TimeoutError()]
)
async def test_a_lost_answer_is_asked_for_again_until_it_comes(database: Database, error: Exception) -> None:
    """However long that takes, and each command is done once."""
    async with whole_engine(database) as house:
        await open_exchange(house.client)
        bad = Bad(house.client)
        await enqueue(database, *ADMISSION)
        courier = Courier(database, command_handlers(bad), clock_us=lambda: 4_000_000_000_000_000)
        for _ in range(MAX_ATTEMPTS + 2):
            bad.errors = [error]
            assert await courier.deliver_batch() == 1
            assert (await row(database))[0] == "waiting"
            async with database.transaction() as connection:
                await connection.execute(update(OutboxRow).values(next_attempt_at=OutboxRow.created_at))
        bad.errors = []
        assert await courier.deliver_batch() == 1
        assert (await row(database))[0] == "sent"
        assert await money(house) == [7]


async def test_an_engine_that_does_not_answer_counts_as_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(Bad):
        async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
            del account_id, command, command_id, not_after_ns
            never: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            return await never

    monkeypatch.setattr(commanding, "ANSWER_WAIT_S", 0.01)
    async with whole_engine(database) as house:
        handler = command_handlers(Silent(house.client))[TOPIC]
        with pytest.raises(LaterError, match="not answered"):
            await handler(TOPIC, {"steps": [["admit", ["admit_user", "dora"]]]}, new_id())


async def test_what_is_refused_is_dead_at_once_and_says_why(database: Database) -> None:
    async with whole_engine(database) as house:
        await enqueue(database, Step("deposit", Deposit(4_711, "USDT", 1)))
        await Courier(database, command_handlers(house.client)).deliver_batch()
    state, attempts, error = await row(database)
    assert (state, attempts) == ("dead", 1)
    assert error == f"{HopelessError.__name__}: deposit was refused as unknown_account: There is no such account."


async def test_a_command_that_came_too_late_is_submitted_again(database: Database) -> None:
    async with whole_engine(database) as house:
        handler = command_handlers(house.client, clock_us=lambda: 1)[TOPIC]
        with pytest.raises(LaterError):
            await handler(TOPIC, {"steps": [["admit", ["admit_user", "dora"]]]}, new_id())
        handler = command_handlers(house.client)[TOPIC]
        await handler(TOPIC, {"steps": [["admit", ["admit_user", "dora"]]]}, new_id())
        assert await house.client.read(lambda machine: "dora" in machine.house.users)


async def test_a_user_who_was_admitted_long_ago_is_admitted(database: Database) -> None:
    """The engine has forgotten the answer that it gave."""
    async with whole_engine(database) as house:
        assert (await submit(house.client, HOUSE, AdmitUser("dora"))).reply == DONE
        handler = command_handlers(house.client)[TOPIC]
        await handler(TOPIC, {"steps": [["admit", ["admit_user", "dora"]]]}, new_id())
