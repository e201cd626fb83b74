"""Who is behind a token: looked up once in a while, believed for a moment, forgotten when something changes."""

import pytest
from sqlalchemy import insert, update

from fondaco.domains.identity.api import Actor, UserRole, UserState
from fondaco.domains.identity.tables import UserRow
from fondaco.gateways import actors
from fondaco.gateways.actors import KNOWN_S, Actors
from fondaco.gateways.rest.problems import ProblemError
from fondaco.infra.database import Database
from fondaco.infra.ids import new_id


class Clock:
    """A clock that is set by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now_s


async def joined(database: Database, email: str, role: UserRole = UserRole.USER) -> Actor:
    user_id = new_id()
    async with database.transaction() as connection:
        row = {"id": user_id, "email": email, "role": role, "status": UserState.ACTIVE}
        await connection.execute(insert(UserRow).values(row))
    return Actor(str(user_id), role)


async def change(database: Database, **values: object) -> None:
    async with database.transaction() as connection:
        await connection.execute(update(UserRow).values(**values))


def headers(who: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"localhost"), (b"authorization", f"Bearer dev:{who}".encode())]


async def heard(door: Actors, who: str) -> str | Actor:
    try:
        return await door.of(headers(who))
    except ProblemError as error:
        return error.problem.code


async def test_a_user_is_found_by_id_and_by_address_in_any_case(database: Database) -> None:
    alice = await joined(database, "alice@example.com", UserRole.MARKET_MAKER)
    door = Actors(database, development_tokens=True)
    assert [await heard(door, who) for who in (alice.user_id, alice.user_id.upper(), "Alice@Example.COM")] == [
        alice
    ] * 3


async def test_a_change_is_noticed_when_the_moment_is_over_and_at_once_where_it_was_made(database: Database) -> None:
    clock = Clock()
    alice = await joined(database, "alice@example.com")
    door = Actors(database, development_tokens=True, clock_s=clock)
    assert await heard(door, alice.user_id) == alice
    await change(database, role=UserRole.ADMIN)
    clock.now_s = KNOWN_S - 0.001
    assert await heard(door, alice.user_id) == alice
    clock.now_s = KNOWN_S
    assert await heard(door, alice.user_id) == Actor(alice.user_id, UserRole.ADMIN)
    await change(database, status=UserState.BANNED)
    assert await heard(door, alice.user_id) != "user_not_active"
    door.forget_all()
    assert await heard(door, alice.user_id) == "user_not_active"


async def test_nobody_is_not_remembered_so_a_new_user_is_let_in_at_once(database: Database) -> None:
    door = Actors(database, development_tokens=True)
    assert await heard(door, "alice@example.com") == "unknown_token"
    alice = await joined(database, "alice@example.com")
    assert await heard(door, "alice@example.com") == alice


async def test_no_more_tokens_are_remembered_than_there_is_room_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors, "MOST_KNOWN", 2)
    door = Actors(database, development_tokens=True)
    everybody = [await joined(database, f"user{number}@example.com") for number in range(3)]
    for each in everybody:
        assert await heard(door, each.user_id) == each
    await change(database, status=UserState.BANNED)
    assert [await heard(door, each.user_id) for each in reversed(everybody)] == [
        everybody[2],
        everybody[1],
        "user_not_active",
    ]


async def test_without_development_tokens_none_is_anybodys(database: Database) -> None:
    alice = await joined(database, "alice@example.com")
    assert await heard(Actors(database, development_tokens=False), alice.user_id) == "unknown_token"
