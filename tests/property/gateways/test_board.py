"""The live board ends equal to the naive fold, whatever order ticks, commits and database reads come in."""

from collections.abc import Iterable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.candles import Candle, Timeframe, fold_minutes
from fondaco.core.listings import Catalogue, instrument
from fondaco.gateways.ws.board import Board
from fondaco.gateways.ws.messages import CandleItem, Channel, Kind
from fondaco.gateways.ws.series import fold_few
from fondaco.market.messages import Source, Stored, StoredCandle, Tick, TickBatch
from support.ticks import columns, naive_candles, split, ticks

SYMBOL = "BTCUSDT"
CATALOGUE = Catalogue([instrument("BTC/USDT", {})])
CHANNELS = [Channel(Kind.CANDLES, SYMBOL, timeframe) for timeframe in Timeframe]
CLOCK_US = 1_723_161_300_000_000


def new_board() -> Board:
    return Board(CATALOGUE, keep_candles=10_000, max_ticks=10_000, clock_us=lambda: CLOCK_US)


class House:
    """A recorder and a database in a few lines: entries are committed in any order, and candles say what is stored."""

    def __init__(self, entries: Mapping[str, list[Tick]]) -> None:
        self.entries = entries
        self.stored: list[Tick] = []

    def commit(self, ids: Iterable[str]) -> Stored:
        """Store these entries and say so."""
        names = tuple(ids)
        new = [tick for name in names for tick in self.entries[name]]
        self.stored += new
        return Stored(names, tuple(self._changed(new)))

    def candles(self, timeframe: Timeframe) -> list[StoredCandle]:
        """Read every stored candle of a timeframe."""
        found = naive_candles(self.stored, timeframe).items()
        return [StoredCandle(Source.REPLAY, SYMBOL, timeframe, bar, candle) for bar, candle in found]

    def _changed(self, new: list[Tick]) -> Iterable[StoredCandle]:
        for timeframe in Timeframe:
            bars = {timeframe.open_time_us(tick.time_us) for tick in new}
            yield from (each for each in self.candles(timeframe) if each.open_time_us in bars)


def shown(board: Board, timeframe: Timeframe) -> dict[int, Candle]:
    """Every candle of the board, in the core's terms."""
    series = board._markets[Source.REPLAY, SYMBOL].series(timeframe)
    return {bar: candle for bar, candle, _ in series.newest(CLOCK_US)}


@given(ticks())
def test_a_handful_of_ticks_folds_as_the_core_folds_them(some: list[Tick]) -> None:
    assert fold_few(some) == fold_minutes(columns(some))


STEPS = st.lists(st.tuples(st.sampled_from(["hear", "commit", "read", "look"]), st.integers(0, 30)), max_size=25)


@given(ticks(max_size=30), st.lists(st.integers(0, 100), max_size=8), STEPS)
def test_any_interleaving_of_ticks_commits_and_reads_ends_equal_to_the_naive_fold(
    all_ticks: list[Tick], cuts: list[int], steps: list[tuple[str, int]]
) -> None:
    house = House({str(number): list(piece) for number, piece in enumerate(split(all_ticks, cuts))})
    board = new_board()
    board.use(SYMBOL, Source.REPLAY)
    unheard, uncommitted = list(house.entries), list(house.entries)
    for step, number in [*steps, *[("hear", 0), ("commit", 0)] * len(house.entries)]:
        if step == "hear" and unheard:
            name = unheard.pop(0)  # a stream keeps its order
            board.entry(name, TickBatch(Source.REPLAY, SYMBOL, tuple(house.entries[name])))
        elif step == "commit" and uncommitted:
            taken = uncommitted[number % len(uncommitted) :][:2]
            uncommitted = [name for name in uncommitted if name not in taken]
            board.stored(house.commit(taken))
        elif step == "read":
            timeframe = list(Timeframe)[number % len(Timeframe)]
            board.load(Source.REPLAY, SYMBOL, timeframe, house.candles(timeframe))
        elif step == "look":
            board.changes(CHANNELS)
    for timeframe in Timeframe:
        assert shown(board, timeframe) == naive_candles(all_ticks, timeframe)
    assert not board._pending
    assert not board._early


@given(ticks(max_size=30), st.lists(st.integers(0, 100), max_size=6), st.integers(0, 6))
def test_ticks_show_at_once_and_commits_of_some_change_nothing(
    all_ticks: list[Tick], cuts: list[int], committed: int
) -> None:
    pieces = split(all_ticks, cuts)
    house = House({str(number): list(piece) for number, piece in enumerate(pieces)})
    board = new_board()
    board.use(SYMBOL, Source.REPLAY)
    for name, piece in house.entries.items():
        board.entry(name, TickBatch(Source.REPLAY, SYMBOL, tuple(piece)))
    before = {timeframe: shown(board, timeframe) for timeframe in Timeframe}
    board.stored(house.commit(list(house.entries)[:committed]))
    for timeframe in Timeframe:
        assert before[timeframe] == naive_candles(all_ticks, timeframe)
        assert shown(board, timeframe) == before[timeframe]


@given(ticks(max_size=30), st.lists(st.integers(0, 100), max_size=6))
def test_a_client_that_applies_snapshot_and_updates_holds_the_boards_candles(
    all_ticks: list[Tick], cuts: list[int]
) -> None:
    board = new_board()
    board.use(SYMBOL, Source.REPLAY)
    held: dict[Channel, dict[int, CandleItem]] = {channel: {} for channel in CHANNELS}
    for number, piece in enumerate(split(all_ticks, cuts)):
        board.entry(str(number), TickBatch(Source.REPLAY, SYMBOL, tuple(piece)))
        for change in board.changes(CHANNELS):
            assert isinstance(change.data, list)
            held[change.channel].update({item.time: item for item in change.data})
    for channel in CHANNELS:
        snapshot = board.snapshot(channel)
        assert isinstance(snapshot, list)
        assert sorted(held[channel].values(), key=lambda item: item.time) == snapshot
