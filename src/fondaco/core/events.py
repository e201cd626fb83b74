"""What the engine tells the world: the events of each command, encoded at once.

The events of a command stand between its `Began` and its reply. They are bytes from the moment they are emitted: the
journal's chain hash goes over them, followers and streams carry them on, and an object that changes later cannot change
what was said. `EventLog` collects them, and with them what the projection has to write anew.
"""

from typing import TypeAlias

import msgspec

from fondaco.core.book.vocabulary import Side
from fondaco.core.ledger import BalanceChanged, HoldChanged, Posting
from fondaco.core.replies import Reply
from fondaco.core.state import Account, Breaker, Limit, Order, Position, User
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import Severity, World


class Began(msgspec.Struct, frozen=True, array_like=True, tag="began", gc=False):
    """What follows is what the command of this number did at this moment."""

    seq: int
    now_ns: int


class AssetListed(msgspec.Struct, frozen=True, array_like=True, tag="asset_listed", gc=False):
    """An asset is known."""

    code: str
    scale: int


class InstrumentListed(msgspec.Struct, frozen=True, array_like=True, tag="instrument_listed"):
    """A market is open."""

    terms: Terms


class InstrumentClosed(msgspec.Struct, frozen=True, array_like=True, tag="instrument_closed", gc=False):
    """A market takes no more orders."""

    world: World
    symbol: str


class Trade(msgspec.Struct, frozen=True, array_like=True, tag="trade", gc=False):
    """Two orders have met (BHC-35). Trade ids are contiguous per world and symbol."""

    trade_id: int
    world: World
    symbol: str
    price_ticks: int
    lots: int
    notional: int
    buy_order_id: int
    sell_order_id: int
    buy_account_id: int
    sell_account_id: int
    buy_fee: int
    sell_fee: int
    taker: Side


class RiskAlert(msgspec.Struct, frozen=True, array_like=True, tag="risk_alert", gc=False):
    """Something that staff should see (BHC-61, 64)."""

    alert_id: int
    severity: Severity
    kind: str
    message: str
    entity: str


class RulesSet(msgspec.Struct, frozen=True, array_like=True, tag="rules", gc=False):
    """From here on the rules of this version hold."""

    version: int


Event: TypeAlias = (
    Began
    | User
    | Account
    | AssetListed
    | InstrumentListed
    | InstrumentClosed
    | Posting
    | HoldChanged
    | BalanceChanged
    | Order
    | Trade
    | Position
    | Limit
    | Breaker
    | RiskAlert
    | RulesSet
    | Reply
)
