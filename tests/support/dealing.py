"""A desk in memory for tests of single rules: markets at a price of 100, and people who deal there.

Prices are ticks and quantities lots throughout: `STEP` quote atoms is what one lot costs for each tick of its price.
"""

from typing import Any

import msgspec

from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    ClosePosition,
    Command,
    Deposit,
    ListAsset,
    ListInstrument,
    OpenAccount,
    OpenPosition,
    RequestWithdrawal,
    SetDeskRules,
    SetDeskTerms,
    SetQuote,
    SettleWithdrawal,
    Submission,
    Tick,
    encode_command,
)
from fondaco.core.desk.state import Quote
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.events import Event, decode_events
from fondaco.core.listings import Asset, Instrument
from fondaco.core.machine import Machine
from fondaco.core.replies import AccountOpened, HoldPlaced, PositionClosed, PositionOpened, Refused, Reply
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import AccountKind, Direction, MarginMode, PositionMode, World

START_NS = 1_767_312_000_000_000_000
"""Midnight of a Friday."""
SECOND_NS = 1_000_000_000
GOLD, TIN, CASH, OTHER = Asset("GOLD", 0), Asset("TIN", 0), Asset("CASH", 0), Asset("OTHER", 0)
TICK, LOT = 7, 3
STEP = TICK * LOT
TRADING = World.TRADING


def listed(base: Asset, quote: Asset = CASH) -> Terms:
    """An instrument."""
    return Terms(
        world=TRADING,
        instrument=Instrument(base.code + quote.code, base, quote),
        tick=TICK,
        lot=LOT,
        max_price_ticks=100_000,
        max_order_lots=10_000,
        max_leverage=50,
    )


def dealt(symbol: str, **changed: Any) -> SetDeskTerms:  # noqa: ANN401 - fields of the terms
    """The command that has the desk deal in a symbol."""
    terms = DeskTerms(TRADING, symbol, is_dealt=True, min_lots=1, max_lots=5_000)
    return SetDeskTerms(msgspec.structs.replace(terms, **changed))


class Dealing:
    """A machine in which GOLDCASH and TINCASH are dealt."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.now_ns = START_NS
        self.events: list[Event] = []
        """All that was ever told."""
        for asset in (GOLD, TIN, CASH, OTHER):
            self.do(ListAsset(asset.code, asset.scale))
        for base in (GOLD, TIN):
            self.do(ListInstrument(listed(base)))
            self.do(dealt(base.code + CASH.code))
        self.do(SetDeskRules(DeskRules(TRADING)))

    def do(
        self, command: Command, sender: int = HOUSE, *, command_id: str | None = None, life_ns: int = SECOND_NS
    ) -> Reply:
        """Have a command done, a microsecond after the last one, with all that it leaves to be done."""
        reply = self._apply(command, sender, command_id, life_ns)
        while self.machine.backlog:
            self._apply(Tick(), HOUSE, "", SECOND_NS)
        return reply

    def _apply(self, command: Command, sender: int, command_id: str | None, life_ns: int) -> Reply:
        self.now_ns += 1_000
        seq = self.machine.seq + 1
        id_ = f"c{seq}" if command_id is None else command_id
        submission = Submission(sender, id_, self.now_ns + life_ns, msgspec.Raw(encode_command(command)))
        reply = self.machine.apply(submission, seq, self.now_ns).reply
        self.events += decode_events(self.machine.log.take())
        return reply

    def account(
        self,
        user: str,
        cash: int = 0,
        *,
        kind: AccountKind = AccountKind.MARGIN,
        mode: PositionMode = PositionMode.HEDGING,
        currency: Asset = CASH,
    ) -> int:
        """An account of a user, who is let in if need be."""
        if user not in self.machine.house.users:
            self.do(AdmitUser(user))
        reply = self.do(OpenAccount(user, TRADING, currency.code, kind, position_mode=mode))
        assert isinstance(reply, AccountOpened)
        if cash:
            self.do(Deposit(reply.account_id, currency.code, cash))
        return reply.account_id

    def quote(self, bid: int, ask: int | None = None, symbol: str = "GOLDCASH", *, age_ns: int = 0) -> Reply:
        """The desk's price is this now, in ticks."""
        quote = Quote(bid * TICK, (bid if ask is None else ask) * TICK, self.now_ns - age_ns, bid * TICK, 1)
        return self.do(SetQuote(TRADING, symbol, "binance", 0, (quote,)))

    def open(
        self,
        account_id: int,
        direction: Direction,
        lots: int,
        *,
        leverage: int = 10,
        mode: MarginMode = MarginMode.ISOLATED,
        symbol: str = "GOLDCASH",
        **said: Any,  # noqa: ANN401 - further fields of the command
    ) -> PositionOpened:
        """An open that is possible."""
        command = OpenPosition(account_id, symbol, direction, lots * LOT, leverage, mode, **said)
        reply = self.do(command, account_id)
        assert isinstance(reply, PositionOpened), reply
        return reply

    def close(self, account_id: int, position_id: int, lots: int = 0) -> PositionClosed:
        """A close that is possible; of no lots, of all."""
        reply = self.do(ClosePosition(account_id, position_id, lots * LOT), account_id)
        assert isinstance(reply, PositionClosed), reply
        return reply

    def spend(self, account_id: int, amount: int) -> None:
        """Money goes out."""
        held = self.do(RequestWithdrawal(account_id, CASH.code, amount))
        assert isinstance(held, HoldPlaced), held
        self.do(SettleWithdrawal(held.hold_id))

    def refused(self, command: Command, sender: int = HOUSE) -> str:
        """The code with which a command is refused."""
        reply = self.do(command, sender)
        assert isinstance(reply, Refused), reply
        return reply.code.value

    def cash(self, account_id: int, asset: Asset = CASH) -> int:
        """All that an account has, held or not."""
        return self.machine.house.ledger.balance(account_id, asset.code).total
