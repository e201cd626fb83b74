"""From the text of the wire to a `Tick` in atoms, or to `Refused` with the reason. Pure: receipt time is an argument.

No float touches a price or a quantity (EXP-16, EXP-23). Whatever does not fit is refused by a stable name, so that it
can be counted and kept in the quarantine table, and never stops the prints around it (EXP-15).
"""

from enum import StrEnum
from types import MappingProxyType

import msgspec

from fondaco.core.candles import DAY_US
from fondaco.core.listings import Catalogue, Instrument
from fondaco.core.money import AmountProblem, parse_positive_atoms
from fondaco.market.messages import Refused, Source, Tick
from fondaco.wire.binance import FrameProblem, decode_print

MAX_RAW_CHARS = 1_000
"""How much of a refused message is kept."""

MIN_TIME_US = 946_684_800_000_000
"""2000-01-01: an earlier time means another unit than was thought."""

MAX_AHEAD_US = DAY_US
"""A print may be this far ahead of our clock. More is a wrong unit, and would stay the newest candle for ever."""

MAX_TRADE_ID = 2**62
"""Ids above this leave a replay no room to number its loops within 64 bits."""


class Misfit(StrEnum):
    """Reasons of refusal besides a frame's own problems and the amounts'."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    BAD_TIME = "bad_time"
    BAD_TRADE_ID = "bad_trade_id"


PRICE_REASONS = MappingProxyType({problem: f"price_{problem.value}" for problem in AmountProblem})
QUANTITY_REASONS = MappingProxyType({problem: f"quantity_{problem.value}" for problem in AmountProblem})

REASONS = frozenset(
    {each.value for each in (*FrameProblem, *Misfit)} | set(PRICE_REASONS.values()) | set(QUANTITY_REASONS.values())
)
"""Every reason that stands in the quarantine table because of a feed."""


class SymbolTick(msgspec.Struct, frozen=True, gc=False):
    """A tick and the symbol it belongs to."""

    symbol: str
    tick: Tick


class PrintText(msgspec.Struct, frozen=True, gc=False):
    """A print as an outside source wrote it: amounts in text, ids and times already whole numbers."""

    trade_id: int
    time_us: int
    price: str
    quantity: str
    buyer_is_maker: bool


def normalise_frame(
    frame: bytes, catalogue: Catalogue, *, source: Source, received_us: int
) -> SymbolTick | Refused | None:
    """Turn one frame of a Binance stream into a tick; None for a frame that is no print and claims to be none."""
    found = decode_print(frame)
    if found is None:
        return None
    if isinstance(found, FrameProblem):
        return refuse(frame, found.value, source=source, symbol=None, received_us=received_us)
    instrument = catalogue.by_symbol.get(found.symbol)
    if instrument is None:
        # Not under the symbol it claims: the house has no such symbol, and the text may be anything.
        return refuse(frame, Misfit.UNKNOWN_SYMBOL.value, source=source, symbol=None, received_us=received_us)
    text = PrintText(found.trade_id, found.time_ms * 1000, found.price, found.quantity, found.buyer_is_maker)
    tick = to_tick(text, instrument, received_us=received_us)
    if isinstance(tick, str):
        return refuse(frame, tick, source=source, symbol=instrument.symbol, received_us=received_us)
    return SymbolTick(instrument.symbol, tick)


def to_tick(text: PrintText, instrument: Instrument, *, received_us: int) -> Tick | str:
    """Turn a print into a tick of its instrument, or name the reason why it is none."""
    if not 0 <= text.trade_id <= MAX_TRADE_ID:
        return Misfit.BAD_TRADE_ID.value
    if not MIN_TIME_US <= text.time_us <= received_us + MAX_AHEAD_US:
        return Misfit.BAD_TIME.value
    price = parse_positive_atoms(text.price, instrument.price_scale)
    if isinstance(price, AmountProblem):
        return PRICE_REASONS[price]
    quantity = parse_positive_atoms(text.quantity, instrument.quantity_scale)
    if isinstance(quantity, AmountProblem):
        return QUANTITY_REASONS[quantity]
    return Tick(text.trade_id, text.time_us, price, quantity, text.buyer_is_maker, received_us)


def refuse(frame: bytes, reason: str, *, source: Source, symbol: str | None, received_us: int) -> Refused:
    """Keep what was refused, cut to a bound; bytes that are no UTF-8 stay visible as escapes."""
    # A character takes up to four bytes: cutting first keeps a huge frame from being decoded whole.
    raw = frame[: 4 * MAX_RAW_CHARS].decode("utf-8", "backslashreplace")[:MAX_RAW_CHARS]
    return Refused(source, symbol, reason, raw, received_us)
