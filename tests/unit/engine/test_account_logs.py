"""What happens to accounts, as it is kept for their listeners: by command, without a gap, and bounded."""

from fondaco.core.book.vocabulary import Side
from fondaco.core.events import decode_events
from fondaco.engine.account_logs import MAX_IDLE_LOGS, AccountLog, AccountLogs
from support.exchange import BTC, Exchange


class Told:
    """An exchange whose batches the logs hear."""

    def __init__(self, *, kept_effects: int = 1_000) -> None:
        self.exchange = Exchange()
        self.logs = AccountLogs(kept_effects=kept_effects)
        self.exchange.list_markets(BTC)
        self.alice = self.exchange.open_account("alice", USDT=10**12)
        self.bob = self.exchange.open_account("bob", BTC=10**12)
        self.hear()

    def hear(self) -> None:
        """End a batch here and tell it."""
        batch = self.exchange.cut()
        self.logs.hear(decode_events(batch.events), batch.mark)

    def buy(self, ticks: int = 100) -> int:
        """Alice bids; returns the command's number."""
        self.exchange.order(self.alice, Side.BUY, ticks, 1)
        return self.exchange.machine.seq


def seqs(log: AccountLog, after: int) -> list[int] | None:
    found = log.after(after)
    return None if found is None else [each.seq for each in found]


def test_effects_are_cut_by_command_not_by_batch() -> None:
    told = Told()
    log = told.logs.follow(told.alice)
    first, second, third = told.buy(), told.buy(), told.buy()
    told.hear()
    assert [seqs(log, each) for each in (first - 1, first, second, third)] == [
        [first, second, third],
        [second, third],
        [third],
        [],
    ]
    assert log.seq == third


def test_what_one_command_did_stands_together_in_its_last_state() -> None:
    told = Told()
    log = told.logs.follow(told.alice)
    order_ids = [told.exchange.order(told.alice, Side.BUY, 100, 1) for _ in range(2)]
    told.hear()
    told.exchange.order(told.bob, Side.SELL, 100, 3)
    seq = told.exchange.machine.seq
    told.hear()
    (effect,) = log.after(seq - 1) or []
    assert {each.order_id: each.state.value for each in effect.orders.values()} == dict.fromkeys(order_ids, "filled")
    assert [each.buy_order_id for each in effect.trades] == order_ids
    assert {each.asset for each in effect.balances} == {"USDT", "BTC"}
    assert [each.lots for each in effect.holdings] == [2]
    assert effect.now_ns == told.exchange.now_ns


def test_another_account_s_effects_are_not_in_it() -> None:
    told = Told()
    log = told.logs.follow(told.bob)
    told.buy()
    told.hear()
    assert seqs(log, log.since_seq) == []
    assert told.logs.take_news() == []


def test_new_effects_are_handed_out_once() -> None:
    told = Told()
    log = told.logs.follow(told.alice)
    seq = told.buy()
    told.hear()
    assert [(each, [effect.seq for effect in new]) for each, new in told.logs.take_news()] == [(log, [seq])]
    assert told.logs.take_news() == []
    assert seqs(log, seq - 1) == [seq]


def test_the_oldest_effects_of_all_accounts_give_way_and_it_is_known_up_to_where() -> None:
    told = Told(kept_effects=3)
    alice, bob = told.logs.follow(told.alice), told.logs.follow(told.bob)
    told.exchange.order(told.bob, Side.SELL, 200, 1)
    bob_seq = told.exchange.machine.seq
    alice_seqs = [told.buy() for _ in range(3)]
    told.hear()
    assert seqs(bob, bob_seq - 1) is None
    assert seqs(bob, bob_seq) == []
    assert seqs(alice, alice_seqs[0] - 1) == alice_seqs
    told.buy()
    told.hear()
    assert seqs(alice, alice_seqs[0] - 1) is None
    assert seqs(alice, alice_seqs[0]) is not None


def test_an_account_that_was_left_is_gathered_on_until_many_were_left_after_it() -> None:
    told = Told()
    log = told.logs.follow(told.alice)
    told.logs.leave(told.alice)
    seq = told.buy()
    told.hear()
    assert told.logs.follow(told.alice) is log
    assert seqs(log, seq - 1) == [seq]
    told.logs.leave(told.alice)
    for account_id in range(10_000, 10_000 + MAX_IDLE_LOGS):
        told.logs.follow(account_id)
        told.logs.leave(account_id)
    assert told.logs.follow(told.alice) is not log


def test_whoever_is_still_listened_to_is_not_let_go() -> None:
    told = Told()
    log = told.logs.follow(told.alice)
    told.logs.follow(told.alice)
    told.logs.leave(told.alice)
    for account_id in range(10_000, 10_001 + MAX_IDLE_LOGS):
        told.logs.follow(account_id)
        told.logs.leave(account_id)
    assert told.logs.follow(told.alice) is log
