"""Frames of the house's own exchange: merged for slow readers without a hole, and account frames that never are."""

import msgspec
import pytest

from fondaco.core.book.vocabulary import Side
from fondaco.engine.books import Print
from fondaco.gateways.ws import outbox as outboxes
from fondaco.gateways.ws.house_frames import BookData, HouseUpdate, Level, TradeItem, merge_house_updates, trade_items
from fondaco.gateways.ws.messages import Channel, Kind, encode
from fondaco.gateways.ws.outbox import TOO_SLOW, Closing, Frame, Outbox, WriteFrame
from fondaco.gateways.ws.protocol import text_frame
from fondaco.infra.metrics import Metrics
from support.floor import TERMS

BOOK = Channel(Kind.BOOK, "BTCUSDT")
ACCOUNT, OTHER = Channel(Kind.ACCOUNT, account_id=1000), Channel(Kind.ACCOUNT, account_id=1001)


def book(first_seq: int, seq: int, *bids: Level) -> HouseUpdate:
    return HouseUpdate(BOOK.name, first_seq, seq, BookData(list(bids), []))


def trades(first_seq: int, seq: int, *ids: int, dropped: int = 0) -> HouseUpdate:
    return HouseUpdate("trades:BTCUSDT", first_seq, seq, [TradeItem(each, 1, "1", "1", "buy") for each in ids], dropped)


def new_outbox(write_frame: WriteFrame | None = None) -> Outbox:
    return Outbox(3, lambda channel: f"snapshot of {channel.name}".encode(), Metrics(), write_frame)


def frame(update: HouseUpdate) -> Frame:
    return Frame(update, encode(update), text_frame(encode(update)))


def test_merged_levels_are_the_newest_and_their_ranges_are_joined() -> None:
    merged, gave_way = merge_house_updates(
        book(5, 6, ("100", "1"), ("99", "2")), book(7, 9, ("100", "0"), ("98", "3")), max_trades=1, max_levels=3
    )
    assert (merged, gave_way) == (book(5, 9, ("100", "0"), ("99", "2"), ("98", "3")), 0)


def test_when_too_many_levels_have_changed_a_snapshot_says_it_shorter() -> None:
    older, newer = book(5, 6, ("100", "1")), book(7, 9, ("99", "1"))
    assert merge_house_updates(older, newer, max_trades=1, max_levels=2)[0] is not None
    assert merge_house_updates(older, newer, max_trades=1, max_levels=1) == (None, 0)


def test_merged_trades_keep_the_newest_and_say_how_many_gave_way() -> None:
    merged, gave_way = merge_house_updates(
        trades(1, 2, 1, 2, dropped=4), trades(3, 4, 3, 4), max_trades=3, max_levels=0
    )
    assert (merged, gave_way) == (trades(1, 4, 2, 3, 4, dropped=5), 1)


def test_a_slow_reader_of_a_book_gets_one_frame_for_all_it_missed_or_else_a_snapshot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outboxes, "MAX_WAITING_LEVELS", 2)
    outbox = new_outbox()
    outbox.offer(BOOK, frame(book(1, 2, ("100", "1"))))
    outbox.offer(BOOK, frame(book(3, 4, ("99", "1"))))
    assert outbox.take() == encode(book(1, 4, ("100", "1"), ("99", "1")))
    for seq in (5, 6, 7, 8):
        outbox.offer(BOOK, frame(book(seq, seq, (str(seq), "1"))))
    assert outbox.take() == b"snapshot of book:BTCUSDT"
    assert outbox.take() is None


def test_what_is_published_while_a_snapshot_is_made_is_in_it_and_does_not_follow_it() -> None:
    made: list[Channel] = []

    def snapshot(channel: Channel) -> bytes:
        outbox.offer(channel, frame(book(1, 2, ("100", "1"))))
        made.append(channel)
        return b"snapshot"

    outbox = Outbox(3, snapshot, Metrics())
    outbox.want_snapshot(BOOK)
    assert (outbox.take(), outbox.take(), made) == (b"snapshot", None, [BOOK])


def test_account_frames_leave_in_order_and_unmerged_after_replies() -> None:
    outbox = new_outbox()
    outbox.offer(BOOK, frame(book(1, 2)))
    for seq in (1, 2, 3):
        outbox.tell(ACCOUNT, seq, b"frame %d" % seq)
    assert [outbox.take() for _ in range(5)] == [b"frame 1", b"frame 2", b"frame 3", encode(book(1, 2)), None]


def test_too_many_account_frames_cut_the_client_off_where_it_can_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "MAX_TOLD_BYTES", 10)
    can_write = True
    outbox = new_outbox(lambda _: can_write)
    outbox.tell(ACCOUNT, 1, b"12345")
    can_write = False
    outbox.tell(OTHER, 2, b"12345")
    outbox.tell(ACCOUNT, 3, b"12345")
    assert outbox.take() == b"12345"
    outbox.tell(ACCOUNT, 4, b"12345")
    outbox.tell(ACCOUNT, 5, b"1")
    outbox.tell(ACCOUNT, 6, b"1")
    error = outbox.take()
    assert isinstance(error, bytes)
    told = msgspec.json.decode(error)
    assert (told["code"], told["resume"]) == ("too_slow", {ACCOUNT.name: 1, OTHER.name: 2})
    assert outbox.take() == Closing(TOO_SLOW, "too_slow")


def test_one_account_frame_may_wait_however_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "MAX_TOLD_BYTES", 10)
    outbox = new_outbox()
    outbox.tell(ACCOUNT, 1, bytes(100))
    assert outbox.take() == bytes(100)


def test_what_waits_for_a_channel_is_forgotten_with_it() -> None:
    outbox = new_outbox()
    outbox.tell(ACCOUNT, 1, b"mine")
    outbox.tell(OTHER, 1, b"other")
    outbox.forget(ACCOUNT)
    assert [outbox.take(), outbox.take()] == [b"other", None]


def test_a_reply_is_written_at_once_while_nothing_waits() -> None:
    written: list[bytes] = []

    def write_frame(wire: bytes) -> bool:
        written.append(wire)
        return True

    outbox = new_outbox(write_frame)
    outbox.reply(book(1, 2))
    assert written == [text_frame(encode(book(1, 2)))]
    assert outbox.take() is None


def test_a_trade_on_the_wire_names_nobody() -> None:
    (item,) = trade_items([Print(7, 1_723_161_254_014, 50_000, 3, Side.SELL)], TERMS)
    assert encode(HouseUpdate("t", 1, 2, [item])) == (
        b'{"type":"update","channel":"t","first_seq":1,"seq":2,'
        b'"data":[[7,1723161254014,"50000.00000000","0.03000000","sell"]]}'
    )
