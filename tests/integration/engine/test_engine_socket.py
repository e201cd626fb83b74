"""The engine's socket: another process may submit, look and follow; a lost connection loses and doubles nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import HOUSE, Deposit, Submission
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Answer, Refused
from fondaco.engine import listener as listening_side
from fondaco.engine.broadcast import Broadcast
from fondaco.engine.frames import (
    MAX_REQUEST_BYTES,
    VERSION,
    Challenge,
    Follow,
    Introduction,
    Malformed,
    Submit,
    TurnedAway,
    Welcome,
    decode_to_client,
    new_nonce,
    proof_of,
)
from fondaco.engine.journal import BEGINNING, Committed
from fondaco.engine.leader import Leader
from fondaco.engine.listener import EngineListener, listening
from fondaco.engine.port import OutcomeUnknownError, OverloadedError, StartOver, Why
from fondaco.engine.postgres_store import PostgresStore
from fondaco.engine.queries import AccountSeen, CheckOrder, LookAtAccount, OrderChecked
from fondaco.engine.recovery import Standing, recovered
from fondaco.engine.remote import RemoteEngine
from fondaco.engine.sequencer import Bounds
from fondaco.engine.store import FencedError, Lease
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError
from fondaco.infra.framing import LENGTH_BYTES, framed
from support.engines import WIDE, leading, open_exchange, set_aside_often, submit
from support.floor import ALICE, FUNDS, limit, set_aside
from support.waiting import eventually

SECRET = bytes(range(32))
Word = TypeVar("Word", Challenge, Welcome, TurnedAway, Malformed)


class Raw:
    """A client that says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, message: msgspec.Struct) -> None:
        """Say something."""
        self.writer.write(framed(message, MAX_REQUEST_BYTES))

    async def read(self, kind: type[Word]) -> Word:
        """The next word, which must be of this kind."""
        length = int.from_bytes(await self.reader.readexactly(LENGTH_BYTES))
        message = decode_to_client(await self.reader.readexactly(length))
        assert isinstance(message, kind), message
        return message

    async def close(self) -> None:
        """End it."""
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def is_at_its_end(self) -> bool:
        """The engine has ended the connection; whatever it said before that counts for nothing."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionResetError:
            pass  # that is an end too
        return True


async def led_by(store: PostgresStore, address: str) -> tuple[Lease, Standing]:
    """The lease, and a machine at the journal's end."""
    lease = await store.acquire("test", address)
    assert lease is not None
    return lease, await recovered(store)


class Door:
    """Opens raw connections, and closes them in the end."""

    def __init__(self, place: Path, closing: AsyncExitStack) -> None:
        self.place = place
        self._closing = closing

    async def connect(self) -> Raw:
        """Open a connection."""
        raw = Raw(*await asyncio.open_unix_connection(self.place))
        self._closing.push_async_callback(raw.close)
        return raw

    async def introduced(self) -> Raw:
        """Open one that has been let in."""
        raw = await self.connect()
        challenge = await raw.read(Challenge)
        raw.send(Introduction(VERSION, bytes(32), proof_of(SECRET, "client", challenge.nonce, bytes(32))))
        await raw.read(Welcome)
        return raw


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """The way to an engine's socket."""
    async with AsyncExitStack() as closing:
        yield Door(tmp_path / "e.sock", closing)


@asynccontextmanager
async def engine_on_a_socket(
    store: PostgresStore, place: Path | tuple[str, int], bounds: Bounds | None = None
) -> AsyncIterator[tuple[Leader, EngineListener]]:
    """An engine that leads and listens."""
    async with listening(SECRET, place) as listener:
        arguments = (store,) if bounds is None else (store, bounds)
        async with leading(*arguments, address=listener.address) as leader:
            listener.lead(leader)
            yield leader, listener


@asynccontextmanager
async def client_of(database: Database, secret: bytes = SECRET, **settings: float) -> AsyncIterator[RemoteEngine]:
    """A client in the same process, over the socket."""
    remote = RemoteEngine(database, secret, **settings)
    async with remote.running():
        yield remote


@pytest.mark.parametrize("is_unix", [True, False], ids=["unix", "tcp"])
async def test_commands_questions_and_events_travel(
    store: PostgresStore, database: Database, tmp_path: Path, *, is_unix: bool
) -> None:
    place = tmp_path / "engine.sock" if is_unix else ("127.0.0.1", 0)
    async with engine_on_a_socket(store, place) as (leader, _), client_of(database) as remote:
        await remote.connected.wait()
        stream = remote.follow()
        assert await anext(stream) == StartOver(BEGINNING)
        await open_exchange(remote)
        answers = await set_aside_often(remote, ALICE, 500)
        assert [each.seq for each in answers] == list(range(answers[0].seq, answers[0].seq + 500))
        seen = await remote.look(LookAtAccount(ALICE))
        assert isinstance(seen, AccountSeen)
        assert seen.seq == answers[-1].seq
        assert [(each.asset, each.available, each.held) for each in seen.balances] == [
            ("BTC", FUNDS, 0),
            ("USDT", FUNDS - 500, 500),
        ]
        assert await remote.look(CheckOrder(limit(ALICE, Side.BUY, 100, 1))) == OrderChecked(seen.seq, None)
        too_much = limit(ALICE, Side.BUY, 1_000_000, 1_000_000)
        assert await remote.look(CheckOrder(too_much)) == OrderChecked(seen.seq, Refusal.INSUFFICIENT_FUNDS)
        told: list[Committed] = []
        while not told or told[-1].mark.seq < seen.seq:
            batch = await anext(stream)
            assert isinstance(batch, Committed)
            told.append(batch)
        kept = [each async for each in _kept(leader.broadcast, len(told))]
        assert told == kept
        await stream.aclose()


async def test_what_the_engine_would_not_take_is_refused_by_name(
    store: PostgresStore, database: Database, tmp_path: Path
) -> None:
    bounds = Bounds(queue_commands=10, follower_lag=1_000_000)
    async with engine_on_a_socket(store, tmp_path / "e.sock", bounds) as (_, _), client_of(database) as remote:
        await remote.connected.wait()
        await open_exchange(remote)
        outcomes = await asyncio.gather(
            *(submit(remote, ALICE, set_aside(1)) for _ in range(100)), return_exceptions=True
        )
        refused = [each for each in outcomes if isinstance(each, OverloadedError)]
        assert {each.why for each in refused} == {Why.QUEUE_FULL}
        assert len(refused) + sum(isinstance(each, Answer) for each in outcomes) == 100
        answer = await submit(remote, HOUSE, Deposit(ALICE, "BTC", 2**63))
        assert answer.reply == Refused(Refusal.OUT_OF_RANGE)


async def test_what_was_under_way_when_the_connection_broke_is_done_once(
    store: PostgresStore, database: Database, tmp_path: Path
) -> None:
    async with engine_on_a_socket(store, tmp_path / "e.sock") as (leader, listener), client_of(database) as remote:
        await remote.connected.wait()
        await open_exchange(remote)
        waiting = [asyncio.ensure_future(submit(remote, ALICE, set_aside(1))) for _ in range(1_000)]
        breaks = 0
        while not all(each.done() for each in waiting):
            await becomes(lambda: bool(listener.connections))
            for connection in list(listener.connections):
                connection.abort()
            breaks += 1
            done = _done(waiting)
            await becomes(lambda: _done(waiting) > done or _done(waiting) == len(waiting))  # noqa: B023 - awaited at once
        answers = [await each for each in waiting]
        assert breaks > 0
        assert len({each.seq for each in answers}) == 1_000
        assert any(each.is_duplicate for each in answers) or breaks == 1
        seen = await leader.client.look(LookAtAccount(ALICE))
        assert isinstance(seen, AccountSeen)
        assert seen.balances[1].held == 1_000


async def test_answers_and_the_stream_go_on_at_the_next_leader(
    store: PostgresStore, database: Database, tmp_path: Path
) -> None:
    async with client_of(database) as remote:
        async with engine_on_a_socket(store, tmp_path / "first.sock") as (_, _):
            await remote.connected.wait()
            await open_exchange(remote)
            stream = remote.follow()
            begun = await anext(stream)
            first = await submit(remote, ALICE, set_aside(1), "mine")
            assert isinstance(await anext(stream), Committed)
        await becomes(lambda: not remote.connected.is_set())
        with pytest.raises(OverloadedError) as refused:
            await submit(remote, ALICE, set_aside(1))
        assert refused.value.why is Why.ENGINE_AWAY
        async with engine_on_a_socket(store, tmp_path / "second.sock"):
            await remote.connected.wait()
            again = await submit(remote, ALICE, set_aside(1), "mine")
            assert again == msgspec.structs.replace(first, is_duplicate=True)
            assert isinstance(begun, StartOver)
            # It had heard of everything that the first one did, and so nothing is to be told anew.
            assert isinstance(await anext(stream), Committed)
            await stream.aclose()


async def test_a_stream_that_missed_something_starts_over(
    store: PostgresStore, database: Database, tmp_path: Path
) -> None:
    async with client_of(database) as remote:
        async with engine_on_a_socket(store, tmp_path / "first.sock"):
            stream = remote.follow()
            await anext(stream)
        async with leading(store) as unheard:
            await open_exchange(unheard.client)
        async with engine_on_a_socket(store, tmp_path / "second.sock") as (leader, _):
            assert await anext(stream) == StartOver(leader.broadcast.mark)
            await stream.aclose()


async def test_nobody_waits_for_ever(store: PostgresStore, database: Database, tmp_path: Path) -> None:
    async with (
        client_of(database, unknown_after_s=0.1) as remote,
        engine_on_a_socket(store, tmp_path / "e.sock") as (_, listener),
    ):
        await remote.connected.wait()
        async with database.driver_transaction() as connection:
            await connection.execute("LOCK TABLE journal IN SHARE MODE")  # nothing can be committed meanwhile
            waiting = asyncio.ensure_future(submit(remote, ALICE, set_aside(1)))
            looking = asyncio.ensure_future(remote.look(LookAtAccount(ALICE)))
            await asyncio.sleep(0)
            listener.leader = None
            for each in list(listener.connections):
                each.abort()
            for future in (waiting, looking):
                with pytest.raises(OutcomeUnknownError):
                    await future


async def test_an_engine_that_does_not_know_yet_that_it_lost_the_lease_is_left(
    store: PostgresStore, database: Database, tmp_path: Path
) -> None:
    """As one that was stopped with SIGSTOP: its connections stay open, and it answers nothing."""
    async with listening(SECRET, tmp_path / "old.sock") as old, client_of(database) as remote:
        leader = Leader(*await led_by(store, old.address), WIDE)
        running = asyncio.ensure_future(leader.run())
        old.lead(leader)
        await remote.connected.wait()
        async with database.driver_transaction() as connection:
            await connection.execute("UPDATE leases SET epoch = epoch + 1, address = 'unix:/nowhere'")
        await becomes(lambda: not remote.connected.is_set())
        with pytest.raises(FencedError):
            await running


async def test_who_does_not_know_the_secret_gets_in_nowhere(
    store: PostgresStore, database: Database, door: Door
) -> None:
    async with (
        engine_on_a_socket(store, door.place) as (_, listener),
        client_of(database, bytes(32)) as remote,
    ):
        with pytest.raises(OverloadedError):
            await submit(remote, ALICE, set_aside(1))
        raw = await door.connect()
        await raw.read(Challenge)
        # A proof that was heard on another connection is worth nothing on this one.
        heard = Introduction(VERSION, bytes(32), proof_of(SECRET, "client", new_nonce(), bytes(32)))
        raw.send(heard)
        assert await raw.read(TurnedAway) == TurnedAway("the secret is another")
        assert await raw.is_at_its_end()
        # And what the engine proves cannot be sent back to it.
        raw = await door.connect()
        challenge = await raw.read(Challenge)
        raw.send(Introduction(VERSION, bytes(32), proof_of(SECRET, "engine", challenge.nonce, bytes(32))))
        assert await raw.read(TurnedAway) == TurnedAway("the secret is another")
        assert listener.leader is not None
        assert not remote.connected.is_set()


async def test_a_client_does_not_believe_an_engine_that_cannot_prove_itself(database: Database, tmp_path: Path) -> None:
    refused = asyncio.Event()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(Challenge(VERSION, new_nonce()), MAX_REQUEST_BYTES))
        await reader.readexactly(LENGTH_BYTES)
        writer.write(framed(Welcome(bytes(32), 7), MAX_REQUEST_BYTES))
        while await reader.read(1024):
            pass
        refused.set()
        writer.close()

    server = await asyncio.start_unix_server(pretend, tmp_path / "false.sock")
    async with server, client_of(database) as remote:
        async with database.driver_transaction() as connection:
            await connection.execute(
                "INSERT INTO leases VALUES ('engine', 7, 'x', %s, 1, now())", (f"unix:{tmp_path}/false.sock",)
            )
        await refused.wait()
        assert not remote.connected.is_set()


async def test_bad_words_end_the_connection_or_are_answered(store: PostgresStore, door: Door) -> None:
    async with engine_on_a_socket(store, door.place) as (_, listener):
        early = await door.connect()
        await early.read(Challenge)
        early.send(Follow(None))
        assert await early.read(TurnedAway) == TurnedAway("introduce yourself first")
        for rubbish in (b"\0\0\0\1\xc1", b"\xff\xff\xff\xff", (MAX_REQUEST_BYTES + 1).to_bytes(LENGTH_BYTES, "big")):
            raw = await door.introduced()
            raw.writer.write(rubbish)
            assert await raw.is_at_its_end()
        raw = await door.introduced()
        for body in (b"\xc0", b"\x91\xa7unknown", b"\x92\xa4tick"):
            raw.send(Submit(5, Submission(ALICE, "x", 1, msgspec.Raw(body))))
            if body.endswith(b"tick"):
                assert await raw.is_at_its_end()  # not even MessagePack
            else:
                assert (await raw.read(Malformed)).request == 5
        raw = await door.introduced()
        raw.send(Follow(None))
        raw.send(Follow(None))
        assert await raw.is_at_its_end()
        other = await door.connect()
        challenge = await other.read(Challenge)
        other.send(Introduction(VERSION + 1, bytes(32), proof_of(SECRET, "client", challenge.nonce, bytes(32))))
        assert await other.read(TurnedAway) == TurnedAway("this engine speaks version 1")
        assert listener.leader is not None


async def test_a_place_that_is_taken_is_said_so(tmp_path: Path) -> None:
    async with listening(SECRET, ("127.0.0.1", 0)) as first:
        port = int(first.address.rpartition(":")[2])
        with pytest.raises(UserError, match=f"cannot listen at 127.0.0.1:{port}"):
            await listening(SECRET, ("127.0.0.1", port)).__aenter__()
    async with listening(SECRET, tmp_path / "e.sock"):
        with pytest.raises(UserError, match="another process listens"):
            await listening(SECRET, tmp_path / "e.sock").__aenter__()


async def test_there_are_only_so_many_connections_and_the_silent_are_cut_off(
    store: PostgresStore, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening_side, "MAX_CONNECTIONS", 3)
    async with engine_on_a_socket(store, door.place) as (_, listener):
        inside = [await door.introduced() for _ in range(3)]
        outside = await door.connect()
        assert await outside.read(TurnedAway) == TurnedAway("too many connections")
        assert await outside.is_at_its_end()
        await inside[0].close()
        monkeypatch.setattr(listening_side, "HANDSHAKE_S", 0.01)
        await becomes(lambda: len(listener.connections) == 2)
        silent = await door.connect()
        await silent.read(Challenge)
        assert await silent.is_at_its_end()


async def _kept(broadcast: Broadcast, count: int) -> AsyncIterator[Committed]:
    async for each in broadcast.follow(BEGINNING):
        assert isinstance(each, Committed)
        yield each
        count -= 1
        if not count:
            return


def _done(waiting: Sequence[asyncio.Future[Answer]]) -> int:
    return sum(each.done() for each in waiting)


def becomes(condition: Callable[[], bool]) -> Awaitable[None]:
    """Wait until it holds."""

    async def holds() -> bool:
        return condition()

    return eventually(holds)
