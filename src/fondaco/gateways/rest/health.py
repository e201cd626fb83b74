"""Is the process alive, can it serve, what does it count: for supervisors, balancers and Prometheus."""

import asyncio
from typing import Literal

import msgspec
import structlog
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

import fondaco
from fondaco.gateways.rest.problems import PROBLEM_JSON, RETRY_AFTER_S, problem
from fondaco.infra.bus.port import Bus, BusUnavailableError
from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.metrics import CONTENT_TYPE, DEALER_KEY, Metrics
from fondaco.market import reads
from fondaco.market.messages import FEED_KEY

PROBE_S = 2.0
"""A part that has not answered within this time counts as down."""

log = structlog.get_logger()

PartState = Literal["up", "down"]


class Parts(msgspec.Struct, frozen=True):
    """The parts that serving needs."""

    database: PartState
    bus: PartState


class Health(msgspec.Struct, frozen=True):
    """The process runs."""

    status: Literal["alive"]
    version: str


class Ready(msgspec.Struct, frozen=True):
    """Every part is up."""

    status: Literal["ready"]
    parts: Parts


class NotReady(msgspec.Struct, frozen=True):
    """A problem document (RFC 9457) that says which part is down."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    parts: Parts


class Probe:
    """Asks each part whether it answers."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus

    async def parts(self) -> Parts:
        """Ask all parts at once."""
        database, bus = await asyncio.gather(self._database_state(), self._bus_state())
        return Parts(database, bus)

    async def dealer_metrics(self) -> bytes:
        """What the dealer has left on the bus; nothing while the bus is away, or before there was a dealer."""
        try:
            async with asyncio.timeout(PROBE_S):
                return await self._bus.get(DEALER_KEY) or b""
        except (BusUnavailableError, TimeoutError) as error:
            log.info("metrics.bus_down", error=str(error))
            return b""

    async def _database_state(self) -> PartState:
        try:
            async with asyncio.timeout(PROBE_S), self._database.transaction() as connection:
                await reads.is_alive(connection)
        except (DatabaseUnavailableError, TimeoutError) as error:
            log.info("ready.database_down", error=str(error))
            return "down"
        return "up"

    async def _bus_state(self) -> PartState:
        try:
            async with asyncio.timeout(PROBE_S):
                await self._bus.get(FEED_KEY)
        except (BusUnavailableError, TimeoutError) as error:
            log.info("ready.bus_down", error=str(error))
            return "down"
        return "up"


def _spec(struct: type[msgspec.Struct], description: str, example: msgspec.Struct, media_type: str) -> ResponseSpec:
    value = Example(value=msgspec.to_builtins(example))
    return ResponseSpec(
        struct, generate_examples=False, description=description, media_type=media_type, examples=[value]
    )


def _not_ready(parts: Parts) -> NotReady:
    down = [name for name, state in msgspec.structs.asdict(parts).items() if state == "down"]
    base = problem("not_ready", f"Not answering: {', '.join(down)}.")
    return NotReady(**msgspec.structs.asdict(base), parts=parts)


@get(
    "/health",
    operation_id="health",
    summary="Liveness",
    description="Answers as long as the process runs, whatever else is down.",
    tags=["operation"],
    responses={200: _spec(Health, "The process runs.", Health("alive", fondaco.__version__), "application/json")},
)
async def health() -> Health:
    """`GET /health`."""
    return Health("alive", fondaco.__version__)


@get(
    "/ready",
    operation_id="ready",
    summary="Readiness",
    description="Answers 200 when the database and the bus answer, else 503 with the parts that do not.",
    tags=["operation"],
    responses={
        200: _spec(Ready, "Every part is up.", Ready("ready", Parts("up", "up")), "application/json"),
        503: _spec(NotReady, "A part is down.", _not_ready(Parts("down", "up")), PROBLEM_JSON),
    },
)
async def ready(probe: NamedDependency[Probe]) -> Response[Ready | NotReady]:
    """`GET /ready`."""
    parts = await probe.parts()
    if parts == Parts("up", "up"):
        return Response(Ready("ready", parts), media_type="application/json")
    return Response(
        _not_ready(parts), status_code=503, media_type=PROBLEM_JSON, headers={"retry-after": str(RETRY_AFTER_S)}
    )


@get(
    "/metrics",
    operation_id="metrics",
    summary="Metrics",
    description="Prometheus's text format; docs/metrics.md explains each name.",
    tags=["operation"],
    media_type=CONTENT_TYPE,
    responses={
        200: ResponseSpec(
            str,
            generate_examples=False,
            description="Metrics as text.",
            media_type=CONTENT_TYPE,
            examples=[Example(value="fondaco_stream_sessions 3.0\n")],
        )
    },
)
async def metrics(counters: NamedDependency[Metrics], probe: NamedDependency[Probe]) -> Response[bytes]:
    """`GET /metrics`."""
    return Response(counters.exposition() + await probe.dealer_metrics(), media_type=CONTENT_TYPE)


HANDLERS: tuple[HTTPRouteHandler, ...] = (health, ready, metrics)
