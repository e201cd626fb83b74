"""Decimals become atoms at the scale of what they count, exactly, and each field of an order at its own."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.book.vocabulary import SelfTrade, Side
from fondaco.core.commands import PlaceOrder
from fondaco.core.listings import Asset, Instrument
from fondaco.core.money import INT64_MAX, format_atoms
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import OrderType, TimeInForce, World
from fondaco.domains.trading.amounts import NOT_GIVEN, POLICIES, SIDES, amend_command, moment_ns, place_command
from fondaco.domains.trading.errors import BadAmountError
from fondaco.domains.trading.shapes import NewOrder, OrderChange
from fondaco.engine.projection.tables import OrderSide, SelfTradePolicy

AMOUNTS = st.integers(1, INT64_MAX)


def terms(base_scale: int, quote_scale: int) -> Terms:
    instrument = Instrument("AB", Asset("A", base_scale), Asset("B", quote_scale))
    return Terms(world=World.DEMO, instrument=instrument, tick=1, lot=1, max_price_ticks=1, max_order_lots=1)


@given(st.integers(0, 18), st.integers(0, 18), AMOUNTS, AMOUNTS, AMOUNTS)
def test_every_amount_becomes_its_own_atoms(
    base_scale: int, quote_scale: int, quantity: int, price: int, other: int
) -> None:
    order = NewOrder(
        account_id=7,
        symbol="ab",
        side=OrderSide.SELL,
        type=OrderType.STOP_LIMIT,
        quantity=format_atoms(quantity, base_scale),
        price=format_atoms(price, quote_scale),
        time_in_force=TimeInForce.GTD,
        trigger_price=format_atoms(other, quote_scale),
        quote_quantity=format_atoms(price, quote_scale),
        post_only=True,
        self_trade=SelfTradePolicy.DECREMENT,
        client_order_id="mine",
        expires_at=datetime(2024, 8, 9, tzinfo=UTC),
    )
    assert place_command(order, terms(base_scale, quote_scale)) == PlaceOrder(
        account_id=7,
        symbol="AB",
        side=Side.SELL,
        type=OrderType.STOP_LIMIT,
        quantity=quantity,
        price=price,
        time_in_force=TimeInForce.GTD,
        trigger_price=other,
        quote_quantity=price,
        post_only=True,
        self_trade=SelfTrade.DECREMENT,
        client_order_id="mine",
        expires_ns=1_723_161_600_000_000_000,
    )
    change = OrderChange(account_id=7, symbol="ab", price=order.price, quantity=order.quantity)
    amended = amend_command(9, change, terms(base_scale, quote_scale))
    assert (amended.order_id, amended.quantity, amended.price) == (9, quantity, price)


def test_what_is_left_out_is_not_given() -> None:
    order = NewOrder(account_id=7, symbol="ab", side=OrderSide.BUY, type=OrderType.MARKET)
    command = place_command(order, terms(8, 8))
    assert {command.quantity, command.price, command.trigger_price, command.quote_quantity} == {NOT_GIVEN}
    assert (command.expires_ns, command.client_order_id) == (NOT_GIVEN, "")


def test_a_bad_amount_names_its_field_and_what_is_wrong() -> None:
    order = NewOrder(account_id=7, symbol="ab", side=OrderSide.BUY, type=OrderType.LIMIT, price="1.234", quantity="1")
    with pytest.raises(BadAmountError, match=r"`price`: '1\.234' has more than the 2 decimal places"):
        place_command(order, terms(8, 2))


def test_a_moment_is_counted_in_whole_microseconds_whatever_its_zone() -> None:
    far = timezone(timedelta(hours=2))
    assert moment_ns(datetime(2100, 1, 1, 2, 0, 0, 7, tzinfo=far)) == 4_102_444_800_000_007_000
    assert moment_ns(None) == NOT_GIVEN


def test_every_word_of_an_order_has_its_number() -> None:
    assert set(SIDES) == set(OrderSide)
    assert set(POLICIES) == set(SelfTradePolicy)
    assert set(POLICIES.values()) == set(SelfTrade)
