"""``fondaco db seed``."""

import asyncio

from fondaco.app.cli.printing import say
from fondaco.app.configuration import begin
from fondaco.app.databases import said_to_the_user
from fondaco.app.engines import remote_engine
from fondaco.app.processes.parts import catalogue_of, house_parts
from fondaco.app.seeding.people import Part
from fondaco.app.seeding.prices import feed_prices
from fondaco.app.seeding.seeding import Seeder
from fondaco.infra.settings import Settings


def seed(part: Part = Part.ALL) -> None:
    """Seed.

    Args:
        part: What to bring in: all of it, only the administrators, or only the market maker and what it trades.
    """
    asyncio.run(_seed(begin("seed"), part))


async def _seed(settings: Settings, part: Part) -> None:
    catalogue = catalogue_of(settings)
    async with (
        house_parts(settings, "seed", supervised=False) as (database, bus),
        remote_engine(settings, database) as engine,
    ):
        prices = {} if part is Part.ADMIN else await feed_prices(bus, catalogue)
        seeder = Seeder(engine, database, catalogue, prices, say)
        with said_to_the_user():
            await seeder.seed(part)
    if part is not Part.ADMIN and (left_out := [each for each in catalogue.symbols if each not in prices]):
        say(f"Left out, since the feed has named no price: {', '.join(left_out)}. Seed again later.")
    say("The house is seeded." if seeder.done else "Nothing to do: all of it was there.")
