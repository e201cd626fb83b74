"""``fondaco up``: the whole house. Hosts the bus or supervises its server, and the database and the other processes.

The page comes first: its process starts at once, on a socket that is open already; the database is made ready and
migrated beside it, and whatever needs tables starts after that. This process itself imports neither web framework nor
tables: it must start fast and live long. Migrations therefore run in a process of their own, which loads meanwhile.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Annotated, Any

from cyclopts import Parameter

import fondaco
from fondaco.app.cli.printing import COMPLAINT, say
from fondaco.app.configuration import load_settings
from fondaco.app.doors import open_door
from fondaco.infra import log
from fondaco.infra.bus.socket import serve_local_bus
from fondaco.infra.errors import UserError
from fondaco.infra.house import house_lock
from fondaco.infra.listening import WILDCARDS, page_address
from fondaco.infra.output import LineWriter, Prefixer, Unprefixed
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.postgres.server import ENDING
from fondaco.infra.settings import BusSettings, Settings
from fondaco.infra.supervisor import USER_ERROR, Program, Supervisor, TakeLine, command, own_environment
from fondaco.infra.valkey import EmbeddedValkey
from fondaco.infra.valkey.server import ENDING as VALKEY_ENDING

DATABASE_WAIT_S = 330.0
"""How long the migrations wait for the embedded server: a little longer than it may take to recover."""
PAGE_RETRY_S = 0.1
OUTPUT_WAIT_S = 2.0
"""How long a stopping house waits for a terminal to take its last lines."""
WORKERS = ("record", "feed", "jobs", "engine", "follower", "maker", "dealer")
"""What needs tables. Who comes first ends last: the recorder stores what the feed brought last, the follower is not to
take over from an engine that only stops, the market maker takes its orders back, and the dealer has nothing to undo."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(
    *,
    feed: str | None = None,
    bus: str | None = None,
    host: str | None = None,
    port: int | None = None,
    seed: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Run the house.

    Args:
        bus: How its processes tell each other things: local, or valkey, which reaches other machines too and keeps
        trades
            that are not stored yet on disk.
        feed: Where trades come from: auto, binance, replay:FILE or simulated. `auto` takes Binance if it answers, else
            recorded trades if there are any, else simulated ones, and says which.
        host: Address to serve the page on. Loopback unless you mean to let others in.
        port: Port to serve the page on; 0 takes any that is free.
        seed: Bring in what a house needs to trade, as `fondaco db seed` does, once the engine answers.
    """
    given = {"market": _given(feed=feed), "bus": _given(kind=bus), "serve": _given(host=host, port=port)}
    settings = load_settings({group: values for group, values in given.items() if values})
    writer = LineWriter(sys.stderr)
    log_format = log.configure(settings.log_level, settings.log_format, process="up", stream=writer)
    try:
        asyncio.run(_up(settings, log_format, writer, is_to_be_seeded=seed))
    finally:
        writer.close(wait_s=OUTPUT_WAIT_S)


async def _up(settings: Settings, log_format: log.Format, writer: LineWriter, *, is_to_be_seeded: bool) -> None:
    with (
        house_lock(settings.data_dir, command="fondaco up") as hold,
        open_door(settings.serve) as listener,
    ):
        hold.note(page_address(listener))
        hub = nullcontext() if settings.bus.is_valkey else serve_local_bus(settings.bus_socket, settings.bus)
        async with hub:
            house = House(settings, listener, log_format, _output(writer, log_format))
            await house.run(is_to_be_seeded=is_to_be_seeded)


class House:
    """One life of the house."""

    def __init__(
        self, settings: Settings, listener: socket.socket, log_format: log.Format, take_line: TakeLine
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._postgres = None if settings.database_url else EmbeddedPostgres(settings.data_dir)
        self._valkey = EmbeddedValkey(settings.data_dir) if settings.bus.is_valkey and not settings.bus.url else None
        self._environment = _children_environment(settings, log_format) | {
            "DATABASE_URL": settings.database_url or EmbeddedPostgres(settings.data_dir).prepare(),
            **self._bus_variables(),
        }
        self._supervisor = Supervisor(self._programs(), take_line)

    async def run(self, *, is_to_be_seeded: bool = False) -> None:
        """Open the house and keep it open until a signal comes or something needs a person's help."""
        loop = asyncio.get_running_loop()
        is_told_to_stop = asyncio.Event()

        def stop() -> None:
            if is_told_to_stop.is_set():
                self._supervisor.hurry()
            is_told_to_stop.set()

        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stop)
        opening = asyncio.ensure_future(self._open(is_to_be_seeded=is_to_be_seeded))
        stopping = asyncio.ensure_future(is_told_to_stop.wait())
        try:
            await _first_of(opening, stopping, self._supervisor.failed)
            if opening.done():
                await opening
                await _first_of(stopping, self._supervisor.failed)
            if self._supervisor.failed.done():
                await self._supervisor.failed
        except UserError as error:
            raise UserError(str(error).removeprefix(COMPLAINT)) from error
        finally:
            opening.cancel()
            stopping.cancel()
            await asyncio.wait((opening, stopping))
            await self._supervisor.stop()

    async def _open(self, *, is_to_be_seeded: bool) -> None:
        """The order in which a house opens."""
        if self._valkey is not None:
            await self._supervisor.start("bus")
        elif self._settings.bus.is_valkey:
            await self._run_to_its_end("check", "bus", "check")  # before others rely on a server that we do not know
        await self._supervisor.start("serve")
        await asyncio.gather(self._welcome(), self._open_market())
        if is_to_be_seeded:
            await self._seed()

    async def _open_market(self) -> None:
        migration = asyncio.ensure_future(self._migrate())
        try:
            if self._postgres is not None:
                await self._supervisor.start("database")
            await migration
        finally:
            migration.cancel()
            await asyncio.wait((migration,))
        for name in WORKERS:
            await self._supervisor.start(name)

    async def _migrate(self) -> None:
        """Bring the tables up to date. An address that somebody else gave is tried once, our own server waited for."""
        wait_s = DATABASE_WAIT_S if self._postgres is not None else 0
        await self._run_to_its_end("migrate", "db", "migrate", f"--wait-s={wait_s}")

    async def _seed(self) -> None:
        """Seed a house that is open. It stays so when that does not work: it can be done again by hand."""
        try:
            await self._run_to_its_end("seed", "db", "seed")
        except UserError as error:
            say(f"The house was not seeded: {str(error).removeprefix(COMPLAINT)} `fondaco db seed` tries again.")

    async def _run_to_its_end(self, name: str, *words: str) -> None:
        """Run one of our own commands. Raises `UserError` when it fails."""
        exit_code, last_line = await self._supervisor.run_once(self._command(name, *words))
        if exit_code == USER_ERROR:
            raise UserError(last_line)
        if exit_code != 0:
            raise UserError(f"`fondaco {' '.join(words)}` failed; its log above says why ({last_line}).")

    async def _welcome(self) -> None:
        await _page_answers(self._listener)
        for line in welcome(self._settings, page_address(self._listener)):
            say(line)

    def _bus_variables(self) -> dict[str, str]:
        """What the others must know of the bus."""
        if not self._settings.bus.is_valkey:
            return {"FONDACO_BUS__KIND": "local"}
        url = self._settings.bus.url if self._valkey is None else self._valkey.prepare()
        assert url is not None, "a house without a server of its own has the address of another"
        return {"FONDACO_BUS__KIND": "valkey", "FONDACO_BUS__URL": url}

    def _programs(self) -> list[Program]:
        """Everything that runs for as long as the house does, each after what it depends on."""
        fd = self._listener.fileno()
        programs = [
            self._command("serve", "serve", "--supervised", f"--listening-fd={fd}", pass_fds=(fd,)),
            *(self._command(name, name, "--supervised") for name in WORKERS),
        ]
        if self._postgres is not None:
            programs.insert(0, Program("database", self._postgres.launch, ENDING))
        if self._valkey is not None:
            programs.insert(0, Program("bus", self._valkey.launch, VALKEY_ENDING))
        return programs

    def _command(self, name: str, *words: str, pass_fds: tuple[int, ...] = ()) -> Program:
        """One of our own commands."""
        arguments = (sys.executable, "-m", "fondaco", *words)
        return command(name, arguments, self._environment, pass_fds=pass_fds)


def welcome(settings: Settings, address: str) -> list[str]:
    """What is said once the page answers."""
    feed = settings.market.feed
    rows = {
        "page": address,
        "feed": "auto (Binance, else recorded, else simulated: the page says which)" if feed == "auto" else feed,
        "data": str(settings.data_dir),
        "database": "that of DATABASE_URL" if settings.database_url else "embedded PostgreSQL",
        **(
            {"bus": "that of FONDACO_BUS__URL" if settings.bus.url else "embedded Valkey"}
            if settings.bus.is_valkey
            else {}
        ),
        "stop": "Ctrl-C",
    }
    return [
        "",
        f"  Fondaco {fondaco.__version__} is open",
        "",
        *(f"  {name:<10}{text}" for name, text in rows.items()),
        "",
    ]


def _bus_in_words(settings: BusSettings) -> str:
    if not settings.is_valkey:
        return "local"
    return "that of FONDACO_BUS__URL" if settings.url else "embedded Valkey"


async def _page_answers(listener: socket.socket) -> None:
    """Wait until the page's process answers a request, whatever it answers."""
    host, port = listener.getsockname()[:2]
    while True:
        try:
            reader, writer = await asyncio.open_connection(WILDCARDS.get(host, host), port)
        except OSError:
            await asyncio.sleep(PAGE_RETRY_S)  # the queue is full of clients that wait for the page too
            continue
        try:
            writer.write(f"GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
            if await reader.read(1):
                return
        except ConnectionError:
            await asyncio.sleep(PAGE_RETRY_S)  # that process ended before it came to us; the next one will
        finally:
            writer.close()


async def _first_of(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def _given(**values: object) -> Mapping[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _children_environment(settings: Settings, log_format: log.Format) -> dict[str, str]:
    """What the other processes must know beside what stands in our own environment and in the file."""
    colours = {"FORCE_COLOR": "1"} if log_format == "console" and log.has_colours(sys.stderr) else {}
    return own_environment(
        FONDACO_DATA_DIR=str(settings.data_dir),
        FONDACO_LOG_FORMAT=log_format,
        FONDACO_MARKET__FEED=settings.market.feed,
        FONDACO_SERVE__HOST=settings.serve.host,
        FONDACO_SERVE__PORT=str(settings.serve.port),
        **colours,
    )


def _output(writer: LineWriter, log_format: log.Format) -> TakeLine:
    colours = log.has_colours(sys.stderr)
    passer = Unprefixed(writer) if log_format == "json" else Prefixer(writer, colours=colours)

    def take_line(name: str, line: bytes) -> None:
        # What a person must put right is said once, by us, as the last line.
        if not line.startswith(COMPLAINT.encode()):
            passer.pass_on(name, line)

    return take_line
