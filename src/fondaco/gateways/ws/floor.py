"""What the stream has of the house's own exchange: who is who, the markets, and the way to the engine."""

from fondaco.core.money import INT64_MAX
from fondaco.domains.identity.api import Actor
from fondaco.domains.trading.api import TradingService
from fondaco.gateways.actors import Actors
from fondaco.gateways.ws.exchange import Exchange
from fondaco.gateways.ws.messages import Channel, Kind, StreamError, shown

MAX_ID_DIGITS = len(str(INT64_MAX))


class Floor:
    """Where sessions turn to with everything that is not the feed's."""

    def __init__(self, actors: Actors, exchange: Exchange, trading: TradingService) -> None:
        self.actors = actors
        self.exchange = exchange
        self.trading = trading

    def account_channel(self, name: str, actor: Actor) -> Channel:
        """The channel of an account. Raises `StreamError`, and `RefusedError` where it is not the actor's to see."""
        digits = name.removeprefix(f"{Kind.ACCOUNT}:")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= MAX_ID_DIGITS):
            raise StreamError("unknown_channel", f"{shown(name)} is no channel: an account is named by its number.")
        return Channel(Kind.ACCOUNT, account_id=self.trading.get_for(actor, int(digits)).account_id)
