"""Refusals of the desk: of several reasons the first in the list is given, and nothing changes.

As tests/unit/core/test_refusals.py does for orders: a command that is wrong in every way is put right bit by bit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from fondaco.core import snapshot
from fondaco.core.commands import (
    CancelEntry,
    CloseInstrument,
    ClosePosition,
    Command,
    LiftBreaker,
    ListInstrument,
    ModifyPosition,
    OpenPosition,
    PlaceEntry,
    SetAccountStatus,
    SetLimit,
    SetUserStatus,
    TripBreaker,
)
from fondaco.core.desk.entries import MAX_ENTRIES
from fondaco.core.desk.opening import MAX_POSITIONS
from fondaco.core.desk.state import NO_LEVEL, Level
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
    UserStatus,
)
from support.dealing import CASH, LOT, OTHER, SECOND_NS, TICK, TRADING, Dealing, dealt, listed

LONG, SHORT = Direction.LONG, Direction.SHORT

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

    def quote(self, *, ages: bool, gold_stays: bool = False) -> Callable[[], object]:
        """What makes a price of 100, and lets it become too old; that of gold may be told once more."""

        def quoted() -> None:
            self.dealing.now_ns += 11 * SECOND_NS
            self.dealing.quote(100)
            self.dealing.quote(100, symbol="TINCASH")
            self.dealing.now_ns += 11 * SECOND_NS if ages else 0
            if gold_stays:
                self.dealing.quote(100)

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
            (there.quote(ages=True, gold_stays=True), Refusal.STALE_QUOTE),
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
