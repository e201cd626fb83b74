"""Owners are told once of what the desk has done by itself, whatever is interrupted, and never again by a rebuild."""

from typing import Any

import pytest

from fondaco.core.commands import SetDeskRules
from fondaco.core.desk.terms import DeskRules
from fondaco.core.vocabulary import AccountKind, StopOutPolicy, World
from fondaco.engine.projection import projection as writing
from fondaco.engine.projection.folding import Fold
from fondaco.engine.projection.notices import TOPIC, notify
from fondaco.engine.projection.projection import open_projection
from fondaco.engine.projection.rebuilding import rebuild
from fondaco.infra.database import Database, PsycopgConnection
from support.desk_crowd import CROSS, LONG, SHORT, Dealing, dealt
from support.exchange import BTC
from support.projected import Journal, contents, rows_of
from support.stored import execute

NOTICES = "SELECT id, topic, key, body, state, attempts FROM outbox ORDER BY id"


async def told(database: Database) -> list[dict[str, Any]]:
    """The bodies of all notices, in order."""
    return [body for _, _, _, body, _, _ in await rows_of(database, NOTICES)]


async def test_a_stop_and_a_take_say_what_was_closed_at_which_price(database: Database) -> None:
    """EXP-91: a trailing stop too. What somebody closes by hand is no news to them."""
    dealing = Dealing()
    ann, bob = dealing.client("ann"), dealing.client("bob")
    dealing.quote(100_000)
    stopped = dealing.opened(ann, LONG, 10, stop=dealing.at(99_000))
    trailed = dealing.opened(bob, LONG, 20, trail=dealing.at(1_500))
    taken = dealing.opened(bob, SHORT, 30, take=dealing.at(98_500))
    dealing.close(bob, dealing.opened(bob, LONG, 10))
    dealing.quote(98_400)
    await (await open_projection(database)).write([dealing.exchange.cut()])
    rows = await rows_of(database, NOTICES)
    assert [(topic, key, state, attempts) for _, topic, key, _, state, attempts in rows] == [
        (TOPIC, "ann", "waiting", 0),
        (TOPIC, "bob", "waiting", 0),
        (TOPIC, "bob", "waiting", 0),
    ]
    common = {
        "seq": dealing.exchange.machine.seq,
        "at": "2024-10-31T00:00:00+00:00",
        "world": "trading",
        "symbol": "BTCUSDT",
        "currency": "USDT",
        "price": "984.000000",
        "covered": "0.000000",
        "equity": None,
        "margin": None,
        "stop_out_id": None,
    }
    told_of = [
        ("stop_loss_hit", "stop_loss", ann, "ann", stopped, "long", "0.01000000", "-0.160000"),
        ("stop_loss_hit", "trailing_stop", bob, "bob", trailed, "long", "0.02000000", "-0.320000"),
        ("take_profit_hit", "take_profit", bob, "bob", taken, "short", "0.03000000", "0.480000"),
    ]
    assert await told(database) == [
        common
        | {"kind": kind, "reason": reason, "account_id": account, "user_id": user, "position_id": position}
        | {"result": result, "closed": [part(position, direction, quantity, "984.000000", result)]}
        for kind, reason, account, user, position, direction, quantity, result in told_of
    ]


def part(position: int, direction: str, quantity: str, price: str, result: str, symbol: str = "BTCUSDT") -> Any:  # noqa: ANN401 - any JSON
    """A closed part as a message has it."""
    return {
        "position_id": position,
        "symbol": symbol,
        "direction": direction,
        "quantity": quantity,
        "price": price,
        "result": result,
    }


async def test_an_isolated_position_is_warned_of_once_and_called_once(database: Database) -> None:
    dealing = Dealing()
    ann = dealing.client("ann")
    dealing.quote(100_000)
    position = dealing.opened(ann, LONG, 10, 10)
    for price in (93_000, 92_500, 90_500):
        dealing.quote(price)
    await (await open_projection(database)).write([dealing.exchange.cut()])
    warned, called = await told(database)
    assert (warned["kind"], warned["position_id"], warned["equity"], warned["margin"], warned["closed"]) == (
        *("margin_warning", position, "0.300000", "1.000000", []),
    )
    assert (called["kind"], called["position_id"], called["reason"], called["price"], called["result"]) == (
        *("margin_call", position, "isolated", "905.000000", "-0.950000"),
    )
    assert (called["equity"], called["margin"], called["covered"]) == ("0.050000", "1.000000", "0.000000")
    ((receipt,),) = await rows_of(database, "SELECT id FROM stop_outs")
    assert called["stop_out_id"] == receipt
    assert called["closed"] == [part(position, "long", "0.01000000", "905.000000", "-0.950000")]


async def test_a_cross_account_is_told_once_of_all_that_a_stop_out_closed(database: Database) -> None:
    dealing = Dealing()
    dealing.done(SetDeskRules(DeskRules(World.TRADING, stop_out_policy=StopOutPolicy.CLOSE_ALL)))
    ann = dealing.client("ann", AccountKind.MARGIN, money=21_000_000)
    dealing.quote(100_000)
    dealing.quote(50_000, symbol="ETHUSDT")
    first = dealing.opened(ann, LONG, 1_000, 50, mode=CROSS)
    second = dealing.opened(ann, LONG, 2, 50, "ETHUSDT", mode=CROSS)
    dealing.quote(99_400)
    dealing.quote(97_400)
    await (await open_projection(database)).write([dealing.exchange.cut()])
    warned, called = await told(database)
    assert (warned["kind"], warned["position_id"], warned["symbol"], warned["currency"]) == (
        *("margin_warning", None, "", "USDT"),
    )
    assert (warned["equity"], warned["margin"]) == ("15.000000", "20.020000")
    assert (called["kind"], called["reason"], called["position_id"], called["price"]) == (
        *("margin_call", "close_all", None, None),
    )
    assert (called["result"], called["covered"], called["equity"]) == ("-26.000000", "5.000000", "-5.000000")
    assert called["closed"] == [
        part(first, "long", "1.00000000", "974.000000", "-26.000000"),
        part(second, "long", "0.00200000", "500.000000", "0.000000", "ETHUSDT"),
    ]


async def test_what_fails_half_way_tells_nobody_and_what_is_done_again_tells_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = dealt(seed=1, batches=12)
    projection = await open_projection(database)

    async def fails(connection: PsycopgConnection, fold: Fold) -> None:
        await notify(connection, fold)
        raise OSError("away")

    monkeypatch.setattr(writing, "notify", fails)
    with pytest.raises(Exception, match="away"):
        await projection.write(batches)
    assert await rows_of(database, NOTICES) == []
    monkeypatch.undo()
    await (await open_projection(database)).write(batches)
    rows = await rows_of(database, NOTICES)
    assert len(rows) > 20
    assert len({row[0] for row in rows}) == len(rows)


async def test_a_rebuild_tells_nobody_again(database: Database) -> None:
    """Nor what was delivered and purged long ago."""
    batches = dealt(seed=1, batches=12)
    await (await open_projection(database)).write(batches)
    before = await rows_of(database, NOTICES)
    assert len(before) > 20
    await execute(database, "DELETE FROM outbox WHERE id = (SELECT min(id::text)::uuid FROM outbox)")
    await rebuild(database, Journal(batches))
    assert await rows_of(database, NOTICES) == before[1:]


async def test_a_rebuild_that_comes_further_than_the_tables_tells_the_rest(database: Database) -> None:
    """What nobody has been told of yet is told by whoever moves the watermark past it."""
    batches = dealt(seed=1, batches=12)
    await (await open_projection(database)).write(batches)
    everything, tables = await rows_of(database, NOTICES), await contents(database)
    await execute(database, "DELETE FROM outbox")
    await execute(database, "DELETE FROM watermarks")
    await rebuild(database, Journal(batches[:5]))
    some = await rows_of(database, NOTICES)
    assert 0 < len(some) < len(everything)
    assert some == everything[: len(some)]
    await rebuild(database, Journal(batches))
    assert await rows_of(database, NOTICES) == everything
    assert await contents(database) == tables


async def test_a_world_of_play_money_says_so(database: Database) -> None:
    """BBX-45."""
    dealing = Dealing()
    dealing.deal_in(BTC, world=World.DEMO)
    eve = dealing.client("eve", world=World.DEMO)
    dealing.quote(100_000, world=World.DEMO)
    dealing.opened(eve, LONG, 10, stop=dealing.at(99_000))
    dealing.quote(98_000, world=World.DEMO)
    await (await open_projection(database)).write([dealing.exchange.cut()])
    assert [(each["kind"], each["world"]) for each in await told(database)] == [("stop_loss_hit", "demo")]
