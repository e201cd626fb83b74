"""What the edge knows of the desk is what the engine has, whether it has heard it or read it from the tables."""

import msgspec

from fondaco.engine.live import LiveHouse
from fondaco.engine.live_desk import LiveDesk
from fondaco.infra.database import Database
from support.desk_floor import dealing_floor, entry, margin_account, opened_position, quote, settled
from support.live import kept_up
from support.trading import Floor


async def busy(floor: Floor) -> None:
    """Positions of every kind, some closed in part or whole; entries with levels of every kind, some ended."""
    account = await margin_account(floor, "alice", 100_000)
    for changes in (
        {"stop_loss": {"price": "45000"}, "guaranteed": True},
        {"direction": "short", "take_profit": {"percent": "50"}, "trailing_stop": {"amount": "700"}},
        {"account_id": account, "mode": "cross", "quantity": "0.3", "leverage": 25},
    ):
        opened = await opened_position(floor, "alice", **changes)
    await floor.ask("alice", "POST", f"/positions/{opened['position_id']}/close", {"quantity": "0.1"})
    gone = await opened_position(floor, "bob")
    await floor.ask("bob", "POST", f"/positions/{gone['position_id']}/close", {})
    levels = {"stop_loss": {"percent": "30"}, "take_profit": {"amount": "100"}, "trailing_stop": {"price": "50"}}
    for price in ("40000", "49000"):
        wanted = entry(floor, "alice", price=price, expires_at="2100-01-01T00:00:00.000007Z", **levels)
        assert (await floor.ask("alice", "POST", "/entries", wanted)).status_code == 201
    await quote(floor.engine.client, 48_980, 48_990)


async def test_heard_and_read_it_is_what_the_engine_has(database: Database) -> None:
    async with dealing_floor(database) as floor:
        await busy(floor)
        await settled(floor)
        (heard,) = [each for each in floor.house.live._parts if isinstance(each, LiveDesk)]
        engine_s = await floor.engine.client.read(
            lambda machine: (
                msgspec.to_builtins(dict(machine.house.desk.positions)),
                msgspec.to_builtins(dict(machine.house.desk.entries)),
            )
        )
        fresh = LiveDesk()
        live = LiveHouse(floor.engine.client, database, [fresh])
        async with kept_up(live):
            for known in (heard, fresh):
                assert (msgspec.to_builtins(known.positions), msgspec.to_builtins(known.entries)) == engine_s
            assert (fresh.quotes, fresh.terms, fresh.cash) == (heard.quotes, heard.terms, heard.cash)
            assert {world: fresh.rules(world) for world in fresh._rules} == heard._rules
            assert {id_: list(own) for id_, own in fresh.positions_of.items()} == {
                id_: list(own) for id_, own in heard.positions_of.items()
            }
            assert len(engine_s[0]) == 4
            assert len(engine_s[1]) == 1
            assert fresh.cash
            assert fresh.take_quotes() == []
