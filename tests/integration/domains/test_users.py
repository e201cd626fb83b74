"""Users come in whole or not at all: the row, the engine's user, the account and its money, whatever dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from fondaco.core.money import AmountProblem
from fondaco.domains.identity.people import MAX_WHO
from fondaco.domains.identity.tables import UserRole, UserRow, UserState
from fondaco.domains.identity.users import NewUser, User, UserRefusal, create_user, find_user
from fondaco.engine.commanding import command_handlers
from fondaco.engine.port import Engine
from fondaco.engine.reading import Tables
from fondaco.infra.database import Database
from fondaco.infra.outbox import Courier, OutboxRow
from support.engines import open_exchange
from support.live import PATIENCE_S, House, whole_engine
from support.projected import rows_of

DORA = NewUser("dora@example.com", "USDT", UUID(int=0xD), balance="12.34567891")


@asynccontextmanager
async def open_house(database: Database) -> AsyncIterator[House]:
    """A house whose tables know its assets."""
    async with whole_engine(database) as house:
        await open_exchange(house.client)
        await house.caught_up()
        await in_tables(house)
        yield house


async def in_tables(house: House) -> None:
    """Wait until the tables are as far as the engine."""
    seq = await house.client.read(lambda machine: machine.seq)
    async with Tables(house.database, wait_s=PATIENCE_S).read(seq):
        pass


async def create(database: Database, new: NewUser) -> User | UserRefusal | AmountProblem:
    """Let a user in, in a transaction of its own."""
    async with database.transaction() as connection:
        return await create_user(connection, new)


async def find(database: Database, who: str) -> User | None:
    """Look a user up."""
    async with database.transaction() as connection:
        return await find_user(connection, who)


async def deliver(database: Database, engine: Engine) -> int:
    """Do what waits in the outbox, once."""
    return await Courier(database, command_handlers(engine)).deliver_batch()


async def money_of(house: House, user: User) -> list[tuple[object, ...]]:
    """What a user has in the tables."""
    await in_tables(house)
    found = "SELECT world, asset, total::text FROM v_balances WHERE user_id = %s"
    return await rows_of(house.database, found, str(user.id))


async def test_a_user_begins_with_nothing_unless_something_is_given(database: Database) -> None:
    """EXD-10."""
    async with open_house(database) as house:
        poor = await create(database, NewUser("Poor@Example.com", "USDT"))
        rich = await create(database, DORA)
        assert isinstance(poor, User)
        assert isinstance(rich, User)
        assert (poor.email, poor.role, poor.status) == ("poor@example.com", UserRole.USER, UserState.ACTIVE)
        assert await deliver(database, house.client) == 2
        assert await money_of(house, rich) == [("trading", "USDT", "12.34567891")]
        assert await money_of(house, poor) == []
        await house.caught_up()
        assert [len(house.live.accounts_of[str(each.id)]) for each in (poor, rich)] == [1, 1]


async def test_a_user_is_found_by_id_and_by_address(database: Database) -> None:
    """EXD-11."""
    async with open_house(database):
        user = await create(database, DORA)
        for who in (str(DORA.id), str(DORA.id).upper(), "dora@example.com", "DORA@example.com"):
            assert await find(database, who) == user
        for who in ("", "dora", "dora@example.co", str(UUID(int=1)), "@" * 1_000):
            assert await find(database, who) is None


@pytest.mark.parametrize(
    "second", [NewUser("other@example.com", "USDT", DORA.id), NewUser("DORA@example.com", "USDT"), DORA]
)
async def test_a_taken_id_or_address_is_refused_by_name(database: Database, second: NewUser) -> None:
    """EXD-15, and nothing is left of the second."""
    async with open_house(database):
        assert isinstance(await create(database, DORA), User)
        assert await create(database, second) is UserRefusal.USER_EXISTS
    async with database.transaction() as connection:
        assert (await connection.execute(select(func.count()).select_from(UserRow))).scalar_one() == 1
        assert (await connection.execute(select(func.count()).select_from(OutboxRow))).scalar_one() == 1


async def test_of_two_who_want_one_address_at_once_one_gets_it(database: Database) -> None:
    """EXD-15."""
    async with open_house(database):
        both = [NewUser("dora@example.com", "USDT") for _ in range(5)]
        outcomes = await asyncio.gather(*(create(database, each) for each in both))
    assert sorted(isinstance(each, User) for each in outcomes) == [False] * 4 + [True]
    assert {each for each in outcomes if not isinstance(each, User)} == {UserRefusal.USER_EXISTS}


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        (DORA._replace(email="dora"), UserRefusal.BAD_EMAIL),
        (DORA._replace(email="a@b@c"), UserRefusal.BAD_EMAIL),
        (DORA._replace(email="a\0@b"), UserRefusal.BAD_EMAIL),
        (DORA._replace(email="a" * MAX_WHO + "@b"), UserRefusal.BAD_EMAIL),
        (DORA._replace(currency="XYZ"), UserRefusal.UNKNOWN_ASSET),
        (DORA._replace(balance="-1"), AmountProblem.NOT_POSITIVE),
        (DORA._replace(balance="1e9"), AmountProblem.NOT_A_NUMBER),
        (DORA._replace(balance="0.000000001"), AmountProblem.TOO_MANY_DECIMALS),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    database: Database, new: NewUser, problem: UserRefusal | AmountProblem
) -> None:
    async with open_house(database):
        assert await create(database, new) is problem


async def test_a_users_role_and_state_are_among_those_that_exist(database: Database) -> None:
    """BHC-20."""
    async with open_house(database):
        for role in UserRole:
            made = await create(database, NewUser(f"{role}@example.com", "USDT", role=role))
            assert isinstance(made, User)
            assert (made.role, made.status) == (role, UserState.ACTIVE)


async def test_whoever_asks_twice_gets_no_second_account_and_no_second_money(database: Database) -> None:
    """EXD-10: the engine did it, and the jobs process died before it could note that."""
    async with open_house(database) as house:
        user = await create(database, DORA)
        assert isinstance(user, User)
        for _ in range(2):
            await deliver(database, house.client)
            async with database.transaction() as connection:
                await connection.execute(update(OutboxRow).values(state="waiting", sent_at=None))
        assert await money_of(house, user) == [("trading", "USDT", "12.34567891")]
