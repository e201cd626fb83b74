"""Quotes, terms, rules and nights that cannot be, at the edge of what can; and money that answers for positions."""

from typing import Any

import msgspec
import pytest

from fondaco.core.commands import (
    HOUSE,
    CancelEntry,
    CloseInstrument,
    ClosePosition,
    Deposit,
    ListInstrument,
    ModifyPosition,
    OpenPosition,
    PlaceEntry,
    ReleaseHold,
    RequestWithdrawal,
    Rollover,
    SetDeskRules,
    SetLimit,
    SetQuote,
)
from fondaco.core.desk.state import Level, Quote
from fondaco.core.desk.terms import DeskRules
from fondaco.core.replies import DONE, EntryPlaced, Refused
from fondaco.core.vocabulary import (
    Direction,
    EntryKind,
    LevelKind,
    LimitName,
    LimitScope,
    MarginMode,
    PositionMode,
    StopOutPolicy,
    World,
)
from support.dealing import CASH, LOT, OTHER, SECOND_NS, TICK, TRADING, Dealing, dealt, listed

LONG, SHORT = Direction.LONG, Direction.SHORT
DAY_NS = 86_400 * SECOND_NS


def price(ticks: int) -> Level:
    """A level said as a price."""
    return Level(LevelKind.PRICE, ticks * TICK)


def quotes(*prices: tuple[int, int, int]) -> SetQuote:
    """A command with these bids, asks and receipts."""
    return SetQuote(TRADING, "GOLDCASH", "binance", 0, tuple(Quote(*each, 1, 1) for each in prices))


def test_quotes_that_cannot_be_are_refused() -> None:
    dealing = Dealing()
    dealing.do(ListInstrument(listed(OTHER, CASH)))
    now = dealing.now_ns
    good = (700, 707, now)
    assert dealing.refused(msgspec.structs.replace(quotes(good), symbol="XCASH")) == "unknown_symbol"
    assert dealing.refused(msgspec.structs.replace(quotes(good), symbol="OTHERCASH")) == "not_dealt"
    for bad in [
        quotes(),
        quotes(good, good, good, good),
        msgspec.structs.replace(quotes(good), source=""),
        msgspec.structs.replace(quotes(good), markup_ppm=-1),
        quotes((0, 7, now)),
        quotes((707, 700, now)),
        quotes((701, 707, now)),
        quotes((700, 708, now)),
        quotes((700, 100_001 * TICK, now)),
        quotes(good, (701, 707, now)),
    ]:
        assert dealing.refused(bad) == "bad_quote"
    assert dealing.do(quotes((700, 100_000 * TICK, now), good, good)) == DONE
    assert dealing.refused(quotes((700, 707, now - 1))) == "quote_out_of_order"
    assert dealing.refused(quotes((700, 707, now + 2), (700, 707, now + 1))) == "quote_out_of_order"
    assert dealing.refused(quotes((700, 707, dealing.now_ns + SECOND_NS + 1_001))) == "quote_out_of_order"
    dealing.now_ns = now + 10 * SECOND_NS
    assert dealing.refused(quotes((700, 707, now))) == "stale_quote"
    assert dealing.do(quotes((700, 707, now), (700, 707, now + 2_000))) == DONE  # one that was passed may be older
    assert dealing.do(quotes((700, 707, dealing.now_ns + SECOND_NS + 1_000))) == DONE


@pytest.mark.parametrize(
    "changed",
    [
        {"min_lots": 0},
        {"min_lots": 5_001},
        {"max_lots": 10_001},
        {"max_net_lots": -1},
        {"long_financing_ppm": 10_001},
        {"short_financing_ppm": -10_001},
        {"triple_weekday": 8},
        {"triple_weekday": -1},
        {"guarantee_ppm": 100_001},
        {"guarantee_ppm": -1},
        {"guarantee_distance_ppm": 1_000_000},
        {"guarantee_distance_ppm": -1},
    ],
)
def test_terms_that_contradict_themselves_are_refused(changed: dict[str, Any]) -> None:
    assert Dealing().refused(dealt("GOLDCASH", **changed)) == "bad_desk_terms"


def test_terms_may_go_to_their_bounds() -> None:
    dealing = Dealing()
    for changed in [
        {"min_lots": 10_000, "max_lots": 10_000},
        {"long_financing_ppm": 10_000, "short_financing_ppm": -10_000, "triple_weekday": 7},
        {"guarantee_ppm": 100_000, "guarantee_distance_ppm": 999_999, "triple_weekday": 0},
    ]:
        assert dealing.do(dealt("GOLDCASH", **changed)) == DONE
    assert dealing.refused(dealt("XCASH")) == "unknown_symbol"
    dealing.do(CloseInstrument(TRADING, "GOLDCASH"))
    assert dealing.refused(dealt("GOLDCASH", min_lots=0)) == "instrument_closed"


@pytest.mark.parametrize(
    "changed",
    [
        {"max_quote_age_ns": 0},
        {"max_quote_age_ns": 3_600 * SECOND_NS + 1},
        {"loss_warning_ppm": 0},
        {"loss_warning_ppm": 900_001},
        {"margin_call_ppm": 1_000_001},
        {"stop_out_level_ppm": 0},
        {"stop_out_level_ppm": 800_001},
        {"warning_level_ppm": 100_000_001},
    ],
)
def test_rules_that_contradict_themselves_are_refused(changed: dict[str, Any]) -> None:
    dealing = Dealing()
    rules = msgspec.structs.replace(DeskRules(TRADING), **changed)
    assert dealing.refused(SetDeskRules(rules)) == "bad_desk_rules"


def test_rules_may_go_to_their_bounds() -> None:
    widest = DeskRules(TRADING, 3_600 * SECOND_NS, 1_000_000, 1_000_000, 100_000_000, 100_000_000)
    narrowest = DeskRules(TRADING, 1, 1, 1, 1, 1, StopOutPolicy.CLOSE_ALL)
    assert [Dealing().do(SetDeskRules(each)) for each in (widest, narrowest)] == [DONE, DONE]


def test_nights_are_paid_day_by_day_when_they_have_ended() -> None:
    dealing = Dealing()
    day = dealing.now_ns // DAY_NS
    assert dealing.refused(Rollover(TRADING, day)) == "wrong_day"
    assert dealing.refused(Rollover(World.DEMO, day - 1)) == "wrong_day"
    dealing.now_ns = (day + 2) * DAY_NS - 5_000
    assert dealing.refused(Rollover(TRADING, day - 1)) == "wrong_day"
    assert not isinstance(dealing.do(Rollover(TRADING, day)), Refused)
    assert dealing.refused(Rollover(TRADING, day)) == "wrong_day"
    assert dealing.refused(Rollover(TRADING, day + 1)) == "wrong_day"  # a microsecond before its day ends
    assert not isinstance(dealing.do(Rollover(TRADING, day + 1)), Refused)


def test_what_is_another_accounts_looks_missing_and_what_is_the_houses_is_the_houses() -> None:
    dealing = Dealing()
    ada, bob = dealing.account("ada", 10_000), dealing.account("bob", 10_000)
    dealing.quote(100)
    position = dealing.open(ada, LONG, 1).position_id
    waits = PlaceEntry(ada, "GOLDCASH", LONG, EntryKind.LIMIT, 90 * TICK, LOT, 1)
    entry = dealing.do(waits, ada)
    assert isinstance(entry, EntryPlaced)
    for command in (
        OpenPosition(ada, "GOLDCASH", LONG, LOT, 1),
        ClosePosition(ada, position),
        ModifyPosition(ada, position, take=price(200)),
        waits,
        CancelEntry(ada, entry.entry_id),
    ):
        assert dealing.refused(command, bob) == "unknown_account"
    assert dealing.refused(ClosePosition(bob, position), bob) == "unknown_position"
    assert dealing.refused(ModifyPosition(bob, position, take=price(200)), bob) == "unknown_position"
    assert dealing.refused(CancelEntry(bob, entry.entry_id), bob) == "unknown_entry"
    assert dealing.refused(quotes((700, 707, dealing.now_ns)), bob) == "house_only"
    assert dealing.refused(Rollover(TRADING, 1), bob) == "house_only"
    assert dealing.refused(ReleaseHold(position)) == "hold_of_order"


def test_money_that_answers_for_cross_positions_stays_and_may_go_again_when_they_are_closed() -> None:
    dealing = Dealing()
    ada = dealing.account("ada", 5_000)
    dealing.quote(100)
    opened = dealing.open(ada, LONG, 10, leverage=10, mode=MarginMode.CROSS)
    assert opened.margin == 2_100
    assert dealing.refused(RequestWithdrawal(ada, "CASH", 2_901), ada) == "insufficient_margin"
    assert dealing.refused(RequestWithdrawal(ada, "CASH", 5_001), ada) == "insufficient_funds"
    dealing.now_ns += 11 * SECOND_NS
    assert dealing.refused(RequestWithdrawal(ada, "CASH", 1), ada) == "stale_quote"
    dealing.do(Deposit(ada, "CASH", 1))
    dealing.quote(100)
    dealing.spend(ada, 2_901)
    dealing.close(ada, opened.position_id)
    dealing.spend(ada, 2_100)
    assert dealing.cash(ada) == 0
    assert dealing.refused(ClosePosition(ada, opened.position_id), HOUSE) == "unknown_position"


def test_an_open_that_turns_a_position_over_counts_for_the_cap_with_all_that_it_moves() -> None:
    dealing = Dealing()
    ada, bob = dealing.account("ada", 50_000, mode=PositionMode.NETTING), dealing.account("bob", 50_000)
    dealing.quote(100)
    dealing.open(ada, LONG, 10)
    dealing.open(bob, SHORT, 10)
    dealing.do(dealt("GOLDCASH", max_net_lots=11))
    assert dealing.refused(OpenPosition(ada, "GOLDCASH", SHORT, 12 * LOT, 10), ada) == "max_exposure"
    assert dealing.open(ada, SHORT, 11).closed == 10 * LOT


def test_an_open_that_turns_a_position_over_is_measured_by_what_it_leaves() -> None:
    dealing = Dealing()
    ada = dealing.account("ada", 50_000, mode=PositionMode.NETTING)
    dealing.quote(100)
    dealing.open(ada, LONG, 10)
    cap = LimitName.MAX_POSITION
    dealing.do(SetLimit(TRADING, LimitScope.ACCOUNT, str(ada), cap, "GOLDCASH", 10 * LOT))
    assert dealing.refused(OpenPosition(ada, "GOLDCASH", SHORT, 21 * LOT, 10), ada) == "max_position"
    assert dealing.open(ada, SHORT, 20).quantity == 10 * LOT
