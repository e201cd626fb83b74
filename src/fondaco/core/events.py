"""What the engine tells the world: the events of each command, encoded at once.

The events of a command stand between its `Began` and its reply. They are bytes from the moment they are emitted: the
journal's chain hash goes over them, followers and streams carry them on, and an object that changes later cannot change
what was said. `EventLog` collects them, and with them what the projection has to write anew.
"""

from typing import TypeAlias

import msgspec

from fondaco.core.book.vocabulary import Side
from fondaco.core.desk.state import DeskEntry, DeskFill, DeskPosition, DeskQuote, MarginWarning, RolledOver, StopOut
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.ledger import BalanceChanged, HoldChanged, Posting
from fondaco.core.messages import Message
from fondaco.core.replies import Reply
from fondaco.core.state import Account, Breaker, Limit, Order, Position, User
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import Severity, World


class Began(Message, frozen=True, tag="began"):
    """What follows is what the command of this number did at this moment."""

    seq: int
    now_ns: int


class AssetListed(Message, frozen=True, tag="asset_listed"):
    """An asset is known."""

    code: str
    scale: int


class InstrumentListed(Message, frozen=True, tag="instrument_listed"):
    """A market is open."""

    terms: Terms


class InstrumentClosed(Message, frozen=True, tag="instrument_closed"):
    """A market takes no more orders."""

    world: World
    symbol: str


class Trade(Message, frozen=True, tag="trade"):
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
    sell_realised: int = 0
    """What the seller earned by it, fees apart: see `fondaco.core.positions`."""


class RiskAlert(Message, frozen=True, tag="risk_alert"):
    """Something that staff should see (BHC-61, 64)."""

    alert_id: int
    severity: Severity
    kind: str
    message: str
    entity: str


class RulesSet(Message, frozen=True, tag="rules"):
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
    | DeskTerms
    | DeskRules
    | DeskQuote
    | DeskPosition
    | DeskEntry
    | DeskFill
    | StopOut
    | MarginWarning
    | RolledOver
    | RulesSet
    | Reply
)

decode_events = msgspec.msgpack.Decoder(list[Event]).decode
"""The events of a batch, as `fondaco.core.eventlog.EventLog.take` wrote them."""
