"""What a run of the desk's events comes to: facts all appear, rows once, notices under ids that follow from events."""

import msgspec
import pytest

from fondaco.core.desk.state import (
    DeskEntry,
    DeskFill,
    DeskPosition,
    DeskQuote,
    FilledAt,
    Level,
    MarginWarning,
    RolledOver,
    StopOut,
)
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.events import Began
from fondaco.core.vocabulary import (
    Closing,
    Direction,
    EntryKind,
    EntryState,
    LevelKind,
    MarginMode,
    PositionState,
    World,
)
from fondaco.engine.journal import BEGINNING, Committed, Mark
from fondaco.engine.projection import desk_rows, rows
from fondaco.engine.projection.copying import Layout
from fondaco.engine.projection.folding import Fold
from fondaco.engine.projection.notices import Market, Markets, Owner, messages
from fondaco.engine.projection.read_models import ROWS
from fondaco.engine.projection.rows import Steps

TRADING, BTC = World.TRADING, "BTCUSDT"
SECOND_NS = 10**9
AT = FilledAt(100, 101, "simulated", 1_000_500, 7, 500, 5 * SECOND_NS, 3_000)
STEPS = Steps(10, 1_000)
MARKETS: Markets = {(TRADING, BTC): Market(10, 1_000, 8, "USDT", 6)}
OWNERS = {1: Owner("ann", "USDT", 6), 2: Owner("bob", "USDT", 6)}
LAYOUTS = [each for made in (rows, desk_rows) for each in vars(made).values() if isinstance(each, Layout)]


def position(**changed: object) -> DeskPosition:
    """A long position of 5 lots, opened in the first second."""
    it = DeskPosition(
        *(1_000, 1, TRADING, BTC, Direction.LONG, MarginMode.ISOLATED, 10, SECOND_NS, SECOND_NS, 900_000, 700_000),
        lots=5,
        entry_notional=505,
        margin=51,
        opened_lots=5,
        opened_notional=505,
    )
    return msgspec.structs.replace(it, **changed)


def fill(fill_id: int, closing: Closing = Closing.NONE, account: int = 1, stop_out: int = 0) -> DeskFill:
    """A fill of 5 lots, opening unless it says why it closes."""
    result = -5 if closing else 0
    return DeskFill(
        *(fill_id, 1_000, account, TRADING, BTC, Direction.LONG, not closing, 5, 100, 500, 51, result, 0),
        *(closing, stop_out, AT),
    )


def folded(*batches: list[object], after_seq: int = 0) -> Fold:
    """What batches of these events come to; each event is a command's of its own, a second after the one before."""
    fold, seq = Fold(after_seq), after_seq
    for events in batches:
        said: list[object] = []
        for event in events:
            seq += 1
            said += [Began(seq, seq * SECOND_NS), event]
        fold.take([Committed(Mark(BEGINNING.batch_no + 1, seq, b""), msgspec.msgpack.encode(said))])
    return fold


def test_a_row_is_kept_in_its_last_state_and_facts_all_are() -> None:
    quotes = [DeskQuote(TRADING, BTC, bid, bid + 1, SECOND_NS, "simulated", bid, bid, 500) for bid in (100, 90, 95)]
    closed = position(lots=0, state=PositionState.CLOSED, closing=Closing.OWNER, closed_ns=9 * SECOND_NS)
    fold = folded(
        [*quotes, position(), fill(1), position(is_warned=True)],
        [fill(2, Closing.OWNER), closed, RolledOver(TRADING, 3), RolledOver(TRADING, 4), DeskRules(TRADING)],
        [DeskTerms(TRADING, BTC, is_dealt, 1, 9) for is_dealt in (True, False)],
    )
    assert [told.event.bid_ticks for told in fold.desk_quotes.values()] == [95]
    assert [told.event for told in fold.desk_positions.values()] == [closed]
    assert [told.event.fill_id for told in fold.fills] == [1, 2]
    assert [told.event.day for told in fold.rollovers] == [3, 4]
    (terms,) = fold.desk_terms.values()
    assert (terms.event.is_dealt, terms.first_ns, terms.ns) == (False, 12 * SECOND_NS, 13 * SECOND_NS)
    assert list(fold.desk_rules) == [TRADING]


def test_what_was_made_after_the_first_moment_of_a_run_cannot_be_in_the_tables() -> None:
    """What was made in that very moment may be: commands of the run before may share it."""
    fold = folded([position(opened_ns=6 * SECOND_NS)], after_seq=5)
    assert [fold.is_new_since(ns) for ns in (5 * SECOND_NS, 6 * SECOND_NS, 6 * SECOND_NS + 1_000)] == [
        False,
        False,
        True,
    ]


def test_a_row_has_atoms_and_no_value_where_there_is_none() -> None:
    fold = folded([position(stop_ticks=90, trail_ticks=4, entry_id=3)])
    row = dict(zip(desk_rows.POSITIONS.columns, desk_rows.position_row(fold.desk_positions[1_000], STEPS), strict=True))
    shown = (
        "quantity",
        "stop_loss",
        "take_profit",
        "trailing_distance",
        "entry_id",
        "close_reason",
        "closed_at",
        "seq",
    )
    assert [row[name] for name in shown] == [5_000, 900, None, 40, 3, None, None, 1]


def test_levels_of_an_entry_stay_as_they_were_said() -> None:
    entry = DeskEntry(
        *(1_001, 1, TRADING, BTC, Direction.SHORT, EntryKind.STOP, MarginMode.CROSS, 5, 7, 95),
        stop=Level(LevelKind.PERCENT, 50_000),
        take=Level(LevelKind.NONE),
        trail=Level(),
        is_guaranteed=False,
        expires_ns=0,
        created_ns=SECOND_NS,
        updated_ns=2 * SECOND_NS,
        state=EntryState.REJECTED,
        reason="no_quote",
    )
    fold = folded([entry])
    row = dict(zip(desk_rows.ENTRIES.columns, desk_rows.entry_row(fold.desk_entries[1_001], STEPS), strict=True))
    assert (row["trigger_price"], row["stop_kind"], row["stop_value"]) == (950, "percent", 50_000)
    assert [row[name] for name in ("take_kind", "take_value", "trail_kind", "trail_value")] == [None] * 4
    assert (row["expires_at"], row["reason"], row["closed_at"]) == (None, "no_quote", 2 * SECOND_NS)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.table}-{len(layout.columns)}")
def test_a_layout_has_columns_of_its_table(layout: Layout) -> None:
    """All of them, unless the table lets them be empty or the layout is one of changes."""
    (table,) = (each.__table__ for each in ROWS if each.__tablename__ == layout.table)
    assert set(layout.columns) <= set(table.columns.keys())
    if layout is not rows.CHANGED_ORDERS:
        required = {column.name for column in table.columns if not column.nullable}
        assert required <= set(layout.columns)


def test_notices_have_ids_that_rise_and_follow_from_their_events_alone() -> None:
    """However the run is cut."""
    first = [fill(1, Closing.STOP_LOSS), fill(2, Closing.OWNER), fill(3, Closing.TAKE_PROFIT, 2)]
    second: list[object] = [MarginWarning(1, TRADING, 1_000, BTC, 5, 51), MarginWarning(2, TRADING, 0, "", 5, 51)]
    receipt = StopOut(9, 1, TRADING, "isolated", BTC, 100, 101, 5, 51, 0, 0, (1_000,), (), 0, 0)
    second += [fill(4, Closing.MARGIN_CALL, stop_out=9), receipt]
    at_once = folded([*first, *second])
    halves = [folded([*first]), folded(second, after_seq=len(first))]
    sent = [each for fold in halves for each in messages(fold, OWNERS, MARKETS)]
    assert list(messages(at_once, OWNERS, MARKETS)) == sent
    assert [each.body["kind"] for each in sent] == [
        *("stop_loss_hit", "take_profit_hit", "margin_warning", "margin_warning", "margin_call"),
    ]
    ids = [each.id for each in sent]
    assert ids == sorted(set(ids))


def test_notices_of_one_command_have_ids_of_their_own_in_its_order() -> None:
    said = [Began(1, SECOND_NS), *(fill(number, Closing.STOP_LOSS) for number in range(1, 300))]
    fold = Fold(0)
    fold.take([Committed(Mark(1, 1, b""), msgspec.msgpack.encode(said))])
    ids = [each.id for each in messages(fold, OWNERS, MARKETS)]
    assert len(ids) == 299
    assert ids == sorted(set(ids))
