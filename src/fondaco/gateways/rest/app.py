"""The whole web application: one ASGI app for the API, the streams and the terminal, on one port.

In front stands `FrontDoor`, plain ASGI: it checks the host, bounds the body, adds the headers that every answer
carries, counts, and sends each request to where it belongs: WebSockets to the stream, the API's paths to Litestar,
every other path to the terminal's page. Nothing that it does costs more than a dictionary look-up, since everything
passes here. Orders are placed and cancelled in front of Litestar (`fondaco.gateways.rest.entry`).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from litestar import Litestar, Request, Response, Router
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme, Tag
from litestar.status_codes import HTTP_204_NO_CONTENT, HTTP_404_NOT_FOUND
from litestar.types import Receive as LitestarReceive
from litestar.types import Scope as LitestarScope
from litestar.types import Send as LitestarSend

import fondaco
from fondaco.core.listings import Catalogue, instrument
from fondaco.core.vocabulary import World
from fondaco.domains.desk.governing import DeskGoverning
from fondaco.domains.identity.api import Actor
from fondaco.domains.trading.api import AccountService, Desk, GoverningService, TradingService
from fondaco.engine.account_logs import AccountLogs
from fondaco.engine.books import Books
from fondaco.engine.live import LiveHouse
from fondaco.engine.port import Engine
from fondaco.engine.reading import Tables
from fondaco.gateways.actors import Actors
from fondaco.gateways.asgi import Message, Receive, Scope, Send
from fondaco.gateways.rest import (
    accounts,
    dealing,
    depth,
    governing,
    health,
    history,
    instruments,
    market,
    orders,
    people,
    reports,
    watch,
)
from fondaco.gateways.rest.bodies import MAX_BODY_BYTES, body_too_large
from fondaco.gateways.rest.entry import OrderEntry
from fondaco.gateways.rest.hosts import HostCheck
from fondaco.gateways.rest.problems import ProblemError, answer, send_problem, translate
from fondaco.gateways.rest.reference import ReferencePage
from fondaco.gateways.rest.terminal import Terminal
from fondaco.gateways.ws.accounts import AccountStreams
from fondaco.gateways.ws.exchange import Exchange
from fondaco.gateways.ws.floor import Floor
from fondaco.gateways.ws.stream import STREAM_PATH, Stream
from fondaco.infra.bus.port import Bus
from fondaco.infra.clock import now_ns
from fondaco.infra.database import Database
from fondaco.infra.metrics import Metrics
from fondaco.infra.settings import Settings

SAFE_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]

DESCRIPTION = (
    "Trading and market data of the house. Errors are problem documents (RFC 9457) with a stable `code`. Amounts are "
    "decimal text. Live data: the WebSocket `/api/v1/stream`, described in docs/stream.md."
)


HANDLERS = (
    *orders.HANDLERS,
    *accounts.HANDLERS,
    *history.HANDLERS,
    *instruments.HANDLERS,
    *reports.HANDLERS,
    *people.HANDLERS,
    *watch.HANDLERS,
    *governing.HANDLERS,
    *dealing.HANDLERS,
    *market.HANDLERS,
    *depth.HANDLERS,
    *health.HANDLERS,
)


def build_app(
    settings: Settings,
    database: Database,
    bus: Bus,
    engine: Engine,
    live: LiveHouse,
    *,
    page: Path | None,
    metrics: Metrics | None = None,
) -> "FrontDoor":
    """Put the application together.

    Args:
        settings: of the whole house.
        database: may be away; then stored data answer 503 until it is back.
        bus: may be away; then streams wait until it is back.
        engine: may be away; then commands answer 503 until it is back.
        live: what is known of that engine; it is kept up for as long as the application runs.
        page: folder of the built terminal (`terminal.built_folder()`), or None.
        metrics: where to count; its own when left out.
    """
    counters = metrics or Metrics()
    catalogue = Catalogue(instrument(pair, settings.market.scales) for pair in settings.market.pairs)
    actors = Actors(database, development_tokens=settings.serve.development_tokens)
    desk = Desk(engine, live, settings.engine.command_lifetime_ms, now_ns)
    trading = TradingService(desk)
    entry = OrderEntry(actors, trading)
    public_world = World(settings.public_world)
    books, logs = Books(), AccountLogs()
    for part in (books, logs):
        live.attach(part)
    floor = Floor(actors, Exchange(live, books, public_world, settings.stream.snapshot_levels), trading)
    account_streams = AccountStreams(engine, live, logs)
    stream = Stream(settings.stream, database, bus, catalogue, counters, floor, account_streams)
    parts = {
        "market": market.Market(database, bus, catalogue),
        "probe": health.Probe(database, bus),
        "counters": counters,
        "database": database,
        "actors": actors,
        "entry": entry,
        "desk": desk,
        "trading": trading,
        "account_service": AccountService(desk, actors.person, settings.trading.demo_grant),
        "governing": GoverningService(desk),
        "desk_house": DeskGoverning(desk),
        "tables": Tables(database, wait_s=settings.serve.read_wait_s),
        "depths": depth.Depths(desk, books, public_world),
    }
    api = _litestar(parts, actors, [stream.running(), _kept_up(live)])
    return FrontDoor(HostCheck(settings.serve.allowed_hosts), entry, api, stream, Terminal(page), counters)


def _litestar(
    parts: Mapping[str, object], actors: Actors, lifespan: Sequence[AbstractAsyncContextManager[None]]
) -> Litestar:
    async def actor(request: Request[Any, Any, Any]) -> Actor:
        return await actors.of(request.scope["headers"])

    return Litestar(
        HANDLERS,
        dependencies={
            **{name: _provided(part) for name, part in parts.items()},
            "actor": Provide(actor),
        },
        before_request=_options,
        exception_handlers={Exception: answer},
        openapi_config=OpenAPIConfig(
            title="Fondaco",
            version=fondaco.__version__,
            description=DESCRIPTION,
            license=License(name="Apache-2.0", identifier="Apache-2.0"),
            tags=[
                Tag("trading", "Orders, accounts and money: each answer carries the number of its command, `seq`."),
                Tag("operators", "What only operators may do."),
                Tag("market", "Market data: what has been stored and what runs."),
                Tag("operation", "For supervisors and monitoring."),
            ],
            components=Components(
                security_schemes={
                    "bearer": SecurityScheme(type="http", scheme="bearer", description="A token that names the user.")
                }
            ),
            openapi_router=Router(
                "/schema", route_handlers=[], include_in_schema=False, after_request=_without_html_errors
            ),
            render_plugins=[ReferencePage(), JsonRenderPlugin()],
        ),
        lifespan=list(lifespan),
        logging_config=None,  # the process configures logging, not the framework
        debug=False,
        request_max_body_size=MAX_BODY_BYTES,
    )


async def _options(request: Request[Any, Any, Any]) -> Response[None] | None:
    """Answer OPTIONS. Where a path has several handlers, the framework's own answer knows but the first of them."""
    if request.method != "OPTIONS":
        return None
    path = request.scope["path_template"]
    methods = {method for route in request.app.routes if route.path_format == path for method in route.methods}
    return Response(None, status_code=HTTP_204_NO_CONTENT, headers={"allow": ", ".join(sorted(methods))})


def _provided(part: object) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)


@asynccontextmanager
async def _kept_up(live: LiveHouse) -> AsyncIterator[None]:
    """Keep up with the engine while the application runs."""
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(live.run())
        yield
        following.cancel()


def _without_html_errors(response: Response[Any]) -> Response[Any]:
    """The framework answers unknown paths below ``/schema`` with a page of its own; ours are problem documents."""
    if response.status_code == HTTP_404_NOT_FOUND:
        raise NotFoundException
    return response


class FrontDoor:
    """The outermost ASGI app. `stream` is public so that a server can say goodbye to its clients before it stops."""

    def __init__(
        self,
        hosts: HostCheck,
        entry: OrderEntry,
        api: Litestar,
        stream: Stream,
        terminal: Terminal,
        metrics: Metrics,
    ) -> None:
        self._hosts = hosts
        self._entry = entry
        self.api = api
        self.stream = stream
        self._terminal = terminal
        self._metrics = metrics
        self._api_roots = frozenset(route.path.split("/")[1] for route in api.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection or request, or run the life of the application."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._litestar(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._hosts.refusal(scope)
        if refusal is None and scope["path"] != STREAM_PATH:
            refusal = ProblemError("not_found", f"The stream is at {STREAM_PATH}.")
        if refusal is None:
            await self.stream(scope, receive, send)
        elif "websocket.http.response" in (scope.get("extensions") or {}):
            await send_problem(scope, send, refusal)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.problem.code})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        status, has_started = 500, False

        async def send_safely(message: Message) -> None:
            nonlocal status, has_started
            if message["type"] == "http.response.start":
                status, has_started = message["status"], True
                message["headers"] = [*message["headers"], *SAFE_HEADERS]
            await send(message)

        inner = _as_get(scope) if scope["method"] == "HEAD" else scope
        try:
            await self._respond(inner, receive, send_safely)
        except Exception as error:  # the outermost guarantee: what nobody foresaw is a problem document too
            if has_started:
                raise
            await send_problem(scope, send_safely, translate(error))
        route = inner.get("path_template", "page" if self._is_page(scope) else "none")
        self._metrics.request_seconds.labels(scope["method"], route, status).observe(perf_counter() - started)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._hosts.refusal(scope) or _body_refusal(scope)
        if refusal is not None:
            await send_problem(scope, send, refusal)
        elif self._entry.wants(scope):
            await self._entry(scope, receive, send)
        elif self._is_page(scope):
            await self._terminal(scope, receive, send)
        else:
            await self._litestar(scope, receive, send)

    async def _litestar(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.api(cast("LitestarScope", scope), cast("LitestarReceive", receive), cast("LitestarSend", send))

    def _is_page(self, scope: Scope) -> bool:
        return scope["path"].lstrip("/").partition("/")[0] not in self._api_roots


def _as_get(scope: Scope) -> Scope:
    """HEAD is GET without the body, which the server leaves out."""
    return {**scope, "method": "GET"}


def _body_refusal(scope: Scope) -> ProblemError | None:
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if announced.isdigit() and len(announced) <= len(str(MAX_BODY_BYTES)) and int(announced) <= MAX_BODY_BYTES:
        return None
    return body_too_large()
