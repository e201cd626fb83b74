"""What asking about an order says of it, held against what placing it then does, wherever tests place orders."""

from typing import Final

import msgspec

from fondaco.core.commands import Command, PlaceOrder
from fondaco.core.exchange.placing import check
from fondaco.core.house import DAY_NS
from fondaco.core.machine import Machine
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Answer, Refused, Reply

OF_THE_SENDING: Final = frozenset(
    {
        Refusal.COMMAND_ID_REUSED,
        Refusal.EXPIRED_IN_QUEUE,
        Refusal.LIFETIME_TOO_LONG,
        Refusal.BAD_COMMAND_ID,
        Refusal.UNKNOWN_ACCOUNT,
    }
)
"""Refusals of how an order was sent, of which who only asks about it hears nothing."""
ACCEPTED: Final = ""
NOTHING: Final = msgspec.msgpack.encode([])


def foresee(machine: Machine, command: Command, now_ns: int) -> str | None:
    """Why the machine would refuse an order, or `ACCEPTED`. Nothing must change by it.

    None when it is no order, or when time that passes before it is placed makes a difference.
    """
    if not isinstance(command, PlaceOrder) or machine.has_due(now_ns):
        return None
    is_another_day = machine.now_ns // DAY_NS != now_ns // DAY_NS
    if is_another_day or machine.now_ns < command.expires_ns <= now_ns:
        return None
    refusal = check(machine.house, command)
    assert machine.log.take() == NOTHING
    return ACCEPTED if refusal is None else refusal.value


def must_agree(foreseen: str | None, answer: Answer) -> None:
    """Placing came to what was foreseen, if anything was."""
    if foreseen is None or answer.is_duplicate:
        return
    came_to = _told(answer.reply)
    assert came_to in {foreseen, *OF_THE_SENDING}, f"{came_to} instead of {foreseen}"


def _told(reply: Reply) -> str:
    return reply.code.value if isinstance(reply, Refused) else ACCEPTED
