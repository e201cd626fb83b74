"""The process that makes the desk's quotes."""

from collections.abc import Mapping
from typing import Annotated

from cyclopts import Parameter

from fondaco.app.configuration import begin
from fondaco.app.engines import remote_engine
from fondaco.app.processes.parts import catalogue_of, house_parts, run, settle, until_stopped
from fondaco.core.listings import Catalogue, Instrument
from fondaco.core.money import parse_positive_atoms
from fondaco.domains.desk.dealer import Dealer
from fondaco.domains.desk.pricing import Markup
from fondaco.infra.errors import UserError
from fondaco.infra.settings import MarkupSettings, Settings


def dealer(*, supervised: Annotated[bool, Parameter(show=False)] = False) -> None:
    """Deal."""
    run(_dealer(begin("dealer"), supervised=supervised))


async def _dealer(settings: Settings, *, supervised: bool) -> None:
    catalogue = catalogue_of(settings)
    markups = markups_of(settings, catalogue)
    async with (
        house_parts(settings, "dealer", supervised=supervised) as (database, bus),
        remote_engine(settings, database) as engine,
    ):
        made = Dealer(engine, database, bus, catalogue, settings.desk, markups)
        settle()
        await until_stopped(made.run())


def markups_of(settings: Settings, catalogue: Catalogue) -> Mapping[str, Markup]:
    """The markup of each symbol. Raises `UserError` for one that its prices cannot have."""
    unknown = sorted(settings.desk.markups.keys() - catalogue.by_symbol.keys())
    if unknown:
        raise UserError(f"The setting desk.markups names {unknown[0]}, which is none of market.pairs.")
    return {symbol: _markup(settings, instrument) for symbol, instrument in catalogue.by_symbol.items()}


def _markup(settings: Settings, instrument: Instrument) -> Markup:
    said = settings.desk.markups.get(instrument.symbol)
    if said is None:
        market = settings.market
        return Markup(ppm=market.markup_ppm.get(instrument.symbol, market.default_markup_ppm))
    if said.kind == "volatility":
        return Markup(ppm=said.ppm, volatility_ppm=said.volatility_ppm, max_ppm=said.max_ppm)
    return Markup(_fixed(said, instrument), said.ppm)


def _fixed(said: MarkupSettings, instrument: Instrument) -> int:
    if said.price is None:
        return 0
    atoms = parse_positive_atoms(said.price, instrument.price_scale)
    if isinstance(atoms, int):
        return atoms
    raise UserError(
        f"The markup of {instrument.symbol} is {said.price}: it must be above zero, with at most "
        f"{instrument.price_scale} decimal places."
    )
