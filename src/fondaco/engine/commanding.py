"""Commands that a domain gives in its own transaction: written to the outbox, submitted by the jobs process.

A change of a domain's rows and the commands that it asks for are one: `enqueue_commands` writes them in the change's
transaction, and they leave once that has committed. Each has an id that was derived when it was written, so however
often the jobs process submits it, because an answer was lost or a process died, the engine does it once. While the
engine is away a message waits; what the engine refuses is dead at once, with the reason, since asking again changes
nothing.

Messages of one key are done in order; the commands of one message too, and a later one may be for the account that an
earlier one opened (`OPENED`).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from fondaco.core.commands import HOUSE, Command
from fondaco.core.refusals import SENTENCES, Refusal
from fondaco.core.replies import AccountOpened, Refused, Reply
from fondaco.engine.port import Engine, OutcomeUnknownError, OverloadedError
from fondaco.infra.clock import now_us
from fondaco.infra.outbox import Deliver, HopelessError, LaterError, enqueue

log = structlog.get_logger()

TOPIC: Final = "engine.commands"
OPENED: Final = -1
"""As the id of a command's account: the one that was opened last in the same message."""
MAX_COMMANDS: Final = 10
"""Commands in one message: all must be answered within the time that a delivery has."""
ANSWER_WAIT_S: Final = 4.0
"""How long to wait for the answers to one message. Less than a delivery may take, so that it counts as away."""
LIFETIME_NS: Final = 30_000_000_000
"""How long a command is worth doing; one that came too late is submitted again."""

_COME_AGAIN: Final = frozenset({Refusal.EXPIRED_IN_QUEUE, Refusal.LIFETIME_TOO_LONG})
"""Refusals of the moment, which the next attempt changes. The second tells of clocks that differ."""
_DONE_BEFORE: Final = frozenset({Refusal.USER_EXISTS})
"""Refusals that say that a command was done so long ago that the engine has forgotten answering it."""


class Step(NamedTuple):
    """A command of the house's, and the id under which it is submitted."""

    command_id: str
    command: Command


async def enqueue_commands(connection: AsyncConnection, key: str, steps: Sequence[Step]) -> UUID:
    """Have commands submitted once the caller's transaction has committed, and never if it does not.

    Args:
        connection: the transaction that makes the change.
        key: whom they concern; messages of one key are done one after the other.
        steps: at most `MAX_COMMANDS`, each under an id that is derived from what caused it.
    """
    assert 0 < len(steps) <= MAX_COMMANDS, len(steps)
    return await enqueue(connection, TOPIC, key, {"steps": msgspec.to_builtins(list(steps))})


def command_handlers(engine: Engine, clock_us: Callable[[], int] = now_us) -> Mapping[str, Deliver]:
    """Who takes the outbox's commands."""

    async def deliver(_topic: str, body: Mapping[str, Any], _id: UUID) -> None:
        steps = msgspec.convert(body["steps"], list[Step])
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                await _submit_all(engine, steps, clock_us)
        except (OverloadedError, OutcomeUnknownError, TimeoutError) as error:
            raise LaterError(str(error) or "The engine has not answered in time.") from error

    return {TOPIC: deliver}


async def _submit_all(engine: Engine, steps: Sequence[Step], clock_us: Callable[[], int]) -> None:
    """Submit one after the other. Raises `HopelessError` at the first that is refused for good."""
    opened = OPENED
    for command_id, command in steps:
        not_after_ns = clock_us() * 1_000 + LIFETIME_NS
        meant = _for_opened(command, opened)
        answer = await engine.submit(HOUSE, meant, command_id=command_id, not_after_ns=not_after_ns)
        _must_be_done(command_id, answer.reply)
        if isinstance(answer.reply, AccountOpened):
            opened = answer.reply.account_id


def _for_opened(command: Command, opened: int) -> Command:
    """The command with the account that it is for."""
    if getattr(command, "account_id", HOUSE) != OPENED:
        return command
    assert opened != OPENED, "no command before this one opens an account"
    return msgspec.structs.replace(command, account_id=opened)


def _must_be_done(command_id: str, reply: Reply) -> None:
    if not isinstance(reply, Refused):
        return
    if reply.code in _COME_AGAIN:
        raise LaterError(SENTENCES[reply.code])
    if reply.code not in _DONE_BEFORE:
        raise HopelessError(f"{command_id} was refused as {reply.code}: {SENTENCES[reply.code]}")
    log.info("commands.done_before", command_id=command_id, code=reply.code)
