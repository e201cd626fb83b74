"""Refusals of the desk: of several reasons the first in the list is given, and nothing changes.

As tests/unit/core/test_refusals.py does for orders: a command that is wrong in every way is put right bit by bit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from fondaco.core import snapshot
from fondaco.core.commands import (
    HOUSE,
    CancelEntry,
    CloseInstrument,
    ClosePosition,
    Command,
    Deposit,
    LiftBreaker,
    ListInstrument,
    ModifyPosition,
    OpenPosition,
    PlaceEntry,
    ReleaseHold,
    RequestWithdrawal,
    Rollover,
    SetAccountStatus,
    SetDeskRules,
    SetLimit,
    SetQuote,
    SetUserStatus,
    TripBreaker,
)
from fondaco.core.desk.entries import MAX_ENTRIES
from fondaco.core.desk.opening import MAX_POSITIONS
from fondaco.core.desk.state import NO_LEVEL, Level, Quote
from fondaco.core.desk.terms import DeskRules
from fondaco.core.refusals import Refusal
from fondaco.core.replies import DONE, EntryPlaced, PositionClosed, PositionModified, PositionOpened, Refused, Reply
from fondaco.core.snapshot import Dump
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    Direction,
    EntryKind,
    LevelKind,
    LimitName,
    LimitScope,
    MarginMode,
    PositionMode,
    StopOutPolicy,
    UserStatus,
    World,
)
from support.dealing import CASH, LOT, OTHER, SECOND_NS, TICK, TRADING, Dealing, dealt, listed

LONG, SHORT = Direction.LONG, Direction.SHORT
DAY_NS = 86_400 * SECOND_NS

Mend = dict[str, Any] | Callable[[], object]
"""Fields of the command that become right, or what puts something else right."""
Step = tuple[Mend, Refusal | None]


def price(ticks: int) -> Level:
    """A level said as a price."""
    return Level(LevelKind.PRICE, ticks * TICK)


class Hindered:
    """A desk where everything stands in the way of everything."""

    def __init__(self) -> None:
        self.dealing = dealing = Dealing()
        self.closed = dealing.account("ada")
        self.spot = dealing.account("ada", 10_000, kind=AccountKind.SPOT)
        self.foreign = dealing.account("ada", currency=OTHER)
        self.netting = dealing.account("ada", 100_000, mode=PositionMode.NETTING)
        self.rich = dealing.account("ada", 150_000)
        dealing.quote(100)
        self.short = dealing.open(self.netting, SHORT, 5).position_id
        dealing.do(dealt("GOLDCASH", guarantee_ppm=10_000))
        said: dict[str, Any] = {"leverage": 50, "mode": MarginMode.CROSS, "stop": price(60), "is_guaranteed": True}
        self.guaranteed = dealing.open(self.rich, LONG, 1, **said).position_id
        for _ in range(MAX_POSITIONS - 1):
            self.last = dealing.open(self.rich, LONG, 1, leverage=50, mode=MarginMode.CROSS).position_id
        dealing.do(ListInstrument(msgspec.structs.replace(listed(OTHER, CASH))))
        dealing.do(CloseInstrument(TRADING, "OTHERCASH"))
        self._forbid()
        dealing.do(SetAccountStatus(self.closed, AccountStatus.CLOSED))
        dealing.do(SetAccountStatus(self.spot, AccountStatus.FROZEN))
        dealing.do(SetUserStatus("ada", UserStatus.SUSPENDED))

    def _forbid(self) -> None:
        """Breakers, limits, and terms that leave nothing."""
        dealing = self.dealing
        terms = {"is_dealt": False, "min_lots": 5, "max_lots": 100, "max_net_lots": 4}
        dealing.do(dealt("TINCASH", **terms, guarantee_distance_ppm=50_000))
        dealing.do(TripBreaker(TRADING, "TINCASH", "a reason", "staff"))
        for name in ("order_value", "position", "daily_volume", "leverage"):
            self.limit(LimitName(f"max_{name}"), 3 if name == "leverage" else 0)

    def limit(self, name: LimitName, value: int | None) -> None:
        """Cap what the rich account may do with tin, or no longer."""
        about = "TINCASH" if name in (LimitName.MAX_POSITION, LimitName.MAX_LEVERAGE) else "CASH"
        self.dealing.do(SetLimit(TRADING, LimitScope.ACCOUNT, str(self.rich), name, about, value))

    def lift(self, name: LimitName) -> Callable[[], object]:
        """What lifts a limit."""
        return lambda: self.limit(name, None)

    def readmit(self) -> Reply:
        """The user may act."""
        return self.dealing.do(SetUserStatus("ada", UserStatus.ACTIVE))

    def thaw(self) -> Reply:
        """The account may act."""
        return self.dealing.do(SetAccountStatus(self.spot, AccountStatus.ACTIVE))

    def deal(self, **changed: Any) -> Callable[[], object]:  # noqa: ANN401 - fields of the terms
        """What has the desk deal in tin, on these terms."""
        terms = {"min_lots": 5, "max_lots": 100, "max_net_lots": 4, "guarantee_distance_ppm": 50_000} | changed
        return lambda: self.dealing.do(dealt("TINCASH", **terms))

    def quote(self, *, ages: bool) -> Callable[[], object]:
        """What makes a price of 100, and lets it become too old."""

        def quoted() -> None:
            self.dealing.now_ns += 11 * SECOND_NS
            self.dealing.quote(100)
            self.dealing.quote(100, symbol="TINCASH")
            self.dealing.now_ns += 11 * SECOND_NS if ages else 0

        return quoted

    def peel(self, kind: type[Command], hopeless: dict[str, Any], steps: Sequence[Step]) -> Reply:
        """Put a command right step by step: each refusal comes in its place, and changes nothing."""
        fields, given = dict(hopeless), list[Refusal]()
        reply: Reply = DONE
        for mend, refusal in steps:
            if isinstance(mend, dict):
                fields |= mend
            else:
                mend()
            before = known_to(self.dealing)
            how: dict[str, Any] = {name: fields.pop(name) for name in ("command_id", "life_ns") if name in fields}
            reply = self.dealing.do(kind(**fields), fields["account_id"], **how)
            fields |= how
            assert (reply.code if isinstance(reply, Refused) else None) == refusal, mend
            if refusal is not None:
                assert known_to(self.dealing) == before, refusal
                given.append(refusal)
        assert given == sorted(given, key=list(Refusal).index)
        return reply


def known_to(dealing: Dealing) -> Dump:
    """Everything that the machine knows but the commands themselves, and the ids that alerts took."""
    known = msgspec.msgpack.decode(snapshot.dump(dealing.machine), type=Dump)
    return msgspec.structs.replace(known, seq=0, now_ns=0, next_id=0, remembered=[])


def acting(there: Hindered) -> list[Step]:
    """Who may not act, one after the other."""
    return [
        ({"command_id": None}, Refusal.UNKNOWN_ACCOUNT),
        ({"account_id": there.closed}, Refusal.ACCOUNT_CLOSED),
        ({"account_id": there.spot}, Refusal.USER_SUSPENDED),
        (there.readmit, Refusal.ACCOUNT_FROZEN),
    ]


SENT: list[Step] = [
    ({}, Refusal.EXPIRED_IN_QUEUE),
    ({"life_ns": 61 * SECOND_NS}, Refusal.LIFETIME_TOO_LONG),
    ({"life_ns": SECOND_NS}, Refusal.BAD_COMMAND_ID),
]
HOPELESS: dict[str, Any] = {
    "life_ns": -1,
    "command_id": "",
    "account_id": 999_999,
    "symbol": "XCASH",
    "direction": LONG,
    "quantity": 0,
    "leverage": 0,
    "mode": MarginMode.CROSS,
    "stop": NO_LEVEL,
    "take": price(90),
    "is_guaranteed": True,
}
"""What is wrong in every way, of an open as of an entry."""


def test_an_open_is_refused_for_the_first_reason() -> None:
    there = Hindered()
    opens = HOPELESS | {"expected_price": -1, "slippage_ppm": 1_000_001, "position_id": 7}
    on_guaranteed = {"position_id": there.guaranteed, "leverage": 50, "direction": LONG, "account_id": there.rich}
    levels = {"stop": price(101), "take": price(99), "trail": Level(LevelKind.PRICE, 1)}
    reply = there.peel(
        OpenPosition,
        opens,
        [
            *SENT,
            *acting(there),
            (there.thaw, Refusal.UNKNOWN_SYMBOL),
            ({"symbol": "OTHERCASH"}, Refusal.INSTRUMENT_CLOSED),
            ({"symbol": "TINCASH"}, Refusal.PRICE_NOT_POSITIVE),
            ({"expected_price": 0}, Refusal.QUANTITY_NOT_POSITIVE),
            ({"quantity": 1}, Refusal.BAD_LOT),
            ({"quantity": 101 * LOT}, Refusal.QUANTITY_TOO_LARGE),
            ({"quantity": 4 * LOT}, Refusal.NOT_DEALT),
            (there.deal(), Refusal.MARGIN_ACCOUNT_NEEDED),
            ({"account_id": there.foreign}, Refusal.WRONG_CURRENCY),
            ({"account_id": there.netting}, Refusal.LEVERAGE_OUT_OF_RANGE),
            ({"leverage": 101}, Refusal.LEVERAGE_OUT_OF_RANGE),
            ({"leverage": 51}, Refusal.QUANTITY_TOO_SMALL),
            ({"quantity": 5 * LOT}, Refusal.SLIPPAGE_OUT_OF_RANGE),
            ({"slippage_ppm": 1}, Refusal.SLIPPAGE_OUT_OF_RANGE),
            ({"slippage_ppm": 0}, Refusal.GUARANTEE_NOT_OFFERED),
            ({"stop": price(100)}, Refusal.GUARANTEE_NOT_OFFERED),
            (there.deal(guarantee_ppm=1), Refusal.UNKNOWN_POSITION),
            ({"position_id": there.short}, Refusal.LEVERAGE_DIFFERS),
            ({"position_id": 0, "symbol": "GOLDCASH", "mode": MarginMode.ISOLATED}, Refusal.LEVELS_NOT_ALLOWED),
            (on_guaranteed | {"mode": MarginMode.CROSS, "stop": NO_LEVEL}, Refusal.GUARANTEE_STANDS),
            ({"position_id": 0, "symbol": "TINCASH", "leverage": 51} | levels, Refusal.NO_QUOTE),
            (there.quote(ages=True), Refusal.STALE_QUOTE),
            ({"expected_price": 99 * TICK, "slippage_ppm": 10_101}, Refusal.STALE_QUOTE),
            (there.quote(ages=False), Refusal.SLIPPAGE),
            ({"slippage_ppm": 10_102}, Refusal.BAD_LEVEL),
            ({"trail": price(1)}, Refusal.STOP_WRONG_SIDE),
            ({"stop": price(96)}, Refusal.TAKE_WRONG_SIDE),
            ({"take": price(101)}, Refusal.GUARANTEE_TOO_NEAR),
            ({"stop": price(95)}, Refusal.BREAKER_ACTIVE),
            (lambda: there.dealing.do(LiftBreaker(TRADING, "TINCASH")), Refusal.MAX_ORDER_VALUE),
            (there.lift(LimitName.MAX_ORDER_VALUE), Refusal.MAX_POSITION),
            (there.lift(LimitName.MAX_POSITION), Refusal.MAX_DAILY_VOLUME),
            (there.lift(LimitName.MAX_DAILY_VOLUME), Refusal.TOO_MANY_POSITIONS),
            (lambda: there.dealing.close(there.rich, there.last), Refusal.MAX_LEVERAGE),
            ({"leverage": 4, "quantity": 100 * LOT}, Refusal.MAX_LEVERAGE),
            ({"leverage": 1}, Refusal.MAX_EXPOSURE),
            (there.deal(guarantee_ppm=1, max_net_lots=100), Refusal.INSUFFICIENT_MARGIN),
            ({"leverage": 2}, None),
        ],
    )
    assert isinstance(reply, PositionOpened)


def test_an_entry_is_refused_for_the_first_reason() -> None:
    there = Hindered()
    entry = HOPELESS | {"kind": EntryKind.LIMIT, "price": -1, "expires_ns": 1, "trail": Level(LevelKind.PERCENT, -1)}

    def place_many() -> None:
        for _ in range(MAX_ENTRIES):
            waits = PlaceEntry(there.netting, "GOLDCASH", SHORT, EntryKind.LIMIT, 200 * TICK, 5 * LOT, 1)
            assert isinstance(there.dealing.do(waits), EntryPlaced)

    def quote_and_fill_up() -> None:
        there.quote(ages=False)()
        place_many()

    def one_less() -> None:
        entry_id = min(there.dealing.machine.house.desk.entries)
        assert there.dealing.do(CancelEntry(there.netting, entry_id), there.netting) == DONE

    reply = there.peel(
        PlaceEntry,
        entry,
        [
            *SENT,
            *acting(there),
            (there.thaw, Refusal.UNKNOWN_SYMBOL),
            ({"symbol": "OTHERCASH"}, Refusal.INSTRUMENT_CLOSED),
            ({"symbol": "TINCASH"}, Refusal.EXPIRY_PASSED),
            ({"expires_ns": 0}, Refusal.PRICE_NOT_POSITIVE),
            ({"price": 1}, Refusal.BAD_TICK),
            ({"price": 100_001 * TICK}, Refusal.PRICE_TOO_HIGH),
            ({"price": 100 * TICK}, Refusal.QUANTITY_NOT_POSITIVE),
            ({"quantity": 1}, Refusal.BAD_LOT),
            ({"quantity": 101 * LOT}, Refusal.QUANTITY_TOO_LARGE),
            ({"quantity": 4 * LOT}, Refusal.NOT_DEALT),
            (there.deal(), Refusal.MARGIN_ACCOUNT_NEEDED),
            ({"account_id": there.foreign}, Refusal.WRONG_CURRENCY),
            ({"account_id": there.netting}, Refusal.LEVERAGE_OUT_OF_RANGE),
            ({"leverage": 51}, Refusal.QUANTITY_TOO_SMALL),
            ({"quantity": 5 * LOT}, Refusal.GUARANTEE_NOT_OFFERED),
            ({"stop": price(101)}, Refusal.GUARANTEE_NOT_OFFERED),
            (there.deal(guarantee_ppm=1), Refusal.NO_QUOTE),
            (there.quote(ages=True), Refusal.STALE_QUOTE),
            (quote_and_fill_up, Refusal.BAD_LEVEL),
            ({"trail": NO_LEVEL}, Refusal.STOP_WRONG_SIDE),
            ({"stop": price(96)}, Refusal.TAKE_WRONG_SIDE),
            ({"take": price(102)}, Refusal.GUARANTEE_TOO_NEAR),
            ({"stop": price(95)}, Refusal.BREAKER_ACTIVE),
            (lambda: there.dealing.do(LiftBreaker(TRADING, "TINCASH")), Refusal.WOULD_TRIGGER_NOW),
            ({"price": 99 * TICK, "stop": price(94)}, Refusal.TOO_MANY_ENTRIES),
            (one_less, Refusal.MAX_LEVERAGE),
            ({"leverage": 50}, None),
        ],
    )
    assert isinstance(reply, EntryPlaced)


def test_a_close_is_refused_for_the_first_reason() -> None:
    there = Hindered()
    there.dealing.do(dealt("GOLDCASH", min_lots=3))
    reply = there.peel(
        ClosePosition,
        {
            "life_ns": -1,
            "command_id": "",
            "account_id": 999_999,
            "position_id": there.guaranteed,
            "quantity": -1,
            "expected_price": -1,
            "slippage_ppm": -1,
        },
        [
            *SENT,
            ({"command_id": None}, Refusal.UNKNOWN_ACCOUNT),
            ({"account_id": there.netting}, Refusal.PRICE_NOT_POSITIVE),  # another's position, of a suspended user
            ({"expected_price": 0}, Refusal.QUANTITY_NOT_POSITIVE),
            ({"quantity": 1, "position_id": there.short}, Refusal.BAD_LOT),
            ({"quantity": 6 * LOT}, Refusal.QUANTITY_TOO_LARGE),
            ({"quantity": 3 * LOT}, Refusal.QUANTITY_TOO_SMALL),
            ({"quantity": 2 * LOT}, Refusal.SLIPPAGE_OUT_OF_RANGE),
            ({"slippage_ppm": 1}, Refusal.SLIPPAGE_OUT_OF_RANGE),
            (
                {"slippage_ppm": 0, "expected_price": 99 * TICK, "position_id": there.guaranteed},
                Refusal.UNKNOWN_POSITION,
            ),
            (there.quote(ages=True), Refusal.UNKNOWN_POSITION),
            ({"position_id": there.short}, Refusal.STALE_QUOTE),
            (there.quote(ages=False), Refusal.SLIPPAGE),
            ({"slippage_ppm": 10_102}, None),  # an account that may not act may still close
        ],
    )
    assert isinstance(reply, PositionClosed)


def test_a_change_of_stops_is_refused_for_the_first_reason() -> None:
    there = Hindered()
    there.dealing.do(dealt("GOLDCASH", guarantee_ppm=1, guarantee_distance_ppm=50_000))
    reply = there.peel(
        ModifyPosition,
        {"life_ns": -1, "command_id": "", "account_id": 999_999, "position_id": there.guaranteed},
        [
            *SENT,
            *acting(there),
            (there.thaw, Refusal.UNKNOWN_POSITION),  # another account's looks missing
            ({"account_id": there.rich}, Refusal.NOTHING_TO_CHANGE),
            ({"stop": NO_LEVEL, "take": price(100), "trail": Level(LevelKind.PRICE, 1)}, Refusal.GUARANTEE_STANDS),
            (there.quote(ages=True), Refusal.GUARANTEE_STANDS),
            ({"stop": price(100)}, Refusal.STALE_QUOTE),
            (there.quote(ages=False), Refusal.BAD_LEVEL),
            ({"trail": NO_LEVEL}, Refusal.STOP_WRONG_SIDE),
            ({"stop": price(96)}, Refusal.TAKE_WRONG_SIDE),
            ({"take": price(101)}, Refusal.GUARANTEE_TOO_NEAR),
            ({"stop": price(95)}, None),
        ],
    )
    assert reply == PositionModified(there.guaranteed, 95 * TICK, 101 * TICK, 0)


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
