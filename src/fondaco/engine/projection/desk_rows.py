"""What the rows of the desk's tables are made of, as `rows` says it of the others."""

from typing import Final

from fondaco.core.desk.state import (
    DeskEntry,
    DeskFill,
    DeskPosition,
    DeskQuote,
    Level,
    RolledOver,
    StopOut,
)
from fondaco.core.desk.terms import NO_TRIPLE_DAY, DeskRules, DeskTerms
from fondaco.core.vocabulary import EntryState
from fondaco.engine.projection.copying import day, flag, integer, layout, moment, number, numbers, short, text, word
from fondaco.engine.projection.desk_tables import SAID_LEVELS
from fondaco.engine.projection.folding import Told
from fondaco.engine.projection.rows import Row, Steps

TERMS: Final = layout(
    "desk_terms",
    world=word,
    symbol=word,
    is_dealt=flag,
    min_quantity=number,
    max_quantity=number,
    max_net_quantity=number,
    long_financing_ppm=integer,
    short_financing_ppm=integer,
    triple_weekday=short,
    guarantee_ppm=integer,
    guarantee_distance_ppm=integer,
    created_at=moment,
    updated_at=moment,
)
RULES: Final = layout(
    "desk_rules",
    world=word,
    max_quote_age_ns=number,
    margin_call_ppm=integer,
    loss_warning_ppm=integer,
    warning_level_ppm=integer,
    stop_out_level_ppm=integer,
    stop_out_policy=word,
    created_at=moment,
    updated_at=moment,
)
QUOTES: Final = layout(
    "desk_quotes",
    world=word,
    symbol=word,
    bid=number,
    ask=number,
    received_at=moment,
    source=word,
    source_price=number,
    tick_id=number,
    markup_ppm=integer,
    updated_at=moment,
)
POSITIONS: Final = layout(
    "desk_positions",
    id=number,
    opened_at=moment,
    account_id=number,
    world=word,
    symbol=word,
    direction=word,
    mode=word,
    leverage=integer,
    margin_call_ppm=integer,
    loss_warning_ppm=integer,
    entry_id=number,
    quantity=number,
    entry_notional=number,
    margin=number,
    settled=number,
    stop_loss=number,
    take_profit=number,
    trailing_distance=number,
    is_guaranteed=flag,
    is_warned=flag,
    realised=number,
    covered=number,
    financing=number,
    premium=number,
    opened_quantity=number,
    opened_notional=number,
    closed_notional=number,
    close_reason=word,
    seq=number,
    updated_at=moment,
    closed_at=moment,
)
ENTRIES: Final = layout(
    "desk_entries",
    id=number,
    created_at=moment,
    account_id=number,
    world=word,
    symbol=word,
    direction=word,
    kind=word,
    mode=word,
    leverage=integer,
    quantity=number,
    trigger_price=number,
    stop_kind=word,
    stop_value=number,
    take_kind=word,
    take_value=number,
    trail_kind=word,
    trail_value=number,
    is_guaranteed=flag,
    expires_at=moment,
    state=word,
    reason=text,
    position_id=number,
    seq=number,
    updated_at=moment,
    closed_at=moment,
)
FILLS: Final = layout(
    "desk_fills",
    id=number,
    created_at=moment,
    position_id=number,
    account_id=number,
    world=word,
    symbol=word,
    direction=word,
    is_open=flag,
    quantity=number,
    price=number,
    notional=number,
    margin=number,
    result=number,
    covered=number,
    close_reason=word,
    stop_out_id=number,
    bid=number,
    ask=number,
    source=word,
    source_price=number,
    tick_id=number,
    markup_ppm=integer,
    received_at=moment,
    age_ns=number,
    seq=number,
)
STOP_OUTS: Final = layout(
    "stop_outs",
    id=number,
    created_at=moment,
    account_id=number,
    world=word,
    policy=word,
    symbol=word,
    bid=number,
    ask=number,
    equity_before=number,
    margin_before=number,
    equity_after=number,
    margin_after=number,
    positions=numbers,
    entries=numbers,
    insurance_paid=number,
    desk_paid=number,
    seq=number,
)
ROLLOVERS: Final = layout("desk_rollovers", world=word, day=day, created_at=moment)


def terms_row(told: Told[DeskTerms], steps: Steps) -> Row:
    """The desk's terms of an instrument."""
    it, lot = told.event, steps.lot
    return (
        it.world,
        it.symbol,
        it.is_dealt,
        it.min_lots * lot,
        it.max_lots * lot,
        it.max_net_lots * lot or None,
        it.long_financing_ppm,
        it.short_financing_ppm,
        None if it.triple_weekday == NO_TRIPLE_DAY else it.triple_weekday,
        it.guarantee_ppm,
        it.guarantee_distance_ppm,
        told.first_ns,
        told.ns,
    )


def rules_row(told: Told[DeskRules]) -> Row:
    """The desk's rules of a world."""
    it = told.event
    return (
        it.world,
        it.max_quote_age_ns,
        it.margin_call_ppm,
        it.loss_warning_ppm,
        it.warning_level_ppm,
        it.stop_out_level_ppm,
        it.stop_out_policy,
        told.first_ns,
        told.ns,
    )


def quote_row(told: Told[DeskQuote], steps: Steps) -> Row:
    """The desk's price of an instrument."""
    it, tick = told.event, steps.tick
    return (
        it.world,
        it.symbol,
        it.bid_ticks * tick,
        it.ask_ticks * tick,
        it.received_ns,
        it.source,
        it.source_price,
        it.tick_id,
        it.markup_ppm,
        told.ns,
    )


def position_row(told: Told[DeskPosition], steps: Steps) -> Row:
    """A leveraged position as it stands."""
    it, (tick, lot) = told.event, steps
    return (
        it.position_id,
        it.opened_ns,
        it.account_id,
        it.world,
        it.symbol,
        it.direction,
        it.mode,
        it.leverage,
        it.margin_call_ppm,
        it.loss_warning_ppm,
        it.entry_id or None,
        it.lots * lot,
        it.entry_notional,
        it.margin,
        it.settled,
        it.stop_ticks * tick or None,
        it.take_ticks * tick or None,
        it.trail_ticks * tick or None,
        it.is_guaranteed,
        it.is_warned,
        it.realised,
        it.covered,
        it.financing,
        it.premium,
        it.opened_lots * lot,
        it.opened_notional,
        it.closed_notional,
        it.closing or None,
        told.seq,
        it.changed_ns,
        it.closed_ns or None,
    )


def entry_row(told: Told[DeskEntry], steps: Steps) -> Row:
    """A pending entry as it stands."""
    it, (tick, lot) = told.event, steps
    return (
        it.entry_id,
        it.created_ns,
        it.account_id,
        it.world,
        it.symbol,
        it.direction,
        it.kind,
        it.mode,
        it.leverage,
        it.lots * lot,
        it.trigger_ticks * tick,
        *_said(it.stop),
        *_said(it.take),
        *_said(it.trail),
        it.is_guaranteed,
        it.expires_ns or None,
        it.state,
        it.reason or None,
        it.position_id or None,
        told.seq,
        it.updated_ns,
        None if it.state is EntryState.PENDING else it.updated_ns,
    )


def fill_row(told: Told[DeskFill], steps: Steps) -> Row:
    """What the desk has opened or closed, and at which quote."""
    it, at, (tick, lot) = told.event, told.event.at, steps
    return (
        it.fill_id,
        told.ns,
        it.position_id,
        it.account_id,
        it.world,
        it.symbol,
        it.direction,
        it.is_open,
        it.lots * lot,
        it.price_ticks * tick,
        it.notional,
        it.margin,
        it.result,
        it.covered,
        it.closing or None,
        it.stop_out_id or None,
        at.bid_ticks * tick,
        at.ask_ticks * tick,
        at.source,
        at.source_price,
        at.tick_id,
        at.markup_ppm,
        at.received_ns,
        at.age_ns,
        told.seq,
    )


def stop_out_row(told: Told[StopOut], steps: Steps) -> Row:
    """A receipt."""
    it, tick = told.event, steps.tick
    return (
        it.stop_out_id,
        told.ns,
        it.account_id,
        it.world,
        it.policy,
        it.symbol,
        it.bid_ticks * tick,
        it.ask_ticks * tick,
        it.equity_before,
        it.margin_before,
        it.equity_after,
        it.margin_after,
        it.positions,
        it.entries,
        it.insurance_paid,
        it.desk_paid,
        told.seq,
    )


def rollover_row(told: Told[RolledOver]) -> Row:
    """A night that was paid."""
    return (told.event.world, told.event.day, told.ns)


def _said(level: Level) -> Row:
    return (level.kind, level.value) if level.kind in SAID_LEVELS else (None, None)
