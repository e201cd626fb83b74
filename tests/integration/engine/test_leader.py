"""A leader on a real database: answers are on disk, overload has a name, and an end leaves nobody in the dark."""

import asyncio
import time
from typing import Any

import msgspec
import psycopg
import pytest

from fondaco.core.commands import HOUSE, CancelAll, Deposit, TripBreaker
from fondaco.core.machine import Machine
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Refused
from fondaco.core.snapshot import state_hash
from fondaco.core.vocabulary import World
from fondaco.engine.journal import commands_of
from fondaco.engine.leader import Leader
from fondaco.engine.port import OutcomeUnknownError, OverloadedError, Why
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.recovery import recovered
from fondaco.engine.sequencer import MAX_JUMP_NS, Bounds, ClockJumpError
from fondaco.engine.store import FencedError, StoreLostError
from fondaco.infra.database import Database
from support.engines import WIDE, leading, open_exchange, set_aside_often, submit
from support.floor import ALICE, BOB, OPENING, SYMBOL, set_aside
from support.waiting import eventually


async def test_what_was_answered_is_in_the_journal_and_a_recovery_comes_to_the_same_state(store: PostgresStore) -> None:
    async with leading(store) as leader:
        await open_exchange(leader.client)
        answers = await set_aside_often(leader.client, ALICE, 300)
        journaled = [command for row in await store.rows_after(0, 500) for command in commands_of(row)]
        assert [answer.seq for answer in answers] == list(range(len(OPENING) + 1, len(OPENING) + 301))
        assert len(journaled) == len(OPENING) + 300
        state = await leader.client.read(state_hash)
    standing = await recovered(store)
    assert state_hash(standing.machine) == state
    assert standing.mark == await store.end()


async def test_commands_that_come_together_share_a_commit(store: PostgresStore) -> None:
    async with leading(store) as leader:
        await open_exchange(leader.client)
        before = (await store.end()).batch_no
        await set_aside_often(leader.client, ALICE, 1_500)
        assert (await store.end()).batch_no - before < 20


async def test_a_command_that_is_sent_again_gets_its_answer_again_also_after_a_restart(store: PostgresStore) -> None:
    async with leading(store) as leader:
        await open_exchange(leader.client)
        first = await submit(leader.client, ALICE, set_aside(5), "mine")
    async with leading(store) as leader:
        again = await submit(leader.client, ALICE, set_aside(5), "mine")
    assert (again.seq, again.reply, first.is_duplicate, again.is_duplicate) == (first.seq, first.reply, False, True)


async def test_what_does_not_come_through_the_door_gets_no_number(store: PostgresStore) -> None:
    async with leading(store) as leader:
        refused = await submit(leader.client, HOUSE, Deposit(ALICE, "USDT", 2**63))
        with pytest.raises(msgspec.ValidationError):
            await submit(leader.client, HOUSE, Deposit(ALICE, "USDT", "1"))  # type: ignore[arg-type] # a mistake
    assert refused.reply == Refused(Refusal.OUT_OF_RANGE)
    assert (await store.end()).seq == 0


async def test_a_full_queue_refuses_by_name_and_says_when_to_come_back(store: PostgresStore) -> None:
    async with leading(store, Bounds(queue_commands=20, follower_lag=1_000)) as leader:
        sent = [asyncio.ensure_future(submit(leader.client, ALICE, set_aside(1))) for _ in range(19)]
        await asyncio.sleep(0)
        sent.append(asyncio.ensure_future(submit(leader.client, ALICE, CancelAll(ALICE))))
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, OverloadedError)]
    assert [(each.why, each.retry_after_s) for each in refused] == [(Why.QUEUE_FULL, 1)]
    assert not isinstance(outcomes[-1], Exception), "a cancel finds the tenth that is kept for it"
    assert (await store.end()).seq == 19


async def test_a_follower_too_far_behind_lets_nothing_in_until_it_has_come_closer(
    store: PostgresStore, database: Database
) -> None:
    async with leading(store, Bounds(queue_commands=1_000, follower_lag=100)) as leader:
        with pytest.raises(OverloadedError, match="follower_behind"):
            await set_aside_often(leader.client, ALICE, 91)
        async with database.driver_transaction() as connection:
            await connection.execute(
                "INSERT INTO watermarks VALUES ('projection', 1, 90, %s, clock_timestamp())", (bytes(32),)
            )

        async def takes_more() -> bool:
            try:
                await submit(leader.client, ALICE, set_aside(1))
            except OverloadedError:
                return False
            return True

        await eventually(takes_more)


async def test_an_idle_engine_does_what_falls_due(store: PostgresStore) -> None:
    async with leading(store) as leader:
        await open_exchange(leader.client)
        until_ns = time.time_ns() // 1_000_000 * 1_000_000 + 200_000_000
        halt = TripBreaker(World.TRADING, SYMBOL, "why", "who", until_ns)
        await submit(leader.client, HOUSE, halt)
        assert await leader.client.read(lambda machine: len(machine.house.breakers)) == 1

        async def is_lifted() -> bool:
            return await leader.client.read(lambda machine: len(machine.house.breakers)) == 0

        await eventually(is_lifted)
    (tick,) = commands_of((await store.rows_after((await store.end()).batch_no - 1, 1))[0])
    assert tick.command_id.startswith("tick-")
    assert tick.now_ns >= until_ns


async def test_a_stop_answers_whoever_waits_and_takes_nobody_else(store: PostgresStore) -> None:
    async with leading(store) as leader:
        await open_exchange(leader.client)
        waiting = [asyncio.ensure_future(submit(leader.client, BOB, set_aside(1, BOB))) for _ in range(50)]
        await asyncio.sleep(0)
        leader.stop()
        with pytest.raises(OverloadedError, match="engine_away"):
            await submit(leader.client, BOB, set_aside(1, BOB))
        assert [answer.seq for answer in await asyncio.gather(*waiting)] == list(
            range(len(OPENING) + 1, len(OPENING) + 51)
        )
    assert (await store.end()).seq == len(OPENING) + 50


async def test_a_lost_session_ends_the_leader_and_nobody_is_told_what_is_not_known(
    store: PostgresStore, database: Database
) -> None:
    running, leader = await begun(store)
    await open_exchange(leader.client)
    with psycopg.connect(database.url) as other:
        other.execute("SELECT FROM leases FOR UPDATE")  # so that the commit is under way when its session ends
        waiting = asyncio.ensure_future(submit(leader.client, ALICE, set_aside(1)))

        async def commits() -> bool:
            found = other.execute("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
            if found is not None:
                other.execute("SELECT pg_terminate_backend(%s)", found)
            return found is not None

        await eventually(commits)
        with pytest.raises(StoreLostError):
            await running
    with pytest.raises(OutcomeUnknownError, match="under the same id"):
        await waiting
    with pytest.raises(OverloadedError, match="engine_away"):
        await submit(leader.client, ALICE, set_aside(1))


async def test_a_leader_that_was_replaced_ends_at_its_next_beat(store: PostgresStore, database: Database) -> None:
    running, _ = await begun(store)
    async with database.driver_transaction() as connection:
        await connection.execute("UPDATE leases SET epoch = epoch + 1")
    with pytest.raises(FencedError):
        await running


async def test_a_clock_that_is_set_forward_ends_the_leader_after_the_batch_before_was_answered(
    store: PostgresStore,
) -> None:
    jump_ns = 0
    running, leader = await begun(store, clock_ns=lambda: time.time_ns() + jump_ns)
    await open_exchange(leader.client)
    jump_ns = 2 * MAX_JUMP_NS
    waiting = asyncio.ensure_future(submit(leader.client, ALICE, set_aside(1)))
    with pytest.raises(ClockJumpError, match="The clock has jumped"):
        await running
    with pytest.raises(OutcomeUnknownError):
        await waiting
    assert (await store.end()).seq == len(OPENING)


async def test_a_look_that_fails_says_so_to_its_asker_and_the_engine_goes_on(store: PostgresStore) -> None:
    def bad(machine: Machine) -> int:
        return len(machine.balances_of(ALICE)[9].asset)

    async with leading(store) as leader:
        with pytest.raises(IndexError):
            await leader.client.read(bad)
        await open_exchange(leader.client)


async def begun(store: PostgresStore, **how: Any) -> tuple[asyncio.Task[None], Leader]:  # noqa: ANN401 - as `Leader` takes it
    """A leader that a test will see end."""
    lease = await store.acquire("test", "here")
    assert lease is not None
    leader = Leader(lease, await recovered(store), WIDE, **how)
    return asyncio.ensure_future(leader.run()), leader
