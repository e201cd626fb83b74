"""The machine: every command that the house has ever been given, applied one after the other, is all that it knows.

`Machine.apply` is deterministic: the same commands with the same numbers and moments give the same events, byte by
byte, in a process that has run for a month, in one that has replayed the journal, and in one loaded from a dump.
Time, ids and randomness come in with the command; no clock, no ``hash``, no order of a set reaches a decision.

Before a command, whatever has fallen due by its moment is done: breakers end, orders and entries expire. Work that is
too large for one command goes on first too. A command that was answered before is answered again and does nothing.
"""

import heapq
from collections.abc import Callable
from typing import Any, Final

from fondaco.core import governing, people, treasury
from fondaco.core.book.vocabulary import Depth, Side
from fondaco.core.commands import (
    HOUSE,
    AccountCommand,
    AdmitUser,
    AmendOrder,
    CancelAll,
    CancelEntry,
    CancelOrder,
    CloseInstrument,
    ClosePosition,
    Command,
    Deposit,
    FundInsurance,
    LiftBreaker,
    ListAsset,
    ListInstrument,
    ModifyPosition,
    OpenAccount,
    OpenPosition,
    PlaceEntry,
    PlaceHold,
    PlaceOrder,
    ReleaseHold,
    RequestWithdrawal,
    ResetDemo,
    Rollover,
    SetAccountStatus,
    SetDeskRules,
    SetDeskTerms,
    SetLimit,
    SetQuote,
    SetRules,
    SetSwapFree,
    SettleWithdrawal,
    SetUserStatus,
    Submission,
    Tick,
    Transfer,
    TripBreaker,
    decode_command,
)
from fondaco.core.desk import entries as desk_entries
from fondaco.core.desk import governing as desk_governing
from fondaco.core.desk import running
from fondaco.core.desk.accounts import look_at_touched
from fondaco.core.desk.closing import close_position
from fondaco.core.desk.entries import place_entry
from fondaco.core.desk.modifying import modify_position
from fondaco.core.desk.opening import open_position
from fondaco.core.eventlog import EventLog
from fondaco.core.events import Began
from fondaco.core.exchange.amending import amend
from fondaco.core.exchange.ending import cancel, cancel_all, take_back, work_on
from fondaco.core.exchange.market import MAX_TOUCHED
from fondaco.core.exchange.placing import place
from fondaco.core.exchange.waking import fire
from fondaco.core.house import BREAKER_ENDS, ENTRY_EXPIRES, House
from fondaco.core.ledger import BalanceChanged
from fondaco.core.refusals import Refusal
from fondaco.core.remembered import Memory
from fondaco.core.replies import DONE, Answer, Refused, Reply
from fondaco.core.state import Order, Position
from fondaco.core.texts import MAX_ID, is_text
from fondaco.core.vocabulary import CloseReason, Closing, EntryState, OrderState, World

MAX_LIFETIME_NS: Final = 60_000_000_000
"""How far ahead a command's ``not_after_ns`` may lie. What may still come in time must be remembered."""

_HANDLERS: Final[dict[type, Callable[[House, Any], Reply]]] = {
    AdmitUser: people.admit_user,
    SetUserStatus: people.set_user_status,
    OpenAccount: people.open_account,
    SetAccountStatus: people.set_account_status,
    ListAsset: governing.list_asset,
    ListInstrument: governing.list_instrument,
    CloseInstrument: governing.close_instrument,
    Deposit: treasury.deposit,
    SettleWithdrawal: treasury.settle_withdrawal,
    PlaceHold: treasury.place_hold,
    ReleaseHold: treasury.release_hold,
    SetLimit: governing.set_limit,
    TripBreaker: governing.trip_breaker,
    LiftBreaker: governing.lift_breaker,
    SetRules: governing.set_rules,
    PlaceOrder: place,
    AmendOrder: amend,
    RequestWithdrawal: treasury.request_withdrawal,
    ResetDemo: people.reset_demo,
    Transfer: treasury.transfer,
    SetDeskTerms: desk_governing.set_desk_terms,
    SetDeskRules: desk_governing.set_desk_rules,
    SetSwapFree: desk_governing.set_swap_free,
    FundInsurance: desk_governing.fund_insurance,
    OpenPosition: open_position,
    ModifyPosition: modify_position,
    PlaceEntry: place_entry,
    Rollover: running.rollover,
}
"""What does each command, those apart that `_TAKING_BACK` is for. A `Tick` has nothing of its own to do."""
_TAKING_BACK: Final[dict[type, tuple[Callable[[House, Any, Any], Reply], str, str]]] = {
    CancelOrder: (cancel, CloseReason.CANCELLED_BY_OWNER, CloseReason.CANCELLED_BY_HOUSE),
    CancelAll: (cancel_all, CloseReason.CANCELLED_BY_OWNER, CloseReason.CANCELLED_BY_HOUSE),
    CancelEntry: (desk_entries.cancel_entry, desk_entries.BY_OWNER, desk_entries.BY_HOUSE),
    ClosePosition: (close_position, Closing.OWNER, Closing.HOUSE),
}
"""Those that say who asked: the reason when it was the owner, and when it was the house."""

_NOT_REMEMBERED: Final = frozenset({Refusal.EXPIRED_IN_QUEUE, Refusal.LIFETIME_TOO_LONG, Refusal.BAD_COMMAND_ID})
"""Refusals of a command as it was sent, not of what it wants: the same id may be sent again."""


class Machine:
    """The house as a function of its commands.

    Args:
        house: the state to begin with; an empty house when left out.
        memory: the commands that are remembered.
    """

    def __init__(self, house: House | None = None, memory: Memory | None = None) -> None:
        self.house = house or House()
        self._memory = Memory() if memory is None else memory

    @property
    def log(self) -> EventLog:
        """Where the events of applied commands wait to be taken."""
        return self.house.log

    @property
    def seq(self) -> int:
        """The number of the last command applied."""
        return self.house.seq

    @property
    def now_ns(self) -> int:
        """The moment of the last command applied."""
        return self.house.now_ns

    @property
    def rules_version(self) -> int:
        """The version of the rules in force."""
        return self.house.rules_version

    @property
    def remembered(self) -> Memory:
        """The commands that are remembered."""
        return self._memory

    @property
    def backlog(self) -> bool:
        """Whether work is left over that goes on ahead of other commands: send ticks until it is not."""
        return self.has_due(self.house.now_ns)

    def has_due(self, now_ns: int) -> bool:
        """Whether something is to be done at this moment though nobody asks for it."""
        house = self.house
        return bool(house.fired or house.works or house.desk.runs or (house.due and house.due[0][0] <= now_ns))

    def balances_of(self, account_id: int) -> list[BalanceChanged]:
        """What an account has, by asset."""
        found = (self.house.ledger.find(account_id, asset) for asset in sorted(self.house.assets))
        return [BalanceChanged(each.account_id, each.asset, each.available, each.held) for each in found if each]

    def orders_of(self, account_id: int) -> list[Order]:
        """An account's orders that have not ended, oldest first. Rows of the machine's own: look, do not touch."""
        orders = self.house.orders_of.get(account_id, {})
        return [orders[order_id] for order_id in sorted(orders)]

    def positions_of(self, account_id: int) -> list[Position]:
        """What an account has bought and not sold again, by symbol. Rows of the machine's own: look, do not touch."""
        markets = self.house.markets
        return [markets[key].positions[account_id] for key in sorted(markets) if account_id in markets[key].positions]

    def order(self, account_id: int, order_id: int) -> Order | None:
        """One of an account's orders that have not ended. Another's looks missing."""
        return self.house.orders_of.get(account_id, {}).get(order_id)

    def depth(self, world: World, symbol: str, side: Side, count: int) -> list[Depth] | None:
        """The best levels of a side of a market, in ticks and lots; None when there is no such market."""
        market = self.house.markets.get((world, symbol))
        return None if market is None else market.book.depth(side, count)

    def apply(self, submission: Submission, seq: int, now_ns: int, command: Command | None = None) -> Answer:
        """Do a command, and collect what happened in the log.

        Args:
            submission: the command on its way; its body must decode.
            seq: its number, one more than the last one's.
            now_ns: its moment in whole microseconds, never before the last one's.
            command: the body, when the caller has decoded it already.
        """
        house = self.house
        assert seq == house.seq + 1
        assert now_ns >= house.now_ns
        assert now_ns % 1_000 == 0
        house.seq, house.now_ns = seq, now_ns
        house.log.emit(Began(seq, now_ns))
        if house.fired or house.works or house.desk.runs or (house.due and house.due[0][0] <= now_ns):
            self._catch_up()
        if command is None:
            command = decode_command(submission.body)
        answer = self._answer(submission, command)
        if house.desk.cross:
            look_at_touched(house)
        house.tell()
        house.log.emit(answer.reply)
        forgotten = self._memory.forget(now_ns)
        if forgotten:
            house.forget_until(forgotten)
        return answer

    def _answer(self, submission: Submission, command: Command) -> Answer:
        house = self.house
        if type(command) is Tick:
            return Answer(house.seq, is_duplicate=False, reply=DONE)
        if type(command) is SetQuote:
            return Answer(house.seq, is_duplicate=False, reply=self._quote(submission, command))
        body = bytes(submission.body)
        found = self._memory.find(submission)
        if found is not None:
            if found.body == body:
                return Answer(found.seq, is_duplicate=True, reply=found.reply)
            return Answer(house.seq, is_duplicate=False, reply=Refused(Refusal.COMMAND_ID_REUSED))
        reply = self._reply(submission, command)
        if type(reply) is not Refused or reply.code not in _NOT_REMEMBERED:
            self._memory.keep(submission, body, house.seq, house.now_ns, reply)
        return Answer(house.seq, is_duplicate=False, reply=reply)

    def _reply(self, submission: Submission, command: Command) -> Reply:
        house = self.house
        if house.now_ns > submission.not_after_ns:
            return Refused(Refusal.EXPIRED_IN_QUEUE)
        if submission.not_after_ns - house.now_ns > MAX_LIFETIME_NS:
            return Refused(Refusal.LIFETIME_TOO_LONG)
        if not is_text(submission.command_id, MAX_ID):
            return Refused(Refusal.BAD_COMMAND_ID)
        sender = submission.account_id
        if isinstance(command, AccountCommand):
            # Another's account looks missing.
            if sender not in (HOUSE, command.account_id):
                return Refused(Refusal.UNKNOWN_ACCOUNT)
        elif sender != HOUSE:
            return Refused(Refusal.HOUSE_ONLY)
        taking_back = _TAKING_BACK.get(type(command))
        if taking_back is not None:
            take_back_for, by_owner, by_house = taking_back
            return take_back_for(house, command, by_house if sender == HOUSE else by_owner)
        return _HANDLERS[type(command)](house, command)

    def _quote(self, submission: Submission, command: SetQuote) -> Reply:
        """A quote is not remembered: there are many, and one that comes again changes nothing."""
        if self.house.now_ns > submission.not_after_ns:
            return Refused(Refusal.EXPIRED_IN_QUEUE)
        if submission.account_id != HOUSE:
            return Refused(Refusal.HOUSE_ONLY)
        return running.quote(self.house, command)

    def _catch_up(self) -> None:
        """Do what has fallen due and what was left over, as much as one command may touch."""
        house = self.house
        left = MAX_TOUCHED - fire(house, MAX_TOUCHED)
        while house.works and left > 0:
            left -= work_on(house, left)
        if house.desk.runs:
            running.go_on(house)
        while left > 0 and house.due and house.due[0][0] <= house.now_ns:
            _, kind, id_ = heapq.heappop(house.due)
            # What has ended already counts for nothing: a machine loaded from a dump has no reminder of it.
            if kind == BREAKER_ENDS:
                left -= self._end_breaker(id_)
            else:
                left -= self._expire_entry(id_) if kind == ENTRY_EXPIRES else self._expire(id_)

    def _end_breaker(self, breaker_id: int) -> bool:
        for breaker in self.house.breakers.values():
            if breaker.breaker_id == breaker_id:
                return governing.lift(self.house, breaker.world, breaker.symbol)
        return False

    def _expire_entry(self, entry_id: int) -> bool:
        entry = self.house.desk.entries.get(entry_id)
        if entry is None:
            return False
        desk_entries.end_entry(self.house, entry, EntryState.EXPIRED, desk_entries.TIME_PASSED)
        return True

    def _expire(self, order_id: int) -> bool:
        order = self.house.orders.get(order_id)
        if order is None:
            return False
        take_back(self.house, order, OrderState.EXPIRED, CloseReason.TIME_PASSED)
        return True
