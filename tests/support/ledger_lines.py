"""Tables that an accountant can read: a command a line, what it was answered, and what everybody has afterwards.

::

    bob   sell 10 @100        | open              | alice 10000+0 0+0    bob 0+0 90+10
    alice buy 4 @101          | filled 4 fee 8    | alice 9592+0 4+0     bob 396+0 90+6

Two assets without decimal places, ``CASH`` and ``GOLD``, trade as ``GOLDCASH`` with a tick and a lot of one atom, so
that what is read is what is counted. Balances stand as cash then gold, each ``available+held``. The house keeps 1 % of
a maker, 2 % of a taker. Orders are numbered in the order in which they were accepted: ``#1`` is the first.

For the rules of trading, one at a time and by hand; what no hand would write comes from `support.command_stream`.

An order is written ``buy|sell QUANTITY`` and words: ``@PRICE``, ``!TRIGGER``, ``for=QUOTE_QUANTITY``, a type, a time in
force, ``post``, ``stp=MODE``, ``id=CLIENT_ORDER_ID``, ``until=SECONDS``.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    AmendOrder,
    CancelAll,
    CancelOrder,
    CloseInstrument,
    Command,
    Deposit,
    LiftBreaker,
    ListAsset,
    ListInstrument,
    OpenAccount,
    PlaceHold,
    PlaceOrder,
    ReleaseHold,
    RequestWithdrawal,
    ResetDemo,
    SetAccountStatus,
    SetLimit,
    SettleWithdrawal,
    SetUserStatus,
    Submission,
    Tick,
    Transfer,
    TripBreaker,
    encode_command,
)
from fondaco.core.events import Event
from fondaco.core.listings import Asset, Instrument
from fondaco.core.machine import Machine
from fondaco.core.replies import (
    AccountOpened,
    Answer,
    Done,
    HoldPlaced,
    OrderAmended,
    OrderCancelled,
    OrderPlaced,
    OrdersCancelled,
    Refused,
    Reply,
)
from fondaco.core.state import ENDED, Order
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    LimitName,
    LimitScope,
    OrderState,
    OrderType,
    TimeInForce,
    UserStatus,
    World,
)
from support.foreseeing import foresee, must_agree

START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000
GOLD_CASH = Terms(
    world=World.TRADING,
    instrument=Instrument("GOLDCASH", Asset("GOLD", 0), Asset("CASH", 0)),
    tick=1,
    lot=1,
    max_price_ticks=100_000,
    max_order_lots=100_000,
    maker_ppm=10_000,
    taker_ppm=20_000,
    band_ppm=200_000,
)
_MODES = {
    "taker": SelfTrade.EXPIRE_TAKER,
    "maker": SelfTrade.EXPIRE_MAKER,
    "both": SelfTrade.EXPIRE_BOTH,
    "decrement": SelfTrade.DECREMENT,
    "allow": SelfTrade.ALLOW,
}


class Line(NamedTuple):
    """One line of a table, taken apart."""

    who: str
    words: list[str]
    reply: str
    after: list[str]
    text: str


def lines(table: str) -> Iterator[Line]:
    """The lines of a table; what follows ``--`` is a remark."""
    for text in table.strip().splitlines():
        said = text.partition("--")[0]
        if not said.strip():
            continue
        command, reply, after = (f"{said}||").split("|")[:3]
        who, *words = command.split()
        yield Line(who, words, reply.strip(), after.split(), text)


class Table:
    """A machine, and the people that a table names."""

    def __init__(self, terms: Terms = GOLD_CASH) -> None:
        self.machine = Machine()
        self.now_ns = START_NS
        self.accounts: dict[str, int] = {}
        self.order_ids: list[int] = []
        self.holds: list[int] = []
        self.events: list[Event] = []
        self._count = 0
        for code in ("CASH", "GOLD"):
            self.give(ListAsset(code, 0))
        self.give(ListInstrument(terms))

    def open(self, name: str, *, cash: int = 0, gold: int = 0, user: str = "", world: World = World.TRADING) -> int:
        """An account under a name, of a user of that name unless another is given."""
        user = user or name
        if user not in self.machine.house.users:
            self.give(AdmitUser(user))
        opened = self.give(OpenAccount(user, world, "CASH")).reply
        assert isinstance(opened, AccountOpened)
        self.accounts[name] = opened.account_id
        for asset, amount in (("CASH", cash), ("GOLD", gold)):
            if amount:
                self.give(Deposit(opened.account_id, asset, amount))
        return opened.account_id

    def open_margin(self, name: str, *, user: str) -> int:
        """An account that takes no spot orders."""
        opened = self.give(OpenAccount(user, World.TRADING, "CASH", AccountKind.MARGIN)).reply
        assert isinstance(opened, AccountOpened)
        self.accounts[name] = opened.account_id
        return opened.account_id

    def give(
        self, command: Command, account_id: int = HOUSE, *, command_id: str | None = None, life_ns: int = SECOND_NS
    ) -> Answer:
        """Give a command to the machine, a microsecond after the last one."""
        self._count += 1
        self.now_ns += 1_000
        id_ = f"c{self._count}" if command_id is None else command_id
        submission = Submission(account_id, id_, self.now_ns + life_ns, msgspec.Raw(encode_command(command)))
        foreseen = foresee(self.machine, command, self.now_ns)
        answer = self.machine.apply(submission, self.machine.seq + 1, self.now_ns)
        must_agree(foreseen, answer)
        self.events = msgspec.msgpack.decode(self.machine.log.take(), type=list[Event])
        return answer

    def list_asset(self, code: str, scale: int) -> Reply:
        """List an asset."""
        return self.give(ListAsset(code, scale)).reply

    def list_instrument(self, changed: dict[str, Any]) -> Reply:
        """List the instrument of the tables once more, with other terms."""
        return self.give(ListInstrument(msgspec.structs.replace(GOLD_CASH, **changed))).reply

    @staticmethod
    def pair(base: str, quote: str, *, scale: int = 0) -> Instrument:
        """An instrument of two assets; ``scale`` is the base's."""
        return Instrument(base + quote, Asset(base, scale), Asset(quote, 0))

    def do(self, line: Line) -> str:
        """Do what a line says, and write down the answer as tables do."""
        verb, *words = line.words
        if verb == "wait":
            self.now_ns += int(words[0]) * SECOND_NS
            return self._written(self.give(Tick()).reply)
        if verb in ("buy", "sell"):
            command: Command = self._order(line.who, verb, words)
        else:
            command = COMMANDS[verb](self, line.who, words)
        own = self.accounts.get(line.who, HOUSE)
        sender = own if isinstance(command, PlaceOrder | CancelOrder | CancelAll | AmendOrder) else HOUSE
        return self._written(self.give(command, sender).reply)

    def has(self, name: str) -> list[str]:
        """What somebody has: cash, then gold."""
        found = (self.machine.house.ledger.find(self.accounts[name], asset) for asset in ("CASH", "GOLD"))
        return [f"{each.available}+{each.held}" if each else "0+0" for each in found]

    def check(self, table: str) -> None:
        """Every line does what it says."""
        for line in lines(table):
            assert self.do(line) == line.reply, line.text
            told = line.after
            while told:
                name, told = told[0], told[1:]
                if name.startswith("#"):
                    assert self._state(int(name[1:])) == told[0], line.text
                    told = told[1:]
                else:
                    assert [name, *self.has(name)] == [name, *told[:2]], line.text
                    told = told[2:]

    def order_id(self, number: str) -> int:
        """The id of order ``#1``, ``#2``…; of nobody's when there was none such."""
        at = int(number.removeprefix("#"))
        return self.order_ids[at - 1] if at <= len(self.order_ids) else 999_999

    def _state(self, number: int) -> str:
        """An order that stands, as ``open:5`` or ``pending``; one that has ended, as it was last told."""
        order = self.machine.house.orders.get(self.order_ids[number - 1])
        if order is None:
            return self._ended[self.order_ids[number - 1]]
        return order.state if order.state is OrderState.PENDING else f"{order.state}:{order.open_lots}"

    @property
    def _ended(self) -> dict[int, str]:
        return {
            each.order_id: f"{each.state}" + (f":{each.close_reason}" if each.close_reason else "")
            for each in self.events
            if isinstance(each, Order) and each.state in ENDED
        }

    def _order(self, who: str, side: str, words: list[str]) -> PlaceOrder:
        fields: dict[str, Any] = {"type": OrderType.MARKET}
        for word in words:
            fields |= _order_field(word, self)
        if "price" in fields and fields["type"] is OrderType.MARKET:
            fields["type"] = OrderType.LIMIT
        symbol = fields.pop("symbol", "GOLDCASH")
        account_id = self.accounts.get(who, 999_999)
        return PlaceOrder(account_id, symbol, Side.BUY if side == "buy" else Side.SELL, **fields)

    def _written(self, reply: Reply) -> str:
        match reply:
            case Refused(code):
                return code
            case OrderPlaced(order_id, state, filled, _, fee):
                self.order_ids.append(order_id)
                return f"{state} {filled} fee {fee}" if filled else f"{state}"
            case OrderCancelled(_, left):
                return f"cancelled {left}"
            case OrdersCancelled(count, goes_on):
                return f"cancelled {count}" + (" and more" if goes_on else "")
            case OrderAmended(_, state, filled, kept_place):
                return f"{state} {filled} " + ("kept" if kept_place else "moved")
            case HoldPlaced(hold_id):
                self.holds.append(hold_id)
                return "held"
            case Done() | AccountOpened():
                return "ok"
            case _:
                raise AssertionError(f"Tables have no words for {reply}.")


def _order_field(word: str, table: Table) -> dict[str, Any]:
    name, is_named, value = word.partition("=")
    if is_named:
        return _named_field(name, value, table)
    if word in tuple(OrderType):
        return {"type": OrderType(word)}
    if word in tuple(TimeInForce):
        return {"time_in_force": TimeInForce(word)}
    if word == "post":
        return {"post_only": True}
    if word[0] in "@!":
        return {"price" if word[0] == "@" else "trigger_price": int(word[1:])}
    assert re.fullmatch(r"-?\d+", word), word
    return {"quantity": int(word)}


def _named_field(name: str, value: str, table: Table) -> dict[str, Any]:
    match name:
        case "for":
            return {"quote_quantity": int(value)}
        case "stp":
            return {"self_trade": _MODES[value]}
        case "id":
            return {"client_order_id": value}
        case "until":
            return {"expires_ns": table.now_ns + int(value) * SECOND_NS}
        case _:
            assert name == "on", name
            return {"symbol": value}


def _account(table: Table, who: str) -> int:
    return table.accounts.get(who, 999_999)


def _limit(table: Table, who: str, words: list[str]) -> SetLimit:
    scope, name, value = LimitScope(words[0]), LimitName(words[1]), words[2]
    subject = {
        LimitScope.ACCOUNT: str(_account(table, who)),
        LimitScope.USER: who,
        LimitScope.SYMBOL: "GOLDCASH",
        LimitScope.PLATFORM: "",
    }[scope]
    about = {LimitName.MAX_OPEN_ORDERS: "", LimitName.MAX_POSITION: "GOLDCASH"}.get(name, "CASH")
    if len(words) > 3:
        about = words[3]
    return SetLimit(World.TRADING, scope, subject, name, about, None if value == "none" else int(value))


COMMANDS: dict[str, Callable[[Table, str, list[str]], Command]] = {
    "cancel": lambda table, who, words: CancelOrder(_account(table, who), table.order_id(words[0])),
    "cancel_all": lambda table, who, words: CancelAll(_account(table, who), *words),
    "amend": lambda table, who, words: AmendOrder(
        _account(table, who),
        table.order_id(words[0]),
        **{"price" if each[0] == "@" else "quantity": int(each.lstrip("@")) for each in words[1:]},
    ),
    "deposit": lambda table, who, words: Deposit(_account(table, who), words[0], int(words[1])),
    "withdraw": lambda table, who, words: RequestWithdrawal(_account(table, who), words[0], int(words[1])),
    "settle": lambda table, _, words: SettleWithdrawal(table.holds[int(words[0]) - 1] if words[0] != "0" else 1),
    "release": lambda table, _, words: ReleaseHold(table.holds[int(words[0]) - 1] if words[0] != "0" else 1),
    "release_order": lambda table, _, words: ReleaseHold(table.order_id(words[0])),
    "hold": lambda table, who, words: PlaceHold(_account(table, who), words[0], int(words[1]), "a court order"),
    "transfer": lambda table, who, words: Transfer(
        _account(table, who), _account(table, words[0]), words[1], int(words[2])
    ),
    "freeze": lambda table, who, _: SetAccountStatus(_account(table, who), AccountStatus.FROZEN),
    "thaw": lambda table, who, _: SetAccountStatus(_account(table, who), AccountStatus.ACTIVE),
    "close": lambda table, who, _: SetAccountStatus(_account(table, who), AccountStatus.CLOSED),
    "suspend": lambda _, who, __: SetUserStatus(who, UserStatus.SUSPENDED),
    "readmit": lambda _, who, __: SetUserStatus(who, UserStatus.ACTIVE),
    "admit": lambda _, who, __: AdmitUser(who),
    "open": lambda _, who, words: OpenAccount(
        who, World(words[0]), words[1], AccountKind(words[2]) if len(words) > 2 else AccountKind.SPOT
    ),
    "grant": lambda _, who, words: OpenAccount(who, World(words[0]), "CASH", grant=int(words[1])),
    "reset": lambda table, who, words: ResetDemo(_account(table, who), int(words[0])),
    "limit": _limit,
    "halt": lambda _, __, words: TripBreaker(
        World.TRADING, words[0] if words else "", "a reason", "an admin", int(words[1]) if len(words) > 1 else 0
    ),
    "lift": lambda _, __, words: LiftBreaker(World.TRADING, words[0] if words else ""),
    "delist": lambda _, __, words: CloseInstrument(World.TRADING, words[0]),
}
