"""A replay stops where it is told to, whether a snapshot lies before, and shows what was."""

import pytest

from fondaco.app.cli.journal import report
from fondaco.core.machine import Machine
from fondaco.core.snapshot import state_hash
from fondaco.engine.journal import BEGINNING, commands_of, replayed
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.recovery import Standing, snapshot_of
from fondaco.engine.replaying import Until, replayed_until
from support.engines import leading, open_exchange, set_aside_often
from support.floor import ALICE, FUNDS, OPENING, WHOLE


async def test_a_replay_stops_after_the_command_that_was_named_and_at_the_moment_that_was_named(
    store: PostgresStore,
) -> None:
    async with leading(store) as leader:
        await open_exchange(leader.client)
        for _ in range(3):
            await set_aside_often(leader.client, ALICE, 10)
    rows = await store.rows_after(0, 100)
    machine, mark = Machine(), BEGINNING
    for row in rows[:-2]:
        mark, _ = replayed(machine, mark, row)
    await store.save_snapshot(*snapshot_of(Standing(machine, mark)))
    opened = len(OPENING)
    for seq in (1, opened, opened + 5, mark.seq, mark.seq + 3, opened + 30):
        machine = await replayed_until(store, Until(seq=seq))
        assert machine.seq == seq
        assert held(machine) == max(seq - opened, 0)
    moments = [(each.now_ns, seq) for row in rows for seq, each in enumerate(commands_of(row), row.first_seq)]
    for now_ns, _ in moments[:: len(moments) // 7]:
        machine = await replayed_until(store, Until(now_ns=now_ns))
        assert machine.seq == max(seq for at_ns, seq in moments if at_ns <= now_ns)
    whole = await replayed_until(store, Until())
    assert whole.seq == opened + 30
    assert (await replayed_until(store, Until(now_ns=0))).seq == 0


async def test_a_report_names_command_state_and_every_balance(store: PostgresStore) -> None:
    async with leading(store) as leader:
        await open_exchange(leader.client)
        await set_aside_often(leader.client, ALICE, 2)
    machine = await replayed_until(store, Until())
    lines = list(report(machine))
    assert lines[0].startswith(f"command {machine.seq} at 2")
    assert lines[1] == f"state {state_hash(machine).hex()}"
    assert lines[2:4] == [
        f"account {ALICE} BTC available {FUNDS // WHOLE}.00000000 held 0.00000000",
        f"account {ALICE} USDT available {FUNDS // WHOLE - 1}.99999998 held 0.00000002",
    ]
    assert len(lines) == 6


@pytest.mark.parametrize("until", [Until(), Until(seq=5), Until(now_ns=5)])
async def test_an_empty_journal_is_an_empty_house(store: PostgresStore, until: Until) -> None:
    assert (await replayed_until(store, until)).seq == 0


def held(machine: Machine) -> int:
    """What Alice has set aside."""
    return sum(each.held for each in machine.balances_of(ALICE))
