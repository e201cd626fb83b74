"""The endpoint of instruments: what trades here, in which steps, within which limits, at which fees."""

from typing import Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from fondaco.core.fees import PPM
from fondaco.core.money import format_atoms
from fondaco.core.vocabulary import World
from fondaco.domains.trading.api import Desk
from fondaco.engine.live import Listing
from fondaco.gateways.rest.bodies import success
from fondaco.gateways.rest.parameters import operation, read_listed
from fondaco.gateways.rest.problems import documented
from fondaco.gateways.rest.reading import ANY_WORLD, Call

RATE_SCALE: Final = 6
"""Decimal places of a rate: one of its atoms is a millionth."""
assert PPM == 10**RATE_SCALE


class InstrumentLine(msgspec.Struct, frozen=True):
    """What may be traded. Rates are parts of the notional: 0.001 is a tenth of a percent."""

    world: World
    symbol: str
    base: str
    quote: str
    active: bool
    price_step: str
    quantity_step: str
    max_price: str
    max_quantity: str
    max_open_orders: int
    maker_fee: str
    taker_fee: str
    price_band: str


class Instruments(msgspec.Struct, frozen=True):
    """The instruments of a world, by symbol, as they are after command `seq`."""

    seq: int
    instruments: list[InstrumentLine]


EXAMPLE: Final = InstrumentLine(
    world=World.TRADING,
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    active=True,
    price_step="0.01000000",
    quantity_step="0.00001000",
    max_price="1000000.00000000",
    max_quantity="1000.00000000",
    max_open_orders=100_000,
    maker_fee="0.000500",
    taker_fee="0.001000",
    price_band="0.100000",
)


@get(
    "/api/v1/instruments",
    operation_class=operation(ANY_WORLD),
    operation_id="instruments",
    summary="Instruments",
    description="What trades in a world: steps of price and quantity, limits and fees. Closed ones are not active.",
    tags=["trading"],
    responses=success(Instruments, "Instruments by symbol.", Instruments(4711, [EXAMPLE]))
    | documented("bad_world", "repeated_parameter", "too_many_parameters", "engine_away"),
)
async def list_instruments(request: Call, desk: NamedDependency[Desk]) -> Instruments:
    """`GET /api/v1/instruments`."""
    wanted = ANY_WORLD.read_or(read_listed(request), World.TRADING)
    live = desk.live
    assert live.mark is not None, "what is ready has a place"
    listed = sorted(live.listings.items(), key=lambda each: each[0][1])
    return Instruments(live.mark.seq, [_line(listing) for (world, _), listing in listed if world is wanted])


def _line(listing: Listing) -> InstrumentLine:
    terms = listing.terms
    instrument = terms.instrument
    price_scale, quantity_scale = instrument.price_scale, instrument.quantity_scale
    return InstrumentLine(
        world=terms.world,
        symbol=instrument.symbol,
        base=instrument.base.code,
        quote=instrument.quote.code,
        active=listing.is_active,
        price_step=format_atoms(terms.tick, price_scale),
        quantity_step=format_atoms(terms.lot, quantity_scale),
        max_price=format_atoms(terms.max_price_ticks * terms.tick, price_scale),
        max_quantity=format_atoms(terms.max_order_lots * terms.lot, quantity_scale),
        max_open_orders=terms.max_open_orders,
        maker_fee=format_atoms(terms.maker_ppm, RATE_SCALE),
        taker_fee=format_atoms(terms.taker_ppm, RATE_SCALE),
        price_band=format_atoms(terms.band_ppm, RATE_SCALE),
    )


HANDLERS: tuple[HTTPRouteHandler, ...] = (list_instruments,)
