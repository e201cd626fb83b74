"""What the edge knows of the house: begun with the tables, kept up by the stream, equal to what the engine has."""

from collections.abc import AsyncGenerator, Sequence

from fondaco.core.commands import HOUSE, CloseInstrument, OpenAccount, SetAccountStatus
from fondaco.core.events import Event
from fondaco.core.replies import AccountOpened
from fondaco.core.vocabulary import AccountStatus, World
from fondaco.engine.broadcast import Broadcast
from fondaco.engine.client import EngineClient
from fondaco.engine.journal import BEGINNING, Committed, Mark
from fondaco.engine.live import LiveHouse
from fondaco.engine.port import StartOver
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.projection.projection import read_watermark
from fondaco.infra.database import Database, PsycopgConnection
from support.engines import leading, open_exchange, set_aside_often, submit
from support.floor import ALICE, BOB, SYMBOL, TERMS
from support.live import following, kept_up, whole_engine
from support.waiting import eventually


class Ear:
    """A part that remembers what it was told."""

    def __init__(self) -> None:
        self.loads = 0
        self.batch_nos: list[int] = []

    async def load(self, connection: PsycopgConnection, mark: Mark) -> None:
        """Count it."""
        del connection, mark
        self.loads += 1

    def hear(self, events: Sequence[Event], mark: Mark) -> None:
        """Note it."""
        assert events
        self.batch_nos.append(mark.batch_no)


async def test_listings_and_accounts_come_by_the_stream(database: Database) -> None:
    ear = Ear()
    async with whole_engine(database, [ear]) as house:
        await open_exchange(house.client)
        await house.caught_up()
        live = house.live
        assert live.terms(World.TRADING, SYMBOL) == TERMS
        assert live.assets == {"BTC": 8, "USDT": 8}
        assert live.accounts_of == {"alice": [ALICE], "bob": [BOB]}
        opened = (await submit(house.client, HOUSE, OpenAccount("alice", World.DEMO, "USDT"))).reply
        assert isinstance(opened, AccountOpened)
        await submit(house.client, HOUSE, SetAccountStatus(ALICE, AccountStatus.FROZEN))
        await submit(house.client, HOUSE, CloseInstrument(World.TRADING, SYMBOL))
        await house.caught_up()
        assert live.accounts_of["alice"] == [ALICE, opened.account_id]
        assert live.accounts[opened.account_id].world is World.DEMO
        assert live.accounts[ALICE].status is AccountStatus.FROZEN
        assert live.terms(World.TRADING, SYMBOL) is None
        assert live.listings[World.TRADING, SYMBOL].terms == TERMS
    assert ear.loads == 1
    assert ear.batch_nos == list(range(1, len(ear.batch_nos) + 1))


async def test_the_same_is_read_from_the_tables(database: Database) -> None:
    async with whole_engine(database) as house:
        await open_exchange(house.client)
        await submit(house.client, HOUSE, SetAccountStatus(BOB, AccountStatus.FROZEN))
        await house.caught_up()
        heard = house.live
    async with whole_engine(database) as house:
        assert house.live.assets == heard.assets
        assert house.live.listings == heard.listings
        assert house.live.accounts == heard.accounts
        assert house.live.accounts_of == heard.accounts_of


async def test_nothing_is_missing_or_counted_twice_where_tables_and_stream_meet(
    store: PostgresStore, database: Database
) -> None:
    """The tables are behind when the stream begins, and ahead of it when they are read."""
    ear = Ear()
    async with leading(store) as leader:
        await open_exchange(leader.client)
        before = await leader.client.read(lambda machine: machine.seq)
    async with whole_engine(database, [ear]) as house:
        first = house.live.mark
        assert first is not None
        assert first.seq >= before
        await set_aside_often(house.client, ALICE, 50)
        await house.caught_up()
        assert ear.batch_nos == list(range(first.batch_no + 1, first.batch_no + 1 + len(ear.batch_nos)))
    async with following(store, database):
        pass


async def test_what_the_tables_have_already_counts_once(store: PostgresStore, database: Database) -> None:
    """The stream begins far behind the tables, as it does for whoever takes long to look at them."""
    ear = Ear()
    async with leading(store) as leader, following(store, database):
        await open_exchange(leader.client)
        await set_aside_often(leader.client, ALICE, 20)
        end = leader.broadcast.mark
        late = LateEngine(leader.client, leader.broadcast)
        live = LiveHouse(late, database, [ear])
        await eventually(lambda: _have_come_to(database, end.batch_no))
        async with kept_up(live):
            await live.come_to(end.seq)
            assert ear.batch_nos == []
            await set_aside_often(leader.client, ALICE, 1)
            await live.come_to(end.seq + 1)
        assert ear.batch_nos == [end.batch_no + 1]
        assert live.accounts_of == {"alice": [ALICE], "bob": [BOB]}


async def _have_come_to(database: Database, batch_no: int) -> bool:
    async with database.driver_transaction() as connection:
        return (await read_watermark(connection)).batch_no >= batch_no


class LateEngine:
    """An engine whose stream tells everything from the beginning."""

    def __init__(self, client: EngineClient, broadcast: Broadcast) -> None:
        self.submit = client.submit
        self.look = client.look
        self._broadcast = broadcast

    async def follow(self) -> AsyncGenerator[Committed | StartOver, None]:
        """Begin at the journal's beginning."""
        yield StartOver(BEGINNING)
        async for told in self._broadcast.follow(BEGINNING):
            yield told
