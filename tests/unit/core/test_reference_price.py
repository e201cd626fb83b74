"""The price that an order is measured by: of the last trade, else the middle of the desk's quote, else none."""

from itertools import islice

import msgspec

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    Command,
    Deposit,
    OpenAccount,
    PlaceOrder,
    SetQuote,
    Submission,
    encode_command,
)
from fondaco.core.desk.state import Quote
from fondaco.core.machine import Machine
from fondaco.core.refusals import Refusal
from fondaco.core.replies import AccountOpened, OrderPlaced, Refused, Reply
from fondaco.core.vocabulary import OrderType, World
from support.desk_stream import desk_stream

OPENING = 26
"""Commands until the desk of the stream is furnished."""
SPOT = 1_000


class Floor:
    """A furnished desk without a quote."""

    def __init__(self) -> None:
        self.machine = Machine()
        for step in islice(desk_stream(1), OPENING):
            self.machine.apply(step.submission, self.machine.seq + 1, step.now_ns)
            self.now_ns = step.now_ns
        self.give(AdmitUser("bob"))
        opened = self.give(OpenAccount("bob", World.TRADING, "CASH"))
        assert isinstance(opened, AccountOpened)
        self.other = opened.account_id
        self.give(Deposit(self.other, "GOLD", 50))

    def give(self, command: Command, sender: int = HOUSE) -> Reply:
        """Have a command done."""
        seq = self.machine.seq + 1
        body = msgspec.Raw(encode_command(command))
        return self.machine.apply(Submission(sender, f"c{seq}", self.now_ns + 10**9, body), seq, self.now_ns).reply

    def order(self, account_id: int, side: Side, type_: OrderType, price: int = 0) -> Reply:
        """Place an order of one."""
        return self.give(PlaceOrder(account_id, "GOLDCASH", side, type_, 1, price), account_id)


def test_without_a_trade_orders_are_measured_by_the_middle_of_the_desks_quote() -> None:
    floor = Floor()
    assert isinstance(floor.order(floor.other, Side.SELL, OrderType.LIMIT, 109), OrderPlaced)
    assert floor.order(SPOT, Side.BUY, OrderType.MARKET) == Refused(Refusal.NO_REFERENCE_PRICE)
    assert isinstance(floor.order(SPOT, Side.BUY, OrderType.LIMIT, 1), OrderPlaced), "nothing to measure by: no band"
    quote = Quote(98, 102, floor.now_ns, 100, 1)
    floor.give(SetQuote(World.TRADING, "GOLDCASH", "test", 0, (quote,)))
    assert floor.order(floor.other, Side.SELL, OrderType.LIMIT, 89) == Refused(Refusal.PRICE_OUTSIDE_BAND), (
        "100 less 10 %"
    )
    assert isinstance(floor.order(floor.other, Side.SELL, OrderType.LIMIT, 108), OrderPlaced)
    bought = floor.order(SPOT, Side.BUY, OrderType.MARKET)
    assert isinstance(bought, OrderPlaced)
    assert bought.filled_notional == 108


def test_a_trade_counts_more_than_the_desk() -> None:
    floor = Floor()
    floor.order(floor.other, Side.SELL, OrderType.LIMIT, 50)
    assert isinstance(floor.order(SPOT, Side.BUY, OrderType.LIMIT, 50), OrderPlaced)
    floor.give(SetQuote(World.TRADING, "GOLDCASH", "test", 0, (Quote(98, 102, floor.now_ns, 100, 1),)))
    assert floor.order(SPOT, Side.BUY, OrderType.LIMIT, 56) == Refused(Refusal.PRICE_OUTSIDE_BAND)
    assert isinstance(floor.order(SPOT, Side.BUY, OrderType.LIMIT, 55), OrderPlaced)
