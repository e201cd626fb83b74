"""The supervisor with real processes: restarts, ends in order, leaves nobody behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fondaco.infra.children import HURRIED_S
from fondaco.infra.errors import UserError
from fondaco.infra.supervisor import Backoff, Child, Process, Program, State, Supervisor, command, own_environment
from support.processes import is_running
from support.waiting import PATIENCE_S, eventually

QUICK = Backoff(first_s=0.01, longest_s=0.04, healthy_s=60.0)

OBEDIENT = """
import signal, sys, time
def stop(*_):
    print("bye", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("hello", flush=True)
signal.pause()
"""
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("hello", flush=True)
while True:
    signal.pause()
"""
SUPERVISING = """
import asyncio, sys
from fondaco.infra.supervisor import Supervisor, command, own_environment
async def main():
    sleeper = command("sleeper", [sys.executable, "-c", "import signal; signal.pause()"], own_environment())
    supervisor = Supervisor([sleeper], lambda name, line: None)
    await supervisor.start("sleeper")
    print(supervisor.children["sleeper"].process.pid, file=sys.stderr)
    await asyncio.Event().wait()
asyncio.run(main())
"""


class House:
    """A supervisor and what its processes said."""

    def __init__(self, *programs: Program) -> None:
        self.lines: list[tuple[str, bytes]] = []
        self.supervisor = Supervisor(programs, lambda name, line: self.lines.append((name, line)), QUICK)

    def child(self, name: str) -> Child:
        """One of its processes, running or not."""
        return self.supervisor.children[name]

    def process(self, name: str) -> Process:
        """One that runs."""
        process = self.child(name).process
        assert process is not None
        return process

    async def says(self, name: str, line: bytes, times: int = 1) -> None:
        """Wait until it has said this line so often."""
        await eventually(lambda: _now(self.lines.count((name, line)) >= times))


@asynccontextmanager
async def house(*programs: Program) -> AsyncIterator[House]:
    """Start all programs; end them at the end."""
    opened = House(*programs)
    try:
        for program in programs:
            await opened.supervisor.start(program.name)
        yield opened
    finally:
        opened.supervisor.hurry()
        await opened.supervisor.stop()


def python(name: str, code: str) -> Program:
    """A program of a few lines of Python."""
    return command(name, [sys.executable, "-c", code], own_environment())


async def test_a_killed_process_is_started_again() -> None:
    async with house(python("one", OBEDIENT)) as opened:
        await opened.says("one", b"hello")
        first = opened.process("one").pid
        for times in (2, 3):
            os.kill(opened.process("one").pid, signal.SIGKILL)
            await opened.says("one", b"hello", times)
        assert opened.child("one").starts == 3
        assert opened.process("one").pid != first
        assert not is_running(first)


async def test_all_end_in_reverse_order_and_are_reaped() -> None:
    names = ("one", "two", "three")
    async with house(*(python(name, OBEDIENT) for name in names)) as opened:
        for name in names:
            await opened.says(name, b"hello")
        pids = [opened.process(name).pid for name in names]
        await opened.supervisor.stop()
        assert [name for name, line in opened.lines if line == b"bye"] == ["three", "two", "one"]
        assert [is_running(pid) for pid in pids] == [False, False, False]
        assert {opened.child(name).state for name in names} == {State.STOPPED}


async def test_one_that_ignores_the_signal_is_killed_when_its_time_is_up() -> None:
    stubborn = Program("stubborn", python("", STUBBORN).launch, ending=((signal.SIGTERM, 0.01),))
    async with house(stubborn) as opened:
        await opened.says("stubborn", b"hello")
        pid = opened.process("stubborn").pid
        await opened.supervisor.stop()
        assert not is_running(pid)


async def test_hurrying_cuts_a_long_patience_short() -> None:
    patient = Program("patient", python("", STUBBORN).launch, ending=((signal.SIGTERM, 3600.0),))
    async with house(patient) as opened:
        await opened.says("patient", b"hello")
        stopping = asyncio.ensure_future(opened.supervisor.stop())
        await eventually(lambda: _now(opened.child("patient").state is State.STOPPING))
        opened.supervisor.hurry()
        await asyncio.wait_for(stopping, 10 * HURRIED_S)


async def test_a_process_between_two_starts_can_be_stopped() -> None:
    opened = House(python("brief", "raise SystemExit(1)"))
    await opened.supervisor.start("brief")
    await eventually(lambda: _now(opened.child("brief").starts >= 3))
    await opened.supervisor.stop()
    assert opened.child("brief").state is State.STOPPED
    starts = opened.child("brief").starts
    assert opened.child("brief").process is None
    await asyncio.sleep(0)
    assert opened.child("brief").starts == starts


async def test_what_a_person_must_put_right_is_not_tried_again() -> None:
    async with house(python("asking", "print('Give me money.'); raise SystemExit(2)")) as opened:
        with pytest.raises(UserError, match=r"^Give me money\.$"):
            await asyncio.wait_for(opened.supervisor.failed, PATIENCE_S)
        assert opened.child("asking").starts == 1


async def test_a_first_start_that_fails_is_the_callers_business() -> None:
    async def launch() -> Process:
        raise UserError("No.")

    opened = House(Program("never", launch))
    with pytest.raises(UserError, match="No"):
        await opened.supervisor.start("never")
    await opened.supervisor.stop()
    assert not opened.supervisor.failed.done()


async def test_a_later_start_that_fails_is_tried_again() -> None:
    real = python("moody", OBEDIENT)
    outcomes = [True, False, False, True]

    async def launch() -> Process:
        if outcomes.pop(0):
            return await real.launch()
        raise OSError("not now")

    async with house(Program("moody", launch)) as opened:
        await opened.says("moody", b"hello")
        os.kill(opened.process("moody").pid, signal.SIGKILL)
        await opened.says("moody", b"hello", 2)
        assert outcomes == []


async def test_one_run_gives_its_exit_code_and_last_line() -> None:
    opened = House()
    assert await opened.supervisor.run_once(python("x", "print('a'); print('b'); raise SystemExit(7)")) == (7, "b")


async def test_the_output_of_a_burst_is_complete() -> None:
    opened = House()
    await opened.supervisor.run_once(
        python("burst", "print('x' * 99 + chr(10), end='', flush=True); print('y\\n' * 50_000)")
    )
    assert len([line for _, line in opened.lines if line == b"y"]) == 50_000


async def test_nobody_outlives_a_supervisor_that_is_killed() -> None:
    supervising = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SUPERVISING),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=own_environment(PYTHONPATH=str(Path(__file__).parents[3] / "src")),
    )
    try:
        assert supervising.stderr is not None
        pid = int(await supervising.stderr.readline())
        assert is_running(pid)
    finally:
        supervising.kill()
        await supervising.wait()
    await eventually(lambda: _now(not is_running(pid)))


async def _now(value: bool) -> bool:  # noqa: FBT001 - a value turned into an awaitable one
    return value
