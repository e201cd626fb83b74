"""A wrong word is refused before it reaches the database, and only where a whole word is meant."""

import pytest
from sqlalchemy import Select, String, cast, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from fondaco.infra.columns import SymbolCode, WordOf, WrongWordError
from fondaco.market.messages import Source
from fondaco.market.tables import MarketFeedRow

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped


def sent(kind: TypeEngine[object], value: object) -> object:
    """What the driver would get."""
    process = kind.dialect_impl(DIALECT).bind_processor(DIALECT)
    assert process is not None
    return process(value)


@pytest.mark.parametrize("word", ["replay", Source.REPLAY])
def test_a_word_and_its_member_are_sent_as_plain_text(word: str) -> None:
    assert type(sent(WordOf(Source), word)) is str
    assert sent(WordOf(Source), word) == "replay"
    assert sent(WordOf(Source), None) is None


@pytest.mark.parametrize("word", ["", "Replay", "replay ", "bybit", 1, b"replay"])
def test_any_other_word_is_refused_with_those_that_there_are(word: object) -> None:
    with pytest.raises(WrongWordError, match="choose one of binance, replay, simulated, house"):
        sent(WordOf(Source), word)


def test_a_symbol_is_sent_as_it_is() -> None:
    assert sent(SymbolCode(), "BTCUSDT") == "BTCUSDT"
    assert sent(SymbolCode(), "A" * 40) == "A" * 40
    assert sent(SymbolCode(), None) is None


@pytest.mark.parametrize("symbol", ["", "btcusdt", "BTC/USDT", "BTCUSDT\n", "ÄTHUSDT", "A" * 41, 7])
def test_any_other_spelling_is_refused(symbol: object) -> None:
    with pytest.raises(WrongWordError, match="written BTCUSDT"):
        sent(SymbolCode(), symbol)


def test_only_comparisons_with_a_whole_word_are_checked() -> None:
    symbol = MarketFeedRow.symbol
    whole = [symbol == "x", symbol != "x", symbol.in_(["x"]), symbol.not_in(["x"])]
    parts = [symbol.like("x"), symbol > "x", symbol.startswith("x"), cast(symbol, String) == "x"]
    assert [_checks(select(symbol).where(each)) for each in (*whole, *parts)] == [True] * 4 + [False] * 4
    assert any(isinstance(each, SymbolCode) for each in _types(insert(MarketFeedRow).values(symbol="x")))


def _checks(statement: Select[str]) -> bool:
    return any(isinstance(each, SymbolCode) for each in _types(statement))


def _types(statement: object) -> list[object]:
    compiled = statement.compile(dialect=DIALECT)  # type: ignore[attr-defined] # a select or an insert
    return [each.type for each in compiled.binds.values()]
