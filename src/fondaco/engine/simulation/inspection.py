"""The judge of a simulation: was anything lost, done twice, or made up?

Everything is asked of the journal alone, replayed by a machine that knows nothing of what happened.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from fondaco.core.book.vocabulary import BUY, SELL
from fondaco.core.fees import PPM
from fondaco.core.ledger import HoldReason
from fondaco.core.machine import Machine
from fondaco.core.money import charge
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Answer, Refused
from fondaco.core.snapshot import dump, load
from fondaco.engine.journal import BEGINNING, JournalError, chained
from fondaco.engine.projection.audit import State, differences
from fondaco.engine.recovery import Standing, snapshot_of
from fondaco.engine.simulation.ground import Ground, commands_of
from fondaco.engine.simulation.tables import Tables
from fondaco.engine.simulation.traders import QUOTE_ID, Heard


def faults(ground: Ground, heard: Heard, tables: Tables) -> Iterator[str]:
    """Whatever is wrong, in words."""
    yield from heard.lies
    machine, answers = Machine(), dict[int, Answer]()
    try:
        yield from _replayed(ground, machine, answers)
    except (JournalError, AssertionError) as error:
        yield f"the journal cannot be replayed: {error!r}"
        return
    yield from _broken_promises(heard, answers)
    yield from _done_twice(ground, answers)
    yield from unbalanced(machine)
    if tables.mark != ground.end:
        yield f"the tables stand at batch {tables.mark.batch_no} of {ground.end.batch_no}"
    else:
        yield from differences(tables.open(), standing(machine))
        yield from _table_faults(tables)


def standing(machine: Machine) -> State:
    """What stands in a machine, whole orders and all."""
    house = machine.house
    return {
        "balance": {
            (each.account_id, each.asset): (each.available, each.held)
            for each in house.ledger.balances()
            if each.available or each.held
        },
        "hold": {(each.hold_id,): (each.amount,) for each in house.ledger.holds.values()},
        "order": {(order_id,): (order,) for order_id, order in house.orders.items()},
        "desk position": {(position_id,): (position,) for position_id, position in house.desk.positions.items()},
        "desk entry": {(entry_id,): (entry,) for entry_id, entry in house.desk.entries.items()},
    }


def _replayed(ground: Ground, machine: Machine, answers: dict[int, Answer]) -> Iterator[str]:
    """Apply the journal from its beginning, row by row; compare every snapshot on the way."""
    mark = BEGINNING
    for row in ground.rows:
        if (row.batch_no, row.first_seq) != (mark.batch_no + 1, mark.seq + 1):
            yield f"batch {row.batch_no} does not follow on batch {mark.batch_no}"
        for seq, command in enumerate(commands_of(row.body), row.first_seq):
            answers[seq] = machine.apply(command.submission, seq, command.now_ns)
        if chained(mark.chain_hash, machine.log.take()) != row.chain_hash:
            yield f"batch {row.batch_no} comes to other events when it is replayed"
            return
        mark = row.end
        found = ground.snapshots.get(row.batch_no)
        if found is not None:
            head, body = found
            if snapshot_of(Standing(machine, mark))[0].state_hash != head.state_hash:
                yield f"the snapshot of batch {row.batch_no} is not what the journal comes to"
            if dump(load(body)) != body:
                yield f"the snapshot of batch {row.batch_no} is another when it is loaded and dumped"


def _broken_promises(heard: Heard, answers: Mapping[int, Answer]) -> Iterator[str]:
    for (account_id, command_id), answer in heard.answers.items():
        done = answers.get(answer.seq)
        if done is None or done.reply != answer.reply:
            yield f"{command_id} of {account_id} was answered {answer}, and the journal says {done}"


def _done_twice(ground: Ground, answers: Mapping[int, Answer]) -> Iterator[str]:
    # A journal that comes to other events is replayed no further, and has no answers from there on.
    done = Counter(
        sender
        for seq, sender in enumerate(ground.sent[: len(answers)], 1)
        if not answers[seq].is_duplicate
        and not _changed_nothing(answers[seq])
        and not sender[1].startswith(("tick-", QUOTE_ID))
    )
    yield from (f"{sender[1]} of {sender[0]} was done {times} times" for sender, times in done.items() if times > 1)


def _changed_nothing(answer: Answer) -> bool:
    return isinstance(answer.reply, Refused) and answer.reply.code is Refusal.EXPIRED_IN_QUEUE


def unbalanced(machine: Machine) -> Iterator[str]:
    """What does not add up in a machine: balances, holds, and what each hold is for."""
    ledger = machine.house.ledger
    totals: Counter[str] = Counter()
    held: Counter[tuple[int, str]] = Counter()
    for hold in ledger.holds.values():
        held[hold.balance.account_id, hold.balance.asset] += hold.amount
    for each in ledger.balances():
        totals[each.asset] += each.total
        if each.held != held[each.account_id, each.asset]:
            yield f"account {each.account_id} has {each.held} {each.asset} held, and its holds come to another sum"
        if each.available < 0 and not each.may_go_negative:
            yield f"account {each.account_id} owes {each.asset}"
    yield from (f"all balances of {asset} sum to {total}" for asset, total in totals.items() if total)
    yield from _wrong_holds(machine)


def _wrong_holds(machine: Machine) -> Iterator[str]:
    """An order that rests does so exactly once and has a hold of its own, an isolated position one of its margin."""
    house = machine.house
    for market in house.markets.values():
        resting = {each.order_id: each.lots for each in market.book.resting()}
        named = {order_id: house.orders[order_id].open_lots for order_id in market.handles if order_id in house.orders}
        if resting != named:
            yield f"the book of {market.terms.instrument.symbol} has {resting}, and its orders are {named}"
    orphans = [each.hold_id for each in house.ledger.holds.values() if _is_orphan(machine, each.hold_id, each.reason)]
    yield from (f"hold {hold_id} belongs to no order" for hold_id in orphans)
    margins = {
        key: each.margin for key, each in house.desk.positions.items() if each.mode == "isolated" and each.margin
    }
    held = {each.hold_id: each.amount for each in house.ledger.holds.values() if each.reason is HoldReason.MARGIN}
    for key in sorted({*margins, *held}):
        if margins.get(key, 0) != held.get(key, 0):
            yield f"position {key} has a margin of {margins.get(key, 0)} atoms, and its hold is {held.get(key, 0)}"


def _is_orphan(machine: Machine, hold_id: int, reason: str) -> bool:
    return reason == "order" and hold_id not in machine.house.orders


def _table_faults(tables: Tables) -> Iterator[str]:
    ids = [each.posting_id for each in tables.postings]
    if ids != list(range(1, len(ids) + 1)):
        yield "the tables' postings have gaps or doubles"
    last: Counter[tuple[str, str]] = Counter()
    for trade in tables.trades:
        market = (trade.world, trade.symbol)
        if trade.trade_id != last[market] + 1:
            yield f"trade {trade.trade_id} of {trade.symbol} follows on {last[market]}"
        last[market] = trade.trade_id
    yield from _wrong_sums(tables)
    yield from _wrong_positions(tables)


def _wrong_positions(tables: Tables) -> Iterator[str]:
    """Whether each position is what its fills come to, and no isolated one cost more than its margin."""
    lots: Counter[int] = Counter()
    brought: Counter[int] = Counter()
    for fill in tables.desk_fills:
        lots[fill.position_id] += fill.lots if fill.is_open else -fill.lots
        brought[fill.position_id] += fill.result
        position = tables.desk_positions[fill.position_id]
        if position.mode == "isolated" and fill.result + fill.covered < -fill.margin and not fill.is_open:
            yield f"position {fill.position_id} cost {-fill.result - fill.covered} atoms of a margin of {fill.margin}"
    for position_id, position in tables.desk_positions.items():
        if position.lots != lots[position_id]:
            yield f"position {position_id} has {position.lots} lots, and its fills come to {lots[position_id]}"
        if position.mode == "isolated" and position.realised != brought[position_id]:
            yield f"position {position_id} brought {position.realised}, and its fills come to {brought[position_id]}"


def _wrong_sums(tables: Tables) -> Iterator[str]:
    """Whether each order is what its trades come to, and pays what its rates say: rounded up, once."""
    filled: Counter[int] = Counter()
    exact_fee: Counter[int] = Counter()
    for trade in tables.trades:
        for order_id, side in ((trade.buy_order_id, BUY), (trade.sell_order_id, SELL)):
            order = tables.orders[order_id]
            rate = order.taker_ppm if side is trade.taker else order.maker_ppm
            filled[order_id] += trade.lots
            exact_fee[order_id] += trade.notional * rate
    for order_id, order in tables.orders.items():
        if order.filled_lots != filled[order_id]:
            yield f"order {order_id} has {order.filled_lots} lots filled, and its trades come to {filled[order_id]}"
        if order.fee != charge(exact_fee[order_id], PPM):
            yield f"order {order_id} paid a fee of {order.fee} atoms for {exact_fee[order_id]} millionths"
