"""kill -9 while a desk deals on recorded prices: what the journal holds is what the naive desk does, fill by fill.

Whatever leads closes by itself (EXP-80).
"""

import time

import pytest

from fondaco.core.commands import decode_command
from fondaco.core.desk.state import DeskFill
from fondaco.engine.journal import BEGINNING, commands_of
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.following import TablesProjector
from fondaco.infra.database import Database
from fondaco.infra.settings import DatabaseSettings
from support import needs
from support.dealing_engine import commands
from support.desk_witness import DeskWitness
from support.engines import follower_of
from support.engines import running as following
from support.projected import rows_of
from support.recorded_quotes import BTC_TRADES, ETH_TRADES, SOL_CANDLES, TERMS
from support.victims import BACK_WITHIN_S, Victims, victims
from support.waiting import eventually

MINUTE_NS = 60_000_000_000
IN_TURN = ("one", "two", "server")
"""The first leads, the second takes over from it."""


async def prove(*, kills: int, seed: int) -> DeskWitness:
    for name in (BTC_TRADES, ETH_TRADES, SOL_CANDLES):
        needs.recorded(name)
    begin_ns = (time.time_ns() - MINUTE_NS) // 1_000 * 1_000
    count = sum(1 for _ in commands(begin_ns, seed))
    async with victims("dealing_engine.py", (str(begin_ns), str(seed))) as running:
        for kill in range(kills):
            await so_many_answers(running, count * (kill + 1) // (kills + 2))
            await running.kill(IN_TURN[kill % len(IN_TURN)])
        await so_many_answers(running, count)
        for name in ("one", "two"):
            await running.kill(name)
        database = Database(running.url, DatabaseSettings(), application="test")
        witness = await retold(PostgresStore(database), running.answers())
        await tables_have(database, witness.fills)
        await database.dispose()
    return witness


async def so_many_answers(running: Victims, count: int) -> None:
    """So many commands have an answer."""

    async def came() -> bool:
        return len({command_id for _, command_id in running.answers()}) >= count

    await eventually(came, patience_s=BACK_WITHIN_S)


async def retold(store: PostgresStore, answers: list[tuple[int, str]]) -> DeskWitness:
    """The journal told to the naive desk and to a machine of our own: both agree after each command.

    Each answer that anybody got names the command that was done, also when it was sent a second time.
    """
    witness, mark, done = DeskWitness(looks_at_all=False), BEGINNING, dict[str, set[int]]()
    while rows := await store.rows_after(mark.batch_no, 100):
        for row in rows:
            for each in commands_of(row):
                witness.now_ns = each.now_ns
                answer = witness.apply(each.submission, decode_command(each.submission.body))
                done.setdefault(each.submission.command_id, set()).add(answer.seq)
            mark = row.end
    witness.finish()
    assert [each for each in answers if each[0] not in done.get(each[1], ())] == []
    return witness


async def tables_have(database: Database, fills: list[DeskFill]) -> None:
    """The tables, which killed nodes wrote and a follower of our own goes on with, show these fills and no other."""
    store = PostgresStore(database)
    end = await store.end()
    follower = await follower_of(store, database)

    async def is_there() -> bool:
        return (await TablesProjector(database).watermark()).batch_no >= end.batch_no

    async with following(follower):
        await eventually(is_there)
    rows = await rows_of(
        database,
        "SELECT id, position_id, account_id, symbol, direction, is_open, quantity, price, result, covered, "
        "coalesce(close_reason, '') FROM desk_fills ORDER BY id",
    )
    assert rows == [
        (
            *(each.fill_id, each.position_id, each.account_id, each.symbol, each.direction, each.is_open),
            each.lots * TERMS[each.symbol].lot,
            each.price_ticks * TERMS[each.symbol].tick,
            *(each.result, each.covered, each.closing),
        )
        for each in fills
    ]


def must_have_dealt(witness: DeskWitness, *reasons: str) -> None:
    """Commands came twice and were done once, and the desk has closed for each of these reasons."""
    opens = [each for each in witness.fills if each.is_open]
    assert len(opens) == len({each.fill_id for each in opens})
    for what in ("margin_call", "stop_loss", "trailing_stop", "take_profit", *reasons):
        assert witness.counts[f"closed: {what}"] > 3, witness.counts
    assert witness.counts["opened"] > 200, witness.counts


@pytest.mark.timeout(240)
async def test_a_desk_that_is_killed_closes_what_the_naive_desk_closes() -> None:
    must_have_dealt(await prove(kills=2, seed=1), "stop_out")


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(2, 7))
async def test_one_that_is_killed_many_times_does_too(seed: int) -> None:
    """Not every seed brings a stop-out: where it comes to one, it is the naive desk's."""
    must_have_dealt(await prove(kills=12, seed=seed))
