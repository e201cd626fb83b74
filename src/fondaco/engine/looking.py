"""How the engine answers what is asked of its memory: the other side of `fondaco.engine.queries`."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from fondaco.core.exchange.placing import check
from fondaco.core.machine import Machine
from fondaco.engine.queries import (
    AccountSeen,
    CheckOrder,
    LookAtAccount,
    LookAtOrder,
    OrderChecked,
    OrderSeen,
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
    )


def _look_at_order(machine: Machine, query: LookAtOrder) -> OrderSeen:
    found = machine.order(query.account_id, query.order_id)
    return OrderSeen(machine.seq, None if found is None else msgspec.structs.replace(found))


def _check_order(machine: Machine, query: CheckOrder) -> OrderChecked:
    return OrderChecked(machine.seq, check(machine.house, query.order))


_LOOKS: Final[dict[type, Callable[[Machine, Any], Seen]]] = {
    LookAtAccount: _look_at_account,
    LookAtOrder: _look_at_order,
    CheckOrder: _check_order,
}
