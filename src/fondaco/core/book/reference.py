"""The book as one would write it on a first afternoon: plain lists, every rule in sight, no speed.

It is the truth that the kernel is held against, and the baseline that the kernel's speed is measured against.
"""

from dataclasses import dataclass

from fondaco.core.book.vocabulary import (
    NO_ORDER,
    NOBODY,
    Depth,
    Fill,
    Meeting,
    Outcome,
    Placed,
    Resting,
    SelfTrade,
    Side,
    Walk,
)


@dataclass
class _Order:
    handle: int
    order_id: int
    owner: int
    side: Side
    price: int
    lots: int


class ReferenceBook:
    """Orders in two lists, best first. The same interface as `fondaco.core.book.Book`."""

    def __init__(self, max_price: int, *, max_touched: int = 1_000) -> None:
        self._max_price = max_price
        self._max_touched = max_touched
        self._sides: tuple[list[_Order], list[_Order]] = ([], [])
        self._by_handle: dict[int, _Order] = {}
        self._next_handle = 0

    def __len__(self) -> int:
        return len(self._by_handle)

    def place(
        self,
        order_id: int,
        side: Side,
        price: int,
        lots: int,
        *,
        owner: int = NOBODY,
        self_trade: SelfTrade = SelfTrade.ALLOW,
        rests: bool = True,
        makes_only: bool = False,
    ) -> Placed:
        """Match an order against the other side as far as its price allows; let the rest of it rest, if it may."""
        opposite = self._sides[side.opposite]
        reached = [each for each in opposite if _crosses(side, price, each.price)]
        if makes_only and reached:
            return Placed(Outcome.WOULD_TAKE, NO_ORDER, lots, ())
        if self._walk(side, price, lots, owner, self_trade)[3] > self._max_touched:
            return Placed(Outcome.TOO_MANY, NO_ORDER, lots, ())
        fills: list[Fill] = []
        is_expired = False
        for maker in reached:
            if lots == 0 or is_expired:
                break
            is_own = owner != NOBODY and maker.owner == owner and self_trade is not SelfTrade.ALLOW
            if not is_own or self_trade is SelfTrade.DECREMENT:
                met = min(lots, maker.lots)
                lots -= met
                self._take(maker, met)
                meeting = Meeting.DECREMENTED if is_own else Meeting.TRADE
                fills.append(Fill(maker.order_id, maker.price, met, maker.lots, meeting))
                continue
            is_expired = self_trade is not SelfTrade.EXPIRE_MAKER
            if self_trade is not SelfTrade.EXPIRE_TAKER:
                fills.append(Fill(maker.order_id, maker.price, maker.lots, 0, Meeting.MAKER_EXPIRED))
                self._take(maker, maker.lots)
        if is_expired:
            return Placed(Outcome.EXPIRED, NO_ORDER, lots, tuple(fills))
        if lots == 0 or not rests:
            return Placed(Outcome.DONE, NO_ORDER, lots, tuple(fills))
        return Placed(Outcome.RESTED, self._rest(order_id, owner, side, price, lots), lots, tuple(fills))

    def cancel(self, handle: int) -> int:
        """Take an order out; returns the lots it had, 0 when it is not there."""
        order = self._by_handle.get(handle)
        if order is None:
            return 0
        lots = order.lots
        self._take(order, lots)
        return lots

    def reduce(self, handle: int, lots: int) -> bool:
        """Lower an order to so many lots, at least one and fewer than it has; its place in the queue stays."""
        order = self._by_handle.get(handle)
        if order is None or not 0 < lots < order.lots:
            return False
        order.lots = lots
        return True

    def walk(
        self,
        side: Side,
        price: int,
        lots: int,
        *,
        owner: int = NOBODY,
        self_trade: SelfTrade = SelfTrade.ALLOW,
    ) -> Walk:
        """What an order of this side would get up to a price."""
        return Walk(*self._walk(side, price, lots, owner, self_trade))

    def best(self, side: Side) -> int:
        """The best price of a side; 0 when it is empty."""
        return self._sides[side][0].price if self._sides[side] else 0

    def depth(self, side: Side, count: int) -> list[Depth]:
        """The best levels of a side, best first."""
        levels: dict[int, Depth] = {}
        for each in self._sides[side]:
            level = levels.get(each.price, Depth(each.price, 0, 0))
            levels[each.price] = Depth(each.price, level.lots + each.lots, level.orders + 1)
        return list(levels.values())[:count]

    def resting(self) -> list[Resting]:
        """Every order, bids before asks, in the order in which they would be served."""
        return [
            Resting(each.order_id, each.owner, each.side, each.price, each.lots)
            for orders in self._sides
            for each in orders
        ]

    def _walk(self, side: Side, price: int, lots: int, owner: int, self_trade: SelfTrade) -> tuple[int, int, int, int]:
        """Lots, notional, worst price, and how many orders would be met."""
        got, notional, worst, met = 0, 0, 0, 0
        for maker in self._sides[side.opposite]:
            if lots == 0 or not _crosses(side, price, maker.price):
                break
            met += 1
            taken = min(lots, maker.lots)
            is_own = owner != NOBODY and maker.owner == owner and self_trade is not SelfTrade.ALLOW
            if not is_own:
                got, notional, worst = got + taken, notional + taken * maker.price, maker.price
                lots -= taken
            elif self_trade is SelfTrade.DECREMENT:
                lots -= taken
            elif self_trade is not SelfTrade.EXPIRE_MAKER:
                break
        return got, notional, worst, met

    def _rest(self, order_id: int, owner: int, side: Side, price: int, lots: int) -> int:
        order = _Order(self._next_handle, order_id, owner, side, price, lots)
        self._next_handle += 1
        orders = self._sides[side]
        behind = (at for at, each in enumerate(orders) if _is_better(side, price, each.price))
        orders.insert(next(behind, len(orders)), order)
        self._by_handle[order.handle] = order
        return order.handle

    def _take(self, order: _Order, lots: int) -> None:
        order.lots -= lots
        if order.lots == 0:
            self._sides[order.side].remove(order)
            del self._by_handle[order.handle]


def _crosses(side: Side, price: int, resting: int) -> bool:
    """Whether an order of this side and price trades with one that rests on the other side."""
    return resting <= price if side is Side.BUY else resting >= price


def _is_better(side: Side, price: int, than: int) -> bool:
    return price > than if side is Side.BUY else price < than
