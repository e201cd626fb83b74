"""Endless seeded streams of commands as a busy house would get them.

Most are limit orders (58 %) and cancels of what is open (35 %); one command in ten trades. Among them is a little
of everything else that the engine can be told: every type of command and of order, repeats, late commands, commands
that make no sense, and now and then a crowd of orders larger than what one command may touch.

For what must hold whatever is sent; a rule with its figures is told in `support.ledger_lines`.

`stream(seed)` is all that most need: steps to apply to any number of machines. It runs a machine of its own, which
answers it. Who has an engine to ask instead drives a `Trader` and has it `hear` the answers.
"""

from collections.abc import Callable, Iterator
from itertools import cycle
from random import Random
from typing import NamedTuple

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
from fondaco.core.exchange.market import MAX_TOUCHED
from fondaco.core.house import MAX_ACCOUNTS_PER_USER
from fondaco.core.machine import MAX_LIFETIME_NS, Machine
from fondaco.core.replies import AccountOpened, HoldPlaced, OrderCancelled, OrderPlaced, Reply
from fondaco.core.state import ENDED
from fondaco.core.vocabulary import (
    AccountKind,
    AccountStatus,
    LimitName,
    LimitScope,
    OrderType,
    TimeInForce,
    UserStatus,
    World,
)
from support.wrong_commands import MARKETS, SMALL, wrong_commands

START_NS = 1_767_311_400_000_000_000
"""Ten minutes before the midnight that begins a Friday."""
BTC_LOT = MARKETS["BTCUSDT"].lot
US, SECOND_NS = 1_000, 1_000_000_000
USERS = 8
CROWDED = "crowded"
"""A user with as many accounts as one may have."""
CROWD_EVERY = 6_000
CANCELS_TRIED = 4
"""Orders that are looked at for one that still stands; a few cancels come too late all the same."""
MID_TICKS = 10_000
MOST_OPEN = 4_000
"""Orders that are known to be open, beyond which nothing but cancels is sent."""
USUALLY_OPEN = 300
"""About as many orders stand, so that the books are neither empty nor endless."""


class Step(NamedTuple):
    """A command and the moment at which it is to be applied."""

    submission: Submission
    command: Command
    now_ns: int


class Trader:
    """Everybody who sends commands, in one. It knows what it was answered and nothing else.

    Args:
        seed: the same one sends the same, given the same answers.
        crowds: how many ordinary commands there are between two crowds of orders; 0: no crowds.
        variety: how many times more often there is something else than limit orders and cancels.
        is_open: whether an account's order stands, as far as one can know; asked before most cancels.
    """

    def __init__(
        self,
        seed: int,
        *,
        crowds: int = CROWD_EVERY,
        variety: int = 1,
        is_open: Callable[[int, int], bool] = lambda _account, _order: True,
    ) -> None:
        self._random = Random(seed)
        self._is_open = is_open
        self._next_crowds = cycle(
            (self._resting_crowd, self._firing_crowd, self._expiring_crowd, self._crowd_of_accounts)
        )
        self._crowd_every = self._until_crowd = crowds
        self._now_ns = START_NS
        self._sent = 0
        self._accounts: list[int] = []
        self._demos: list[int] = []
        self._margin: list[int] = []
        self._partly_filled: tuple[int, int, PlaceOrder] | None = None
        self._wrongs = 0
        self._users: dict[int, str] = {}
        self._open: list[tuple[int, int, PlaceOrder]] = []
        self._holds: list[int] = []
        self._past: list[Step] = []
        self._mids = {"BTCUSDT": MID_TICKS, "ETHUSDT": MID_TICKS}
        self._queue: list[tuple[int, Command]] = []
        self._opening = _opening()
        self._kinds = self._weighted(variety)

    def next(self) -> Step:
        """The next command."""
        opening = next(self._opening, None)
        if opening is not None:
            return self._step(HOUSE, opening)
        if self._queue:
            return self._step(*self._queue.pop(0))
        self._now_ns += self._random.choice((0, 1, 1, 10, 200)) * US
        self._until_crowd -= 1
        if not self._until_crowd:
            self._until_crowd = self._crowd_every
            return next(self._next_crowds)()
        kind = self._random.choices(self._kinds[0], self._kinds[1])[0]
        return kind()

    def hear(self, step: Step, reply: Reply) -> None:
        """What was answered to a step."""
        command = step.command
        if isinstance(reply, AccountOpened):
            self._hear_account(command, reply.account_id)
        elif isinstance(reply, HoldPlaced):
            self._holds.append(reply.hold_id)
        elif isinstance(reply, OrderPlaced) and isinstance(command, PlaceOrder) and reply.state not in ENDED:
            self._open.append((command.account_id, reply.order_id, command))
            if reply.filled:
                self._partly_filled = (command.account_id, reply.order_id, command)
        elif isinstance(reply, OrderCancelled):
            self._open = [each for each in self._open if each[1] != reply.order_id]

    def _hear_account(self, command: Command, account: int) -> None:
        if isinstance(command, ResetDemo):
            self._demos.append(account)
        elif isinstance(command, OpenAccount) and account not in self._users and command.user_id != CROWDED:
            self._users[account] = command.user_id
            if command.kind is AccountKind.MARGIN:
                self._margin.append(account)
            elif command.world is World.DEMO:
                self._demos.append(account)
            else:
                self._accounts.append(account)
                self._queue += [(HOUSE, each) for each in _funds(account)]

    def _step(
        self, sender: int, command: Command, command_id: str | None = None, lifetime_ns: int | None = None
    ) -> Step:
        self._sent += 1
        command_id = f"command{self._sent}" if command_id is None else command_id
        until_ns = self._now_ns + (SECOND_NS if lifetime_ns is None else lifetime_ns)
        step = Step(
            Submission(sender, command_id, until_ns, msgspec.Raw(encode_command(command))), command, self._now_ns
        )
        self._past.append(step)
        del self._past[:-200]
        return step

    def _weighted(self, variety: int) -> tuple[list[Callable[[], Step]], list[int]]:
        weighted: list[tuple[Callable[[], Step], int]] = [
            (self._market, 60),
            (self._waiting, 100),
            (self._amend, 100),
            (self._cancel_all, 4),
            (self._take_back, 10),
            (self._quotes, 10),
            (self._money, 60),
            (self._hold_ends, 30),
            (self._status, 30),
            (self._limits, 30),
            (self._halt, 10),
            (self._again, 40),
            (self._badly_sent, 20),
            (self._wrong, 150),
            (self._demo, 10),
            (self._small_market, 10),
            (self._time, 20),
        ]
        kinds, weights = [each for each, _ in weighted], [variety * weight for _, weight in weighted]
        return [self._limit, self._cancel, *kinds], [4_900, 4_600, *weights]

    def _limit(self) -> Step:
        """A limit order near the price; one in four is priced to take."""
        random = self._random
        if len(self._open) > MOST_OPEN:
            return self._cancel()
        symbol, side = random.choice(("BTCUSDT", "ETHUSDT")), random.choice((Side.BUY, Side.SELL))
        account = self._account()
        self._mids[symbol] += random.choice((-1, 0, 0, 0, 1))
        away = random.choice((-3, 1, 2, 4, 8, 15, 30, 60, 120, 250))
        if random.random() < 0.1:
            away = -10
        ticks = self._mids[symbol] + (away if side is Side.SELL else -away)
        time = random.choices([*TimeInForce], [94, 2, 1, 3])[0]
        terms = MARKETS[symbol]
        return self._step(
            account,
            PlaceOrder(
                account,
                symbol,
                side,
                OrderType.LIMIT,
                random.randint(1, 20) * terms.lot,
                ticks * terms.tick,
                time,
                post_only=time is TimeInForce.GTC and random.random() < 0.05,
                self_trade=random.choice((SelfTrade.EXPIRE_TAKER, *list(SelfTrade)[1:])),
                client_order_id=f"mine{self._sent % 5_000}" if random.random() < 0.2 else "",
                expires_ns=self._now_ns + random.randint(1, 60) * SECOND_NS if time is TimeInForce.GTD else 0,
            ),
        )

    def _cancel(self) -> Step:
        """One of the orders that were open when last heard of; when few are, another is placed."""
        if not self._open or (len(self._open) < USUALLY_OPEN and self._random.random() < 0.2):
            return self._limit()
        for _ in range(CANCELS_TRIED):
            account, order_id, _order = self._open.pop(self._random.randrange(len(self._open)))
            if not self._open or self._is_open(account, order_id):
                break
        return self._step(account, CancelOrder(account, order_id))

    def _market(self) -> Step:
        random, account = self._random, self._account()
        symbol, side = random.choice(("BTCUSDT", "ETHUSDT")), random.choice((Side.BUY, Side.SELL))
        terms = MARKETS[symbol]
        lots, quote = random.choice(((random.randint(1, 60), 0), (0, random.randint(1, 5_000_000))))
        time = random.choice((TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK))
        order = PlaceOrder(
            account, symbol, side, OrderType.MARKET, lots * terms.lot, time_in_force=time, quote_quantity=quote
        )
        return self._step(account, order)

    def _waiting(self) -> Step:
        random, account = self._random, self._account()
        symbol = random.choice(("BTCUSDT", "ETHUSDT"))
        kind = random.choice((OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.STOP_LOSS))
        side = random.choice((Side.BUY, Side.SELL)) if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else Side.SELL
        rises = side is Side.BUY or kind is OrderType.TAKE_PROFIT
        terms, away = MARKETS[symbol], random.randint(1, 40)
        trigger = self._mids[symbol] + (away if rises else -away)
        ticks = trigger + random.randint(-5, 5) if kind is OrderType.STOP_LIMIT else 0
        order = PlaceOrder(
            account, symbol, side, kind, random.randint(1, 20) * terms.lot, ticks * terms.tick,
            trigger_price=trigger * terms.tick,
        )  # fmt: skip
        return self._step(account, order)

    def _amend(self) -> Step:
        if not self._open:
            return self._limit()
        random = self._random
        account, order_id, order = random.choice(
            [self._partly_filled or self._open[0], *random.choices(self._open, k=2)]
        )
        terms = MARKETS.get(order.symbol, SMALL)
        quantity = random.choice(
            (0, order.quantity, terms.lot, max(terms.lot, order.quantity - terms.lot), 2 * order.quantity)
        )
        price = random.choice((0, order.price, max(0, order.price + random.randint(-20, 20) * terms.tick)))
        return self._step(account, AmendOrder(account, order_id, quantity, price))

    def _cancel_all(self) -> Step:
        account = self._account()
        return self._step(account, CancelAll(account, self._random.choice(("", "BTCUSDT", "ETHUSDT"))))

    def _take_back(self) -> Step:
        """The house takes one of the open orders back."""
        if not self._open:
            return self._limit()
        account, order_id, _order = self._open.pop(self._random.randrange(len(self._open)))
        return self._step(HOUSE, CancelOrder(account, order_id))

    def _quotes(self) -> Step:
        """A market maker quotes both sides, is met on one, and quotes anew; then the house takes its quotes back."""
        account, other, symbol = self._account(), self._account(), self._random.choice(("BTCUSDT", "ETHUSDT"))
        terms, mid = MARKETS[symbol], self._mids[symbol]
        bid, ask = (
            PlaceOrder(account, symbol, side, OrderType.LIMIT, 20 * terms.lot, ticks * terms.tick, post_only=True)
            for side, ticks in ((Side.BUY, mid - 5), (Side.SELL, mid + 5))
        )
        met = PlaceOrder(other, symbol, Side.BUY, OrderType.LIMIT, terms.lot, ask.price, TimeInForce.IOC)
        self._queue += [(account, ask), (other, met), (account, CancelAll(account, symbol))]
        self._queue += [(account, bid), (account, ask), (HOUSE, CancelAll(account, symbol))]
        return self._step(account, bid)

    def _resting_crowd(self) -> Step:
        """More small orders than a command may touch, one that would meet all of them, and an end of them."""
        account, other, low = self._accounts[0], self._accounts[2], self._low()
        order = PlaceOrder(account, "BTCUSDT", Side.BUY, OrderType.LIMIT, BTC_LOT, low)
        through = PlaceOrder(
            other, "BTCUSDT", Side.SELL, OrderType.LIMIT, 10_000 * BTC_LOT, low, self_trade=SelfTrade.EXPIRE_MAKER
        )
        return self._send_crowd(account, order, [(other, through), (account, CancelAll(account))])

    def _expiring_crowd(self) -> Step:
        """The same, all of which expire at one moment."""
        account, until_ns = self._accounts[0], self._now_ns + US
        order = PlaceOrder(
            account, "BTCUSDT", Side.BUY, OrderType.LIMIT, BTC_LOT, self._low(), TimeInForce.GTD, expires_ns=until_ns
        )
        return self._send_crowd(account, order, [])

    def _firing_crowd(self) -> Step:
        """More orders than a command may touch wait for one price, and it comes."""
        account, other, low = self._accounts[0], self._accounts[2], self._low()
        order = PlaceOrder(account, "BTCUSDT", Side.SELL, OrderType.STOP, BTC_LOT, trigger_price=low)
        bid = PlaceOrder(other, "BTCUSDT", Side.BUY, OrderType.LIMIT, 600 * BTC_LOT, low)
        # Another sells through all that is bid above the crowd's trigger.
        seller = self._accounts[3]
        through = PlaceOrder(
            seller, "BTCUSDT", Side.SELL, OrderType.LIMIT, 10_000 * BTC_LOT, low, self_trade=SelfTrade.EXPIRE_MAKER
        )
        return self._send_crowd(account, order, [(other, bid), (seller, through), (seller, CancelAll(seller))])

    def _crowd_of_accounts(self) -> Step:
        """A user opens as many accounts as one may have, and one more."""
        opens = OpenAccount(CROWDED, World.TRADING, "USDT")
        self._queue += [(HOUSE, opens)] * (MAX_ACCOUNTS_PER_USER + 1)
        return self._step(HOUSE, AdmitUser(CROWDED))

    def _send_crowd(self, account: int, order: PlaceOrder, ends: list[tuple[int, Command]]) -> Step:
        self._queue += [(account, order)] * (MAX_TOUCHED + self._random.randint(10, 200)) + ends
        return self._step(*self._queue.pop(0))

    def _low(self) -> int:
        return (self._mids["BTCUSDT"] - 300) * MARKETS["BTCUSDT"].tick

    def _money(self) -> Step:
        random = self._random
        account, other, asset = self._account(), self._account(), random.choice(("USDT", "BTC", "ETH"))
        amount = random.randint(1, 1_000)
        house: list[Command] = [
            Deposit(account, asset, 100 * amount),
            PlaceHold(account, asset, amount, "for a reason"),
        ]
        own: list[Command] = [RequestWithdrawal(account, asset, amount), Transfer(account, other, asset, amount)]
        command = random.choice(house + own)
        return self._step(HOUSE if command in house else account, command)

    def _hold_ends(self) -> Step:
        if not self._holds:
            return self._money()
        hold_id = self._holds.pop(self._random.randrange(len(self._holds)))
        return self._step(HOUSE, self._random.choice((SettleWithdrawal(hold_id), ReleaseHold(hold_id))))

    def _status(self) -> Step:
        """Somebody is stopped, and most are let go on soon after."""
        account, random = self._account(), self._random
        user = self._users[account]
        of_user = SetUserStatus(user, UserStatus.SUSPENDED), SetUserStatus(user, UserStatus.ACTIVE)
        of_account = SetAccountStatus(account, AccountStatus.FROZEN), SetAccountStatus(account, AccountStatus.ACTIVE)
        stop, go_on = random.choice((of_user, of_account))
        in_between = [self._limit_of(account), (account, RequestWithdrawal(account, "USDT", 5))]
        self._queue += [*in_between, (HOUSE, go_on)]
        return self._step(HOUSE, stop)

    def _limit_of(self, account: int) -> tuple[int, Command]:
        terms = MARKETS["BTCUSDT"]
        price = (self._mids["BTCUSDT"] - 20) * terms.tick
        return account, PlaceOrder(account, "BTCUSDT", Side.BUY, OrderType.LIMIT, terms.lot, price)

    def _limits(self) -> Step:
        """A cap that hurts somebody a while, then none."""
        account, random = self._account(), self._random
        scope, subject = random.choice(
            (
                (LimitScope.ACCOUNT, str(account)),
                (LimitScope.USER, self._users[account]),
                (LimitScope.SYMBOL, "BTCUSDT"),
                (LimitScope.PLATFORM, ""),
            )
        )
        name, about, value = random.choice(
            (
                (LimitName.MAX_OPEN_ORDERS, "", 3),
                (LimitName.MAX_ORDER_VALUE, "USDT", 5_000),
                (LimitName.MAX_DAILY_VOLUME, "USDT", 1_000_000),
                (LimitName.MAX_POSITION, "BTCUSDT", 200),
                (LimitName.MAX_LEVERAGE, "BTCUSDT", 5),
            )
        )
        self._queue += [
            *[self._limit_of(self._account()) for _ in range(3)],
            self._limit_of(account),
            (HOUSE, SetLimit(World.TRADING, scope, subject, name, about, None)),
        ]
        return self._step(HOUSE, SetLimit(World.TRADING, scope, subject, name, about, value))

    def _halt(self) -> Step:
        symbol = self._random.choice(("", "BTCUSDT", "ETHUSDT"))
        until_ns = self._random.choice((0, self._now_ns + 50 * US))
        self._queue += [self._limit_of(self._account()), (HOUSE, LiftBreaker(World.TRADING, symbol))]
        return self._step(HOUSE, TripBreaker(World.TRADING, symbol, "for a reason", "staff", until_ns))

    def _again(self) -> Step:
        """A command that was sent before, as it was or with other fields."""
        past = self._random.choice(self._past)
        command = self._random.choice((past.command, past.command, CancelAll(past.submission.account_id)))
        return self._step(past.submission.account_id, command, past.submission.command_id)

    def _badly_sent(self) -> Step:
        account = self._account()
        command_id, lifetime_ns = self._random.choice((("late", -US), ("", 0), ("early", MAX_LIFETIME_NS + 1)))
        return self._step(account, CancelOrder(account, 1), command_id, lifetime_ns)

    def _wrong(self) -> Step:
        """Something that makes no sense, seldom sent by who may send it."""
        account, other = self._account(), self._account()
        wrong = wrong_commands(account, other, self._now_ns)
        wrong += [(HOUSE, OpenAccount("user1", World.TRADING, "USDT", AccountKind.MARGIN))] if not self._margin else []
        wrong += [(HOUSE, self._limit_of(each)[1]) for each in self._margin]
        wrong += [(HOUSE, ReleaseHold(order_id)) for _, order_id, _ in self._open[-1:]]
        self._wrongs += 1
        return self._step(*wrong[self._wrongs % len(wrong)])

    def _demo(self) -> Step:
        """Play money anew, and what a closed account is still asked for."""
        if not self._demos:
            return self._step(HOUSE, OpenAccount("user1", World.DEMO, "USDT", grant=1_000_000))
        account = self._random.choice(self._demos[-2:])
        return self._step(account, ResetDemo(account, 1_000_000))

    def _small_market(self) -> Step:
        """A market of a name of its own opens, is soon full, and ends."""
        instrument = msgspec.structs.replace(SMALL.instrument, symbol=f"SMALL{self._sent}")
        terms = msgspec.structs.replace(SMALL, instrument=instrument)
        symbol, account = terms.instrument.symbol, self._account()
        order = PlaceOrder(account, symbol, Side.BUY, OrderType.LIMIT, terms.lot, 5 * terms.tick)
        self._queue.append((account, PlaceOrder(account, symbol, Side.BUY, OrderType.MARKET, terms.lot)))
        self._queue += [(account, order)] * (terms.max_open_orders + 1)
        self._queue += [(HOUSE, CloseInstrument(World.TRADING, symbol)), (account, order)]
        self._queue.append((HOUSE, CloseInstrument(World.TRADING, symbol)))
        return self._step(HOUSE, ListInstrument(terms))

    def _time(self) -> Step:
        self._now_ns += self._random.choice((1_000, 1_000_000, 20_000_000, 70_000_000)) * US
        return self._step(HOUSE, Tick(), "")

    def _account(self) -> int:
        return self._random.choice(self._accounts)


def stream(seed: int, *, crowds: int = CROWD_EVERY, variety: int = 1) -> Iterator[Step]:
    """Steps without end, from an empty house on; a machine of its own answers them. The arguments are a `Trader`'s."""
    machine = Machine()

    def is_open(account: int, order: int) -> bool:
        return machine.order(account, order) is not None

    trader = Trader(seed, crowds=crowds, variety=variety, is_open=is_open)
    while True:
        step = trader.next()
        answer = machine.apply(step.submission, machine.seq + 1, step.now_ns, step.command)
        machine.log.take()
        trader.hear(step, answer.reply)
        yield step


def _opening() -> Iterator[Command]:
    """Assets, markets, users and their accounts."""
    for terms in MARKETS.values():
        for asset in (terms.instrument.base, terms.instrument.quote):
            yield ListAsset(asset.code, asset.scale)
        yield ListInstrument(terms)
    for number in range(1, USERS + 1):
        yield AdmitUser(f"user{number}")
        for _ in range(2 if number == 1 else 1):
            yield OpenAccount(f"user{number}", World.TRADING, "USDT")


def _funds(account: int) -> list[Command]:
    return [Deposit(account, asset, 10**12) for asset in ("BTC", "ETH", "USDT")]
