"""Keeps quotes standing in the demo world, round the price that the feed says.

All that it knows of its orders it looks up in the engine's memory before each round, so nothing has to be kept in step:
after a doubt it takes everything back and begins anew. It holds no right that another account has not.

Invariants:
    A round has at most one order a level and side to place, and at most one round a ``maker.round_s``.
    No quote stands for longer than that after its price has grown old, or after the process was told to stop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from time import monotonic, time_ns
from typing import Final, NamedTuple

import msgspec
import structlog

from fondaco.core.commands import CancelAll, CancelOrder, Command, PlaceOrder
from fondaco.core.listings import Catalogue, Instrument
from fondaco.core.money import parse_positive_atoms
from fondaco.core.replies import Refused
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import AccountKind, AccountStatus, OrderState, OrderType, World
from fondaco.domains.maker.last_prices import LastPrices
from fondaco.domains.maker.quoting import Changes, Funds, Level, Rules, Standing, centre_of, changes, followed, wanted
from fondaco.engine.live import LiveHouse, Owner
from fondaco.engine.port import Engine, OutcomeUnknownError, OverloadedError
from fondaco.engine.queries import AccountSeen, LookAtAccount
from fondaco.infra.bus.port import Bus, BusUnavailableError
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database, DatabaseUnavailableError
from fondaco.infra.ids import new_id
from fondaco.infra.settings import MakerSettings
from fondaco.market.messages import Quote, quote_channel

log = structlog.get_logger()

WORLD: Final = World.DEMO
RETRY_S: Final = 0.5
"""Between two tries while engine or bus are away, and between two looks for somebody to make the market for."""
VALID_NS: Final = 5_000_000_000
"""How long a command is worth doing. An older quote says nothing any more."""
WITHDRAW_S: Final = 3.0
"""How long a maker that stops tries to take its orders back."""

_decode_quote = msgspec.json.Decoder(Quote).decode


class Heard(NamedTuple):
    """A price of the feed, in quote atoms, and when it was heard."""

    price: int
    at_s: float


class Maker:
    """Makes the market in every instrument of the demo world that the feed brings prices of.

    Args:
        engine: where orders go.
        database: where the engine's tables are.
        bus: where quotes come from.
        catalogue: the symbols to listen to.
        settings: how the market is made.
        find_makers: ids of the users who may make it; may raise `DatabaseUnavailableError`.
        clock_s: for the age of quotes.
    """

    def __init__(
        self,
        engine: Engine,
        database: Database,
        bus: Bus,
        catalogue: Catalogue,
        settings: MakerSettings,
        find_makers: Callable[[], Awaitable[list[str]]],
        clock_s: Callable[[], float] = monotonic,
    ) -> None:
        self._engine = engine
        self._last_prices = LastPrices()
        self._live = LiveHouse(engine, database, [self._last_prices])
        self._bus = bus
        self._catalogue = catalogue
        self._settings = settings
        self._find_makers = find_makers
        self._clock_s = clock_s
        self._heard: dict[str, Heard] = {}
        self._quoted: dict[str, int] = {}
        """The centre that each symbol is quoted round."""
        self._account_id = 0
        self._life = new_id().hex
        self._numbers = count(1)

    async def run(self) -> None:
        """Make the market until cancelled. What stands then is for `withdraw`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._live.run())
            group.create_task(self._listen())
            group.create_task(self._work())

    async def withdraw(self) -> None:
        """Take every order back, as well as that can be done now."""
        if not self._account_id:
            return
        try:
            async with asyncio.timeout(WITHDRAW_S):
                await self._begin_anew()
        except (OverloadedError, OutcomeUnknownError, TimeoutError) as error:
            log.warning("maker.not_withdrawn", account=self._account_id, why=str(error) or "no answer came")

    async def round(self) -> None:
        """Have standing in every market what should stand there now."""
        seen = await self._engine.look(LookAtAccount(self._account_id))
        assert isinstance(seen, AccountSeen), "that was the question"
        by_quote = self._symbols_by_quote()
        for instrument in self._catalogue.by_symbol.values():
            terms = self._live.terms(WORLD, instrument.symbol)
            if terms is not None:
                funds = _funds(seen, terms, sharing=by_quote[terms.instrument.quote.code])
                await self._make(terms, self._changes(terms, funds, seen))

    async def _listen(self) -> None:
        """Hear every quoted price."""
        channels = [quote_channel(symbol) for symbol in self._catalogue.symbols]
        while True:
            try:
                async with self._bus.subscribe(*channels) as messages:
                    for channel in channels:  # the last ones, until there are new ones
                        self._hear(await self._bus.get(channel), is_old=True)
                    async for message in messages:
                        self._hear(message.body)
            except BusUnavailableError as error:
                log.info("maker.waits_for_bus", error=str(error))
            await asyncio.sleep(RETRY_S)

    def _hear(self, body: bytes | None, *, is_old: bool = False) -> None:
        """Take a quoted price. One that is not new is as old as its trade."""
        if body is None:
            return
        try:
            quote = _decode_quote(body)
        except msgspec.DecodeError as error:
            log.warning("maker.bad_quote", error=str(error))
            return
        instrument = self._catalogue.by_symbol.get(quote.symbol)
        price = parse_positive_atoms(quote.original_price, instrument.price_scale) if instrument is not None else None
        if isinstance(price, int):
            age_s = max(0.0, now_us() / 1_000_000 - quote.timestamp / 1_000) if is_old else 0.0
            self._heard[quote.symbol] = Heard(price, self._clock_s() - age_s)

    async def _work(self) -> None:
        while True:
            await self._live.ready.wait()
            try:
                owner = await self._own_account()
                if owner is not None:
                    await self._make_market(owner.account_id)
            except (OverloadedError, OutcomeUnknownError) as error:
                log.info("maker.waits_for_engine", why=str(error))
            except DatabaseUnavailableError as error:
                log.info("maker.waits_for_database", why=str(error))
            await asyncio.sleep(RETRY_S)

    async def _make_market(self, account_id: int) -> None:
        """Go round for as long as the account can act."""
        self._account_id = account_id
        await self._begin_anew()
        log.info("maker.begins", account=account_id)
        while self._is_usable(self._live.accounts.get(account_id)):
            await self.round()
            await asyncio.sleep(self._settings.round_s)

    async def _own_account(self) -> Owner | None:
        """The first account of a market maker that can trade here."""
        for user_id in await self._find_makers():
            for account_id in self._live.accounts_of.get(user_id, ()):
                if self._is_usable(owner := self._live.accounts[account_id]):
                    return owner
        return None

    @staticmethod
    def _is_usable(owner: Owner | None) -> bool:
        return (
            owner is not None
            and owner.world is WORLD
            and owner.kind is AccountKind.SPOT
            and owner.status is AccountStatus.ACTIVE
        )

    async def _begin_anew(self) -> None:
        self._quoted.clear()
        await self._submit(CancelAll(self._account_id))

    def _changes(self, terms: Terms, funds: Funds, seen: AccountSeen) -> Changes:
        """What is to be done in one market. Without a price that is young enough nothing should stand."""
        symbol = terms.instrument.symbol
        standing = [
            Standing(order.order_id, order.side, order.price_ticks, order.open_lots)
            for order in seen.orders
            if order.symbol == symbol and order.world is WORLD and order.state is not OrderState.PENDING
        ]
        heard = self._heard.get(symbol)
        if heard is None or self._clock_s() - heard.at_s > self._settings.stale_s:
            self._quoted.pop(symbol, None)
            return changes((), standing)
        rules = rules_of(self._settings, terms)
        centre = centre_of(terms, rules, heard.price, funds)
        self._quoted[symbol] = followed(rules, self._quoted.get(symbol, 0), centre)
        last_ticks = self._last_prices.ticks.get((WORLD, symbol), 0)
        return changes(wanted(terms, rules, self._quoted[symbol], last_ticks, funds), standing)

    async def _make(self, terms: Terms, changes: Changes) -> None:
        """Take back first: new quotes may lie where the old ones stand."""
        await asyncio.gather(*(self._submit(CancelOrder(self._account_id, each)) for each in changes.cancel))
        await asyncio.gather(*(self._submit(self._order(terms, level)) for level in changes.place))

    def _order(self, terms: Terms, level: Level) -> PlaceOrder:
        return PlaceOrder(
            self._account_id,
            terms.instrument.symbol,
            level.side,
            OrderType.LIMIT,
            quantity=level.lots * terms.lot,
            price=level.price_ticks * terms.tick,
            post_only=True,
        )

    async def _submit(self, command: Command) -> None:
        """Have something done. What is refused is not wanted: the next round looks again."""
        command_id = f"maker-{self._life}-{next(self._numbers)}"
        answer = await self._engine.submit(
            self._account_id, command, command_id=command_id, not_after_ns=time_ns() + VALID_NS
        )
        if isinstance(answer.reply, Refused):
            log.debug("maker.refused", command=type(command).__name__, why=answer.reply.code.value)

    def _symbols_by_quote(self) -> Mapping[str, int]:
        """How many markets share each quote asset."""
        instruments: list[Instrument] = list(self._catalogue.by_symbol.values())
        codes = [each.quote.code for each in instruments if self._live.terms(WORLD, each.symbol) is not None]
        return {code: codes.count(code) for code in codes}


def rules_of(settings: MakerSettings, terms: Terms) -> Rules:
    """The settings, in what a market counts in."""
    value = settings.level_value * int(10**terms.instrument.quote.scale)
    return Rules(settings.levels, value, settings.spread_ppm, settings.step_ppm, settings.move_ppm, settings.skew_ppm)


def _funds(seen: AccountSeen, terms: Terms, *, sharing: int) -> Funds:
    """What there is for one market: all of its base, and an equal share of its quote asset."""
    totals = {each.asset: each.available + each.held for each in seen.balances}
    base, quote = terms.instrument.base.code, terms.instrument.quote.code
    return Funds(totals.get(base, 0), totals.get(quote, 0) // sharing)
