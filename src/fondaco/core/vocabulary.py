"""The words that commands, events and state share. Their values are stable: they stand in journals for ever."""

from enum import StrEnum


class World(StrEnum):
    """Where money is real, where it is play, and where it lies with others."""

    TRADING = "trading"
    DEMO = "demo"
    EXTERNAL = "external"


class UserStatus(StrEnum):
    """Whether a user may act. Only an active one may place orders (BHC-22)."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class AccountStatus(StrEnum):
    """Whether an account may act (BHC-21). A closed one never opens again."""

    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


class AccountKind(StrEnum):
    """What an account is for."""

    SPOT = "spot"
    MARGIN = "margin"
    HOUSE = "house"


class OrderType(StrEnum):
    """Kinds of orders (BHC-30, BBX-40)."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"


class TimeInForce(StrEnum):
    """How long an order stands (BHC-31)."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"


class OrderState(StrEnum):
    """Where an order is in its life (BHC-32)."""

    PENDING = "pending"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class CloseReason(StrEnum):
    """Why an order ended before it was filled."""

    NONE = ""
    CANCELLED_BY_OWNER = "cancelled_by_owner"
    CANCELLED_BY_HOUSE = "cancelled_by_house"
    IMMEDIATE_REST = "immediate_rest"
    SELF_TRADE = "self_trade"
    TIME_PASSED = "time_passed"
    NOTHING_TO_SELL = "nothing_to_sell"
    TOO_MANY_TOUCHED = "too_many_touched"
    INSTRUMENT_CLOSED = "instrument_closed"


class LimitScope(StrEnum):
    """Whom a limit covers. One for a symbol or the platform holds for every account by itself, not for their sum."""

    ACCOUNT = "account"
    USER = "user"
    SYMBOL = "symbol"
    PLATFORM = "platform"


class LimitName(StrEnum):
    """What a limit caps (BHC-60)."""

    MAX_OPEN_ORDERS = "max_open_orders"
    MAX_ORDER_VALUE = "max_order_value"
    MAX_POSITION = "max_position"
    MAX_DAILY_VOLUME = "max_daily_volume"
    MAX_LEVERAGE = "max_leverage"


class Severity(StrEnum):
    """How bad an alert is (BHC-64)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class SelfTradeScope(StrEnum):
    """Whose orders may not meet each other: a user's over all accounts, or an account's."""

    USER = "user"
    ACCOUNT = "account"


class Direction(StrEnum):
    """Which way a position is bet (BHC-37): a long one earns when the price rises, a short one when it falls."""

    LONG = "long"
    SHORT = "short"


class MarginMode(StrEnum):
    """What answers for a leveraged position: the margin set aside for it alone, or all that its account has."""

    ISOLATED = "isolated"
    CROSS = "cross"


class PositionMode(StrEnum):
    """Whether an account has many positions of a symbol, or one that further opens add to and take from."""

    HEDGING = "hedging"
    NETTING = "netting"


class PositionState(StrEnum):
    """Where a leveraged position is in its life."""

    OPEN = "open"
    CLOSED = "closed"


class Closing(StrEnum):
    """Why a leveraged position, or a part of it, was closed."""

    NONE = ""
    OWNER = "owner"
    NETTED = "netted"
    MARGIN_CALL = "margin_call"
    STOP_OUT = "stop_out"
    STOP_LOSS = "stop_loss"
    TRAILING_STOP = "trailing_stop"
    TAKE_PROFIT = "take_profit"
    HOUSE = "house"
    INSTRUMENT_CLOSED = "instrument_closed"


class EntryKind(StrEnum):
    """How a pending entry waits: for a better price than now, or for a worse one."""

    LIMIT = "limit"
    STOP = "stop"


class EntryState(StrEnum):
    """Where a pending entry is in its life."""

    PENDING = "pending"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class StopOutPolicy(StrEnum):
    """Which positions of a cross account that has too little left are closed, in turn."""

    LARGEST_LOSS = "largest_loss"
    SMALLEST_STEP = "smallest_step"
    CLOSE_ALL = "close_all"


class LevelKind(StrEnum):
    """How a stop loss, a take profit or a trailing distance is said. What is stored is a price, whatever was said."""

    KEEP = "keep"
    """As it is; of a new position, none."""
    NONE = "none"
    PRICE = "price"
    """Of a trailing stop, a difference of prices."""
    AMOUNT = "amount"
    """What the position may lose, or shall earn, in quote atoms."""
    PERCENT = "percent"
    """The same in millionths of the position's margin."""
