"""Every reason for which the engine refuses a command: a stable code, and a sentence that helps.

A refusal is a value, never an exception: it is journaled, replayed and answered like any other reply. When several
reasons hold, the one that stands first here is given; tests reach every one of them in this order, and the page
``docs/refusals.md`` is written from this file. Of an order's numbers the price is asked about before the trigger, and
the trigger before the quantity. Who may not do something is told no more about it; of limits the narrowest is told.
"""

from enum import StrEnum


class Refusal(StrEnum):
    """Why a command was refused. Nothing has changed but what the engine remembers of it."""

    # The command itself.
    COMMAND_ID_REUSED = "command_id_reused"
    EXPIRED_IN_QUEUE = "expired_in_queue"
    LIFETIME_TOO_LONG = "lifetime_too_long"
    BAD_COMMAND_ID = "bad_command_id"
    HOUSE_ONLY = "house_only"
    BAD_TEXT = "bad_text"
    OUT_OF_RANGE = "out_of_range"

    # Who and for whom.
    UNKNOWN_USER = "unknown_user"
    USER_EXISTS = "user_exists"
    UNKNOWN_ACCOUNT = "unknown_account"
    FOREIGN_ACCOUNT = "foreign_account"
    ACCOUNT_CLOSED = "account_closed"
    USER_SUSPENDED = "user_suspended"
    ACCOUNT_FROZEN = "account_frozen"
    ACCOUNT_IN_USE = "account_in_use"
    WRONG_WORLD = "wrong_world"
    TOO_MANY_ACCOUNTS = "too_many_accounts"

    # Listings.
    UNKNOWN_ASSET = "unknown_asset"
    ASSET_EXISTS = "asset_exists"
    BAD_SCALE = "bad_scale"
    INSTRUMENT_EXISTS = "instrument_exists"
    ASSET_MISMATCH = "asset_mismatch"
    SAME_ASSET = "same_asset"
    BAD_TICK_SIZE = "bad_tick_size"
    BAD_LOT_SIZE = "bad_lot_size"
    NOTIONAL_NOT_WHOLE = "notional_not_whole"
    BAD_PRICE_LIMIT = "bad_price_limit"
    BAD_QUANTITY_LIMIT = "bad_quantity_limit"
    BAD_ORDER_LIMIT = "bad_order_limit"
    NOTIONAL_LIMIT = "notional_limit"
    BAD_RATE = "bad_rate"
    BAD_BAND = "bad_band"
    BAD_LEVERAGE = "bad_leverage"
    BAD_BREAKER = "bad_breaker"
    UNKNOWN_SYMBOL = "unknown_symbol"
    INSTRUMENT_CLOSED = "instrument_closed"

    # Holds and movements.
    UNKNOWN_HOLD = "unknown_hold"
    HOLD_OF_ORDER = "hold_of_order"
    NOT_A_WITHDRAWAL = "not_a_withdrawal"
    AMOUNT_NOT_POSITIVE = "amount_not_positive"
    SAME_BALANCE = "same_balance"
    BALANCE_LIMIT = "balance_limit"

    # An order as it is written.
    SPOT_ACCOUNT_NEEDED = "spot_account_needed"
    PRICE_NEEDED = "price_needed"
    PRICE_NOT_ALLOWED = "price_not_allowed"
    TRIGGER_NEEDED = "trigger_needed"
    TRIGGER_NOT_ALLOWED = "trigger_not_allowed"
    QUANTITY_OR_QUOTE = "quantity_or_quote"
    TIME_IN_FORCE_NOT_ALLOWED = "time_in_force_not_allowed"
    POST_ONLY_NOT_ALLOWED = "post_only_not_allowed"
    SELL_ONLY = "sell_only"
    SELF_TRADE_NOT_PREVENTED = "self_trade_not_prevented"
    EXPIRY_NEEDED = "expiry_needed"
    EXPIRY_NOT_ALLOWED = "expiry_not_allowed"
    EXPIRY_PASSED = "expiry_passed"
    PRICE_NOT_POSITIVE = "price_not_positive"
    BAD_TICK = "bad_tick"
    PRICE_TOO_HIGH = "price_too_high"
    QUANTITY_NOT_POSITIVE = "quantity_not_positive"
    BAD_LOT = "bad_lot"
    QUANTITY_TOO_LARGE = "quantity_too_large"

    # An order that exists.
    UNKNOWN_ORDER = "unknown_order"
    NOT_AMENDABLE = "not_amendable"
    BELOW_FILLED = "below_filled"
    NOTHING_TO_AMEND = "nothing_to_amend"

    # A leveraged position as it is written.
    NOT_DEALT = "not_dealt"
    MARGIN_ACCOUNT_NEEDED = "margin_account_needed"
    WRONG_CURRENCY = "wrong_currency"
    LEVERAGE_OUT_OF_RANGE = "leverage_out_of_range"
    QUANTITY_TOO_SMALL = "quantity_too_small"
    SLIPPAGE_OUT_OF_RANGE = "slippage_out_of_range"
    GUARANTEE_NOT_OFFERED = "guarantee_not_offered"

    # One that exists.
    UNKNOWN_POSITION = "unknown_position"
    UNKNOWN_ENTRY = "unknown_entry"
    LEVERAGE_DIFFERS = "leverage_differs"
    LEVELS_NOT_ALLOWED = "levels_not_allowed"
    NOTHING_TO_CHANGE = "nothing_to_change"
    GUARANTEE_STANDS = "guarantee_stands"

    # A leveraged position against the desk's quote.
    NO_QUOTE = "no_quote"
    STALE_QUOTE = "stale_quote"
    SLIPPAGE = "slippage"
    BAD_LEVEL = "bad_level"
    STOP_WRONG_SIDE = "stop_wrong_side"
    TAKE_WRONG_SIDE = "take_wrong_side"
    GUARANTEE_TOO_NEAR = "guarantee_too_near"

    # An order against the market as it is.
    BREAKER_ACTIVE = "breaker_active"
    DUPLICATE_CLIENT_ORDER_ID = "duplicate_client_order_id"
    NO_REFERENCE_PRICE = "no_reference_price"
    PRICE_OUTSIDE_BAND = "price_outside_band"
    WOULD_TRIGGER_NOW = "would_trigger_now"
    MAX_OPEN_ORDERS = "max_open_orders"
    MAX_ORDER_VALUE = "max_order_value"
    MAX_POSITION = "max_position"
    MAX_DAILY_VOLUME = "max_daily_volume"
    BOOK_FULL = "book_full"
    WOULD_TAKE = "would_take"
    NO_LIQUIDITY = "no_liquidity"
    NOT_FILLABLE = "not_fillable"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    TOO_MANY_TOUCHED = "too_many_touched"

    # A leveraged position against what the desk takes.
    TOO_MANY_POSITIONS = "too_many_positions"
    TOO_MANY_ENTRIES = "too_many_entries"
    MAX_LEVERAGE = "max_leverage"
    MAX_EXPOSURE = "max_exposure"
    INSUFFICIENT_MARGIN = "insufficient_margin"

    # The desk itself.
    BAD_DESK_TERMS = "bad_desk_terms"
    BAD_DESK_RULES = "bad_desk_rules"
    BAD_QUOTE = "bad_quote"
    QUOTE_OUT_OF_ORDER = "quote_out_of_order"
    WRONG_DAY = "wrong_day"

    # Limits, breakers and rules.
    BAD_LIMIT = "bad_limit"
    UNKNOWN_LIMIT = "unknown_limit"
    UNKNOWN_BREAKER = "unknown_breaker"
    UNKNOWN_RULES = "unknown_rules"


SENTENCES: dict[Refusal, str] = {
    Refusal.COMMAND_ID_REUSED: "This command id was used before, with other fields. Give each command its own id.",
    Refusal.EXPIRED_IN_QUEUE: "The command came to its turn after the moment until which it was valid.",
    Refusal.LIFETIME_TOO_LONG: "A command may be valid for a minute at most. Say an earlier moment.",
    Refusal.BAD_COMMAND_ID: "A command id has 1 to 64 printable characters.",
    Refusal.HOUSE_ONLY: "Only the house itself may do this.",
    Refusal.BAD_TEXT: "A name, a note or a reason is empty, too long or has characters that are not printable.",
    Refusal.OUT_OF_RANGE: "An amount lies beyond what the house can count.",
    Refusal.UNKNOWN_USER: "There is no such user.",
    Refusal.USER_EXISTS: "This user is there already.",
    Refusal.UNKNOWN_ACCOUNT: "There is no such account.",
    Refusal.FOREIGN_ACCOUNT: "The other account is not the same user's.",
    Refusal.ACCOUNT_CLOSED: "The account is closed.",
    Refusal.USER_SUSPENDED: "The user is suspended.",
    Refusal.ACCOUNT_FROZEN: "The account is frozen.",
    Refusal.ACCOUNT_IN_USE: "The account has orders, positions, holds or money. Cancel, close, release or move them.",
    Refusal.WRONG_WORLD: "This is not possible in the account's world.",
    Refusal.TOO_MANY_ACCOUNTS: "The user has as many accounts as one may have.",
    Refusal.UNKNOWN_ASSET: "There is no such asset.",
    Refusal.ASSET_EXISTS: "An asset of this code is listed already.",
    Refusal.BAD_SCALE: "A scale is from 0 to 18 decimal places.",
    Refusal.INSTRUMENT_EXISTS: "This symbol is listed in this world already. Tick, lot and scales never change.",
    Refusal.ASSET_MISMATCH: "The instrument's assets are not listed, or not with these scales.",
    Refusal.SAME_ASSET: "Base and quote must be two assets.",
    Refusal.BAD_TICK_SIZE: "A tick is at least one quote atom.",
    Refusal.BAD_LOT_SIZE: "A lot is at least one base atom.",
    Refusal.NOTIONAL_NOT_WHOLE: "A tick times a lot is no whole number of quote atoms. Choose a coarser tick or lot.",
    Refusal.BAD_PRICE_LIMIT: "The highest price does not fit the book. Choose a lower one or a coarser tick.",
    Refusal.BAD_QUANTITY_LIMIT: "The largest quantity is not positive or beyond what can be counted.",
    Refusal.BAD_ORDER_LIMIT: "So many orders of the largest quantity cannot be added up. Choose lower limits.",
    Refusal.NOTIONAL_LIMIT: "The highest price times the largest quantity is beyond what can be counted.",
    Refusal.BAD_RATE: "The taker's rate is from 0 to 100000 ppm, the maker's not below minus the taker's.",
    Refusal.BAD_BAND: "A band is from 1 to 1000000 ppm.",
    Refusal.BAD_LEVERAGE: "Leverage is from 1 to 100.",
    Refusal.BAD_BREAKER: "An automatic breaker needs a move, a window and a pause, or none of the three.",
    Refusal.UNKNOWN_SYMBOL: "There is no such symbol in the account's world.",
    Refusal.INSTRUMENT_CLOSED: "The symbol is no longer traded.",
    Refusal.UNKNOWN_HOLD: "There is no such hold.",
    Refusal.HOLD_OF_ORDER: "This hold belongs to an order or a position. Cancel or close that to release it.",
    Refusal.NOT_A_WITHDRAWAL: "This hold is not a withdrawal's.",
    Refusal.AMOUNT_NOT_POSITIVE: "The amount must be above zero.",
    Refusal.SAME_BALANCE: "From and to are the same account.",
    Refusal.BALANCE_LIMIT: "The movement would take a balance beyond what the house can count.",
    Refusal.SPOT_ACCOUNT_NEEDED: "Spot orders need a spot account.",
    Refusal.PRICE_NEEDED: "This type of order needs a price.",
    Refusal.PRICE_NOT_ALLOWED: "This type of order has no price.",
    Refusal.TRIGGER_NEEDED: "This type of order needs a trigger price.",
    Refusal.TRIGGER_NOT_ALLOWED: "This type of order has no trigger price.",
    Refusal.QUANTITY_OR_QUOTE: "Give a quantity, or a quote quantity with a market order; not both.",
    Refusal.TIME_IN_FORCE_NOT_ALLOWED: "This type of order does not know this time in force.",
    Refusal.POST_ONLY_NOT_ALLOWED: "Only a limit order that may rest can be post-only.",
    Refusal.SELL_ONLY: "This type of order can only sell what the account has.",
    Refusal.SELF_TRADE_NOT_PREVENTED: "Say what shall happen when the order meets one of the same owner.",
    Refusal.EXPIRY_NEEDED: "A GTD order needs the moment at which it expires.",
    Refusal.EXPIRY_NOT_ALLOWED: "Only a GTD order has a moment at which it expires.",
    Refusal.EXPIRY_PASSED: "The moment at which the order expires is past.",
    Refusal.PRICE_NOT_POSITIVE: "A price must be above zero.",
    Refusal.BAD_TICK: "The price is no multiple of the instrument's tick.",
    Refusal.PRICE_TOO_HIGH: "The price is above the highest of the instrument.",
    Refusal.QUANTITY_NOT_POSITIVE: "The quantity must be above zero.",
    Refusal.BAD_LOT: "The quantity is no multiple of the instrument's lot.",
    Refusal.QUANTITY_TOO_LARGE: "The quantity is above the largest of the instrument.",
    Refusal.UNKNOWN_ORDER: "The account has no such open order.",
    Refusal.NOT_AMENDABLE: "Only an order that rests in the book can be amended.",
    Refusal.BELOW_FILLED: "The new quantity is not above what has been filled.",
    Refusal.NOTHING_TO_AMEND: "The order has this price and quantity already.",
    Refusal.NOT_DEALT: "The desk does not deal in this symbol now. What stands can be closed.",
    Refusal.MARGIN_ACCOUNT_NEEDED: "Only a margin account can answer for a position with all that it has.",
    Refusal.WRONG_CURRENCY: "A cross position must be in an instrument that is quoted in the account's currency.",
    Refusal.LEVERAGE_OUT_OF_RANGE: "Leverage is a whole number from 1 to 100.",
    Refusal.QUANTITY_TOO_SMALL: "The quantity, or what would be left, is below the smallest that the desk deals in.",
    Refusal.SLIPPAGE_OUT_OF_RANGE: "A slippage needs an expected price, and is from 0 to 1000000 ppm.",
    Refusal.GUARANTEE_NOT_OFFERED: "A guaranteed stop needs a stop loss, and an instrument that offers one.",
    Refusal.UNKNOWN_POSITION: "The account has no such open position.",
    Refusal.UNKNOWN_ENTRY: "The account has no such pending entry.",
    Refusal.LEVERAGE_DIFFERS: "What is added to a position must have its direction, mode and leverage.",
    Refusal.LEVELS_NOT_ALLOWED: "This only closes what stands: it cannot have stops of its own.",
    Refusal.NOTHING_TO_CHANGE: "Nothing was said to change. Give a stop loss, a take profit or a trailing stop.",
    Refusal.GUARANTEE_STANDS: "A guaranteed stop can be moved, but not removed.",
    Refusal.NO_QUOTE: "There is no price for this symbol yet.",
    Refusal.STALE_QUOTE: "The last price is too old to deal at. Try again when prices come in.",
    Refusal.SLIPPAGE: "The price has moved further from the expected one than the slippage allows.",
    Refusal.BAD_LEVEL: "A stop, a target or a distance is not positive, no multiple of the tick or out of reach.",
    Refusal.STOP_WRONG_SIDE: "The stop loss would be reached at once: it must be where the position loses.",
    Refusal.TAKE_WRONG_SIDE: "The take profit would be reached at once: it must be where the position gains.",
    Refusal.GUARANTEE_TOO_NEAR: "A guaranteed stop must be further from the price.",
    Refusal.BREAKER_ACTIVE: "Trading is halted for new orders. Cancelling is possible.",
    Refusal.DUPLICATE_CLIENT_ORDER_ID: "The account has used this client order id for another order.",
    Refusal.NO_REFERENCE_PRICE: "No trade and no price of the desk to measure a market order by. Use a limit order.",
    Refusal.PRICE_OUTSIDE_BAND: "The price is further from the last one or the trigger than the instrument allows.",
    Refusal.WOULD_TRIGGER_NOW: "The last price is beyond the trigger already: the order would trigger at once.",
    Refusal.MAX_OPEN_ORDERS: "The account has as many open orders as its limit allows.",
    Refusal.MAX_ORDER_VALUE: "The order's value is above the limit.",
    Refusal.MAX_POSITION: "The order would take the position above the limit.",
    Refusal.MAX_DAILY_VOLUME: "The order would take today's volume above the limit.",
    Refusal.BOOK_FULL: "The book holds as many orders as the instrument allows.",
    Refusal.WOULD_TAKE: "A post-only order at this price would take.",
    Refusal.NO_LIQUIDITY: "Nothing is offered on the other side within the band.",
    Refusal.NOT_FILLABLE: "A fill-or-kill order of this quantity cannot be filled at this price now.",
    Refusal.INSUFFICIENT_FUNDS: "The available balance does not cover this, fees included.",
    Refusal.TOO_MANY_TOUCHED: "The order would meet more resting orders than one command may touch. Send it in parts.",
    Refusal.TOO_MANY_POSITIONS: "The account has as many open positions as one may have.",
    Refusal.TOO_MANY_ENTRIES: "The account has as many pending entries as one may have.",
    Refusal.MAX_LEVERAGE: "The leverage is above the highest of the instrument or of a limit.",
    Refusal.MAX_EXPOSURE: "The desk takes no more of this direction at present.",
    Refusal.INSUFFICIENT_MARGIN: "The margin that is free does not cover this.",
    Refusal.BAD_DESK_TERMS: "The desk's terms contradict each other or the instrument's.",
    Refusal.BAD_DESK_RULES: "The desk's rules contradict each other.",
    Refusal.BAD_QUOTE: "A quote needs a source and one to three prices: above zero, on the tick, bid not above ask.",
    Refusal.QUOTE_OUT_OF_ORDER: "This quote is older than the last one, or from the future.",
    Refusal.WRONG_DAY: "Nights are paid for day by day, each when its day has ended.",
    Refusal.BAD_LIMIT: "The limit's value is negative, or it does not say what it is about.",
    Refusal.UNKNOWN_LIMIT: "There is no such limit.",
    Refusal.UNKNOWN_BREAKER: "No such breaker is active.",
    Refusal.UNKNOWN_RULES: "This version of the rules is not known here, or older than the one in force.",
}
