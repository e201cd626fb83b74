"""What the house decides about the desk: terms, rules, the insurance fund, who pays for nights."""

from fondaco.core.commands import FundInsurance, SetDeskRules, SetDeskTerms, SetSwapFree
from fondaco.core.desk.desk import LookRun
from fondaco.core.desk.running import begin
from fondaco.core.desk.terms import desk_rules_refusal, desk_terms_refusal
from fondaco.core.house import DAY_NS, House
from fondaco.core.ledger import PostingCode, posting_refusal
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, Refused, Reply
from fondaco.core.state import INSURANCE_ACCOUNT, OUTSIDE_ACCOUNT
from fondaco.core.texts import MAX_NOTE, is_text


def set_desk_terms(house: House, command: SetDeskTerms) -> Reply:
    """Deal in an instrument on these terms from here on; positions that stand keep their stops and their margin."""
    terms = command.terms
    market = house.markets.get((terms.world, terms.symbol))
    if market is None:
        return Refused(Refusal.UNKNOWN_SYMBOL)
    if market.is_closed:
        return Refused(Refusal.INSTRUMENT_CLOSED)
    refusal = desk_terms_refusal(terms, market.terms)
    if refusal is not None:
        return Refused(refusal)
    house.desk.open_book(market.terms).terms = terms
    house.log.emit(terms)
    return DONE


def set_desk_rules(house: House, command: SetDeskRules) -> Reply:
    """Warn and close by these rules from here on."""
    rules = command.rules
    refusal = desk_rules_refusal(rules)
    if refusal is not None:
        return Refused(refusal)
    desk = house.desk
    desk.rules[rules.world] = rules
    desk.paid_days.setdefault(rules.world, house.now_ns // DAY_NS - 1)
    house.log.emit(rules)
    if desk.cross:
        begin(house, LookRun(rules.world))
    return DONE


def set_swap_free(house: House, command: SetSwapFree) -> Reply:
    """Let an account's positions pay for nights, or not."""
    account = house.accounts.get(command.account_id)
    if account is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT)
    account.is_swap_free = command.is_swap_free
    house.log.emit_row(account)
    return DONE


def fund_insurance(house: House, command: FundInsurance) -> Reply:
    """Bring money of the house's own into an insurance fund."""
    if command.note and not is_text(command.note, MAX_NOTE):
        return Refused(Refusal.BAD_TEXT)
    if command.asset not in house.assets:
        return Refused(Refusal.UNKNOWN_ASSET)
    outside = house.ledger.balance(OUTSIDE_ACCOUNT[command.world], command.asset)
    fund = house.ledger.balance(INSURANCE_ACCOUNT[command.world], command.asset)
    refusal = posting_refusal(outside, fund, command.amount)
    if refusal is not None:
        return Refused(refusal)
    if not house.has_room(command.world, command.asset, command.amount):
        return Refused(Refusal.BALANCE_LIMIT)
    house.ledger.post(outside, fund, command.amount, PostingCode.INSURANCE, house.seq)
    return DONE
