"""The door: what could not be journaled stays out, by name; everything else goes in as it came."""

import msgspec
import pytest

from fondaco.core.commands import (
    HOUSE,
    CancelAll,
    CancelEntry,
    CancelOrder,
    ClosePosition,
    Command,
    Deposit,
    OpenPosition,
    SetQuote,
    SetRules,
    Submission,
    decode_command,
    encode_command,
)
from fondaco.core.desk.state import Level, Quote
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Answer, Refused
from fondaco.core.vocabulary import Direction, LevelKind, World
from fondaco.engine.door import LARGEST, NO_SEQ, Entry, enter, enter_encoded

TOO_LARGE = (LARGEST + 1, -LARGEST - 2, 2**64, -(2**70))


def refusal(entered: Entry | Answer) -> Refusal:
    """Why it stayed out."""
    assert isinstance(entered, Answer)
    assert entered.seq == NO_SEQ
    assert isinstance(entered.reply, Refused)
    return entered.reply.code


@pytest.mark.parametrize("number", TOO_LARGE)
def test_a_number_beyond_64_bits_stays_out_wherever_it_stands(number: int) -> None:
    assert refusal(enter(1, "c", 0, Deposit(1, "USDT", number))) is Refusal.OUT_OF_RANGE
    assert refusal(enter(number, "c", 0, Deposit(1, "USDT", 1))) is Refusal.OUT_OF_RANGE
    assert refusal(enter(1, "c", number, Deposit(1, "USDT", 1))) is Refusal.OUT_OF_RANGE
    quotes = (Quote(1, 2, 3, 4, 5), Quote(1, 2, 3, 4, number))
    assert refusal(enter(HOUSE, "c", 0, SetQuote(World.DEMO, "BTCUSDT", "test", 0, quotes))) is Refusal.OUT_OF_RANGE
    opened = OpenPosition(1, "BTCUSDT", Direction.LONG, 1, 1, take=Level(LevelKind.AMOUNT, number))
    assert refusal(enter(1, "c", 0, opened)) is Refusal.OUT_OF_RANGE


@pytest.mark.parametrize("number", [LARGEST, -LARGEST - 1, 2**32 - 1, 2**32 + 2**31, 0xCFCF_CFCF_CFCF, 0])
def test_every_number_of_64_bits_goes_in(number: int) -> None:
    entered = enter(number, "c", number, Deposit(number, "USDT", number))
    assert isinstance(entered, Entry)
    assert decode_command(entered.submission.body) == Deposit(number, "USDT", number)


def test_text_that_is_none_stays_out() -> None:
    assert refusal(enter(1, "c", 0, Deposit(1, "USDT", 1, "\ud800"))) is Refusal.BAD_TEXT
    assert refusal(enter(1, "\ud800", 0, Deposit(1, "USDT", 1))) is Refusal.BAD_TEXT


def test_a_command_that_is_not_what_its_type_says_is_no_command() -> None:
    with pytest.raises(msgspec.ValidationError):
        enter(1, "c", 0, Deposit(1, "USDT", 1.5))  # type: ignore[arg-type] # what a mistake of ours might send


def test_what_comes_encoded_is_looked_at_just_the_same() -> None:
    body = msgspec.Raw(msgspec.msgpack.encode(Deposit(1, "USDT", LARGEST + 1)))
    assert refusal(enter_encoded(Submission(1, "c", 0, body))) is Refusal.OUT_OF_RANGE
    good = Submission(1, "c", 0, msgspec.Raw(encode_command(CancelOrder(1, 2))))
    assert enter_encoded(good) == Entry(good, CancelOrder(1, 2), is_urgent=True)
    with pytest.raises(msgspec.ValidationError):
        enter_encoded(Submission(1, "c", 0, msgspec.Raw(msgspec.msgpack.encode(["no_such_command"]))))


@pytest.mark.parametrize(
    ("account_id", "command", "is_urgent"),
    [
        (1, Deposit(1, "USDT", 1), False),
        (1, CancelOrder(1, 2), True),
        (1, CancelAll(1), True),
        (1, CancelEntry(1, 2), True),
        (1, ClosePosition(1, 2), True),
        (HOUSE, SetRules(2), True),
    ],
)
def test_what_gives_back_and_what_the_house_sends_is_urgent(account_id: int, command: Command, is_urgent: bool) -> None:  # noqa: FBT001 - a case of a table
    entered = enter(account_id, "c", 0, command)
    assert isinstance(entered, Entry)
    assert entered.is_urgent is is_urgent
