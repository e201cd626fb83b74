"""kill -9 of leader, standby and PostgreSQL under load: what was acknowledged is in the journal, and all agree."""

import random
from itertools import pairwise

import pytest

from fondaco.core.machine import Machine
from fondaco.engine.journal import BEGINNING, Mark, commands_of, replayed
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.following import TablesProjector
from fondaco.infra.database import Database
from fondaco.infra.settings import DatabaseSettings
from support.victims import BACK_WITHIN_S, NODES, Victims, victims
from support.waiting import eventually

LOADED = "loaded_engine.py"
MORE_ANSWERS = 200
"""So many must come between two crashes."""


async def prove(*, kills: int, seed: int) -> None:
    numbers = random.Random(seed)
    async with victims(LOADED) as running:
        for _ in range(kills):
            await more_answers(running)
            await running.kill(numbers.choice(["one", "two", "server"]))
        await more_answers(running)
        for name in NODES:
            await running.kill(name)
        database = Database(running.url, DatabaseSettings(), application="test")
        store = PostgresStore(database)
        await holds_every_answer(store, running.answers())
        await tables_follow(store, database)
        await database.dispose()


async def more_answers(running: Victims) -> None:
    """Orders are answered, again."""
    before = len(running.answers())

    async def came() -> bool:
        return len(running.answers()) >= before + MORE_ANSWERS

    await eventually(came, patience_s=BACK_WITHIN_S)


async def holds_every_answer(store: PostgresStore, answers: list[tuple[int, str]]) -> None:
    """The journal has each acknowledged command under the number that was acknowledged, and replays to its end."""
    found: dict[int, str] = {}
    machine, mark, epochs = Machine(), BEGINNING, [0]
    while rows := await store.rows_after(mark.batch_no, 100):
        for row in rows:
            found.update(enumerate((each.command_id for each in commands_of(row)), row.first_seq))
            mark, _ = replayed(machine, mark, row)
            epochs.append(row.epoch)
    assert [(seq, found.get(seq)) for seq, command_id in answers if found.get(seq) != command_id] == []
    assert all(earlier <= later for earlier, later in pairwise(epochs))
    assert len(set(epochs)) > 1
    assert len(set(found.values())) == len(found) - found_again(found)


def found_again(found: dict[int, str]) -> int:
    """Commands that open the exchange are sent by each leader; no other id comes twice."""
    opening = [each for each in found.values() if each.startswith("open-")]
    return len(opening) - len(set(opening))


async def tables_follow(store: PostgresStore, database: Database) -> None:
    """The nodes that are started again bring the watermark to a place that the journal has, beyond the old end."""
    end = await store.end()

    async def is_there() -> bool:
        mark: Mark = await TablesProjector(database).watermark()
        if mark.batch_no < end.batch_no:
            return False
        (row,) = await store.rows_after(mark.batch_no - 1, 1)
        return row.end == mark

    await eventually(is_there)


@pytest.mark.timeout(240)
async def test_killed_leaders_standbys_and_databases_lose_no_acknowledged_order() -> None:
    await prove(kills=6, seed=3)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(5))
async def test_they_are_killed_many_times(seed: int) -> None:
    await prove(kills=40, seed=seed)
