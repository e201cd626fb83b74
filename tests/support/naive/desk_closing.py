"""The naive desk closes: what a part takes with it, what it brings, and who pays for what its owner cannot."""

from typing import NamedTuple

import msgspec

from fondaco.core.desk.state import DeskFill, DeskPosition
from fondaco.core.ledger import PostingCode
from fondaco.core.state import Account
from fondaco.core.vocabulary import Closing
from support.naive.desk_state import DESK, INSURANCE, ISOLATED, LONG, Desk, down, up
from support.naive.money import free


class Closed(NamedTuple):
    """What a close came to, and who covered what."""

    ticks: int
    result: int
    margin: int
    insurance: int
    desk: int


class Part(NamedTuple):
    """What some lots take with them."""

    entry: int
    margin: int
    settled: int


def part_of(position: DeskPosition, lots: int) -> Part:
    """The share of some lots, rounded against the client; of all lots, all."""
    assert 0 < lots <= position.lots
    entry = up if position.direction is LONG else down
    return Part(
        entry(position.entry_notional * lots, position.lots),
        down(position.margin * lots, position.lots),
        up(position.settled * lots, position.lots),
    )


def close(desk: Desk, position: DeskPosition, lots: int, closing: Closing, receipt: int = 0) -> Closed:
    """Close so many lots at the quote, or at a guaranteed stop that it has passed."""
    quote = desk.quotes[position.world, position.symbol]
    ticks, part = desk.closing_ticks(position), part_of(position, lots)
    worth = ticks * lots * desk.step(position)
    result = (worth - part.entry if position.direction is LONG else part.entry - worth) - part.settled
    account = desk.account(position.account_id)
    assert account is not None
    position.lots -= lots
    position.entry_notional -= part.entry
    position.margin -= part.margin
    position.settled -= part.settled
    position.realised += result
    position.closed_notional += worth
    position.changed_ns = desk.now_ns
    desk.touched.add(position.account_id)
    from_insurance, from_desk = settle(desk, account, position, result, part.margin)
    covered = from_insurance + from_desk
    position.covered += covered
    desk.fills.append(
        DeskFill(
            fill_id=0,
            position_id=position.position_id,
            account_id=position.account_id,
            world=position.world,
            symbol=position.symbol,
            direction=position.direction,
            is_open=False,
            lots=lots,
            price_ticks=ticks,
            notional=worth,
            margin=part.margin,
            result=result,
            covered=covered,
            closing=closing,
            stop_out_id=receipt,
            at=quote.filled_at(desk.now_ns),
        )
    )
    if not position.lots:
        position.closing = closing
        desk.end(position)
    return Closed(ticks, result, part.margin, from_insurance, from_desk)


def settle(desk: Desk, account: Account, position: DeskPosition, result: int, margin: int) -> tuple[int, int]:
    """Pay a gain, or collect a loss; says what insurance and desk had to cover."""
    asset = desk.market(position.world, position.symbol).quote
    house, client = DESK[position.world], position.account_id
    if result >= 0:
        desk.post(house, client, asset, result, PostingCode.DESK_RESULT, position.position_id)
        return 0, 0
    loss = -result
    if position.mode is ISOLATED:
        missing = max(0, loss - margin)
    else:
        missing = max(0, loss - free(desk, client, asset))
        missing -= draw(desk, account, missing, but=position)
    from_insurance = min(missing, desk.insurance(position.world, asset))
    from_desk = missing - from_insurance
    fund = INSURANCE[position.world]
    desk.post(fund, client, asset, from_insurance, PostingCode.LOSS_COVER, position.position_id)
    desk.post(house, client, asset, from_desk, PostingCode.LOSS_COVER, position.position_id)
    desk.post(client, house, asset, loss, PostingCode.DESK_RESULT, position.position_id)
    return from_insurance, from_desk


def draw(desk: Desk, account: Account, wanted: int, but: DeskPosition | None = None) -> int:
    """Pay gains of an account's cross positions ahead of their closing; returns how much that brought."""
    drawn = 0
    for each in desk.cross_of(account.account_id):
        amount = min(wanted - drawn, desk.unrealised(each))
        if each is but or amount <= 0:
            continue
        each.settled += amount
        each.realised += amount
        each.changed_ns = desk.now_ns
        desk.post(
            DESK[each.world], each.account_id, account.currency, amount, PostingCode.DESK_RESULT, each.position_id
        )
        drawn += amount
    return drawn


def if_closed(desk: Desk, position: DeskPosition, lots: int) -> Desk:
    """The desk as it would be if so much were closed: a copy of all that this account has to do with."""
    account_id = position.account_id
    copy = Desk(desk.most_touched, desk.least_told, desk.most_told)
    copy.now_ns, copy.accounts, copy.listings = desk.now_ns, desk.accounts, desk.listings
    copy.rules, copy.dealt, copy.quotes = desk.rules, desk.dealt, desk.quotes
    copy.totals, copy.holds = dict(desk.totals), list(desk.holds)
    copy.open = {account_id: [msgspec.structs.replace(each) for each in desk.open[account_id]]}
    own = copy.position(account_id, position.position_id)
    assert own is not None
    close(copy, own, lots, Closing.NONE)
    return copy
