"""How margin is told: only of accounts that are listened to, only after a change, and no more often than is said."""

import pytest

from fondaco.core.commands import (
    Deposit,
    ListAsset,
    ListInstrument,
    OpenAccount,
    OpenPosition,
    SetDeskRules,
    SetDeskTerms,
    SetQuote,
)
from fondaco.core.desk.state import Quote
from fondaco.core.replies import AccountOpened, PositionOpened
from fondaco.core.vocabulary import AccountKind, Direction, MarginMode, World
from fondaco.domains.positions.api import Valuer
from fondaco.engine.journal import BEGINNING
from fondaco.engine.live import LiveHouse
from fondaco.engine.live_desk import LiveDesk
from fondaco.engine.remote import RemoteEngine
from fondaco.gateways.ws import margins
from fondaco.gateways.ws.desk_frames import MarginFrame, QuoteData
from fondaco.gateways.ws.house_frames import HouseUpdate, merge_house_updates
from fondaco.gateways.ws.margins import Margins
from fondaco.gateways.ws.messages import Channel, Kind, encode, margin_channel
from fondaco.gateways.ws.outbox import Frame, Outbox
from fondaco.gateways.ws.protocol import text_frame
from fondaco.infra.database import Database
from fondaco.infra.metrics import Metrics
from fondaco.infra.settings import DatabaseSettings
from support.desk_floor import DEALT, DEALT_TERMS, DESK_TERMS, RULES
from support.exchange import Exchange
from support.floor import WHOLE

REST_S = 0.25


class Told:
    """A desk in memory, what the edge knows of it, and a clock that goes when the test says so."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        self.now_s = 100.0
        nowhere = Database("postgresql://nobody@127.0.0.1:1/none", DatabaseSettings(), application="test")
        self.desk = LiveDesk()
        self.live = LiveHouse(RemoteEngine(nowhere, b""), nowhere, [self.desk])
        self.live.mark = BEGINNING
        self.live.ready.set()
        self.margins = Margins(Valuer(self.live, self.desk), 1 / REST_S, lambda: self.now_s)
        for command in (ListAsset("ETH", 8), ListAsset("USDT", 8), ListInstrument(DEALT_TERMS)):
            self.exchange.do(command)
        self.exchange.do(SetDeskTerms(DESK_TERMS))
        self.exchange.do(SetDeskRules(RULES))
        self.quote(49_990, 50_000)
        self.alice = self.account("alice")

    def account(self, user: str) -> int:
        """A margin account with 1,000 USDT."""
        self.exchange.open_account(user)
        reply = self.exchange.do(OpenAccount(user, World.TRADING, "USDT", AccountKind.MARGIN))
        assert isinstance(reply, AccountOpened)
        self.exchange.do(Deposit(reply.account_id, "USDT", 1_000 * WHOLE))
        self.hear()
        return reply.account_id

    def quote(self, bid: int, ask: int) -> None:
        """Set the desk's quote."""
        price = Quote(bid * WHOLE, ask * WHOLE, self.exchange.now_ns, bid * WHOLE, 1)
        self.exchange.do(SetQuote(World.TRADING, DEALT, "binance", 100, (price,)))
        self.hear()

    def open(self, account_id: int, direction: Direction = Direction.LONG, lots: int = 10, leverage: int = 10) -> int:
        """Open a cross position; returns its id."""
        command = OpenPosition(account_id, DEALT, direction, lots * DEALT_TERMS.lot, leverage, mode=MarginMode.CROSS)
        reply = self.exchange.do(command, account_id)
        assert isinstance(reply, PositionOpened), reply
        self.hear()
        return reply.position_id

    def hear(self) -> None:
        """End a batch here, and have the edge hear of it."""
        self.live._take(self.exchange.cut())

    def due(self) -> list[int]:
        """The accounts that are told now."""
        return [account_id for account_id, _ in self.margins.take_due()]


def test_an_account_is_told_at_once_and_then_no_more_often_than_is_said() -> None:
    told = Told()
    told.margins.listen(told.alice)
    assert told.due() == []
    told.open(told.alice)
    assert told.due() == [told.alice]
    for bid in (50_100, 50_200):
        told.quote(bid, bid + 10)
        assert told.due() == [], "it rests"
    assert told.margins.wait_s() == pytest.approx(REST_S)
    told.now_s += REST_S
    ((account_id, frame),) = told.margins.take_due()
    assert account_id == told.alice
    assert frame.data.positions[0].unrealised == "20.00000000", "the newest quote alone counts"
    told.now_s += REST_S
    assert told.due() == []
    assert told.margins.wait_s() is None, "while nothing changes, nothing runs"


def test_nobody_is_told_who_does_not_listen_or_has_nothing_in_the_symbol() -> None:
    told = Told()
    bob = told.account("bob")
    told.open(told.alice)
    told.open(bob)
    carol = told.account("carol")
    told.margins.listen(told.alice)
    told.margins.listen(carol)
    told.quote(50_100, 50_110)
    assert told.due() == [told.alice]
    told.margins.leave(told.alice)
    told.now_s += REST_S
    told.quote(50_200, 50_210)
    assert told.due() == []


def test_of_many_accounts_some_are_told_at_once_and_the_others_right_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(margins, "MAX_AT_ONCE", 2)
    told = Told()
    accounts = [told.account(f"user{number}") for number in range(5)]
    for account_id in accounts:
        told.open(account_id)
        told.margins.listen(account_id)
    told.quote(50_100, 50_110)
    heard = []
    for count in (2, 2, 1):
        heard += told.due()
        assert (told.margins.wait_s() == 0) is (len(heard) < len(accounts)), count
    assert heard == accounts
    assert told.due() == []


def test_cash_and_the_end_of_a_position_are_changes_too() -> None:
    told = Told()
    told.margins.listen(told.alice)
    told.exchange.do(Deposit(told.alice, "USDT", WHOLE))
    told.hear()
    ((_, frame),) = told.margins.take_due()
    assert frame.data.account is not None
    assert (frame.data.account.equity, frame.data.account.margin_level) == ("1001.00000000", None)
    told.open(told.alice, lots=50, leverage=50)
    told.now_s += REST_S
    assert told.due() == [told.alice]
    told.quote(40_000, 40_010)
    told.now_s += REST_S
    ((_, frame),) = told.margins.take_due()
    assert frame.data.positions == [], "it was stopped out"


def test_a_frame_tells_result_liquidation_price_and_how_the_account_stands() -> None:
    told = Told()
    position_id = told.open(told.alice)
    frame = told.margins.frame(told.alice)
    assert frame is not None
    (item,) = frame.data.positions
    assert (item.position_id, item.price, item.unrealised, item.unrealised_percent, item.liquidation_price) == (
        position_id,
        "49990.00000000",
        "-1.00000000",
        "-0.2000",
        "42500.00000000",
    )
    assert frame.data.account is not None
    assert (frame.data.account.used, frame.data.account.free, frame.data.account.margin_level) == (
        "500.00000000",
        "499.00000000",
        "199.8000",
    )
    assert told.margins.frame(told.alice + 10**6) is None


@pytest.mark.parametrize(
    "bets",
    [
        [(Direction.LONG, 10, 10)],
        [(Direction.SHORT, 10, 10)],
        [(Direction.LONG, 10, 20), (Direction.SHORT, 4, 20)],
        [(Direction.SHORT, 9, 30), (Direction.LONG, 2, 10), (Direction.SHORT, 3, 50)],
    ],
)
def test_a_cross_account_is_stopped_out_at_the_price_that_was_told_and_not_a_tick_before(
    bets: list[tuple[Direction, int, int]],
) -> None:
    for offset, is_stopped in ((1, False), (0, True)):
        told = Told()
        for direction, lots, leverage in bets:
            told.open(told.alice, direction, lots, leverage)
        frame = told.margins.frame(told.alice)
        assert frame is not None
        net = sum(lots if direction is Direction.LONG else -lots for direction, lots, _ in bets)
        first = frame.data.positions[0]
        assert first.liquidation_price is not None
        now, there = (int(each.partition(".")[0]) for each in (first.price, first.liquidation_price))
        moved = there - now + (offset if net > 0 else -offset)
        told.quote(49_990 + moved, 50_000 + moved)
        left = told.exchange.machine.house.desk.positions_in(told.alice)
        assert (len(left) < len(bets)) is is_stopped, (offset, left)


def test_what_no_price_can_bring_about_has_no_price() -> None:
    told = Told()
    told.open(told.alice, Direction.LONG, 5, 50)
    told.open(told.alice, Direction.SHORT, 5, 50)
    frame = told.margins.frame(told.alice)
    assert frame is not None
    assert [each.liquidation_price for each in frame.data.positions] == [None, None]


def test_of_margin_frames_and_quotes_that_wait_the_newest_leaves() -> None:
    told = Told()
    outbox = Outbox(3, lambda channel: channel.name.encode(), Metrics())
    channel = Channel(Kind.ACCOUNT, account_id=told.alice)
    for seq in (7, 8):
        frame = told.margins.frame(told.alice)
        assert frame is not None
        newer = MarginFrame(frame.channel, seq, frame.data)
        outbox.offer(margin_channel(told.alice), Frame(newer, encode(newer), text_frame(encode(newer))))
    outbox.tell(channel, 8, b"what happened")
    assert outbox.take() == b"what happened", "what a command did comes before what it is worth"
    newest = outbox.take()
    assert isinstance(newest, bytes)
    assert b'"seq":8' in newest
    assert outbox.take() is None
    outbox.offer(margin_channel(told.alice), Frame(newer, encode(newer), text_frame(encode(newer))))
    outbox.offer(margin_channel(told.alice), Frame(newer, encode(newer), text_frame(encode(newer))))
    outbox.forget(channel)
    assert outbox.take() is None, "who listens no more hears no more"
    older, later = (HouseUpdate("quotes:ETHUSDT", seq, seq, QuoteData(str(seq), "9", "s", 1)) for seq in (3, 4))
    merged, gave_way = merge_house_updates(older, later, max_trades=1, max_levels=1)
    assert (merged, gave_way) == (HouseUpdate("quotes:ETHUSDT", 3, 4, QuoteData("4", "9", "s", 1)), 0)
