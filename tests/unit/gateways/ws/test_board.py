"""The live board at its edges: sources, limits, and what is not shown."""

import pytest

from fondaco.core.candles import Timeframe
from fondaco.core.listings import Catalogue, instrument
from fondaco.gateways.ws import board as board_module
from fondaco.gateways.ws.board import TAPE, Board
from fondaco.gateways.ws.messages import FEED, CandleItem, Channel, Data, Kind
from fondaco.gateways.ws.series import PRUNE_SLACK
from fondaco.market.messages import HOUSE_SOURCES, FeedState, Refused, Source, Stored, StoredCandle, Tick, TickBatch
from support.ticks import naive_candles

SYMBOL = "BTCUSDT"
TICKS = Channel(Kind.TICKS, SYMBOL)
MINUTES = Channel(Kind.CANDLES, SYMBOL, Timeframe.M1)
MINUTE_US = 60_000_000
START_US = 1_723_161_240_000_000
KEEP, MAX_TICKS = 10, 5


def new_board(now_us: int = START_US) -> Board:
    return Board(
        Catalogue([instrument("BTC/USDT", {})]), keep_candles=KEEP, max_ticks=MAX_TICKS, clock_us=lambda: now_us
    )


def tick(trade_id: int, *, minute: int = 0) -> Tick:
    return Tick(trade_id, START_US + minute * MINUTE_US, 100 + trade_id, 5, buyer_is_maker=False, received_us=0)


def bring(board: Board, name: str, *ticks: Tick, source: Source = Source.REPLAY) -> None:
    board.entry(name, TickBatch(source, SYMBOL, ticks))


def commit(*names: str, ticks: list[Tick], source: Source = Source.REPLAY) -> Stored:
    """A commit of these entries, after which exactly these ticks are stored."""
    candles = [
        StoredCandle(source, SYMBOL, timeframe, bar, candle)
        for timeframe in Timeframe
        for bar, candle in naive_candles(ticks, timeframe).items()
    ]
    return Stored(names, tuple(candles))


def trades(data: Data) -> dict[int, int]:
    """Number of trades by minute."""
    assert isinstance(data, list)
    bars = [each for each in data if isinstance(each, CandleItem)]
    return {(each.time - START_US // 1_000_000) // 60: each.trades for each in bars}


def state(source: Source) -> FeedState:
    return FeedState(source, "for tests", (SYMBOL,), connected=True, since_us=0)


def test_another_source_is_not_shown_until_the_feed_says_so_and_is_complete_then() -> None:
    board = new_board()
    board.feed(state(Source.REPLAY))
    bring(board, "1", tick(1))
    bring(board, "2", tick(2), tick(3), source=Source.SIMULATED)
    assert trades(board.snapshot(MINUTES)) == {0: 1}
    assert board.feed(state(Source.SIMULATED))
    assert trades(board.snapshot(MINUTES)) == {0: 2}
    assert {TICKS, MINUTES} <= board.take_resets()
    assert board.source_of(MINUTES) is Source.SIMULATED


@pytest.mark.parametrize("source", sorted(HOUSE_SOURCES))
def test_the_house_s_own_trades_are_no_feed_s(source: Source) -> None:
    """Although they come first, over the same stream."""
    board = new_board()
    bring(board, "1", tick(1), source=source)
    board.stored(commit("1", ticks=[tick(1)], source=source))
    board.use_stored(SYMBOL, source)
    assert (board.sources, board.snapshot(MINUTES)) == ({}, [])
    board.feed(state(Source.REPLAY))
    bring(board, "2", tick(2))
    assert trades(board.snapshot(MINUTES)) == {0: 1}


def test_the_feed_that_runs_decides_over_the_database() -> None:
    board = new_board()
    board.use_stored(SYMBOL, Source.REPLAY)
    assert board.sources == {SYMBOL: Source.REPLAY}
    board.feed(state(Source.BINANCE))
    board.use_stored(SYMBOL, Source.REPLAY)
    assert board.sources == {SYMBOL: Source.BINANCE}


def test_the_same_state_of_the_feed_is_told_once() -> None:
    board = new_board()
    for _ in range(2):
        board.feed(state(Source.REPLAY))
    assert [change.channel for change in board.changes([FEED])] == [FEED]
    board.feed(state(Source.REPLAY))
    assert board.changes([FEED]) == []


@pytest.mark.parametrize(("count", "dropped"), [(MAX_TICKS, 0), (MAX_TICKS + 2, 2)])
def test_more_ticks_than_a_flush_may_hold_drop_the_oldest_and_say_so(count: int, dropped: int) -> None:
    board = new_board()
    for number in range(count):
        bring(board, str(number), tick(number))
    (change,) = board.changes([TICKS])
    assert isinstance(change.data, list)
    assert change.dropped == dropped
    assert [item.id for item in change.data if not isinstance(item, CandleItem)] == list(range(dropped, count))
    assert trades(board.snapshot(MINUTES)) == {0: count}  # candles count what the tape lost


def test_the_tape_opens_with_what_was_flushed_and_no_more_than_its_length() -> None:
    board = new_board()
    for number in range(TAPE + 3):
        bring(board, str(number), tick(number))
        board.changes([])
    bring(board, "fresh", tick(1000))
    snapshot = board.snapshot(TICKS)
    assert isinstance(snapshot, list)
    assert [item.id for item in snapshot if not isinstance(item, CandleItem)] == list(range(3, TAPE + 3))


def test_an_old_bar_that_is_no_longer_held_is_not_shown_without_its_committed_part() -> None:
    board = new_board()
    stored = [tick(each, minute=each) for each in range(KEEP + PRUNE_SLACK + 1)]
    bring(board, "1", *stored)
    board.stored(commit("1", ticks=stored))
    newest = KEEP + PRUNE_SLACK
    assert sorted(trades(board.snapshot(MINUTES))) == list(range(newest - KEEP + 1, newest + 1))
    board.changes([MINUTES])
    bring(board, "late", tick(5000, minute=1))
    assert board.changes([MINUTES]) == []


def test_history_as_long_as_the_board_keeps_hides_older_bars_and_shorter_history_hides_none() -> None:
    for length, hidden in ((KEEP, True), (KEEP - 1, False)):
        board = new_board()
        board.use(SYMBOL, Source.REPLAY)
        stored = [tick(each, minute=each) for each in range(5, 5 + length)]
        board.load(Source.REPLAY, SYMBOL, Timeframe.M1, commit(ticks=stored).candles[: len(stored)])
        board.changes([MINUTES])
        bring(board, "late", tick(5000, minute=1))
        assert (board.changes([MINUTES]) == []) is hidden


def test_entries_that_wait_too_long_stay_in_the_candles_until_a_commit_of_their_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(board_module, "MAX_PENDING_ENTRIES", 2)
    board = new_board()
    for number in range(5):
        bring(board, str(number), tick(number))
    assert len(board._pending) == 2
    assert trades(board.snapshot(MINUTES)) == {0: 5}
    board.stored(commit("0", "1", "2", ticks=[tick(0), tick(1), tick(2)]))
    assert trades(board.snapshot(MINUTES)) == {0: 5}
    board.stored(commit("3", "4", ticks=[tick(each) for each in range(5)]))
    assert trades(board.snapshot(MINUTES)) == {0: 5}
    assert not board._pending


def test_commits_of_entries_that_never_come_are_let_go_at_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "MAX_EARLY_IDS", 3)
    board = new_board()
    board.stored(commit(*map(str, range(5)), ticks=[]))
    assert list(board._early) == ["2", "3", "4"]


def test_what_is_no_tick_or_of_no_listed_symbol_is_passed_over_and_its_commit_awaited() -> None:
    board = new_board()
    assert board.entry("1", Refused(Source.REPLAY, SYMBOL, "bad", "raw", 0)) == 0
    assert board.entry("2", TickBatch(Source.REPLAY, "DOGEUSDT", (tick(1),))) == 0
    assert board.sources == {}
    board.stored(commit("1", "2", ticks=[]))
    assert not board._pending
    assert not board._early


def test_a_restart_forgets_what_was_pending_and_asks_for_snapshots() -> None:
    board = new_board()
    bring(board, "1", tick(1))
    board.stored(commit("1", ticks=[tick(1)]))
    bring(board, "2", tick(2))
    board.take_resets()
    board.restart()
    assert trades(board.snapshot(MINUTES)) == {0: 1}
    assert {TICKS, MINUTES} <= board.take_resets()
    bring(board, "2", tick(2))
    assert trades(board.snapshot(MINUTES)) == {0: 2}


def test_a_bar_is_closed_when_its_time_is_over_or_a_later_one_has_begun() -> None:
    def closed(board: Board) -> list[bool]:
        snapshot = board.snapshot(MINUTES)
        assert isinstance(snapshot, list)
        return [item.closed for item in snapshot if isinstance(item, CandleItem)]

    running, over = new_board(START_US + MINUTE_US - 1), new_board(START_US + MINUTE_US)
    for board in (running, over):
        bring(board, "1", tick(1))
    assert (closed(running), closed(over)) == ([False], [True])
    bring(running, "2", tick(2, minute=1))
    assert closed(running) == [True, False]


def test_a_commit_that_changes_nothing_is_not_told() -> None:
    board = new_board()
    bring(board, "1", tick(1), tick(2))
    assert len(board.changes([MINUTES])) == 1
    board.stored(commit("1", ticks=[tick(1), tick(2)]))
    assert board.changes([MINUTES]) == []


def test_what_was_fetched_afterwards_goes_into_the_candles_and_not_on_the_tape() -> None:
    board = new_board()
    bring(board, "live", tick(9))
    board.changes([])
    board.entry("late", TickBatch(Source.REPLAY, SYMBOL, (tick(8),), is_backfill=True))
    assert board.changes([TICKS]) == []
    assert trades(board.snapshot(MINUTES)) == {0: 2}
