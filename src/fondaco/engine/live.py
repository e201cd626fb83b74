"""What a process at the edge knows of the house without asking: assets, instruments, accounts, kept up by the events.

It begins with the tables, as they stand together with their watermark, and takes from the stream every batch that they
did not have yet. When the stream starts over, so does this. Where the two meet nothing is missing or counts twice.
While it is not `ready` nobody should answer from it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, Protocol

import msgspec
import structlog
from psycopg.rows import dict_row

from fondaco.core.events import AssetListed, Event, InstrumentClosed, InstrumentListed, decode_events
from fondaco.core.listings import Asset, Instrument
from fondaco.core.state import Account
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import AccountKind, AccountStatus, SelfTradeScope, World
from fondaco.engine.journal import Committed, Mark
from fondaco.engine.port import Engine, StartOver
from fondaco.engine.projection.projection import read_watermark
from fondaco.infra.database import Database, DatabaseUnavailableError, PsycopgConnection

log = structlog.get_logger()

RETRY_S: Final = 0.1
"""Between two looks at tables that are not there yet, or not far enough."""

_REPEATABLE: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_ASSETS: Final = "SELECT code, scale FROM assets"
_ACCOUNTS: Final = "SELECT id, user_id, world, kind, currency, status FROM accounts ORDER BY id"
_PAIRS: Final = "SELECT * FROM trading_pairs"


class Owner(msgspec.Struct, frozen=True, gc=False):
    """An account as the edge sees it: whose it is and what it is for. All but its status never changes."""

    account_id: int
    user_id: str
    world: World
    kind: AccountKind
    currency: str
    status: AccountStatus


class Listing(msgspec.Struct, frozen=True, gc=False):
    """An instrument in one world, and whether it takes orders."""

    terms: Terms
    is_active: bool


class Part(Protocol):
    """A part of what is known live. Each is given the tables to begin with, and then every event."""

    async def load(self, connection: PsycopgConnection, mark: Mark) -> None:
        """Begin anew with the tables as this transaction sees them, which is at this place. What was known is void."""
        ...

    def hear(self, events: Sequence[Event], mark: Mark) -> None:
        """Take the events of one batch, which ends at this place."""
        ...


class LiveHouse:
    """Assets, instruments and accounts, and whatever further parts hang on.

    Args:
        engine: whose events these are.
        database: where its tables are.
        parts: loaded and told in this order, after assets, instruments and accounts.
    """

    def __init__(self, engine: Engine, database: Database, parts: Sequence[Part] = ()) -> None:
        self.assets: dict[str, int] = {}
        """The scale of each asset, by its code."""
        self.listings: dict[tuple[World, str], Listing] = {}
        self.accounts: dict[int, Owner] = {}
        self.accounts_of: dict[str, list[int]] = {}
        """Ids of a user's accounts, in the order in which they were opened."""
        self.ready = asyncio.Event()
        """Set while this is as far as the engine."""
        self.mark: Mark | None = None
        self._engine = engine
        self._database = database
        self._parts = [*parts]
        self._news = asyncio.Event()
        # Most events are none of these: a look into a dictionary passes them by.
        self._told: Final[dict[type, Callable[[Any], None]]] = {
            Account: self._hear_account,
            AssetListed: self._hear_asset,
            InstrumentListed: self._hear_listed,
            InstrumentClosed: self._hear_closed,
        }

    def attach(self, part: Part) -> None:
        """Hang on a further part, after those that are there."""
        assert self.mark is None, "what has begun already cannot be told from its beginning"
        self._parts.append(part)

    async def run(self) -> None:
        """Keep up until cancelled."""
        async with aclosing(self._engine.follow()) as stream:
            async for told in stream:
                if isinstance(told, StartOver):
                    self.ready.clear()
                    await self._load(told.mark)
                else:
                    self._take(told)
                if self.mark is not None and self.mark.batch_no >= told.mark.batch_no:
                    self.ready.set()
                self._news.set()
                self._news = asyncio.Event()

    async def come_to(self, seq: int) -> None:
        """Wait until all that was done up to this command is known. It is for the caller to bound the wait."""
        while self.mark is None or self.mark.seq < seq or not self.ready.is_set():
            await self._news.wait()

    def terms(self, world: World, symbol: str) -> Terms | None:
        """The terms of an instrument that takes orders."""
        listing = self.listings.get((world, symbol))
        return listing.terms if listing is not None and listing.is_active else None

    async def _load(self, mark: Mark) -> None:
        """Begin with the tables, once they have come to this place."""
        while True:
            try:
                async with self._database.driver_transaction() as connection:
                    await connection.execute(_REPEATABLE)
                    watermark = await read_watermark(connection)
                    if watermark.batch_no >= mark.batch_no:
                        await self._load_parts(connection, watermark)
                        self.mark = watermark
                        log.info("live.loaded", seq=watermark.seq, accounts=len(self.accounts))
                        return
            except DatabaseUnavailableError as error:
                log.info("live.waits_for_database", error=str(error))
            await asyncio.sleep(RETRY_S)

    async def _load_parts(self, connection: PsycopgConnection, mark: Mark) -> None:
        self.listings, self.accounts, self.accounts_of = {}, {}, {}
        self.assets = dict(await (await connection.execute(_ASSETS)).fetchall())
        async with connection.cursor(row_factory=dict_row) as cursor:
            for row in await (await cursor.execute(_PAIRS)).fetchall():
                terms = _terms(row)
                self.listings[terms.world, terms.instrument.symbol] = Listing(terms, row["active"])
        for id_, user_id, world, kind, currency, status in await (await connection.execute(_ACCOUNTS)).fetchall():
            self._know(Owner(id_, user_id, World(world), AccountKind(kind), currency, AccountStatus(status)))
        for part in self._parts:
            await part.load(connection, mark)

    def _take(self, batch: Committed) -> None:
        assert self.mark is not None, "a stream begins by starting over"
        if batch.mark.batch_no <= self.mark.batch_no:
            return  # the tables had it already
        assert batch.mark.batch_no == self.mark.batch_no + 1, "a stream has no gap"
        events = decode_events(batch.events)
        told = self._told
        for event in events:
            tell = told.get(type(event))
            if tell is not None:
                tell(event)
        self.mark = batch.mark
        for part in self._parts:
            part.hear(events, batch.mark)

    def _hear_account(self, event: Account) -> None:
        self._know(Owner(event.account_id, event.user_id, event.world, event.kind, event.currency, event.status))

    def _hear_asset(self, event: AssetListed) -> None:
        self.assets[event.code] = event.scale

    def _hear_listed(self, event: InstrumentListed) -> None:
        self.listings[event.terms.world, event.terms.instrument.symbol] = Listing(event.terms, is_active=True)

    def _hear_closed(self, event: InstrumentClosed) -> None:
        key = event.world, event.symbol
        self.listings[key] = Listing(self.listings[key].terms, is_active=False)

    def _know(self, owner: Owner) -> None:
        if owner.account_id not in self.accounts:
            self.accounts_of.setdefault(owner.user_id, []).append(owner.account_id)
        self.accounts[owner.account_id] = owner


def _terms(row: Mapping[str, Any]) -> Terms:
    """The terms that a row of ``trading_pairs`` tells: see `fondaco.engine.projection.rows.pair_row`."""
    base, quote = Asset(row["base"], row["base_scale"]), Asset(row["quote"], row["quote_scale"])
    return Terms(
        world=World(row["world"]),
        instrument=Instrument(row["symbol"], base, quote),
        tick=row["tick"],
        lot=row["lot"],
        max_price_ticks=row["max_price"] // row["tick"],
        max_order_lots=row["max_quantity"] // row["lot"],
        max_open_orders=row["max_open_orders"],
        maker_ppm=row["maker_ppm"],
        taker_ppm=row["taker_ppm"],
        band_ppm=row["band_ppm"],
        max_leverage=row["max_leverage"],
        breaker_move_ppm=row["breaker_move_ppm"],
        breaker_window_ns=row["breaker_window_ns"],
        breaker_pause_ns=row["breaker_pause_ns"],
        self_trade_scope=SelfTradeScope(row["self_trade_scope"]),
    )
