"""The whole machine as an apprentice would keep it: an independent witness of what every command does.

Written from docs/orders.md and the words of `fondaco.core` (commands, replies, refusals, state, terms), not from its
rules. Every rule is in sight and none is fast. Ids are the machine's to choose: whoever holds the two against each
other tells this one which id was given, and compares everything else.
"""

from collections.abc import Callable
from typing import Any

from fondaco.core import commands as told
from fondaco.core.commands import HOUSE, Submission
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, Answer, Refused, Reply
from fondaco.core.vocabulary import CloseReason, OrderState
from support.naive import governing, orders, people, treasury
from support.naive.state import DAY_NS, Naive, Told
from support.naive.trading import end, fire

MOST_LIFETIME_NS = 60_000_000_000

Rule = Callable[[Naive, Any, int], Reply]

OF_ACCOUNTS: dict[type, Rule] = {
    told.PlaceOrder: orders.place,
    told.AmendOrder: lambda house, command, _id: orders.amend(house, command),
    told.RequestWithdrawal: treasury.request_withdrawal,
    told.ResetDemo: people.reset_demo,
    told.Transfer: lambda house, command, _id: treasury.transfer(house, command),
}
OF_THE_HOUSE: dict[type, Rule] = {
    told.AdmitUser: lambda house, command, _id: people.admit_user(house, command),
    told.SetUserStatus: lambda house, command, _id: people.set_user_status(house, command),
    told.OpenAccount: people.open_account,
    told.SetAccountStatus: lambda house, command, _id: people.set_account_status(house, command),
    told.ListAsset: lambda house, command, _id: governing.list_asset(house, command),
    told.ListInstrument: lambda house, command, _id: governing.list_instrument(house, command),
    told.CloseInstrument: lambda house, command, _id: governing.close_instrument(house, command),
    told.Deposit: lambda house, command, _id: treasury.deposit(house, command),
    told.SettleWithdrawal: lambda house, command, _id: treasury.settle_withdrawal(house, command),
    told.PlaceHold: treasury.place_hold,
    told.ReleaseHold: lambda house, command, _id: treasury.release_hold(house, command),
    told.SetLimit: lambda house, command, _id: governing.set_limit(house, command),
    told.TripBreaker: lambda house, command, _id: governing.trip_breaker(house, command),
    told.LiftBreaker: lambda house, command, _id: governing.lift_breaker(house, command),
    told.SetRules: lambda house, command, _id: governing.set_rules(house, command),
}


class NaiveHouse:
    """Does what `fondaco.core.machine.Machine` does.

    Args:
        most_touched: how many orders a command may touch.
        least_told: how many commands are remembered however old they are.
        most_told: how many are remembered at most, but for those that may still come in time.
    """

    def __init__(self, *, most_touched: int, least_told: int, most_told: int) -> None:
        self.state = Naive(most_touched, least_told, most_told)

    def apply(self, submission: Submission, command: told.Command, now_ns: int, new_id: int) -> Answer:
        """Do a command; ``new_id`` is what an order, account or hold that it makes shall be called."""
        house = self.state
        house.seq += 1
        house.now_ns = now_ns
        _catch_up(house)
        answer = self._answer(submission, command, new_id)
        _forget(house)
        return answer

    def _answer(self, submission: Submission, command: told.Command, new_id: int) -> Answer:
        house = self.state
        if isinstance(command, told.Tick):
            return Answer(house.seq, is_duplicate=False, reply=DONE)
        sender = (submission.account_id, submission.command_id)
        for each in house.told:
            if (each.account_id, each.command_id) == sender:
                if each.body == bytes(submission.body):
                    return Answer(each.seq, is_duplicate=True, reply=each.reply)
                return Answer(house.seq, is_duplicate=False, reply=Refused(Refusal.COMMAND_ID_REUSED))
        refusal = _sending_refusal(house, submission)
        if refusal is not None:
            return Answer(house.seq, is_duplicate=False, reply=Refused(refusal))
        reply = self.reply(submission, command, new_id)
        house.told.append(
            Told(*sender, bytes(submission.body), house.seq, house.now_ns, submission.not_after_ns, reply)
        )
        return Answer(house.seq, is_duplicate=False, reply=reply)

    def reply(self, submission: Submission, command: told.Command, new_id: int) -> Reply:
        """What a command comes to that was sent properly and is new."""
        return _reply(self.state, submission, command, new_id)


def _sending_refusal(house: Naive, submission: Submission) -> Refusal | None:
    """What is wrong with how it was sent; such a command is not remembered."""
    if house.now_ns > submission.not_after_ns:
        return Refusal.EXPIRED_IN_QUEUE
    if submission.not_after_ns > house.now_ns + MOST_LIFETIME_NS:
        return Refusal.LIFETIME_TOO_LONG
    is_good = 0 < len(submission.command_id) <= 64 and submission.command_id.isprintable()
    return None if is_good else Refusal.BAD_COMMAND_ID


def _reply(house: Naive, submission: Submission, command: told.Command, new_id: int) -> Reply:
    rule = OF_ACCOUNTS.get(type(command)) or taking_back(submission, command)
    if rule is None:
        if submission.account_id != HOUSE:
            return Refused(Refusal.HOUSE_ONLY)
        return OF_THE_HOUSE[type(command)](house, command, new_id)
    of = command.account_id if isinstance(command, told.Transfer) else getattr(command, "account_id", None)
    if submission.account_id not in (HOUSE, of):
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    return rule(house, command, new_id)


def taking_back(submission: Submission, command: told.Command) -> Rule | None:
    """The rule of a command that takes orders back: they say by whom."""
    is_house = submission.account_id == HOUSE
    reason = CloseReason.CANCELLED_BY_HOUSE if is_house else CloseReason.CANCELLED_BY_OWNER
    match command:
        case told.CancelOrder():
            return lambda house, command, _id: orders.cancel(house, command, reason)
        case told.CancelAll():
            return lambda house, command, _id: orders.cancel_all(house, command, reason)
        case _:
            return None


def _catch_up(house: Naive) -> None:
    """What goes on ahead of a command: orders that were triggered, work left over, what has fallen due."""
    left = house.most_touched - fire(house)
    while house.works and left > 0:
        left -= orders.work_on(house, left)
    if not house.works:
        for _, kind, which in _due(house)[: max(left, 0)]:
            if kind == "breaker":
                house.breakers = [each for each in house.breakers if (each.world, each.symbol) != which]
            else:
                end(house, house.order(which[0]), OrderState.EXPIRED, CloseReason.TIME_PASSED)


def _due(house: Naive) -> list[tuple[int, str, tuple[Any, ...]]]:
    """What has fallen due, by moment, breakers before orders."""
    breakers: list[tuple[int, str, tuple[Any, ...]]] = [
        (each.until_ns, "breaker", (each.world, each.symbol))
        for each in house.breakers
        if 0 < each.until_ns <= house.now_ns
    ]
    expired: list[tuple[int, str, tuple[Any, ...]]] = [
        (each.expires_ns, "order", (each.order_id,)) for each in house.standing() if 0 < each.expires_ns <= house.now_ns
    ]
    return sorted(breakers + expired)


def _forget(house: Naive) -> None:
    """Forget commands that are older than a day or too many, but never one that could still come in time."""
    while len(house.told) > house.least_told:
        oldest = house.told[0]
        is_old = house.now_ns >= oldest.applied_ns + DAY_NS or len(house.told) > house.most_told
        if not is_old or house.now_ns <= oldest.not_after_ns:
            return
        house.forgotten_seq = oldest.seq
        house.told.pop(0)
