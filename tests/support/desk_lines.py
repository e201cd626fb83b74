"""Tables of `support.ledger_lines` for the desk: quotes, leveraged positions, and what becomes of them.

::

    house quote 49980 50000     | ok
    alice long 1 x5 stop=49000  | #1 1 @50000 margin 10000     | alice 10000+10000
    house quote 48980 49000     | ok                           | alice 18980+0
        #1 closed 1 @48980 earned -1020 stop_loss

Gold is counted in tenths, cash whole; its price is a multiple of 10. Tin (``TIN``) is another such, dealt on the same
terms. Balances stand as ``available+held`` of cash. ``desk`` and ``insurance`` are the house's own accounts. Positions
are numbered in the order in which they were opened, entries likewise: ``#1``, ``e1``.

Commands, beside those of `support.ledger_lines`:

- ``quote [TIN] BID ASK [BID ASK …] [age=SECONDS]``: extremes that were passed, and last the price.
- ``long|short QUANTITY [TIN] xLEVERAGE`` and words: ``cross``, ``guaranteed``, ``stop=LEVEL``, ``take=``, ``trail=``,
  ``to=#1`` (what it adds to), ``expect=PRICE``, ``slip=PPM``; with ``limit@PRICE`` or ``stop@PRICE`` it is an entry,
  which may have ``until=SECONDS``. A level is a price, ``500CASH``, ``50%`` of the margin, or ``none``.
- ``close #1 [QUANTITY] [expect=PRICE] [slip=PPM]``, ``move #1 stop=… take=… trail=…``, ``cancel e1``.
- ``rules FIELD=VALUE …`` and ``terms [TIN] FIELD=VALUE …`` change what the desk goes by.
- ``fund AMOUNT`` (the insurance), ``swap_free yes|no``, ``night [DAY]`` (the next one, or so many after the first).

Indented below a command stands what it set off and its answer does not say: closes and opens by a quote, warnings,
receipts of stop-outs, entries that ended; in a `Story` with ``shows_money`` also postings, and positions as they are.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from fondaco.core.commands import (
    HOUSE,
    AccountCommand,
    CancelEntry,
    ClosePosition,
    Command,
    Deposit,
    FundInsurance,
    ListAsset,
    ListInstrument,
    ModifyPosition,
    OpenAccount,
    OpenPosition,
    PlaceEntry,
    Rollover,
    SetDeskRules,
    SetDeskTerms,
    SetQuote,
    SetSwapFree,
)
from fondaco.core.desk.state import DeskEntry, DeskFill, DeskPosition, Level, MarginWarning, Quote, StopOut
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.house import DAY_NS
from fondaco.core.ledger import Posting, PostingCode
from fondaco.core.listings import Asset, Instrument
from fondaco.core.replies import (
    AccountOpened,
    Answer,
    EntryPlaced,
    NightPaid,
    PositionClosed,
    PositionModified,
    PositionOpened,
    Refused,
    Reply,
)
from fondaco.core.state import DESK_ACCOUNT, INSURANCE_ACCOUNT, OUTSIDE_ACCOUNT
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import (
    AccountKind,
    Direction,
    EntryKind,
    EntryState,
    LevelKind,
    MarginMode,
    PositionMode,
    PositionState,
    World,
)
from support.ledger_lines import SECOND_NS, START_NS, Line, Table, steps

TENTHS = 10
PPM = 1_000_000
CASH = Asset("CASH", 0)
GOLD = Terms(
    world=World.TRADING,
    instrument=Instrument("GOLDCASH", Asset("GOLD", 1), CASH),
    tick=10,
    lot=1,
    max_price_ticks=100_000,
    max_order_lots=100_000,
    max_leverage=100,
)
TIN = msgspec.structs.replace(GOLD, instrument=Instrument("TINCASH", Asset("TIN", 1), CASH))
NOBODY = 999_999
AnyRow = TypeVar("AnyRow", DeskRules, DeskTerms)
_OF_POSITIONS = frozenset({PostingCode.DESK_RESULT, PostingCode.LOSS_COVER, PostingCode.FINANCING, PostingCode.PREMIUM})


class DeskTable(Table):
    """A machine whose desk deals in gold and tin."""

    def __init__(self) -> None:
        self.position_ids: list[int] = []
        self.entry_ids: list[int] = []
        self.reply: Reply | None = None
        self.terms = {
            "GOLDCASH": DeskTerms(World.TRADING, "GOLDCASH", is_dealt=True, min_lots=1, max_lots=10_000),
            "TINCASH": DeskTerms(World.TRADING, "TINCASH", is_dealt=True, min_lots=1, max_lots=10_000),
        }
        self.rules = DeskRules(World.TRADING)
        self.nights = 0
        super().__init__(GOLD)
        self.give(ListAsset("TIN", 1))
        self.give(ListInstrument(TIN))
        for terms in self.terms.values():
            self.give(SetDeskTerms(terms))
        self.give(SetDeskRules(self.rules))
        self.accounts |= {
            "desk": DESK_ACCOUNT[World.TRADING],
            "insurance": INSURANCE_ACCOUNT[World.TRADING],
            "outside": OUTSIDE_ACCOUNT[World.TRADING],
        }

    def enter(self, name: str, *, cash: int, user: str = "", mode: PositionMode = PositionMode.HEDGING) -> None:
        """A margin account under a name, of a user of that name unless another is given."""
        owner = user or name
        if owner not in self.machine.house.users:
            self.open(f"{name}'s", user=owner)
        opened = self.give(OpenAccount(owner, World.TRADING, "CASH", AccountKind.MARGIN, position_mode=mode)).reply
        assert isinstance(opened, AccountOpened)
        self.accounts[name] = opened.account_id
        if cash:
            self.give(Deposit(opened.account_id, "CASH", cash))

    def give(
        self, command: Command, account_id: int = HOUSE, *, command_id: str | None = None, life_ns: int = SECOND_NS
    ) -> Answer:
        """Give a command to the machine, and number what it has opened."""
        answer = super().give(command, account_id, command_id=command_id, life_ns=life_ns)
        self.reply = answer.reply
        for event in self.events:
            if isinstance(event, DeskFill) and event.position_id not in self.position_ids:
                self.position_ids.append(event.position_id)
            elif isinstance(event, DeskEntry) and event.entry_id not in self.entry_ids:
                self.entry_ids.append(event.entry_id)
        return answer

    def do(self, line: Line) -> str:
        """Do what a line says, and write down the answer as tables do."""
        verb, *words = line.words
        is_account = verb == "close" and not words
        is_order = verb == "cancel" and not words[0].startswith("e")
        if verb not in DESK_COMMANDS or is_account or is_order:
            return super().do(line)
        command = DESK_COMMANDS[verb](self, line.who, words)
        own = self.accounts.get(line.who, HOUSE)
        return self.written(self.give(command, own if isinstance(command, AccountCommand) else HOUSE).reply)

    def has(self, name: str) -> list[str]:
        """What somebody has of cash."""
        found = self.machine.house.ledger.find(self.accounts[name], "CASH")
        return [f"{found.available}+{found.held}" if found else "0+0"]

    def position(self, number: str) -> DeskPosition:
        """An open position: ``#1``, ``#2`` or another."""
        return self.machine.house.desk.positions[self.position_ids[int(number[1:]) - 1]]

    def position_id(self, number: str) -> int:
        """The id of ``#1``, ``#2``…; of nobody's when there was none such."""
        at = int(number[1:])
        return self.position_ids[at - 1] if at <= len(self.position_ids) else NOBODY

    def written(self, reply: Reply) -> str:
        """An answer as tables write it."""
        match reply:
            case Refused(code, required, available) if required:
                return f"{code}: {required} of {available}"
            case PositionOpened():
                return self._opened(reply)
            case PositionClosed():
                left = f" left {units(reply.left)}" if reply.left else ""
                return f"{units(reply.quantity)} @{reply.price} earned {reply.result}{left}"
            case PositionModified(_, stop, take, trail):
                return _levels(stop, take, trail) or "no stops"
            case EntryPlaced(entry_id):
                return self.entry_name(entry_id)
            case NightPaid(count, goes_on):
                return f"{count} paid" + (" and more" if goes_on else "")
            case _:
                return super().written(reply)

    def name(self, position_id: int) -> str:
        """A position as tables write it."""
        return f"#{self.position_ids.index(position_id) + 1}"

    def entry_name(self, entry_id: int) -> str:
        """An entry as tables write it."""
        return f"e{self.entry_ids.index(entry_id) + 1}"

    def owner(self, account_id: int) -> str:
        """An account as tables write it."""
        return next(name for name, each in self.accounts.items() if each == account_id)

    def _opened(self, reply: PositionOpened) -> str:
        closed = f"closed {units(reply.closed)} earned {reply.result}" if reply.closed else ""
        if not reply.position_id:
            return closed
        opened = f"{self.name(reply.position_id)} {units(reply.quantity)} @{reply.price} margin {reply.margin}"
        return f"{closed}, {opened}" if closed else opened


def peopled() -> DeskTable:
    """A desk with alice and bob, 20,000 each, and nora with as much in a netting account."""
    table = DeskTable()
    table.enter("alice", cash=20_000)
    table.enter("bob", cash=20_000)
    table.enter("nora", cash=20_000, mode=PositionMode.NETTING)
    return table


def play(table: DeskTable, text: str, *, shows_money: bool = False) -> None:
    """Every line of a text does what it says, and sets off what stands below it, no more and no less."""
    for command, below in steps(text):
        table.check(command)
        assert below == list(told(table, shows_money=shows_money)), command


def told(table: DeskTable, *, shows_money: bool) -> Iterator[str]:
    """What the last command set off, as tables write it."""
    is_answered = isinstance(table.reply, PositionOpened | PositionClosed)
    for event in table.events:
        match event:
            case DeskFill() if not is_answered:
                yield _fill(table, event)
            case MarginWarning():
                who = table.name(event.position_id) if event.position_id else table.owner(event.account_id)
                yield f"{who} warned: {event.equity} of {event.margin}"
            case StopOut():
                yield _receipt(table, event)
            case DeskEntry() if event.state is not EntryState.PENDING:
                what = table.name(event.position_id) if event.position_id else event.reason
                yield f"{table.entry_name(event.entry_id)} {event.state} {what}".rstrip()
            case Posting() if shows_money:
                yield _posting(table, event)
            case DeskPosition() if shows_money:
                yield _row(table, event)
            case _:
                pass


def units(tenths: int) -> str:
    """A quantity as people write it."""
    return f"{Decimal(tenths) / TENTHS:g}"


def _fill(table: DeskTable, fill: DeskFill) -> str:
    price, name, quantity = fill.price_ticks * GOLD.tick, table.name(fill.position_id), units(fill.lots)
    if fill.is_open:
        return f"{name} opened {quantity} @{price} margin {fill.margin}"
    covered = f" covered {fill.covered}" if fill.covered else ""
    return f"{name} closed {quantity} @{price} earned {fill.result}{covered} {fill.closing}"


def _receipt(table: DeskTable, receipt: StopOut) -> str:
    before = f"{receipt.equity_before} of {receipt.margin_before}"
    after = f"{receipt.equity_after} of {receipt.margin_after}"
    paid = f" insurance {receipt.insurance_paid}" if receipt.insurance_paid else ""
    paid += f" desk {receipt.desk_paid}" if receipt.desk_paid else ""
    return f"{table.owner(receipt.account_id)} {receipt.policy}: {before}, then {after}{paid}"


def _posting(table: DeskTable, posting: Posting) -> str:
    of_position = posting.code in _OF_POSITIONS
    reference = table.name(posting.reference) if of_position else posting.reference
    debit, credit = table.owner(posting.debit_account_id), table.owner(posting.credit_account_id)
    return f"{debit} -> {credit} {posting.amount} {posting.asset} {posting.code} {reference}"


def _row(table: DeskTable, row: DeskPosition) -> str:
    name = table.name(row.position_id)
    if row.state is PositionState.CLOSED:
        stands = f"{name} closed"
    else:
        stands = f"{name} {units(row.lots)} for {row.entry_notional} margin {row.margin}"
    sums = {
        "settled": row.settled,
        "earned": row.realised,
        "covered": row.covered,
        "financing": row.financing,
        "premium": row.premium,
    }
    return " ".join([stands, *(f"{word} {amount}" for word, amount in sums.items() if amount)])


def _levels(stop: int, take: int, trail: int) -> str:
    named = {"stop": stop, "take": take, "trail": trail}
    return " ".join(f"{word} {value}" for word, value in named.items() if value)


def _level(text: str) -> Level:
    if text == "none":
        return Level(LevelKind.NONE)
    if text.endswith("%"):
        return Level(LevelKind.PERCENT, int(Decimal(text[:-1]) * PPM / 100))
    if text.endswith("CASH"):
        return Level(LevelKind.AMOUNT, int(text.removesuffix("CASH")))
    return Level(LevelKind.PRICE, int(text))


def _quantity(text: str) -> int:
    return int(Decimal(text) * TENTHS)


def _open(table: DeskTable, who: str, direction: Direction, words: list[str]) -> Command:
    fields: dict[str, Any] = {"symbol": "GOLDCASH", "quantity": _quantity(words[0])}
    for word in words[1:]:
        fields |= _open_field(table, word)
    account_id = table.accounts.get(who, NOBODY)
    made = PlaceEntry if "kind" in fields else OpenPosition
    return made(account_id, direction=direction, **fields)


def _open_field(table: DeskTable, word: str) -> dict[str, Any]:
    name, is_named, value = word.partition("=")
    if is_named:
        return _named_field(table, name, value)
    kind, is_entry, price = word.partition("@")
    if is_entry:
        return {"kind": EntryKind(kind), "price": int(price)}
    if word == "cross":
        return {"mode": MarginMode.CROSS}
    if word == "guaranteed":
        return {"is_guaranteed": True}
    if word[0] == "x":
        return {"leverage": int(word[1:])}
    return {"symbol": f"{word}CASH"}


def _named_field(table: DeskTable, name: str, value: str) -> dict[str, Any]:
    match name:
        case "stop" | "take" | "trail":
            return {name: _level(value)}
        case "to":
            return {"position_id": table.position_id(value)}
        case "expect":
            return {"expected_price": int(value)}
        case "slip":
            return {"slippage_ppm": int(value)}
        case _:
            assert name == "until", name
            return {"expires_ns": table.now_ns + int(value) * SECOND_NS}


def _close(table: DeskTable, who: str, words: list[str]) -> ClosePosition:
    position_id = table.position_id(words[0])
    fields: dict[str, Any] = {}
    for word in words[1:]:
        fields |= _named_field(table, *word.split("=")) if "=" in word else {"quantity": _quantity(word)}
    if who == "house":
        return ClosePosition(table.machine.house.desk.positions[position_id].account_id, position_id, **fields)
    return ClosePosition(table.accounts.get(who, NOBODY), position_id, **fields)


def _move(table: DeskTable, who: str, words: list[str]) -> ModifyPosition:
    levels = {name: _level(value) for name, _, value in (word.partition("=") for word in words[1:])}
    return ModifyPosition(table.accounts.get(who, NOBODY), table.position_id(words[0]), **levels)


def _cancel(table: DeskTable, who: str, words: list[str]) -> CancelEntry:
    at = int(words[0][1:])
    entry_id = table.entry_ids[at - 1] if at <= len(table.entry_ids) else NOBODY
    return CancelEntry(table.accounts.get(who, NOBODY), entry_id)


def _quote(table: DeskTable, _: str, words: list[str]) -> SetQuote:
    age_ns, prices, symbol = 0, list[int](), "GOLDCASH"
    for word in words:
        if word.startswith("age="):
            age_ns = int(Decimal(word.removeprefix("age=")) * SECOND_NS)
        elif word.lstrip("-").isdigit():
            prices.append(int(word))
        else:
            symbol = f"{word}CASH"
    # The command is given a microsecond from now.
    at_ns = table.now_ns + 1_000 - age_ns
    pairs = zip(prices[::2], prices[1::2], strict=True)
    return SetQuote(
        World.TRADING,
        symbol,
        "a feed",
        100,
        tuple(Quote(bid, ask, at_ns, bid, number) for number, (bid, ask) in enumerate(pairs)),
    )


def _rules(table: DeskTable, _: str, words: list[str]) -> SetDeskRules:
    table.rules = _changed(table.rules, words)
    return SetDeskRules(table.rules)


def _terms(table: DeskTable, _: str, words: list[str]) -> SetDeskTerms:
    symbol = "GOLDCASH" if "=" in words[0] else f"{words.pop(0)}CASH"
    table.terms[symbol] = _changed(table.terms[symbol], words)
    return SetDeskTerms(table.terms[symbol])


def _changed(row: AnyRow, words: list[str]) -> AnyRow:
    """A row with fields set to what ``field=value`` says."""
    types = {field.name: field.type for field in msgspec.structs.fields(row)}
    said = (word.split("=") for word in words)
    values = {name: msgspec.convert(value, types[name], strict=False) for name, value in said}
    return msgspec.structs.replace(row, **values)


def _night(table: DeskTable, _: str, words: list[str]) -> Rollover:
    """The next night, or the one so many days after the first."""
    number = int(words[0]) if words else table.nights
    table.nights = number + 1
    return Rollover(World.TRADING, START_NS // DAY_NS + number)


DESK_COMMANDS: dict[str, Callable[[DeskTable, str, list[str]], Command]] = {
    "long": lambda table, who, words: _open(table, who, Direction.LONG, words),
    "short": lambda table, who, words: _open(table, who, Direction.SHORT, words),
    "close": _close,
    "move": _move,
    "cancel": _cancel,
    "quote": _quote,
    "rules": _rules,
    "terms": _terms,
    "fund": lambda _, __, words: FundInsurance(World.TRADING, "CASH", int(words[0])),
    "swap_free": lambda table, who, words: SetSwapFree(table.accounts.get(who, NOBODY), words[0] == "yes"),
    "night": _night,
}
