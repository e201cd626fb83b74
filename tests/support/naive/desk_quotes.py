"""What a quote sets off at the naive desk: every position, account and entry of the symbol is looked at, each time."""

from fondaco.core.commands import OpenPosition, SetQuote
from fondaco.core.desk.state import DeskEntry, DeskPosition, DeskQuote, MarginWarning, StopOut
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, Refused, Reply
from fondaco.core.state import Account
from fondaco.core.vocabulary import Closing, EntryKind, EntryState, StopOutPolicy
from support.naive.desk_closing import close, if_closed
from support.naive.desk_opening import open_position
from support.naive.desk_state import CALM_PPM, CROSS, ISOLATED, LONG, SHORT, Desk, Standing, first_ticks, has_lost
from support.naive.state import first_of

SECOND_NS = 1_000_000_000
MOST_QUOTES = 3


def set_quote(desk: Desk, command: SetQuote) -> Reply:
    """Apply each quote, one after the other, or none."""
    refusal = first_of(quote_refusals(desk, command))
    if refusal is not None:
        return Refused(refusal)
    market = desk.market(command.world, command.symbol)
    for each in command.quotes:
        quote = DeskQuote(
            command.world,
            command.symbol,
            each.bid // market.terms.tick,
            each.ask // market.terms.tick,
            each.received_ns,
            command.source,
            each.source_price,
            each.tick_id,
            command.markup_ppm,
        )
        desk.quotes[command.world, command.symbol] = quote
        apply_quote(desk, quote)
    return DONE


def quote_refusals(desk: Desk, command: SetQuote) -> set[Refusal]:
    """Why these quotes are not taken."""
    market = desk.listing(command.world, command.symbol)
    if market is None:
        return {Refusal.UNKNOWN_SYMBOL}
    if (command.world, command.symbol) not in desk.dealt:
        return {Refusal.NOT_DEALT}
    tick, most = market.terms.tick, market.terms.max_price_ticks * market.terms.tick
    are_good = 0 < len(command.quotes) <= MOST_QUOTES and command.source != ""
    for each in command.quotes:
        is_good = 0 < each.bid <= each.ask <= most and each.bid % tick == 0 and each.ask % tick == 0
        are_good = are_good and is_good
    if not are_good or command.markup_ppm < 0:
        return {Refusal.BAD_QUOTE}
    if desk.now_ns - command.quotes[-1].received_ns > desk.rules_of(command.world).max_quote_age_ns:
        return {Refusal.STALE_QUOTE}
    now = desk.quotes.get((command.world, command.symbol))
    last_ns = now.received_ns if now is not None else 0
    for each in command.quotes:
        if each.received_ns < last_ns or each.received_ns > desk.now_ns + SECOND_NS:
            return {Refusal.QUOTE_OUT_OF_ORDER}
        last_ns = each.received_ns
    return set()


def apply_quote(desk: Desk, quote: DeskQuote) -> None:
    """Do all that one quote sets off."""
    bets = desk.open_in(quote.world, quote.symbol)
    for each in bets:
        follow(desk, each, quote)
    for account_id in sorted({each.account_id for each in bets if each.mode is CROSS}):
        account = desk.account(account_id)
        assert account is not None
        if desk.cross_standing(account).is_at(desk.rules_of(quote.world).stop_out_level_ppm):
            stop_out(desk, account, quote)
        watch(desk, account)
    losing = [(each, first) for each in desk.open_in(quote.world, quote.symbol) if (first := met(desk, each, quote))]
    for direction, better in ((LONG, -1), (SHORT, 1)):
        mine = [(better * first, each.position_id, each) for each, first in losing if each.direction is direction]
        for _, _, each in sorted(mine, key=lambda one: one[:2]):
            lose(desk, each, quote)
    winning = [each for each in desk.open_in(quote.world, quote.symbol) if has_won(each, quote)]
    for direction, rising in ((LONG, 1), (SHORT, -1)):
        winners = [each for each in winning if each.direction is direction]
        for each in sorted(winners, key=lambda one: (rising * one.take_ticks, one.position_id)):
            close(desk, each, each.lots, Closing.TAKE_PROFIT)
    for entry in due_entries(desk, quote):
        fill(desk, entry)


def follow(desk: Desk, position: DeskPosition, quote: DeskQuote) -> None:
    """The mark of a trailing stop only becomes better."""
    if position.trail_ticks:
        mark = desk.marks[position.position_id]
        is_long = position.direction is LONG
        desk.marks[position.position_id] = max(mark, quote.bid_ticks) if is_long else min(mark, quote.ask_ticks)


def trailing_ticks(desk: Desk, position: DeskPosition) -> int:
    """Where a trailing stop stands."""
    mark = desk.marks[position.position_id]
    return mark - position.trail_ticks if position.direction is LONG else mark + position.trail_ticks


def met(desk: Desk, position: DeskPosition, quote: DeskQuote) -> int:
    """The first of a position's armed levels that the price meets, and 0 when it meets none."""
    found = []
    is_long = position.direction is LONG
    price = quote.bid_ticks if is_long else quote.ask_ticks
    if position.mode is ISOLATED:
        gain = desk.gain_at(position, price)
        if has_lost(position, gain, position.margin_call_ppm):
            found.append(first_ticks(desk, position, position.margin_call_ppm))
        if not position.is_warned and has_lost(position, gain, position.loss_warning_ppm):
            found.append(first_ticks(desk, position, position.loss_warning_ppm))
    if position.stop_ticks and (price <= position.stop_ticks if is_long else price >= position.stop_ticks):
        found.append(position.stop_ticks)
    if position.trail_ticks:
        stands = trailing_ticks(desk, position)
        if price <= stands if is_long else price >= stands:
            found.append(stands)
    if not found:
        return 0
    return max(found) if is_long else min(found)


def lose(desk: Desk, position: DeskPosition, quote: DeskQuote) -> None:
    """Close a position that has met a level, for the first reason that holds, or warn its owner."""
    is_long = position.direction is LONG
    price = quote.bid_ticks if is_long else quote.ask_ticks
    is_stopped = position.stop_ticks and (price <= position.stop_ticks if is_long else price >= position.stop_ticks)
    gain = desk.gain_at(position, price)
    if position.is_guaranteed and is_stopped:
        close(desk, position, position.lots, Closing.STOP_LOSS)
    elif position.mode is ISOLATED and has_lost(position, gain, position.margin_call_ppm):
        call(desk, position, quote)
    elif is_stopped:
        close(desk, position, position.lots, Closing.STOP_LOSS)
    elif position.trail_ticks and (
        price <= trailing_ticks(desk, position) if is_long else price >= trailing_ticks(desk, position)
    ):
        close(desk, position, position.lots, Closing.TRAILING_STOP)
    else:
        position.is_warned = True
        desk.warnings.append(
            MarginWarning(
                position.account_id,
                position.world,
                position.position_id,
                position.symbol,
                position.margin + gain,
                position.margin,
            )
        )


def call(desk: Desk, position: DeskPosition, quote: DeskQuote) -> None:
    """Close an isolated position for want of margin, and write the receipt."""
    desk.receipts += 1
    equity, margin = position.margin + desk.unrealised(position), position.margin
    closed = close(desk, position, position.lots, Closing.MARGIN_CALL, desk.receipts)
    desk.stop_outs.append(
        StopOut(
            desk.receipts,
            position.account_id,
            position.world,
            "isolated",
            position.symbol,
            quote.bid_ticks,
            quote.ask_ticks,
            equity,
            margin,
            0,
            0,
            (position.position_id,),
            (),
            closed.insurance,
            closed.desk,
        )
    )


def has_won(position: DeskPosition, quote: DeskQuote) -> bool:
    """Whether a take profit is reached."""
    if not position.take_ticks:
        return False
    if position.direction is LONG:
        return quote.bid_ticks >= position.take_ticks
    return quote.ask_ticks <= position.take_ticks


def stop_out(desk: Desk, account: Account, quote: DeskQuote) -> None:
    """Close positions of a cross account for want of margin, as the policy says, and write the receipt."""
    rules = desk.rules_of(account.world)
    if not fresh_of(desk, account):
        return
    desk.receipts += 1
    before = desk.cross_standing(account)
    entries = desk.pending(account.account_id)
    for entry in entries:
        end_entry(desk, entry, EntryState.CANCELLED, Closing.STOP_OUT.value)
    closed: list[int] = []
    insurance = by_desk = 0
    while True:
        standing = desk.cross_standing(account)
        fresh = fresh_of(desk, account)
        is_done = rules.stop_out_policy is not StopOutPolicy.CLOSE_ALL and not standing.is_at(rules.stop_out_level_ppm)
        if not fresh or is_done:
            break
        position, lots = victim(desk, account, fresh)
        paid = close(desk, position, lots, Closing.STOP_OUT, desk.receipts)
        closed += [] if position.position_id in closed else [position.position_id]
        insurance, by_desk = insurance + paid.insurance, by_desk + paid.desk
    after = desk.cross_standing(account)
    desk.stop_outs.append(
        StopOut(
            desk.receipts,
            account.account_id,
            account.world,
            rules.stop_out_policy.value,
            quote.symbol,
            quote.bid_ticks,
            quote.ask_ticks,
            before.equity,
            before.used,
            after.equity,
            after.used,
            tuple(closed),
            tuple(each.entry_id for each in entries),
            insurance,
            by_desk,
        )
    )


def fresh_of(desk: Desk, account: Account) -> list[DeskPosition]:
    """Cross positions that can be closed now, by id."""
    cross = desk.cross_of(account.account_id)
    return [each for each in cross if desk.is_fresh(desk.quotes[each.world, each.symbol])]


def victim(desk: Desk, account: Account, fresh: list[DeskPosition]) -> tuple[DeskPosition, int]:
    """Which position is closed next, and how many lots of it."""
    rules = desk.rules_of(account.world)
    if rules.stop_out_policy is StopOutPolicy.CLOSE_ALL:
        return fresh[0], fresh[0].lots
    if rules.stop_out_policy is StopOutPolicy.LARGEST_LOSS:
        worst = min(fresh, key=lambda each: (desk.unrealised(each), each.position_id))
        return worst, worst.lots
    largest = min(fresh, key=lambda each: (-each.margin, each.position_id))
    step = desk.dealt[largest.world, largest.symbol].min_lots
    for lots in range(step, largest.lots - step + 1, step):
        after: Standing = if_closed(desk, largest, lots).cross_standing(account)
        if not after.is_at(rules.stop_out_level_ppm):
            return largest, lots
    return largest, largest.lots


def watch(desk: Desk, account: Account) -> None:
    """Warn the owner of a cross account whose margin level is low, once until it is calm again."""
    level = desk.rules_of(account.world).warning_level_ppm
    standing = desk.cross_standing(account)
    if not standing.is_at(level + CALM_PPM):
        desk.uneasy.discard(account.account_id)
    elif standing.is_at(level) and account.account_id not in desk.uneasy:
        desk.uneasy.add(account.account_id)
        desk.warnings.append(MarginWarning(account.account_id, account.world, 0, "", standing.equity, standing.used))


def due_entries(desk: Desk, quote: DeskQuote) -> list[DeskEntry]:
    """Entries that a quote reaches, in the order in which they open."""
    found = []
    waiting = [each for each in desk.pending() if (each.world, each.symbol) == (quote.world, quote.symbol)]
    for direction, kind in (
        (LONG, EntryKind.LIMIT),
        (LONG, EntryKind.STOP),
        (SHORT, EntryKind.LIMIT),
        (SHORT, EntryKind.STOP),
    ):
        mine = [
            each
            for each in waiting
            if (each.direction, each.kind) == (direction, kind)
            and is_reached(each.direction, each.kind, each.trigger_ticks, quote)
        ]
        rising = 1 if rises(direction, kind) else -1
        found += sorted(mine, key=lambda each: (rising * each.trigger_ticks, each.entry_id))
    return found


def rises(direction: object, kind: EntryKind) -> bool:
    """Whether an entry waits for a price that rises to it."""
    return (direction is LONG) is (kind is EntryKind.STOP)


def is_reached(direction: object, kind: EntryKind, ticks: int, quote: DeskQuote) -> bool:
    """Whether a quote has come to an entry's price."""
    price = quote.ask_ticks if direction is LONG else quote.bid_ticks
    return price >= ticks if rises(direction, kind) else price <= ticks


def fill(desk: Desk, entry: DeskEntry) -> None:
    """Open what waited, or say why it cannot be opened."""
    market = desk.market(entry.world, entry.symbol)
    command = OpenPosition(
        account_id=entry.account_id,
        symbol=entry.symbol,
        direction=entry.direction,
        quantity=entry.lots * market.terms.lot,
        leverage=entry.leverage,
        mode=entry.mode,
        stop=entry.stop,
        take=entry.take,
        trail=entry.trail,
        is_guaranteed=entry.is_guaranteed,
    )
    reply = open_position(desk, command, desk.given.get(entry.entry_id, 0), entry)
    if isinstance(reply, Refused):
        end_entry(desk, entry, EntryState.REJECTED, reply.code.value)
    else:
        end_entry(desk, entry, EntryState.FILLED, "")
        entry.position_id = reply.position_id


def end_entry(desk: Desk, entry: DeskEntry, state: EntryState, reason: str) -> None:
    """It waits no longer."""
    entry.state, entry.reason, entry.updated_ns = state, reason, desk.now_ns
