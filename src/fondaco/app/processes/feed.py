"""The process that feeds: chooses where trades come from and hands them to the house, beside the house's own.

A replayed or simulated feed goes on where it stood, so it waits for the database. Binance needs no memory: its trades
are taken from the first moment on, and the choice is noted in the database as soon as that is there.
"""

import asyncio
from typing import Annotated

import structlog
from cyclopts import Parameter

from fondaco.app.configuration import begin
from fondaco.app.engines import remote_engine
from fondaco.app.processes.parts import catalogue_of, house_parts, run, settle, until_stopped
from fondaco.core.listings import Catalogue
from fondaco.domains.house_market.api import Printer
from fondaco.infra.bus.port import Bus
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.errors import UserError
from fondaco.infra.settings import Settings
from fondaco.market.current import resume_points, set_current_feed
from fondaco.market.feeder import run_feed
from fondaco.market.feeds.backfill import Backfiller
from fondaco.market.feeds.binance_rest import BinanceHistory
from fondaco.market.feeds.choose import choose_feed
from fondaco.market.feeds.port import Feed, FeedError, Resume
from fondaco.market.messages import Source

log = structlog.get_logger()

RETRY_S = 0.25
"""Between two tries while the database is away."""


def feed(*, feed: str | None = None, supervised: Annotated[bool, Parameter(show=False)] = False) -> None:
    """Feed.

    Args:
        feed: auto, binance, replay:FILE or simulated.
        supervised: The supervisor has seen to database and bus.
    """
    settings = begin("feed", {"market": {"feed": feed}} if feed else None)
    run(_feed(settings, supervised=supervised))


async def _feed(settings: Settings, *, supervised: bool) -> None:
    async with house_parts(settings, "feed", supervised=supervised) as (database, bus):
        await until_stopped(_feed_and_print(settings, database, bus))


async def _feed_and_print(settings: Settings, database: Database, bus: Bus) -> None:
    """Bring what is traded outside, and what is traded here. Neither waits for the other, nor ends but by an error."""
    async with remote_engine(settings, database) as engine:
        works = (_choose_and_run(settings, database, bus), Printer(engine, database, bus).run())
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                await task  # not in a group: what the user can put right must come out as it is
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def _choose_and_run(settings: Settings, database: Database, bus: Bus) -> None:
    catalogue = catalogue_of(settings)
    resume = {} if settings.market.feed == "binance" else await _resume(database)
    try:
        chosen, why = await choose_feed(settings, catalogue, resume, now_us)
    except FeedError as error:
        raise UserError(str(error)) from error
    log.info("feed.chosen", source=chosen.source.value, feed=chosen.label, symbols=chosen.symbols, why=why)
    settle()
    async with asyncio.TaskGroup() as group:
        noting = group.create_task(_note(database, chosen))
        if chosen.source is not Source.BINANCE:
            await noting  # its anchors must be known before its first trade
        elif settings.market.backfill:
            group.create_task(_backfill(settings, database, bus, catalogue))
        await run_feed(chosen, bus, catalogue, settings.market, now_us)
        log.info("feed.ended")
        await asyncio.Event().wait()  # a recording that does not loop is over; its trades stay on show


async def _backfill(settings: Settings, database: Database, bus: Bus, catalogue: Catalogue) -> None:
    """Fetch what the stream loses."""
    history = BinanceHistory(settings.market)
    try:
        await Backfiller(database, bus, catalogue, history, settings.market, clock_us=now_us).run()
    finally:
        await history.aclose()


async def _resume(database: Database) -> Resume:
    while True:
        try:
            async with database.transaction() as connection:
                return await resume_points(connection)
        except DatabaseUnavailableError as error:
            log.info("feed.waits_for_database", error=str(error))
        await asyncio.sleep(RETRY_S)


async def _note(database: Database, chosen: Feed) -> None:
    """Show readers this feed from now on."""
    since_us = now_us()
    while True:
        try:
            async with database.transaction() as connection:
                return await set_current_feed(
                    connection,
                    source=chosen.source,
                    label=chosen.label,
                    symbols=chosen.symbols,
                    anchors=chosen.anchors,
                    since_us=since_us,
                )
        except DatabaseUnavailableError as error:
            log.info("feed.waits_for_database", error=str(error))
        await asyncio.sleep(RETRY_S)
