"""Limits, breakers and alerts as the engine's tables have them, and what staff says of an alert (BHC-60 to 64).

Operators see every limit; a user sees those that bind everybody, a symbol, or the user. Breakers are no secret. Alerts
are for operators.

That somebody has seen an alert is staff's own act: no command, and in no journal. It is the one thing that is written
into the engine's tables from here, and a rebuild carries it over. It is written once: who says it again hears that it
stands, and whoever else does so is told who was first.
"""

from typing import Final

import msgspec

from fondaco.core.vocabulary import Severity, World
from fondaco.domains.identity.api import Actor
from fondaco.infra.cursors import Id, Place
from fondaco.infra.database import PsycopgConnection
from fondaco.infra.paging import Page, read_page
from fondaco.infra.rows import row, rows

MAX_LIMITS: Final = 1_000
"""Limits that are listed at most; a house has a handful for each account that it watches."""


class LimitLine(msgspec.Struct, frozen=True, gc=False):
    """A cap: whom it covers, on what, and how much: decimals of what it is about, or a count."""

    world: str
    scope: str
    subject: str | None
    name: str
    about: str | None
    value: str
    updated_at: str


class BreakerLine(msgspec.Struct, frozen=True, gc=False):
    """A halt of new orders, of one symbol or of the whole world."""

    id: int
    world: str
    symbol: str | None
    status: str
    reason: str
    activated_by: str | None
    activated_at: str
    until: str | None
    deactivated_at: str | None


class AlertLine(msgspec.Struct, frozen=True, gc=False):
    """A warning, and who has seen it."""

    id: int
    severity: str
    kind: str
    message: str
    entity_type: str
    entity_id: str
    created_at: str
    acknowledged_at: str | None
    acknowledged_by: str | None


class BreakerPlace(Place, frozen=True, tag="breakers"):
    """A breaker, in the order in which they were switched on."""

    id: Id


class AlertPlace(Place, frozen=True, tag="alerts"):
    """An alert, in the order in which they were raised."""

    id: Id


_LIMITS: Final = """
SELECT world, entity_type AS scope, entity_id AS subject, limit_type AS name, about, value, updated_at
FROM v_risk_limits
WHERE world = %(world)s AND value IS NOT NULL AND (
    %(all)s OR entity_type IN ('platform', 'symbol') OR (entity_type = 'user' AND entity_id = %(user_id)s)
    OR (entity_type = 'account' AND entity_id IN (SELECT id::text FROM accounts WHERE user_id = %(user_id)s))
)
ORDER BY scope, subject, name, about LIMIT %(limit)s
"""
_BREAKERS: Final = """
SELECT id, world, symbol, status, reason, activated_by, activated_at, until, deactivated_at FROM v_circuit_breakers
WHERE world = %(world)s AND (%(is_active)s::boolean IS NULL OR (deactivated_at IS NULL) = %(is_active)s)
    AND (%(id)s::bigint IS NULL OR id < %(id)s)
ORDER BY id DESC LIMIT %(limit)s
"""
_ALERT: Final = """
SELECT id, severity, kind, message, entity_type, entity_id, created_at, acknowledged_at, acknowledged_by
FROM risk_alerts
"""
_ONE_ALERT: Final = f"{_ALERT} WHERE id = %(id)s"
_ALERTS: Final = f"""{_ALERT}
WHERE (%(is_open)s::boolean IS NULL OR (acknowledged_at IS NULL) = %(is_open)s)
    AND (%(severity)s::text IS NULL OR severity = %(severity)s) AND (%(id)s::bigint IS NULL OR id < %(id)s)
ORDER BY id DESC LIMIT %(limit)s
"""
_ACKNOWLEDGE: Final = """
UPDATE risk_alerts SET acknowledged_at = clock_timestamp(), acknowledged_by = %(by)s
WHERE id = %(id)s AND acknowledged_at IS NULL
"""


async def limits(connection: PsycopgConnection, actor: Actor, world: World) -> list[LimitLine]:
    """The limits of a world that the actor may know of (BHC-60)."""
    wanted = {"world": world, "all": actor.is_operator, "user_id": actor.user_id, "limit": MAX_LIMITS}
    return await rows(connection, _LIMITS, wanted, LimitLine)


async def breakers(
    connection: PsycopgConnection, world: World, *, is_active: bool | None, after: BreakerPlace | None, limit: int
) -> Page[BreakerLine]:
    """Breakers of a world, newest first: those that hold, those that are past, or (None) both (BHC-62)."""
    wanted = {"world": world, "is_active": is_active, "id": after and after.id}
    return await read_page(connection, _BREAKERS, wanted, BreakerLine, lambda line: BreakerPlace(line.id), limit)


async def alerts(
    connection: PsycopgConnection,
    *,
    is_open: bool | None,
    severity: Severity | None,
    after: AlertPlace | None,
    limit: int,
) -> Page[AlertLine]:
    """Alerts, newest first: those that nobody has seen yet, those that somebody has, or (None) both (BHC-64)."""
    wanted = {"is_open": is_open, "severity": severity, "id": after and after.id}
    return await read_page(connection, _ALERTS, wanted, AlertLine, lambda line: AlertPlace(line.id), limit)


async def acknowledge(connection: PsycopgConnection, actor: Actor, alert_id: int) -> AlertLine | None:
    """Note that the actor has seen an alert, unless somebody has before; returns it as it stands, None if unknown."""
    await connection.execute(_ACKNOWLEDGE, {"id": alert_id, "by": actor.user_id})
    return await row(connection, _ONE_ALERT, {"id": alert_id}, AlertLine)
