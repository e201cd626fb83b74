"""Several quotes in one command: each is applied completely before the next, whatever the one before has set off."""

from fondaco.core.commands import PlaceEntry, SetDeskRules, SetQuote
from fondaco.core.desk.state import DeskFill, MarginWarning, Quote, StopOut
from fondaco.core.desk.terms import DeskRules
from fondaco.core.replies import EntryPlaced
from fondaco.core.vocabulary import Closing, Direction, EntryKind, MarginMode
from support.dealing import LOT, TICK, TRADING, Dealing


def path(dealing: Dealing, *prices: int) -> SetQuote:
    """A command whose quotes are these."""
    quotes = (Quote(each * TICK, each * TICK, dealing.now_ns, each * TICK, 1) for each in prices)
    return SetQuote(TRADING, "GOLDCASH", "binance", 0, tuple(quotes))


def with_an_entry_at_90() -> Dealing:
    """An account with a small cross position, which an entry would add a large one to."""
    dealing = Dealing()
    dealing.do(SetDeskRules(DeskRules(TRADING)))
    ada = dealing.account("ada", 8_000)
    dealing.quote(100)
    dealing.open(ada, Direction.LONG, 1, leverage=50, mode=MarginMode.CROSS)
    entry = PlaceEntry(ada, "GOLDCASH", Direction.LONG, EntryKind.LIMIT, 90 * TICK, 20 * LOT, 10, mode=MarginMode.CROSS)
    assert isinstance(dealing.do(entry, ada), EntryPlaced)
    return dealing


def test_a_position_that_an_entry_has_opened_is_stopped_out_by_the_next_quote_of_the_same_command() -> None:
    dealing = with_an_entry_at_90()
    dealing.do(path(dealing, 90, 73, 95))
    fills = [each for each in dealing.events if isinstance(each, DeskFill)]
    assert [(each.lots, each.price_ticks, each.closing) for each in fills[1:]] == [
        (20, 90, Closing.NONE),
        (20, 73, Closing.STOP_OUT),
    ]
    assert [each.bid_ticks for each in dealing.events if isinstance(each, StopOut)] == [73]


def test_its_owner_is_warned_at_that_quote() -> None:
    dealing = with_an_entry_at_90()
    dealing.do(path(dealing, 90, 78, 95))
    warnings = [each for each in dealing.events if isinstance(each, MarginWarning)]
    assert [(each.position_id, each.equity, each.margin) for each in warnings] == [
        (0, 8_000 - 22 * 21 - 12 * 420, 3_822)
    ]
