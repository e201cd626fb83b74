"""The process that records: trades off the bus, into the tables."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from fondaco.app.configuration import begin
from fondaco.app.processes.parts import house_parts, run, settle, stop_event
from fondaco.infra.settings import Settings
from fondaco.market.prices import PriceWriter
from fondaco.market.quotes import Quoter
from fondaco.market.recorder import Recorder
from fondaco.market.store import TickStore


def record(*, supervised: Annotated[bool, Parameter(show=False)] = False) -> None:
    """Record."""
    run(_record(begin("record"), supervised=supervised))


async def _record(settings: Settings, *, supervised: bool) -> None:
    market = settings.market
    async with house_parts(settings, "record", supervised=supervised) as (database, bus):
        quoter = Quoter(market.markup_ppm, market.default_markup_ppm)
        prices = PriceWriter(database, quoter, every_s=market.price_row_s)
        recorder = Recorder(bus, TickStore(database), prices, market)
        settle()
        recording = asyncio.ensure_future(recorder.run())
        stopped = asyncio.ensure_future(stop_event().wait())
        await asyncio.wait((recording, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        recorder.stop()  # what it holds is stored before it returns
        await recording
