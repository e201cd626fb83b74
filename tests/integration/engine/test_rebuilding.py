"""Tables made anew from the journal take the place of the old ones in one step, or not at all."""

import asyncio

import psycopg
import pytest

from fondaco.domains.risk import watch
from fondaco.engine.projection import rebuilding
from fondaco.engine.projection.projection import Projection, open_projection
from fondaco.engine.projection.rebuilding import (
    BUILDING,
    TABLES,
    RebuildError,
    RebuildOutrunError,
    make_tables,
    rebuild,
)
from fondaco.engine.store import FencedError
from fondaco.infra.database import Database, DatabaseUnavailableError
from support.people import OPERATOR
from support.projected import Journal, contents, crowded, rows_of
from support.stored import execute
from support.waiting import eventually

STRUCTURE = """
SELECT c.relname, c.reloptions::text, pg_get_partkeydef(c.oid),
    (SELECT array_agg(format('%%s %%s %%s %%s', attname, atttypid::regtype, attnotnull, attcollation) ORDER BY attnum)
        FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0),
    (SELECT array_agg(format('%%s %%s', conname, pg_get_constraintdef(o.oid)) ORDER BY conname)
        FROM pg_constraint o WHERE o.conrelid = c.oid AND contype <> 'n'),
    (SELECT array_agg(replace(pg_get_indexdef(indexrelid), %s || '.', '') ORDER BY indexrelid::regclass::text)
        FROM pg_index i WHERE i.indrelid = c.oid),
    (SELECT array_agg(replace(pg_get_triggerdef(t.oid), %s || '.', '') ORDER BY tgname)
        FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT tgisinternal)
FROM pg_class c WHERE relnamespace = %s::regnamespace AND relname = ANY(%s) ORDER BY 1
"""


async def test_rebuilt_tables_equal_those_that_grew_and_damage_is_gone(database: Database) -> None:
    batches = crowded(seed=5, batches=20)
    projection = await open_projection(database)
    await projection.write(batches)
    before = await contents(database)
    await execute(database, "DELETE FROM trades")
    await execute(database, "UPDATE balances SET available = 7")
    watermark = await rebuild(database, Journal(batches))
    assert await contents(database) == before
    assert watermark == (await open_projection(database)).watermark() == projection.watermark()
    schemas = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'engine%%'"
    assert await rows_of(database, schemas) == []


async def test_views_and_the_structure_of_the_tables_survive(database: Database) -> None:
    batches = crowded(seed=6, batches=4)
    await (await open_projection(database)).write(batches)
    views = [name for (name,) in await rows_of(database, "SELECT viewname FROM pg_views WHERE schemaname = 'public'")]
    structure = STRUCTURE, "public", "public", "public", [*TABLES, *views]
    tables, seen = await rows_of(database, *structure), await shown(database, views)
    assert len(tables) == len(TABLES) + 15
    for _ in range(2):
        await rebuild(database, Journal(batches))
        assert await rows_of(database, *structure) == tables
        assert await shown(database, views) == seen


async def shown(database: Database, views: list[str]) -> dict[str, list[str]]:
    """What the views show."""
    return {name: sorted(map(str, await rows_of(database, f"SELECT * FROM {name}"))) for name in views}  # noqa: S608 - names of ours


async def test_the_entries_of_a_rebuilt_ledger_cannot_be_changed_either(database: Database) -> None:
    await rebuild(database, Journal(crowded(seed=6, batches=2)))
    with pytest.raises(Exception, match="append-only"):
        await execute(database, "DELETE FROM ledger_entries")


async def test_who_projected_into_the_old_tables_is_fenced_off_and_goes_on_in_the_new(database: Database) -> None:
    batches = crowded(seed=7, batches=10)
    follower = await open_projection(database)
    await follower.write(batches[:4])
    await rebuild(database, Journal(batches[:8]))
    with pytest.raises(FencedError):
        await follower.write(batches[4:6])
    follower = await open_projection(database)
    await follower.write(batches[8:])
    grown = await contents(database)
    await rebuild(database, Journal(batches))
    assert await contents(database) == grown


async def test_tables_that_went_on_meanwhile_are_caught_up_with(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = crowded(seed=8, batches=9)
    follower = await open_projection(database)
    journal = Journal(batches[:3])

    async def go_on(projection: Projection, replay: rebuilding.Replay) -> None:
        """The house does three batches more each time that the rebuild thinks it has all."""
        await follow(projection, replay)
        if follower.watermark().batch_no < 9:
            end = follower.watermark().batch_no + 3
            await follower.write(batches[end - 3 : end])
            journal.batches = batches[:end]

    follow = rebuilding._follow
    monkeypatch.setattr(rebuilding, "_follow", go_on)
    await follower.write(batches[:3])
    assert (await rebuild(database, journal)).batch_no == 9


async def test_tables_that_the_journal_does_not_know_are_left_as_they_are(database: Database) -> None:
    batches = crowded(seed=9, batches=5)
    await (await open_projection(database)).write(batches)
    before = await contents(database)
    with pytest.raises(RebuildOutrunError):
        await rebuild(database, Journal(batches[:4]))
    assert await contents(database) == before


async def test_a_reader_that_does_not_let_go_makes_it_fail_and_nothing_has_changed(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "_LIMITS", "SET LOCAL lock_timeout = 50")
    batches = crowded(seed=10, batches=3)
    await (await open_projection(database)).write(batches)
    before = await contents(database)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT * FROM orders LIMIT 1")
        with pytest.raises(DatabaseUnavailableError):
            await rebuild(database, Journal(batches))
    assert await contents(database) == before
    await rebuild(database, Journal(batches))
    assert await contents(database) == before


async def test_what_stands_on_a_view_is_named_and_nothing_has_changed(database: Database) -> None:
    batches = crowded(seed=11, batches=2)
    await (await open_projection(database)).write(batches)
    before = await contents(database)
    await execute(database, "CREATE VIEW mine AS SELECT id FROM v_orders")
    with pytest.raises(RebuildError, match=r"v_orders: drop it first .view mine depends on"):
        await rebuild(database, Journal(batches))
    assert await contents(database) == before
    await execute(database, "DROP VIEW mine; CREATE VIEW mine AS SELECT id FROM orders")
    await rebuild(database, Journal(batches))
    assert len(await rows_of(database, "SELECT * FROM mine")) == len(before["orders"])


async def test_what_staff_has_acknowledged_stays_acknowledged(database: Database) -> None:
    """BHC-64: severity, kind, message, entity; acknowledged with the time, which no journal tells."""
    batches = crowded(seed=1, batches=24)
    await (await open_projection(database)).write(batches)
    assert await rows_of(database, "SELECT DISTINCT severity, kind, entity_type FROM risk_alerts") != []
    await execute(
        database,
        "UPDATE risk_alerts SET acknowledged_at = now(), acknowledged_by = 'ann' "
        "WHERE id = (SELECT min(id) FROM risk_alerts)",
    )
    query = "SELECT id, acknowledged_at, acknowledged_by FROM risk_alerts ORDER BY id"
    before = await rows_of(database, query)
    await rebuild(database, Journal(batches))
    assert await rows_of(database, query) == before
    assert [by for _, _, by in before].count("ann") == 1


async def test_what_staff_acknowledges_while_tables_change_places_stays_acknowledged(database: Database) -> None:
    """BHC-64: one who began before is waited for, one who comes meanwhile writes into the new table."""
    batches = crowded(seed=1, batches=24)
    await (await open_projection(database)).write(batches)
    ids = [id_ for (id_,) in await rows_of(database, "SELECT id FROM risk_alerts ORDER BY id")]
    async with database.driver_transaction() as connection:
        assert await watch.acknowledge(connection, OPERATOR, ids[0]) is not None
        rebuilding_ = asyncio.create_task(rebuild(database, Journal(batches)))
        await eventually(lambda: waits(database, 1))
        later = asyncio.create_task(acknowledge(database, ids[1]))
        await eventually(lambda: waits(database, 2))
    await rebuilding_
    await later
    found = await rows_of(database, "SELECT id FROM risk_alerts WHERE acknowledged_at IS NOT NULL ORDER BY id")
    assert [id_ for (id_,) in found] == ids[:2]


async def acknowledge(database: Database, alert_id: int) -> None:
    """Acknowledge an alert in a transaction of its own."""
    async with database.driver_transaction() as connection:
        assert await watch.acknowledge(connection, OPERATOR, alert_id) is not None


async def waits(database: Database, count: int) -> bool:
    """Whether so many sessions wait for the alerts' table."""
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'public.risk_alerts'::regclass AND NOT granted"
    return (await rows_of(database, waiting)) == [(count,)]


async def test_an_empty_set_of_tables_is_made_twice_without_harm(database: Database) -> None:
    await make_tables(database, BUILDING)
    await make_tables(database, BUILDING)
    await rebuild(database, Journal([]))
    assert (await open_projection(database)).watermark().batch_no == 0
