"""Three small markets quoted in one asset, and who deals there. Small numbers meet roundings and edges often."""

from fondaco.core.listings import Asset, Instrument
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import AccountKind, PositionMode, World

TRADING = World.TRADING
USDT = Asset("USDT", 2)
BASES = {"BTC": (Asset("BTC", 2), 7, 100), "ETH": (Asset("ETH", 1), 5, 30), "SOL": (Asset("SOL", 0), 3, 1)}
"""Of each asset: itself, the tick in quote atoms, the lot in base atoms. A lot costs 7, 15 and 3 for each tick."""
TERMS = {
    f"{code}USDT": Terms(
        world=TRADING,
        instrument=Instrument(f"{code}USDT", base, USDT),
        tick=tick,
        lot=lot,
        max_price_ticks=400,
        max_order_lots=40,
        max_leverage=50 if code == "SOL" else 100,
    )
    for code, (base, tick, lot) in BASES.items()
}
SYMBOLS = list(TERMS)
OPENS = [
    ("ada", AccountKind.MARGIN, PositionMode.HEDGING),
    ("ada", AccountKind.MARGIN, PositionMode.NETTING),
    ("bob", AccountKind.SPOT, PositionMode.HEDGING),
    ("bob", AccountKind.SPOT, PositionMode.NETTING),
    ("bob", AccountKind.MARGIN, PositionMode.HEDGING),
]
