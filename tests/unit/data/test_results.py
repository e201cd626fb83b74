"""What a cached read is kept under: never the same for two reads that could have different answers."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import ColumnElement, literal, select
from sqlalchemy.orm import aliased, load_only

from fondaco.data.results import UncacheableError, key_of
from fondaco.data.tables import CandleRow, MarketFeedRow, Source, TickHeadRow

SYMBOL = MarketFeedRow.symbol == "BTCUSDT"


def test_the_same_question_has_the_same_key() -> None:
    assert key_of(select(MarketFeedRow).where(SYMBOL)) == key_of(
        select(MarketFeedRow).where(MarketFeedRow.symbol == "BTCUSDT")
    )
    one, other = aliased(CandleRow), aliased(CandleRow)
    assert key_of(select(one).where(one.symbol == "A")) == key_of(select(other).where(other.symbol == "A"))


def test_different_questions_have_different_keys() -> None:
    questions = [
        select(MarketFeedRow).where(SYMBOL),
        select(MarketFeedRow.__table__).where(SYMBOL),
        select(MarketFeedRow).options(load_only(MarketFeedRow.label)).where(SYMBOL),
        select(MarketFeedRow.label).where(SYMBOL),
        select(MarketFeedRow.label.label("name")).where(SYMBOL),
        select(MarketFeedRow).where(MarketFeedRow.symbol == "ETHUSDT"),
        select(MarketFeedRow).where(MarketFeedRow.symbol.in_(["BTCUSDT"])),
        select(MarketFeedRow).where(MarketFeedRow.symbol.in_(["BTCUSDT", "ETHUSDT"])),
        select(MarketFeedRow).where(SYMBOL, MarketFeedRow.source == Source.REPLAY),
        select(MarketFeedRow).where(SYMBOL, MarketFeedRow.source == Source.HOUSE),
        select(MarketFeedRow).where(SYMBOL).limit(1),
        select(MarketFeedRow).where(SYMBOL).limit(2),
        select(TickHeadRow).where(TickHeadRow.symbol == "BTCUSDT"),
    ]
    assert len({key_of(each) for each in questions}) == len(questions)


parameters = st.one_of(
    st.booleans(),
    st.integers(-2, 2),
    st.floats(-2, 2).filter(float.is_integer),
    st.sampled_from([Decimal(0), Decimal(1), "1", "", "a", b"1", UUID(int=1), datetime(2024, 1, 1, tzinfo=UTC)]),
)


@given(parameters, parameters, parameters, parameters)
def test_every_bound_parameter_is_part_of_the_key(a: object, b: object, c: object, d: object) -> None:
    """What belongs to one user can never answer another: values, their types and their places all count."""

    def asked(user: ColumnElement[object], other: ColumnElement[object]) -> object:
        return key_of(select(MarketFeedRow.label).where(literal("x") == user, literal("y") == other))

    same = [(type(a), a), (type(b), b)] == [(type(c), c), (type(d), d)]
    assert (asked(literal(a), literal(b)) == asked(literal(c), literal(d))) == same


def test_a_parameter_that_no_key_can_hold_is_refused() -> None:
    with pytest.raises(UncacheableError, match="object"):
        key_of(select(MarketFeedRow.label).where(literal(object(), MarketFeedRow.label.type) == "x"))
