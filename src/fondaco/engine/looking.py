"""How the engine answers what is asked of its memory: the other side of `fondaco.engine.queries`."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from fondaco.core.desk import opening
from fondaco.core.exchange.placing import check
from fondaco.core.machine import Machine
from fondaco.core.replies import Refused
from fondaco.engine.queries import (
    AccountSeen,
    CheckOrder,
    CheckPosition,
    LookAtAccount,
    LookAtOrder,
    OrderChecked,
    OrderSeen,
    PositionChecked,
    Query,
    Seen,
)


def look(machine: Machine, query: Query) -> Seen:
    """Answer a question. Changes nothing; rows are copies, since the machine goes on."""
    return _LOOKS[type(query)](machine, query)


def _look_at_account(machine: Machine, query: LookAtAccount) -> AccountSeen:
    id_ = query.account_id
    return AccountSeen(
        machine.seq,
        machine.balances_of(id_),
        [msgspec.structs.replace(each) for each in machine.orders_of(id_)],
        [msgspec.structs.replace(each) for each in machine.positions_of(id_)],
        [msgspec.structs.replace(each) for each in machine.house.desk.positions_in(id_)],
        [msgspec.structs.replace(each) for each in machine.house.desk.entries_in(id_)],
    )


def _look_at_order(machine: Machine, query: LookAtOrder) -> OrderSeen:
    found = machine.order(query.account_id, query.order_id)
    return OrderSeen(machine.seq, None if found is None else msgspec.structs.replace(found))


def _check_order(machine: Machine, query: CheckOrder) -> OrderChecked:
    return OrderChecked(machine.seq, check(machine.house, query.order))


def _check_position(machine: Machine, query: CheckPosition) -> PositionChecked:
    found = opening.check(machine.house, query.position)
    if isinstance(found, Refused):
        return PositionChecked(machine.seq, found.code, found.required, found.available)
    plan, position = found
    return PositionChecked(
        machine.seq,
        None,
        ticks=plan.ticks,
        notional=plan.notional,
        margin=plan.margin,
        premium=plan.premium,
        position=position,
    )


_LOOKS: Final[dict[type, Callable[[Machine, Any], Seen]]] = {
    LookAtAccount: _look_at_account,
    LookAtOrder: _look_at_order,
    CheckOrder: _check_order,
    CheckPosition: _check_position,
}
