"""The dealing desk as an apprentice would keep it: an independent witness of what the sentences of docs/desk.md say.

Written from that page and the words of `fondaco.core` (commands, replies, refusals, rows), not from its rules. At each
quote every position is looked at; nothing is armed, grouped or kept in order of price. Ids are the machine's to choose,
as with the naive house that this one extends.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fondaco.core import commands as told
from fondaco.core.commands import (
    CancelEntry,
    ClosePosition,
    FundInsurance,
    ModifyPosition,
    PlaceEntry,
    Rollover,
    SetDeskRules,
    SetDeskTerms,
    SetSwapFree,
    Submission,
)
from fondaco.core.desk.state import DeskEntry, DeskPosition
from fondaco.core.desk.terms import desk_rules_refusal, desk_terms_refusal
from fondaco.core.ledger import PostingCode
from fondaco.core.refusals import Refusal
from fondaco.core.replies import (
    DONE,
    Answer,
    EntryPlaced,
    NightPaid,
    PositionClosed,
    PositionModified,
    Refused,
    Reply,
)
from fondaco.core.state import Account
from fondaco.core.vocabulary import AccountKind, Closing, EntryState, LevelKind
from support.naive.asking import price_reasons, text_reasons
from support.naive.desk_asking import (
    MOST_ENTRIES,
    Basis,
    Levels,
    has_slipped,
    levels_of,
    offer_reasons,
    quote_reasons,
    side_reasons,
    slippage_reasons,
    who,
    written_reasons,
)
from support.naive.desk_closing import close, draw
from support.naive.desk_opening import open_position, put
from support.naive.desk_quotes import end_entry, is_reached, set_quote, watch
from support.naive.desk_state import DESK, INSURANCE, ISOLATED, LONG, Desk, up
from support.naive.house import NaiveHouse
from support.naive.money import free, total
from support.naive.state import DAY_NS, LARGEST, OUTSIDE, PPM, first_of

WEEK = 7
THURSDAY = 3
"""The first of January 1970, Monday being 0."""


class NaiveDesk(NaiveHouse):
    """Does what `fondaco.core.machine.Machine` does with the desk's commands, and what the naive house does."""

    state: Desk

    def __init__(self) -> None:
        super().__init__(most_touched=1_000, least_told=1_000_000, most_told=1_000_000)
        self.state = Desk(1_000, 1_000_000, 1_000_000)

    def apply(
        self,
        submission: Submission,
        command: told.Command,
        now_ns: int,
        new_id: int,
        given: Mapping[int, int] | None = None,
    ) -> Answer:
        """Do a command.

        Args:
            submission: the command on its way.
            command: the same, decoded.
            now_ns: its moment.
            new_id: what the position, entry, account or hold that it makes shall be called.
            given: what the positions that pending entries become shall be called, by entry.
        """
        desk = self.state
        desk.now_ns = now_ns
        desk.given = dict(given or {})
        for each in (desk.fills, desk.stop_outs, desk.warnings, desk.postings, desk.touched):
            each.clear()
        for entry in desk.pending():
            if 0 < entry.expires_ns <= now_ns:
                end_entry(desk, entry, EntryState.EXPIRED, "time_passed")
        holds = {each.hold_id: each.account_id for each in desk.holds}
        answer = super().apply(submission, command, now_ns, new_id)
        desk.touched |= concerned(command, holds)
        for account_id in sorted(desk.touched):
            account = desk.account(account_id)
            if account is not None and account.kind is AccountKind.MARGIN:
                watch(desk, account)
        return answer

    def _answer(self, submission: Submission, command: told.Command, new_id: int) -> Answer:
        """A quote is not remembered: one that comes again is taken or refused like any other."""
        if not isinstance(command, told.SetQuote):
            return super()._answer(submission, command, new_id)
        is_late = self.state.now_ns > submission.not_after_ns
        reply = Refused(Refusal.EXPIRED_IN_QUEUE) if is_late else self.reply(submission, command, new_id)
        return Answer(self.state.seq, is_duplicate=False, reply=reply)

    def reply(self, submission: Submission, command: told.Command, new_id: int) -> Reply:
        """What a command comes to; what is not the desk's is the naive house's."""
        desk, sender = self.state, submission.account_id
        if isinstance(command, OF_OWNERS):
            if sender not in (told.HOUSE, command.account_id):
                return Refused(Refusal.UNKNOWN_ACCOUNT)  # another's account looks missing
            return owners_reply(desk, command, new_id, by_house=sender == told.HOUSE)
        rule = OF_THE_DESK.get(type(command))
        if rule is not None:
            return rule(desk, command) if sender == told.HOUSE else Refused(Refusal.HOUSE_ONLY)
        return super().reply(submission, command, new_id)


def owners_reply(
    desk: Desk,
    command: told.OpenPosition | ClosePosition | ModifyPosition | PlaceEntry | CancelEntry,
    new_id: int,
    *,
    by_house: bool,
) -> Reply:
    """What comes of what an account wants for itself, or the house for it."""
    match command:
        case told.OpenPosition():
            return open_position(desk, command, new_id)
        case ClosePosition():
            return close_position(desk, command, Closing.HOUSE if by_house else Closing.OWNER)
        case ModifyPosition():
            return modify_position(desk, command)
        case PlaceEntry():
            return place_entry(desk, command, new_id)
        case CancelEntry():
            return cancel_entry(desk, command, "cancelled_by_house" if by_house else "cancelled_by_owner")


OF_OWNERS = (told.OpenPosition, ClosePosition, ModifyPosition, PlaceEntry, CancelEntry)


def concerned(command: told.Command, holds: Mapping[int, int]) -> set[int]:
    """Accounts whose money a command of the house's own may have touched."""
    match command:
        case told.Deposit() | told.RequestWithdrawal() | told.PlaceHold():
            return {command.account_id}
        case told.Transfer():
            return {command.account_id, command.to_account_id}
        case told.SettleWithdrawal() | told.ReleaseHold():
            return {holds.get(command.hold_id, 0)}
    return set()


def close_position(desk: Desk, command: ClosePosition, reason: Closing) -> Reply:
    """Close a position or a part of it. Always possible, as taking an order back is: for a frozen account too."""
    account = desk.account(command.account_id)
    if account is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    position = desk.position(command.account_id, command.position_id)
    reasons = slippage_reasons(command.expected_price, command.slippage_ppm)
    if command.expected_price < 0:
        reasons.add(Refusal.PRICE_NOT_POSITIVE)
    if command.quantity < 0:
        reasons.add(Refusal.QUANTITY_NOT_POSITIVE)
    if position is None:
        return Refused(first_of(reasons | {Refusal.UNKNOWN_POSITION}) or Refusal.UNKNOWN_POSITION)
    market, quote = desk.market(position.world, position.symbol), desk.quotes[position.world, position.symbol]
    lots, rest = divmod(command.quantity, market.terms.lot)
    lots = lots or position.lots
    if rest:
        reasons.add(Refusal.BAD_LOT)
    if lots > position.lots:
        reasons.add(Refusal.QUANTITY_TOO_LARGE)
    if 0 < position.lots - lots < desk.dealt[position.world, position.symbol].min_lots:
        reasons.add(Refusal.QUANTITY_TOO_SMALL)
    reasons |= quote_reasons(desk, quote)
    price = desk.closing_ticks(position) * market.terms.tick
    buys = position.direction is not LONG
    if has_slipped(command.expected_price, command.slippage_ppm, price, buys=buys):
        reasons.add(Refusal.SLIPPAGE)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    done = close(desk, position, lots, reason)
    return PositionClosed(
        position.position_id,
        done.ticks * market.terms.tick,
        lots * market.terms.lot,
        position.lots * market.terms.lot,
        done.result,
        done.margin,
        free(desk, account.account_id, market.quote),
    )


def modify_position(desk: Desk, command: ModifyPosition) -> Reply:
    """Set, move or remove stops."""
    account, reasons = who(desk, command.account_id)
    if account is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    position = desk.position(command.account_id, command.position_id)
    if position is None:
        return Refused(first_of(reasons | {Refusal.UNKNOWN_POSITION}) or Refusal.UNKNOWN_POSITION)
    market, quote = desk.market(position.world, position.symbol), desk.quotes[position.world, position.symbol]
    now = Levels(position.stop_ticks, position.take_ticks, position.trail_ticks)
    basis = Basis(
        is_long=position.direction is LONG,
        lots=position.lots,
        entry=position.entry_notional,
        margin=position.margin,
        step=desk.step(position),
        is_guaranteed=position.is_guaranteed,
    )
    found, wrong = levels_of(market, now, basis, command.stop, command.take, command.trail)
    if all(each.kind is LevelKind.KEEP for each in (command.stop, command.take, command.trail)):
        reasons.add(Refusal.NOTHING_TO_CHANGE)
    if position.is_guaranteed and command.stop.kind is LevelKind.NONE:
        reasons.add(Refusal.GUARANTEE_STANDS)
    reasons |= quote_reasons(desk, quote)
    price = quote.bid_ticks if basis.is_long else quote.ask_ticks
    reasons |= wrong or side_reasons(desk.dealt[market.world, market.symbol], price, basis, now, found)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    put(desk, position, found)
    position.changed_ns = desk.now_ns
    tick = market.terms.tick
    return PositionModified(position.position_id, found.stop * tick, found.take * tick, found.trail * tick)


def place_entry(desk: Desk, command: PlaceEntry, entry_id: int) -> Reply:
    """Let an open wait."""
    account, reasons = who(desk, command.account_id)
    if account is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    market = desk.listing(account.world, command.symbol)
    if market is None:
        return Refused(first_of(reasons | {Refusal.UNKNOWN_SYMBOL}) or Refusal.UNKNOWN_SYMBOL)
    if command.expires_ns and command.expires_ns <= desk.now_ns:
        reasons.add(Refusal.EXPIRY_PASSED)
    reasons |= written_reasons(desk, account, market, command)
    reasons |= price_reasons(command.price, market.terms)
    dealt, lots = desk.dealt.get((market.world, market.symbol)), command.quantity // market.terms.lot
    if dealt is not None and 0 < lots < dealt.min_lots:
        reasons.add(Refusal.QUANTITY_TOO_SMALL)
    reasons |= offer_reasons(dealt, command, has_stop=False)
    quote = desk.quotes.get((market.world, market.symbol))
    reasons |= quote_reasons(desk, quote)
    ticks = command.price // market.terms.tick
    if not reasons and quote is not None:
        reasons |= entry_reasons(desk, account, command)
        if is_reached(command.direction, command.kind, ticks, quote):
            reasons.add(Refusal.WOULD_TRIGGER_NOW)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    desk.entries.append(
        DeskEntry(
            entry_id=entry_id,
            account_id=command.account_id,
            world=market.world,
            symbol=market.symbol,
            direction=command.direction,
            kind=command.kind,
            mode=command.mode,
            leverage=command.leverage,
            lots=lots,
            trigger_ticks=ticks,
            stop=command.stop,
            take=command.take,
            trail=command.trail,
            is_guaranteed=command.is_guaranteed,
            expires_ns=command.expires_ns,
            created_ns=desk.now_ns,
            updated_ns=desk.now_ns,
        )
    )
    return EntryPlaced(entry_id)


def entry_reasons(desk: Desk, account: Account, command: PlaceEntry) -> set[Refusal]:
    """What the desk says to an entry that is written properly. Money and limits are asked about when it is due."""
    market = desk.market(account.world, command.symbol)
    ticks, lots = command.price // market.terms.tick, command.quantity // market.terms.lot
    worth = market.cost(ticks, lots)
    basis = Basis(
        is_long=command.direction is LONG,
        lots=lots,
        entry=worth,
        margin=up(worth, command.leverage),
        step=market.cost(1, 1),
        is_guaranteed=command.is_guaranteed,
    )
    found, reasons = levels_of(market, Levels(), basis, command.stop, command.take, command.trail)
    dealt = desk.dealt[market.world, market.symbol]
    reasons = reasons or side_reasons(dealt, ticks, basis, Levels(), found)
    if desk.is_halted(market.world, market.symbol):
        reasons.add(Refusal.BREAKER_ACTIVE)
    if len(desk.pending(account.account_id)) >= MOST_ENTRIES:
        reasons.add(Refusal.TOO_MANY_ENTRIES)
    if command.leverage > market.terms.max_leverage:
        reasons.add(Refusal.MAX_LEVERAGE)
    return reasons


def cancel_entry(desk: Desk, command: CancelEntry, reason: str) -> Reply:
    """Take an entry back."""
    if desk.account(command.account_id) is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    for entry in desk.pending(command.account_id):
        if entry.entry_id == command.entry_id:
            end_entry(desk, entry, EntryState.CANCELLED, reason)
            return DONE
    return Refused(Refusal.UNKNOWN_ENTRY)


def rollover(desk: Desk, command: Rollover) -> Reply:
    """Have every position pay for the night."""
    last = desk.nights.get(command.world)
    if last is None or command.day != last + 1 or desk.now_ns < (command.day + 1) * DAY_NS:
        return Refused(Refusal.WRONG_DAY)
    desk.nights[command.world] = command.day
    count = 0
    for position in sorted(desk.all_open(), key=lambda each: each.position_id):
        if position.world is command.world and position.opened_ns < (command.day + 1) * DAY_NS:
            count += pay_for_night(desk, position, command.day)
    return NightPaid(count, goes_on=False)


def pay_for_night(desk: Desk, position: DeskPosition, day: int) -> bool:
    """Charge one position, as far as that can be paid, or pay it; says whether there was anything to pay."""
    account, dealt = desk.account(position.account_id), desk.dealt[position.world, position.symbol]
    assert account is not None
    if account.is_swap_free:
        return False
    rate = dealt.long_financing_ppm if position.direction is LONG else dealt.short_financing_ppm
    times = 3 if (day + THURSDAY) % WEEK == dealt.triple_weekday else 1
    asset, client = desk.market(position.world, position.symbol).quote, position.account_id
    amount = up(position.entry_notional * rate * times, PPM)  # a charge is rounded up, and what is paid out down
    is_due = amount != 0
    if amount < 0:
        desk.post(DESK[position.world], client, asset, -amount, PostingCode.FINANCING, position.position_id)
    if amount > 0:
        missing = max(0, amount - free(desk, client, asset))
        if position.mode is ISOLATED:
            taken = min(missing, position.margin)
            position.margin -= taken
            at_once = amount - missing
        else:
            taken = draw(desk, account, missing)
            at_once = amount - missing + taken
        amount -= missing - taken
        for each in (at_once, amount - at_once):
            desk.post(client, DESK[position.world], asset, each, PostingCode.FINANCING, position.position_id)
    if is_due:
        position.financing += amount
        position.changed_ns = desk.now_ns
        desk.touched.add(client)
    return is_due


def set_desk_terms(desk: Desk, command: SetDeskTerms) -> Reply:
    """How it deals. What terms are good is shown by tests of their own."""
    terms = command.terms
    market = desk.listing(terms.world, terms.symbol)
    if market is None:
        return Refused(Refusal.UNKNOWN_SYMBOL)
    reasons = {Refusal.INSTRUMENT_CLOSED} if market.is_closed else set()
    wrong = desk_terms_refusal(terms, market.terms)
    refusal = first_of(reasons | ({wrong} if wrong else set()))
    if refusal is not None:
        return Refused(refusal)
    desk.dealt[terms.world, terms.symbol] = terms
    return DONE


def set_desk_rules(desk: Desk, command: SetDeskRules) -> Reply:
    """When it warns and closes; the first time begins the nights."""
    refusal = desk_rules_refusal(command.rules)
    if refusal is not None:
        return Refused(refusal)
    desk.rules[command.rules.world] = command.rules
    desk.nights.setdefault(command.rules.world, desk.now_ns // DAY_NS - 1)
    desk.touched |= {each.account_id for each in desk.accounts if each.world is command.rules.world}
    return DONE


def set_swap_free(desk: Desk, command: SetSwapFree) -> Reply:
    """Whether nights cost."""
    account = desk.account(command.account_id)
    if account is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    account.is_swap_free = command.is_swap_free
    return DONE


def fund_insurance(desk: Desk, command: FundInsurance) -> Reply:
    """Money for the fund, from outside."""
    reasons = text_reasons(command.note, 200, may_be_empty=True)
    if command.asset not in desk.assets:
        reasons.add(Refusal.UNKNOWN_ASSET)
    if command.amount <= 0:
        reasons.add(Refusal.AMOUNT_NOT_POSITIVE)
    fund, outside = INSURANCE[command.world], OUTSIDE[command.world]
    if total(desk, fund, command.asset) + command.amount > LARGEST:
        reasons.add(Refusal.BALANCE_LIMIT)
    refusal = first_of(reasons)
    if refusal is not None:
        return Refused(refusal)
    desk.post(outside, fund, command.asset, command.amount, PostingCode.INSURANCE, desk.seq)
    return DONE


OF_THE_DESK: dict[type, Callable[[Desk, Any], Reply]] = {
    told.SetQuote: set_quote,
    Rollover: rollover,
    SetDeskTerms: set_desk_terms,
    SetDeskRules: set_desk_rules,
    SetSwapFree: set_swap_free,
    FundInsurance: fund_insurance,
}
