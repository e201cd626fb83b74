"""What several processes are made of."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import uvloop

from fondaco.app.databases import said_to_the_user
from fondaco.core.listings import Catalogue, instrument
from fondaco.infra.answering import answering_url
from fondaco.infra.bus import NoHouseError, open_bus
from fondaco.infra.bus.port import Bus
from fondaco.infra.database import Database, shared_database
from fondaco.infra.errors import UserError
from fondaco.infra.settings import Settings

T = TypeVar("T")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
DATABASE_WAIT_S = 5.0
"""How long a process that is started by hand waits for a house that is just starting."""


class Parts(NamedTuple):
    """The way to the others."""

    database: Database
    bus: Bus


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a process's work to its end on a fast event loop; returns what it returns."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def settle() -> None:
    """Leave all that is there out of later garbage collections; for the moment when a process is ready to work.

    What it has built stays until the end, and looking it over costs a server with its framework a fifth of a second,
    every time. So does a collection at this moment, which is why none is made: the little that fell out of use while
    the process started stays as well.
    """
    gc.freeze()


@asynccontextmanager
async def house_parts(settings: Settings, name: str, *, supervised: bool) -> AsyncIterator[Parts]:
    """Database and bus of the house that this process belongs to. Arguments and errors as `own_database`'s."""
    async with own_database(settings, name, supervised=supervised) as database:
        try:
            async with open_bus(settings, must_answer=not supervised) as bus:
                yield Parts(database, bus)
        except NoHouseError as error:
            raise UserError(str(error)) from error


@asynccontextmanager
async def own_database(settings: Settings, name: str, *, supervised: bool) -> AsyncIterator[Database]:
    """The database of the house that this process belongs to.

    Args:
        settings: of the house.
        name: of the process.
        supervised: the supervisor has seen to everything that this process needs; it may be away for a while.

    Raises:
        UserError: there is no house.
    """
    url = settings.database_url
    if not supervised or url is None:
        with said_to_the_user():
            url = await answering_url(settings, wait_s=DATABASE_WAIT_S)
    database = shared_database(url, settings.database, application=name)
    try:
        yield database
    finally:
        await database.dispose()


def catalogue_of(settings: Settings) -> Catalogue:
    """The listed pairs."""
    return Catalogue(instrument(pair, settings.market.scales) for pair in settings.market.pairs)


def stop_event() -> asyncio.Event:
    """An event that the signals to stop set."""
    event = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run work that may be cut off at any point, until it ends or a signal to stop comes."""
    stopped = asyncio.ensure_future(stop_event().wait())
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait((stopped, working), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        for task in (stopped, working):
            task.cancel()
        await asyncio.wait((stopped, working))
