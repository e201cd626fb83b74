"""Which HTTP status a refusal of the engine has. What is not listed is 422: understood, and not to be done."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from fondaco.core.refusals import Refusal

NOT_DONE: Final = 422
STATUSES: Mapping[Refusal, int] = MappingProxyType(
    {
        # Not this one's to do.
        Refusal.HOUSE_ONLY: 403,
        Refusal.ACCOUNT_CLOSED: 403,
        Refusal.ACCOUNT_FROZEN: 403,
        Refusal.USER_SUSPENDED: 403,
        # Not there, or another's, which looks the same.
        Refusal.UNKNOWN_USER: 404,
        Refusal.UNKNOWN_ACCOUNT: 404,
        Refusal.FOREIGN_ACCOUNT: 404,
        Refusal.UNKNOWN_HOLD: 404,
        Refusal.UNKNOWN_ORDER: 404,
        Refusal.UNKNOWN_POSITION: 404,
        Refusal.UNKNOWN_ENTRY: 404,
        Refusal.UNKNOWN_LIMIT: 404,
        Refusal.UNKNOWN_BREAKER: 404,
        # There already.
        Refusal.COMMAND_ID_REUSED: 409,
        Refusal.DUPLICATE_CLIENT_ORDER_ID: 409,
        Refusal.USER_EXISTS: 409,
        Refusal.ASSET_EXISTS: 409,
        Refusal.INSTRUMENT_EXISTS: 409,
        Refusal.ACCOUNT_IN_USE: 409,
        # Our queue or our clocks, not the request: the same may be sent again.
        Refusal.EXPIRED_IN_QUEUE: 503,
        Refusal.LIFETIME_TOO_LONG: 503,
    }
)


def status_of(refusal: Refusal) -> int:
    """The HTTP status of a refusal."""
    return STATUSES.get(refusal, NOT_DONE)
