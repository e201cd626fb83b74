"""The tables follow a real journal, are compared with it, and are made anew from it by command."""

from pathlib import Path

from fondaco.app.doctor import Level, check_database
from fondaco.core.book.vocabulary import Side
from fondaco.engine.journal import BEGINNING, Mark
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.projection import open_projection
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings
from support.engines import follower_of, leading, open_exchange, running, submit
from support.floor import ALICE, BOB, limit
from support.houses import command
from support.projected import contents
from support.stored import execute
from support.waiting import eventually


async def test_a_follower_writes_the_tables_and_damage_is_found_and_made_good(
    store: PostgresStore, database: Database, tmp_path: Path
) -> None:
    """A rebuild takes the journal alone, whatever the tables say."""
    async with leading(store) as leader:
        await open_exchange(leader.client)
        for lots in range(1, 20):
            await submit(leader.client, ALICE, limit(ALICE, Side.BUY, 100, lots))
            await submit(leader.client, BOB, limit(BOB, Side.SELL, 100, lots + 1))
    end = await followed(store, database)
    good = await contents(database)
    assert all(good[table] for table in ("orders", "trades", "positions", "ledger_entries"))
    assert await unwell(database) == set()

    await execute(database, "UPDATE balance_holds SET amount = amount + 1 WHERE released_at IS NULL")
    await execute(database, "DELETE FROM positions")
    assert await unwell(database) == {"holds", "memory"}
    code, said, complaint = await command(["db", "rebuild"], tmp_path, {"DATABASE_URL": database.url})
    assert (code, complaint) == (0, ""), said
    assert f"up to command {end.seq}" in said
    assert await contents(database) == good
    assert await unwell(database) == set()


async def test_a_journal_that_cannot_be_followed_leaves_the_tables_as_they_are(
    store: PostgresStore, database: Database, tmp_path: Path
) -> None:
    async with leading(store) as leader:
        await open_exchange(leader.client)
    await followed(store, database)
    before = await contents(database)
    await execute(database, "UPDATE journal SET chain_hash = sha256('other') WHERE batch_no = 1")
    code, _, complaint = await command(["db", "rebuild"], tmp_path, {"DATABASE_URL": database.url})
    assert code != 0
    assert "Nothing was changed. The journal and this machine differ in batch 1" in complaint
    assert await contents(database) == before
    assert await unwell(database) == {"memory"}


async def followed(store: PostgresStore, database: Database) -> Mark:
    """Follow until the tables are at the journal's end."""
    follower = await follower_of(store, database)
    assert follower.standing.mark == BEGINNING
    end = await store.end()

    async def is_there() -> bool:
        return (await open_projection(database)).watermark() == end

    async with running(follower):
        await eventually(is_there)
    return end


async def unwell(database: Database) -> set[str]:
    """The parts that the doctor finds broken."""
    found = await check_database(Settings(database_url=database.url), now_us)
    return {each.part for each in found if each.level is Level.FAIL}
