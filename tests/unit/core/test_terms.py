"""Terms of trading: what is accepted is exact and fits; what is not is refused by name, in order."""

from typing import Any

import msgspec
import pytest

from fondaco.core.book.vocabulary import MAX_PRICE_TICKS
from fondaco.core.ledger import MAX_TOTAL
from fondaco.core.listings import Asset, Instrument, instrument
from fondaco.core.refusals import Refusal
from fondaco.core.terms import MAX_OPEN_ORDERS, MAX_RATE_PPM, Terms, terms_refusal
from fondaco.core.vocabulary import World

BTC_USDT = Terms(
    world=World.TRADING,
    instrument=instrument("BTC/USDT", {}),
    tick=1_000_000,  # 0.01 USDT
    lot=1_000,  # 0.00001 BTC
    max_price_ticks=100_000_000,
    max_order_lots=100_000_000,
    maker_ppm=200,
    taker_ppm=1_000,
)


def test_a_notional_is_exact() -> None:
    assert terms_refusal(BTC_USDT) is None
    assert BTC_USDT.step_notional == 10  # a cent times a hundred-thousandth, in atoms of 8 places
    assert BTC_USDT.notional(6_183_763, 2_000) == 123_675_260_000  # 61,837.63 x 0.02 = 1,236.7526
    assert (BTC_USDT.ticks(6_183_763_000_000), BTC_USDT.ticks(6_183_763_000_001)) == (6_183_763, None)
    assert (BTC_USDT.lots(2_000_000), BTC_USDT.lots(2_000_001)) == (2_000, None)


LIMITS = """
instrument       same         same_asset
tick             0            bad_tick_size
tick             -1           bad_tick_size
lot              0            bad_lot_size
tick             1            notional_not_whole
lot              100          none
lot              150          notional_not_whole
tick             100000       none
tick             150000       notional_not_whole
tick             99999        notional_not_whole
max_price_ticks  0            bad_price_limit
max_price_ticks  2147483648   bad_price_limit
max_order_lots   0            bad_quantity_limit
max_order_lots   4611686018427388  bad_quantity_limit
max_order_lots   4611686018428  bad_order_limit
max_open_orders  0            bad_order_limit
max_open_orders  2147483649   bad_order_limit
max_order_lots   4611686019   notional_limit
max_order_lots   4611686018   none
taker_ppm        -1           bad_rate
taker_ppm        100001       bad_rate
maker_ppm        -1000        none
maker_ppm        -1001        bad_rate
maker_ppm        100001       bad_rate
band_ppm         0            bad_band
band_ppm         1000001      bad_band
max_leverage     0            bad_leverage
max_leverage     101          bad_leverage
breaker_move_ppm 50000        bad_breaker
breaker_pause_ns -1           bad_breaker
"""


@pytest.mark.parametrize("line", LIMITS.strip().splitlines())
def test_one_wrong_term_is_refused_by_its_name(line: str) -> None:
    name, value, refusal = line.split()
    changed: Any = Instrument("BTCBTC", Asset("BTC"), Asset("BTC")) if name == "instrument" else int(value)
    found = terms_refusal(msgspec.structs.replace(BTC_USDT, **{name: changed}))
    assert (found or "none") == refusal


def test_every_refusal_is_reached() -> None:
    reached = {line.split()[2] for line in LIMITS.strip().splitlines()}
    codes = list(Refusal)
    assert reached - {"none"} == set(codes[codes.index(Refusal.SAME_ASSET) : codes.index(Refusal.UNKNOWN_SYMBOL)])


@pytest.mark.parametrize("scale", [-1, 19])
def test_a_scale_beyond_what_the_house_counts_is_refused_first(scale: int) -> None:
    odd = Instrument("ODDUSDT", Asset("ODD", scale), Asset("USDT"))
    assert terms_refusal(msgspec.structs.replace(BTC_USDT, instrument=odd, tick=0)) is Refusal.BAD_SCALE


def test_the_widest_terms_still_fit_64_bits() -> None:
    widest = Terms(
        world=World.DEMO,
        instrument=instrument("BTC/USDT", {"BTC": 0}),
        tick=1,
        lot=1,
        max_price_ticks=MAX_PRICE_TICKS,
        max_order_lots=MAX_TOTAL // MAX_PRICE_TICKS - 1,
        max_open_orders=MAX_OPEN_ORDERS // 2,
        taker_ppm=MAX_RATE_PPM,
        max_leverage=100,
    )
    assert terms_refusal(widest) is None
    assert widest.notional(widest.max_price_ticks, widest.max_order_lots) <= MAX_TOTAL
    assert widest.max_open_orders * widest.max_order_lots < 2**63
