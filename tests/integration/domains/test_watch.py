"""Limits, breakers and alerts: who sees which, in order, and an alert is acknowledged once."""

import pytest

from fondaco.core.commands import LiftBreaker, SetLimit, TripBreaker
from fondaco.core.vocabulary import LimitName, LimitScope, Severity, World
from fondaco.domains.identity.actors import Actor
from fondaco.domains.identity.tables import UserRole
from fondaco.domains.risk import watch
from fondaco.infra.database import Database
from support.exchange import BTC, SECOND_NS, Exchange
from support.people import ALICE, BOB, OPERATOR, project_live

TRADING = World.TRADING


@pytest.fixture
async def watched(database: Database) -> Database:
    """The tables of an exchange with limits on everybody, on Alice and on Bob, and a history of halts."""
    exchange = Exchange()
    exchange.list_markets(BTC)
    alice = exchange.open_account(ALICE.user_id)
    exchange.open_account(BOB.user_id)
    for scope, subject, name, about, value in (
        (LimitScope.PLATFORM, "", LimitName.MAX_ORDER_VALUE, "USDT", 5 * 10**6),
        (LimitScope.SYMBOL, "BTCUSDT", LimitName.MAX_POSITION, "BTCUSDT", 10**8),
        (LimitScope.USER, BOB.user_id, LimitName.MAX_OPEN_ORDERS, "", 7),
        (LimitScope.ACCOUNT, str(alice), LimitName.MAX_OPEN_ORDERS, "", 3),
    ):
        exchange.do(SetLimit(TRADING, scope, subject, name, about, value))
    exchange.do(SetLimit(TRADING, LimitScope.PLATFORM, "", LimitName.MAX_OPEN_ORDERS, "", 9))
    exchange.do(SetLimit(TRADING, LimitScope.PLATFORM, "", LimitName.MAX_OPEN_ORDERS, "", None))
    for reason in ("first", "second"):
        exchange.do(TripBreaker(TRADING, "BTCUSDT", reason, "staff"))
        exchange.pass_time(SECOND_NS)
    exchange.do(LiftBreaker(TRADING, "BTCUSDT"))
    exchange.do(TripBreaker(TRADING, "", "third", "staff"))
    exchange.do(TripBreaker(World.DEMO, "", "play", "staff"))
    exchange.cut()
    await project_live(database, exchange.batches)
    return database


async def limits_for(database: Database, actor: Actor) -> list[tuple[str, str | None, str]]:
    """Scope, subject and value of each limit that an actor sees."""
    async with database.driver_transaction() as connection:
        return [(line.scope, line.subject, line.value) for line in await watch.limits(connection, actor, TRADING)]


async def test_a_limit_is_seen_by_those_whom_it_binds(watched: Database) -> None:
    """BHC-60: an operator sees all of them; one that was lifted is none."""
    everybodys = [("platform", None, "5.000000"), ("symbol", "BTCUSDT", "1.00000000")]
    of_alice, of_bob = ("account", "1000", "3"), ("user", BOB.user_id, "7")
    assert await limits_for(watched, ALICE) == [of_alice, *everybodys]
    assert await limits_for(watched, BOB) == [*everybodys, of_bob]
    assert await limits_for(watched, OPERATOR) == [of_alice, *everybodys, of_bob]
    assert await limits_for(watched, Actor("nobody", UserRole.USER)) == everybodys


async def test_breakers_are_listed_newest_first(watched: Database) -> None:
    """BHC-62: those that hold, those that are past, or both."""

    async def listed(*, is_active: bool | None, after: watch.BreakerPlace | None = None) -> list[watch.BreakerLine]:
        async with watched.driver_transaction() as connection:
            page = await watch.breakers(connection, TRADING, is_active=is_active, after=after, limit=2)
            return page.lines

    both = await listed(is_active=None)
    assert [line.reason for line in both] == ["third", "second"]
    rest = await listed(is_active=None, after=watch.BreakerPlace(both[-1].id))
    assert [line.reason for line in rest] == ["first"]
    assert [line.reason for line in await listed(is_active=True)] == ["third"]
    assert [(line.reason, line.status) for line in await listed(is_active=False)] == [
        ("second", "inactive"),
        ("first", "inactive"),
    ]


async def raise_alerts(database: Database) -> None:
    """Three alerts, as the engine's tables have them."""
    async with database.driver_transaction() as connection:
        for number, severity in ((10, Severity.LOW), (11, Severity.HIGH), (12, Severity.LOW)):
            await connection.execute(
                "INSERT INTO risk_alerts (id, severity, kind, message, entity_type, entity_id, created_at)"
                " VALUES (%s, %s, 'limit', 'too much', 'account', '1000', now())",
                (number, severity),
            )


async def test_an_alert_is_acknowledged_once(database: Database) -> None:
    """BHC-64: by the first who says so; asking again changes nothing."""
    await raise_alerts(database)
    async with database.driver_transaction() as connection:
        first = await watch.acknowledge(connection, OPERATOR, 11)
    async with database.driver_transaction() as connection:
        again = await watch.acknowledge(connection, OPERATOR, 11)
        other = await watch.acknowledge(connection, Actor("other", UserRole.ADMIN), 11)
        assert await watch.acknowledge(connection, OPERATOR, 99) is None
    assert first is not None
    assert first.acknowledged_by == OPERATOR.user_id
    assert first == again == other


async def test_alerts_are_listed_by_whether_anybody_has_seen_them(database: Database) -> None:
    """BHC-64."""
    await raise_alerts(database)

    async def listed(
        *, is_open: bool | None = None, severity: Severity | None = None, after: watch.AlertPlace | None = None
    ) -> list[int]:
        async with database.driver_transaction() as connection:
            found = await watch.alerts(connection, is_open=is_open, severity=severity, after=after, limit=2)
        return [line.id for line in found.lines]

    async with database.driver_transaction() as connection:
        await watch.acknowledge(connection, OPERATOR, 12)
    assert await listed() == [12, 11]
    assert await listed(after=watch.AlertPlace(11)) == [10]
    assert await listed(is_open=True) == [11, 10]
    assert await listed(is_open=False) == [12]
    assert await listed(severity=Severity.LOW) == [12, 10]
