"""Keeps processes running: starts them, passes on what they say, restarts those that end, ends all in reverse order.

`TRANSITIONS` is the whole life of a process. One that ends is started again after a pause that doubles each time, up to
a limit, and is short again once it has stayed up for a while. One that ends with `USER_ERROR` has said what a person
must put right: starting it again would not help, so the whole house is told (`failed`).
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import structlog

from fondaco.infra.children import Ending, end_process, told_of_parents_death
from fondaco.infra.errors import UserError
from fondaco.infra.output import read_lines

log = structlog.get_logger()

USER_ERROR = 2
"""Exit code of a process that a person must help."""
DEFAULT_ENDING: Ending = ((signal.SIGTERM, 10.0),)
OUTPUT_WAIT_S = 1.0
"""How long the last lines of an ended process are waited for."""

Process: TypeAlias = asyncio.subprocess.Process
TakeLine: TypeAlias = Callable[[str, bytes], None]
"""Takes a process's name and one line of its output."""


class State(StrEnum):
    """Where a process is in its life."""

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPING = "stopping"
    STOPPED = "stopped"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.IDLE: frozenset({State.STARTING, State.STOPPED}),
    State.STARTING: frozenset({State.RUNNING, State.WAITING, State.STOPPED}),
    State.RUNNING: frozenset({State.WAITING, State.STOPPING, State.STOPPED}),
    State.WAITING: frozenset({State.STARTING, State.STOPPED}),
    State.STOPPING: frozenset({State.STOPPED}),
    State.STOPPED: frozenset(),
}


@dataclass(frozen=True)
class Backoff:
    """How long an ended process waits for its next start."""

    first_s: float = 0.25
    longest_s: float = 10.0
    healthy_s: float = 30.0
    """Once it has run so long, its past is forgiven."""

    def pause_s(self, last_s: float, *, ran_s: float) -> float:
        """Seconds to wait, after having waited ``last_s`` before (0 at first) and then having run ``ran_s``."""
        if last_s == 0 or ran_s >= self.healthy_s:
            return self.first_s
        return min(2 * last_s, self.longest_s)


@dataclass(frozen=True)
class Program:
    """What is to be kept running. ``launch`` returns once it runs, and leaves nothing behind when it raises."""

    name: str
    launch: Callable[[], Awaitable[Process]]
    ending: Ending = DEFAULT_ENDING


def command(
    name: str, arguments: Sequence[str], environment: Mapping[str, str], *, pass_fds: Sequence[int] = ()
) -> Program:
    """A program that is a command of its own process group, with its output coming to us."""

    async def launch() -> Process:
        return await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            pass_fds=pass_fds,
            process_group=0,  # Ctrl-C is for the supervisor, which then ends the others in order
            preexec_fn=told_of_parents_death(signal.SIGTERM),
        )

    return Program(name, launch)


class Child:
    """One program under supervision."""

    def __init__(self, program: Program, take_line: TakeLine, backoff: Backoff, hurry: asyncio.Event) -> None:
        self.name = program.name
        self.state = State.IDLE
        self.process: Process | None = None
        self.starts = 0
        self.last_line = ""
        self._program = program
        self._take_line = take_line
        self._backoff = backoff
        self._hurry = hurry

    async def keep_running(self, is_up: "asyncio.Future[None]") -> None:
        """Run until cancelled, or until it ends with `USER_ERROR`, which is raised.

        Args:
            is_up: settled by the first start, with what that raised if it failed.
        """
        pause_s = 0.0
        try:
            while True:
                ran_s = await self._run(is_up)
                pause_s = self._backoff.pause_s(pause_s, ran_s=ran_s)
                self._move(State.WAITING)
                log.warning("process.restarts", name=self.name, in_s=pause_s)
                await asyncio.sleep(pause_s)
        finally:
            self._move(State.STOPPED)

    async def run_once(self) -> int:
        """Run until it ends by itself and return its exit code."""
        try:
            self._move(State.STARTING)
            return await self._watch(await self._program.launch())
        finally:
            self._move(State.STOPPED)

    async def _run(self, is_up: "asyncio.Future[None]") -> float:
        """One life; returns its seconds."""
        clock = asyncio.get_running_loop().time
        self._move(State.STARTING)
        try:
            process = await self._program.launch()
        except Exception as error:  # whatever it is: the first time it is the caller's business, later it may pass
            if not is_up.done():
                is_up.set_exception(error)
                raise
            log.error("process.start_failed", name=self.name, error=str(error))  # noqa: TRY400 - the sentence says it all
            return 0.0
        self.starts += 1
        if not is_up.done():
            is_up.set_result(None)
        began = clock()
        exit_code = await self._watch(process)
        if exit_code == USER_ERROR:
            raise UserError(self.last_line or f"The process {self.name} cannot run.")
        log.warning("process.ended", name=self.name, pid=process.pid, how=how_it_ended(exit_code))
        return clock() - began

    async def _watch(self, process: Process) -> int:
        """Pass on what it says until it ends; when cancelled, end it."""
        self.process = process
        self._move(State.RUNNING)
        reading = asyncio.ensure_future(self._pass_on_output(process))
        try:
            return await process.wait()
        except asyncio.CancelledError:
            self._move(State.STOPPING)
            await end_process(process, self._program.ending, self._hurry)
            raise
        finally:
            await asyncio.wait((reading,), timeout=OUTPUT_WAIT_S)
            reading.cancel()
            self.process = None

    async def _pass_on_output(self, process: Process) -> None:
        if process.stdout is not None:
            await read_lines(process.stdout, self._heard)

    def _heard(self, line: bytes) -> None:
        self.last_line = line.decode(errors="replace").strip() or self.last_line
        self._take_line(self.name, line)

    def _move(self, state: State) -> None:
        if state is self.state:
            return
        assert state in TRANSITIONS[self.state], f"{self.name}: {self.state} -> {state}"
        log.debug("process.state", name=self.name, was=self.state.value, now=state.value)
        self.state = state


class Supervisor:
    """Keeps programs running. Belongs to one event loop, on the main thread.

    Args:
        programs: in the order in which they depend on each other; they are ended in the reverse one.
        take_line: where their output goes.
        backoff: how long one that ended waits.
    """

    def __init__(self, programs: Iterable[Program], take_line: TakeLine, backoff: Backoff | None = None) -> None:
        self.children: dict[str, Child] = {}
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises `UserError` when a process needs a person's help, or whatever a mistake of ours in here raised."""
        self._hurry = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._take_line = take_line
        for program in programs:
            self.children[program.name] = Child(program, take_line, backoff or Backoff(), self._hurry)

    async def start(self, name: str) -> None:
        """Start a program and keep it running. Returns when it is up the first time; raises what that start raised."""
        is_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(self.children[name].keep_running(is_up))
        self._tasks[name] = task
        task.add_done_callback(lambda ended: self._ended(ended, is_up))
        await is_up

    async def run_once(self, program: Program) -> tuple[int, str]:
        """Run another program to its end; returns its exit code and the last line that it said."""
        child = Child(program, self._take_line, Backoff(), self._hurry)
        return await child.run_once(), child.last_line

    async def stop(self) -> None:
        """End every process, those that others depend on last. Returns when none is left."""
        for name in reversed(self.children):
            if (task := self._tasks.get(name)) is not None:
                task.cancel()
                await asyncio.wait((task,))

    def hurry(self) -> None:
        """From now on give processes little time to end kindly."""
        self._hurry.set()

    def _ended(self, task: "asyncio.Task[None]", is_up: "asyncio.Future[None]") -> None:
        if task.cancelled():
            is_up.cancel()
            return
        error = task.exception()
        if error is None or (is_up.done() and not is_up.cancelled() and is_up.exception() is error):
            return  # whoever awaits the start has it
        if not self.failed.done():
            self.failed.set_exception(error)


def how_it_ended(exit_code: int) -> str:
    """In words."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    return f"signal {signal.Signals(-exit_code).name}"


def own_environment(**changes: str) -> dict[str, str]:
    """Our environment with changes, for a child."""
    return {**os.environ, **changes}
