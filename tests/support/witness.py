"""The machine and the naive house side by side: every command goes to both, and after each everything is compared.

Invariants that need no second opinion are asked of the machine too: money adds up, holds are exact, orders step only
where they may.
"""

from collections import Counter

import msgspec

from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import HOUSE, Command, Submission, encode_command
from fondaco.core.events import Event, RiskAlert, Trade, decode_events
from fondaco.core.exchange.market import Market
from fondaco.core.house import DAY_NS
from fondaco.core.machine import Machine
from fondaco.core.remembered import Memory
from fondaco.core.replies import AccountOpened, Answer, HoldPlaced, OrderPlaced, Refused, Reply
from fondaco.core.snapshot import dump, load
from fondaco.core.state import ENDED, FEE_ACCOUNT, NEXT_STATES, Order
from fondaco.core.vocabulary import OrderState
from support.foreseeing import foresee, must_agree
from support.naive.house import NaiveHouse
from support.naive.limits import position, traded_today
from support.naive.state import PPM, STANDING, Listing, rounded_up

START_NS = 1_767_312_000_000_000_000
"""Midnight of a Friday."""
SECOND_NS = 1_000_000_000
LEAST_TOLD, MOST_TOLD = 30, 45
"""Few commands are remembered, so that some are forgotten."""


class Witness:
    """Both machines.

    Args:
        most_touched: what the machine's constant is while this one runs.
    """

    def __init__(self, *, most_touched: int) -> None:
        self.machine = Machine(memory=Memory(least=LEAST_TOLD, most=MOST_TOLD))
        self.naive = NaiveHouse(most_touched=most_touched, least_told=LEAST_TOLD, most_told=MOST_TOLD)
        self.now_ns = START_NS
        self.sent = 0
        self.replies: Counter[str] = Counter()
        self.states: dict[int, OrderState] = {}
        self.alerts = 0
        self.trades: list[Trade] = []
        self.assets: tuple[str, ...] = ()

    def send(
        self, command: Command, sender: int = HOUSE, command_id: str | None = None, lifetime_ns: int = 10 * SECOND_NS
    ) -> Reply:
        """Have both do a command; returns what they answer."""
        self.sent += 1
        body = msgspec.Raw(encode_command(command))
        command_id = f"c{self.sent}" if command_id is None else command_id
        return self.apply(Submission(sender, command_id, self.now_ns + lifetime_ns, body), command)

    def apply(self, submission: Submission, command: Command) -> Reply:
        """The same, as it is on its way."""
        foreseen = foresee(self.machine, command, self.now_ns)
        answer = self.machine.apply(submission, self.machine.seq + 1, self.now_ns)
        must_agree(foreseen, answer)
        expected = self.naive.apply(submission, command, self.now_ns, given_id(answer.reply))
        assert answer == expected, f"{command}: {answer}, but expected {expected}"
        self.replies[told(answer)] += 1
        self.hear(decode_events(self.machine.log.take()))
        self.compare()
        return answer.reply

    def reload(self) -> None:
        """Go on with a machine that was loaded from a dump of this one."""
        body = dump(self.machine)
        loaded = load(body)
        self.machine = Machine(loaded.house, Memory(loaded.remembered, least=LEAST_TOLD, most=MOST_TOLD))
        assert dump(self.machine) == body
        self.compare()

    def hear(self, events: list[Event]) -> None:
        """What the machine says must be what has happened."""
        for event in events:
            if isinstance(event, Order):
                before = self.states.get(event.order_id)
                assert before is None or event.state in NEXT_STATES[before] or event.state is before, event
                assert before not in ENDED, event
                self.states[event.order_id] = event.state
            elif isinstance(event, Trade):
                self.trades.append(event)
            elif isinstance(event, RiskAlert):
                self.alerts += 1

    def compare(self) -> None:
        """Everything is equal."""
        state = self.naive.state
        self.assets = tuple(sorted(state.assets))
        assert [trade for _, trade in state.trades] == self.trades
        assert state.alerts == self.alerts
        self._compare_money()
        self._compare_orders()
        for listing in state.listings:
            self._compare_market(self.machine.house.markets[listing.world, listing.symbol], listing)
        self._compare_rest()

    def _compare_money(self) -> None:
        ledger, state = self.machine.house.ledger, self.naive.state
        holds = {
            each.hold_id: (each.account_id, each.asset, each.amount, each.reason, each.note) for each in state.holds
        }
        assert holds == {
            key: (each.balance.account_id, each.balance.asset, each.amount, each.reason, each.note)
            for key, each in ledger.holds.items()
        }
        totals = {(each.account_id, each.asset): each.total for each in ledger.balances() if each.total}
        assert totals == {key: total for key, total in state.totals.items() if total}
        for asset in self.assets:
            assert sum(each.total for each in ledger.balances() if each.asset == asset) == 0
        for balance in ledger.balances():
            mine = [each for each in ledger.holds.values() if each.balance is balance]
            assert balance.held == sum(each.amount for each in mine)
            assert balance.available >= 0 or balance.may_go_negative
            assert balance.total >= 0 or balance.account_id not in FEE_ACCOUNT.values()

    def _compare_orders(self) -> None:
        house, state = self.machine.house, self.naive.state
        theirs = [each for each in state.orders if each.state in STANDING]
        ours = [each for account in house.accounts for each in self.machine.orders_of(account)]
        ours.sort(key=lambda each: each.order_id)
        assert [_but_place(each) for each in ours] == [_but_place(each) for each in theirs]
        assert _ranks(ours) == _ranks(theirs)
        ended = {each.order_id: each.state for each in state.orders}
        assert self.states == ended
        for order in ours:
            hold = house.ledger.holds.get(order.order_id)
            if order.side is Side.BUY:
                market = house.market_of(order)
                ticks = order.price_ticks or market.bound_ticks(order.side, order.trigger_ticks)
                cost = market.terms.notional(ticks, order.open_lots)
                fee = rounded_up(cost * max(order.maker_ppm, order.taker_ppm) - order.fee_carry, PPM)
                assert hold is not None
                assert hold.amount == cost + max(0, fee)

    def _compare_market(self, market: Market, listing: Listing) -> None:
        state = self.naive.state
        assert (market.last_ticks, market.is_closed) == (listing.last_ticks, listing.is_closed)
        resting = [each for side in Side for each in state.book(listing, side)]
        assert [each.order_id for each in market.book.resting()] == [each.order_id for each in resting]
        assert [each.lots for each in market.book.resting()] == [each.open_lots for each in resting]
        waiting = [
            each
            for each in state.orders
            if each.state is OrderState.PENDING
            and state.market_of(each) is listing
            and each.order_id not in state.in_line
        ]
        assert len(market.triggers) == len(waiting)
        assert set(market.handles) == {each.order_id for each in resting}
        for account in state.accounts:
            lots, cost, earned = position(state, account.account_id, listing)
            found = market.positions.get(account.account_id)
            ours = (found.lots, found.cost, found.realised) if found else (0, 0, 0)
            assert ours == (lots, cost, earned)

    def _compare_rest(self) -> None:
        house, state = self.machine.house, self.naive.state
        assert list(house.fired) == state.in_line
        assert len(house.works) == len(state.works)
        assert {key: each.value for key, each in house.limits.items()} == {
            (each.world, each.scope, each.subject, each.name, each.about): each.value for each in state.limits
        }
        assert {key: (each.since_ns, each.until_ns, each.by) for key, each in house.breakers.items()} == {
            (each.world, each.symbol): (each.since_ns, each.until_ns, each.by) for each in state.breakers
        }
        assert {key: each.status for key, each in house.users.items()} == {
            each.user_id: each.status for each in state.users
        }
        assert [
            (each.account_id, each.user_id, each.world, each.kind, each.currency, each.status)
            for each in house.accounts.values()
        ] == [
            (each.account_id, each.user_id, each.world, each.kind, each.currency, each.status)
            for each in state.accounts
        ]
        for account in house.accounts.values():
            for quote in self.assets:
                is_today = account.volume_day == self.now_ns // DAY_NS
                volume = account.day_volumes.get(quote, 0) if is_today else 0
                assert volume == traded_today(state, account.account_id, quote)
        assert [(each.account_id, each.command_id) for each in self.machine.remembered] == [
            (each.account_id, each.command_id) for each in state.told
        ]
        assert house.forgotten_seq == state.forgotten_seq


def given_id(reply: Reply) -> int:
    """The id that the machine has given to what a command made."""
    if isinstance(reply, AccountOpened):
        return reply.account_id
    if isinstance(reply, HoldPlaced):
        return reply.hold_id
    return reply.order_id if isinstance(reply, OrderPlaced) else 0


def told(answer: Answer) -> str:
    """What to count an answer under."""
    if answer.is_duplicate:
        return "duplicate"
    return answer.reply.code if isinstance(answer.reply, Refused) else type(answer.reply).__name__


def _but_place(order: Order) -> Order:
    return msgspec.structs.replace(order, priority_seq=0)


def _ranks(orders: list[Order]) -> list[int]:
    """Ids by place in the queue: which number a place has is the machine's business."""
    return [each.order_id for each in sorted(orders, key=lambda each: each.priority_seq)]
