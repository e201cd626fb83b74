"""The endpoints that watch over the house: limits, breakers, and alerts with their acknowledgement."""

from typing import Final

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from fondaco.core.vocabulary import Severity, World
from fondaco.domains.identity.api import Actor
from fondaco.domains.risk import watch
from fondaco.domains.risk.watch import AlertLine, AlertPlace, BreakerLine, BreakerPlace, LimitLine
from fondaco.domains.trading.desk import must_be_operator
from fondaco.engine.reading import Tables
from fondaco.gateways.rest.bodies import success
from fondaco.gateways.rest.orders import SIGNED_IN
from fondaco.gateways.rest.parameters import PathParameter, number_id, operation, read_listed
from fondaco.gateways.rest.problems import ProblemError, documented
from fondaco.gateways.rest.reading import (
    AFTER_SEQ,
    ANY_WORLD,
    DEFAULT_PAGE,
    EXAMPLE_TIME,
    LIMIT,
    LISTED,
    NUMBER,
    READ,
    Call,
    cursor,
    word,
    yes_or_no,
)
from fondaco.infra.rows import iso

AFTER_BREAKER: Final = cursor(BreakerPlace(1007))
AFTER_ALERT: Final = cursor(AlertPlace(1008))
IS_ACTIVE: Final = yes_or_no("active", "Only breakers that hold, or only those that are past; both when left out.")
IS_OPEN: Final = yes_or_no("open", "Only alerts that nobody has seen, or only those that somebody has; else both.")
SEVERITY: Final = word("severity", "Only alerts of this severity.", Severity)
ALERT: Final = PathParameter("alert_id", "The alert.", NUMBER, 1008, number_id, required=True)


class Limits(msgspec.Struct, frozen=True):
    """Limits that are in force, the narrowest scope first."""

    seq: int
    limits: list[LimitLine]


class Breakers(msgspec.Struct, frozen=True):
    """Breakers, newest first; `next` is the cursor of the next page."""

    seq: int
    breakers: list[BreakerLine]
    next: str | None


class Alerts(msgspec.Struct, frozen=True):
    """Alerts, newest first; `next` is the cursor of the next page."""

    seq: int
    alerts: list[AlertLine]
    next: str | None


_TIME: Final = iso(EXAMPLE_TIME)
_ANN: Final = "01912f4c-2a00-7000-8000-000000000001"
EXAMPLE_LIMIT: Final = LimitLine("trading", "platform", None, "max_order_value", "USDT", "50000.00000000", _TIME)
EXAMPLE_BREAKER: Final = BreakerLine(
    1007, "trading", "BTCUSDT", "active", "The feed is in doubt.", _ANN, _TIME, None, None
)
EXAMPLE_ALERT: Final = AlertLine(
    1008, "medium", "max_order_value", "The order's value is above the limit.", "account", "1000", _TIME, _TIME, _ANN
)


@get(
    "/api/v1/risk/limits",
    operation_class=operation(ANY_WORLD, AFTER_SEQ),
    operation_id="limits",
    summary="Limits",
    description="The limits of a world. Operators see all of them, others those that may bind them.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(Limits, "Limits in force.", Limits(4711, [EXAMPLE_LIMIT])) | documented(*READ, "bad_world"),
)
async def list_limits(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Limits:
    """`GET /api/v1/risk/limits` (BHC-60)."""
    query = read_listed(request)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        return Limits(seq, await watch.limits(connection, actor, ANY_WORLD.read_or(query, World.TRADING)))


@get(
    "/api/v1/breakers",
    operation_class=operation(ANY_WORLD, IS_ACTIVE, LIMIT, AFTER_BREAKER, AFTER_SEQ),
    operation_id="breakers",
    summary="Breakers",
    description="Halts of new orders in a world, newest first: those that hold and those that are past.",
    tags=["trading"],
    security=SIGNED_IN,
    responses=success(
        Breakers, "Breakers, newest first.", Breakers(4711, [EXAMPLE_BREAKER], str(AFTER_BREAKER.example))
    )
    | documented(*LISTED, "bad_flag"),
)
async def list_breakers(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Breakers:
    """`GET /api/v1/breakers` (BHC-62)."""
    del actor  # whoever is let in may know
    query = read_listed(request)
    world, is_active = ANY_WORLD.read_or(query, World.TRADING), IS_ACTIVE.read_or(query, None)
    after, limit = AFTER_BREAKER.read_or(query, None), LIMIT.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        page = await watch.breakers(connection, world, is_active=is_active, after=after, limit=limit)
    return Breakers(seq, page.lines, page.next)


@get(
    "/api/v1/alerts",
    operation_class=operation(IS_OPEN, SEVERITY, LIMIT, AFTER_ALERT, AFTER_SEQ),
    operation_id="alerts",
    summary="Alerts",
    description="Warnings for staff, newest first. For operators.",
    tags=["operators"],
    security=SIGNED_IN,
    responses=success(Alerts, "Alerts, newest first.", Alerts(4711, [EXAMPLE_ALERT], str(AFTER_ALERT.example)))
    | documented(*READ, "bad_limit", "bad_cursor", "bad_flag", "bad_word", "operators_only"),
)
async def list_alerts(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> Alerts:
    """`GET /api/v1/alerts` (BHC-64)."""
    must_be_operator(actor)
    query = read_listed(request)
    is_open, severity = IS_OPEN.read_or(query, None), SEVERITY.read_or(query, None)
    after, limit = AFTER_ALERT.read_or(query, None), LIMIT.read_or(query, DEFAULT_PAGE)
    async with tables.read(AFTER_SEQ.read_or(query, 0)) as (connection, seq):
        page = await watch.alerts(connection, is_open=is_open, severity=severity, after=after, limit=limit)
    return Alerts(seq, page.lines, page.next)


@post(
    "/api/v1/alerts/{alert_id:str}/acknowledgement",
    operation_class=operation(ALERT),
    operation_id="acknowledgeAlert",
    summary="Acknowledge an alert",
    description=(
        "Notes who has seen an alert, and when. Saying it again changes nothing and gets the same answer; who comes "
        "after somebody else is told so. For operators."
    ),
    tags=["operators"],
    status_code=200,
    security=SIGNED_IN,
    responses=success(AlertLine, "The alert as it stands.", EXAMPLE_ALERT)
    | documented(*READ, "not_found", "alert_acknowledged", "operators_only"),
)
async def acknowledge_alert(request: Call, actor: NamedDependency[Actor], tables: NamedDependency[Tables]) -> AlertLine:
    """`POST /api/v1/alerts/{alert_id}/acknowledgement` (BHC-64)."""
    must_be_operator(actor)
    alert_id = ALERT.read(request.path_params)
    async with tables.read() as (connection, _):
        found = await watch.acknowledge(connection, actor, alert_id)
    if found is None:
        raise ProblemError("not_found", f"There is no alert {alert_id}.")
    if found.acknowledged_by != actor.user_id:
        raise ProblemError(
            "alert_acknowledged", f"{found.acknowledged_by} has acknowledged it at {found.acknowledged_at}."
        )
    return found


HANDLERS: tuple[HTTPRouteHandler, ...] = (
    list_limits,
    list_breakers,
    list_alerts,
    acknowledge_alert,
)
