"""The lives of positions and entries: each step that they are told to have taken stands in this table, and no other."""

from collections.abc import Iterable

from fondaco.core.commands import (
    CancelEntry,
    CloseInstrument,
    ClosePosition,
    ModifyPosition,
    PlaceEntry,
    SetQuote,
    Tick,
)
from fondaco.core.desk.state import DeskEntry, DeskFill, DeskPosition, Level, Quote
from fondaco.core.events import Event
from fondaco.core.replies import EntryPlaced
from fondaco.core.vocabulary import (
    Closing,
    Direction,
    EntryKind,
    EntryState,
    LevelKind,
    MarginMode,
    PositionMode,
    PositionState,
)
from support.dealing import LOT, SECOND_NS, TICK, TRADING, Dealing

LONG, SHORT = Direction.LONG, Direction.SHORT
POSITIONS = {
    "": {"open", "closed"},
    "open": {"open", "closed"},
    "closed": set[str](),
}
"""From nothing to closed: opened by an entry and closed by a later quote of the same command."""
ENTRIES = {
    "": {"pending"},
    "pending": {"filled", "cancelled", "expired", "rejected"},
    "filled": set[str](),
    "cancelled": set[str](),
    "expired": set[str](),
    "rejected": set[str](),
}


def busy_day() -> Dealing:
    """A day on which everything happens that can happen to a position or an entry."""
    dealing = Dealing()
    ada = dealing.account("ada", 20_000)
    bob = dealing.account("bob", 20_000, mode=PositionMode.NETTING)
    poor = dealing.account("cid", 300)
    dealing.quote(100)
    everything_closes(dealing, ada, bob)
    everything_waits(dealing, ada, poor)
    dealing.quote(100, symbol="TINCASH")
    dealing.open(ada, LONG, 1, symbol="TINCASH")
    dealing.do(CloseInstrument(TRADING, "TINCASH"))
    return dealing


def everything_closes(dealing: Dealing, ada: int, bob: int) -> None:
    """A position of each ending, but for the instrument's."""

    def at(ticks: int) -> Level:
        return Level(LevelKind.PRICE, ticks * TICK)

    owned = dealing.open(ada, LONG, 4).position_id
    dealing.close(ada, owned, 1)
    dealing.do(ModifyPosition(ada, owned, take=at(200)), ada)
    dealing.close(ada, owned)
    dealing.do(ClosePosition(ada, dealing.open(ada, LONG, 1).position_id))
    dealing.open(bob, LONG, 2)
    dealing.open(bob, SHORT, 2)
    dealing.open(ada, LONG, 1, stop=at(99))
    dealing.open(ada, LONG, 1, trail=at(1))
    dealing.open(ada, SHORT, 1, take=at(99))
    dealing.open(ada, LONG, 1, leverage=50)
    dealing.quote(98)
    dealing.open(bob, LONG, 100, leverage=50, mode=MarginMode.CROSS)
    dealing.quote(89)
    dealing.quote(100)


def everything_waits(dealing: Dealing, ada: int, poor: int) -> None:
    """An entry of each ending, and a position that lives for one command."""

    def entry(account_id: int, price: int, lots: int = 1, expires_ns: int = 0) -> PlaceEntry:
        limit = EntryKind.LIMIT
        return PlaceEntry(
            account_id, "GOLDCASH", LONG, limit, price * TICK, lots * LOT, leverage=10, expires_ns=expires_ns
        )

    cancelled = dealing.do(entry(ada, 90), ada)
    assert isinstance(cancelled, EntryPlaced)
    dealing.do(CancelEntry(ada, cancelled.entry_id), ada)
    dealing.do(entry(ada, 90, expires_ns=dealing.now_ns + SECOND_NS), ada)
    dealing.now_ns += SECOND_NS
    dealing.do(Tick())
    dealing.do(entry(poor, 95, lots=5), poor)
    dealing.do(entry(ada, 95), ada)
    path = (Quote(each * TICK, each * TICK, dealing.now_ns, each * TICK, 1) for each in (95, 80, 100))
    dealing.do(SetQuote(TRADING, "GOLDCASH", "binance", 0, tuple(path)))


def steps(told: Iterable[tuple[int, str]]) -> set[tuple[str, str]]:
    """From which state to which the rows went."""
    now: dict[int, str] = {}
    found = set()
    for id_, state in told:
        found.add((now.get(id_, ""), state))
        now[id_] = state
    return found


def pairs(table: dict[str, set[str]]) -> set[tuple[str, str]]:
    return {(before, after) for before, following in table.items() for after in following}


def test_positions_take_every_step_of_their_table_and_no_other() -> None:
    rows = [each for each in busy_day().events if isinstance(each, DeskPosition)]
    assert steps((each.position_id, each.state.value) for each in rows) == pairs(POSITIONS)
    assert set(POSITIONS) == {"", *PositionState}
    for row in rows:
        is_closed = row.state is PositionState.CLOSED
        assert is_closed == (row.lots == 0) == (row.closing is not Closing.NONE) == (row.closed_ns > 0)
        assert not is_closed or (row.margin, row.entry_notional, row.settled) == (0, 0, 0)


def test_entries_take_every_step_of_their_table_and_no_other() -> None:
    rows = [each for each in busy_day().events if isinstance(each, DeskEntry)]
    assert steps((each.entry_id, each.state.value) for each in rows) == pairs(ENTRIES)
    assert set(ENTRIES) == {"", *EntryState}
    for row in rows:
        assert (row.position_id > 0) == (row.state is EntryState.FILLED)
        assert (row.reason == "") == (row.state in (EntryState.PENDING, EntryState.FILLED))


def test_a_position_ends_for_every_reason_that_there_is() -> None:
    events: list[Event] = busy_day().events
    assert {each.closing for each in events if isinstance(each, DeskFill)} == set(Closing)
    rows = [each for each in events if isinstance(each, DeskPosition)]
    assert {each.closing for each in rows} == set(Closing)
