"""Fills a house: people, assets and instruments, accounts with something in them, a first book and trade, and a desk.

Everything goes through the engine, under command ids that follow from what they do. What is there is left alone: for as
long as the engine remembers, by the id, and after that by what stands. So it can be cut off anywhere, and done again.

The money of the trading world is as good as real. Only the whole seed puts any there, for the demo users alone, as
deposits that say so in their note.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from time import time_ns
from typing import Final

from fondaco.app.seeding.dealing import desk_terms_of
from fondaco.app.seeding.listing import lots_worth, nearest_ticks, terms_of
from fondaco.app.seeding.people import ALICE, BOB, MAKER, PEOPLE, Part, Person
from fondaco.core.book.vocabulary import Side
from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    Command,
    Deposit,
    FundInsurance,
    ListAsset,
    ListInstrument,
    OpenAccount,
    PlaceOrder,
    SetDeskRules,
    SetDeskTerms,
)
from fondaco.core.desk.terms import DeskRules
from fondaco.core.listings import Asset, Catalogue, Instrument
from fondaco.core.money import format_atoms
from fondaco.core.refusals import SENTENCES, Refusal
from fondaco.core.replies import AccountOpened, Refused, Reply
from fondaco.core.state import INSURANCE_ACCOUNT
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import AccountKind, AccountStatus, OrderType, World
from fondaco.domains.desk.view import DeskView
from fondaco.domains.identity.users import add_user, find_user
from fondaco.domains.maker.api import LastPrices
from fondaco.engine.live import LiveHouse, Owner
from fondaco.engine.port import Engine, OutcomeUnknownError, OverloadedError
from fondaco.engine.queries import AccountSeen, LookAtAccount
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError

NOTE: Final = "seed"
"""What the ledger's deposits say of where they came from."""
ENGINE_WAIT_S: Final = 30.0
"""How long each step waits for an engine that is just starting or taking over."""
RETRY_S: Final = 0.1
VALID_NS: Final = 30_000_000_000
DEMO_UNITS: Final = 1_000
"""Play money of a newcomer, in quote units, and as much again of each base asset."""
TRADING_UNITS: Final = 10_000
MAKER_UNITS: Final = 1_000_000
INSURANCE_UNITS: Final = 100_000
"""What the insurance fund of each world begins with, in each quote asset."""
LEVELS: Final = 5
LEVEL_UNITS: Final = 200
"""What each order of the first book is worth."""
LEVEL_PPM: Final = 1_000
"""How far the first book's orders are apart."""
PPM: Final = 1_000_000

IS_THERE: Final = frozenset(
    {Refusal.USER_EXISTS, Refusal.ASSET_EXISTS, Refusal.INSTRUMENT_EXISTS, Refusal.COMMAND_ID_REUSED}
)
"""Refusals which say that the work is done. An id that was used for other fields was: today's prices are others."""


class Seeder:
    """Seeds one house.

    Args:
        engine: of the house.
        database: of the house.
        catalogue: the pairs that are listed.
        prices: what each symbol costs now, in quote atoms. A symbol that is not here is left out.
        say: told of everything that is done, a line each.
    """

    def __init__(
        self,
        engine: Engine,
        database: Database,
        catalogue: Catalogue,
        prices: Mapping[str, int],
        say: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._database = database
        self._instruments = [each for each in catalogue.by_symbol.values() if each.symbol in prices]
        self._prices = prices
        self._say = say
        self._last_prices = LastPrices()
        self._dealing = DeskView()
        self._live = LiveHouse(engine, database, [self._last_prices, self._dealing])
        self._seq = 0
        self.done = 0
        """How much was not there before."""

    async def seed(self, part: Part) -> None:
        """Bring in what is missing of this part. Raises `UserError` when the house is in no state for it."""
        listening = asyncio.ensure_future(self._live.run())
        try:
            await self._people(PEOPLE[part])
            if part is Part.ADMIN:
                return
            if not self._instruments:
                raise UserError("The feed has named no price yet, and what is listed follows from it. Try again soon.")
            worlds = (World.TRADING, World.DEMO) if part is Part.ALL else (World.DEMO,)
            await self._list(worlds)
            await self._account(MAKER, World.DEMO, MAKER_UNITS)
            if part is Part.ALL:
                await self._traders()
                await self._desk(worlds)
                await self._account(ALICE, World.DEMO, DEMO_UNITS, AccountKind.MARGIN)
        finally:
            listening.cancel()
            await asyncio.wait((listening,))

    async def _people(self, people: tuple[Person, ...]) -> None:
        for person in people:
            async with self._database.transaction() as connection:
                await add_user(connection, person.id, person.email, person.role)
                found = await find_user(connection, person.email)
                if found is None or found.id != person.id:
                    raise UserError(f"{person.email} is another user already: this house has people of its own.")
            await self._do(f"seed-user-{person.id}", AdmitUser(person.user_id), f"user {person.email} ({person.role})")

    async def _list(self, worlds: tuple[World, ...]) -> None:
        """List assets and instruments. An instrument that is there keeps its terms."""
        for asset in self._assets():
            await self._do(f"seed-asset-{asset.code}", ListAsset(asset.code, asset.scale), f"asset {asset.code}")
        await self._know_all()
        for world in worlds:
            for instrument in self._instruments:
                symbol = instrument.symbol
                if (world, symbol) in self._live.listings:
                    continue
                terms = terms_of(instrument, world, self._prices[symbol])
                said = f"{symbol} in the {world} world: tick {_price(terms, terms.tick)}, lot {_quantity(terms)}"
                await self._do(f"seed-list-{world}-{symbol}", ListInstrument(terms), said)

    async def _traders(self) -> None:
        for world, units in ((World.TRADING, TRADING_UNITS), (World.DEMO, DEMO_UNITS)):
            buyer = await self._account(ALICE, world, units)
            seller = await self._account(BOB, world, units)
            await self._know_all()
            for instrument in self._instruments:
                terms = self._live.terms(world, instrument.symbol)
                if terms is not None and (world, instrument.symbol) not in self._last_prices.ticks:
                    await self._open_book(terms, buyer, seller)

    async def _desk(self, worlds: tuple[World, ...]) -> None:
        """Open the desk. What an operator has decided of it stays."""
        await self._know_all()
        for world in worlds:
            if world not in self._dealing.rules:
                said = f"the desk's rules in the {world} world"
                await self._do(f"seed-desk-rules-{world}", SetDeskRules(DeskRules(world)), said)
            for instrument in self._instruments:
                listed = self._live.terms(world, instrument.symbol)
                if listed is None or (world, instrument.symbol) in self._dealing.terms:
                    continue
                terms = desk_terms_of(listed, self._prices[instrument.symbol])
                said = f"{instrument.symbol} at the desk of the {world} world, up to {listed.max_leverage} times"
                await self._do(f"seed-desk-{world}-{instrument.symbol}", SetDeskTerms(terms), said)
            await self._insure(world)

    async def _insure(self, world: World) -> None:
        """Put something of each quote asset into an insurance fund that has never had any of it."""
        had = await self._assets_of(INSURANCE_ACCOUNT[world])
        for asset in dict.fromkeys(each.quote for each in self._instruments):
            if asset.code not in had:
                amount = INSURANCE_UNITS * 10**asset.scale
                said = f"{format_atoms(amount, asset.scale)} {asset.code} for the insurance fund of the {world} world"
                command = FundInsurance(world, asset.code, amount, NOTE)
                await self._do(f"seed-insurance-{world}-{asset.code}", command, said)

    async def _account(self, person: Person, world: World, units: int, kind: AccountKind = AccountKind.SPOT) -> int:
        """An account that can act, with something of every asset that it has never had any of; margin in one alone."""
        await self._know_all()
        account_id = self._account_of(person, world, kind)
        currency = self._instruments[0].quote
        if account_id is None:
            grant = units * 10**currency.scale if world is World.DEMO else 0
            command = OpenAccount(person.user_id, world, currency.code, kind, grant)
            number = len(self._live.accounts_of.get(person.user_id, ()))
            said = f"{kind} account of {person.email} in the {world} world"
            reply = await self._do(f"seed-account-{person.id}-{number}", command, said)
            if not isinstance(reply, AccountOpened):
                raise UserError(f"{person.email} gets no account in the {world} world.")
            account_id = reply.account_id
        had = await self._assets_of(account_id)
        for asset, amount in self._worth(units).items():
            is_wanted = kind is AccountKind.SPOT or asset == currency
            if is_wanted and asset.code not in had:
                said = f"{format_atoms(amount, asset.scale)} {asset.code} for {person.email} in the {world} world"
                command_id = f"seed-deposit-{account_id}-{asset.code}"
                await self._do(command_id, Deposit(account_id, asset.code, amount, NOTE), said)
        return account_id

    async def _open_book(self, terms: Terms, buyer: int, seller: int) -> None:
        """Orders on both sides of today's price, and one trade at it, from which market orders have a measure."""
        world, symbol = terms.world, terms.instrument.symbol
        price = self._prices[symbol]
        lots = lots_worth(terms, price, LEVEL_UNITS)
        if world is World.TRADING:  # in the demo world the market maker sees to that
            for number in range(1, LEVELS + 1):
                for side, account_id, sign in ((Side.BUY, buyer, -1), (Side.SELL, seller, 1)):
                    ticks = nearest_ticks(terms, price * (PPM + sign * number * LEVEL_PPM) // PPM)
                    command_id = f"seed-level-{world}-{symbol}-{side.name.lower()}-{number}"
                    await self._do(command_id, _limit(terms, account_id, side, ticks, lots), "")
            self._say(f"  {2 * LEVELS} orders for a first book of {symbol} in the {world} world")
        ticks = nearest_ticks(terms, price)
        for side, account_id in ((Side.SELL, seller), (Side.BUY, buyer)):
            said = f"first trade of {symbol} in the {world} world at {_price(terms, ticks * terms.tick)}"
            command_id = f"seed-trade-{world}-{symbol}-{side.name.lower()}"
            await self._do(command_id, _limit(terms, account_id, side, ticks, 1), said if side is Side.BUY else "")

    async def _do(self, command_id: str, command: Command, said: str) -> Reply:
        """Have a command done once; tells of it when it was not done before."""
        account_id = command.account_id if isinstance(command, PlaceOrder) else HOUSE
        async with _patience():
            while True:
                try:
                    answer = await self._engine.submit(
                        account_id, command, command_id=command_id, not_after_ns=time_ns() + VALID_NS
                    )
                    break
                except (OverloadedError, OutcomeUnknownError):
                    await asyncio.sleep(RETRY_S)
        self._seq = max(self._seq, answer.seq)
        is_there = answer.is_duplicate
        if isinstance(answer.reply, Refused):
            is_there = answer.reply.code in IS_THERE
            if not is_there:
                raise UserError(f"The seed was refused ({said or command_id}): {SENTENCES[answer.reply.code]}")
        if not is_there:
            self.done += 1
            if said:
                self._say(f"  {said}")
        return answer.reply

    async def _know_all(self) -> None:
        """Wait until what is known of the house has all that was done so far, and was there when this began."""
        async with _patience():
            seq = self._seq or (await self._look(HOUSE)).seq
            await self._live.come_to(seq)

    async def _assets_of(self, account_id: int) -> set[str]:
        async with _patience():
            return {each.asset for each in (await self._look(account_id)).balances}

    async def _look(self, account_id: int) -> AccountSeen:
        while True:
            try:
                seen = await self._engine.look(LookAtAccount(account_id))
            except (OverloadedError, OutcomeUnknownError):
                await asyncio.sleep(RETRY_S)
                continue
            assert isinstance(seen, AccountSeen), "that was the question"
            return seen

    def _account_of(self, person: Person, world: World, kind: AccountKind) -> int | None:
        owned = (self._live.accounts[each] for each in self._live.accounts_of.get(person.user_id, ()))
        return next((each.account_id for each in owned if each.kind is kind and _can_act(each, world)), None)

    def _assets(self) -> list[Asset]:
        """Every asset of the pairs, each once."""
        return list(dict.fromkeys(asset for each in self._instruments for asset in (each.quote, each.base)))

    def _worth(self, units: int) -> dict[Asset, int]:
        """So many quote units of each quote asset, and as much worth of each base asset."""
        quotes = {each.quote: units * 10**each.quote.scale for each in self._instruments}
        return {each.base: _base_worth(each, self._prices[each.symbol], units) for each in self._instruments} | quotes


def _base_worth(instrument: Instrument, price: int, units: int) -> int:
    """Base atoms that are worth so many quote units, at least one."""
    return max(1, units * int(10 ** (instrument.quote.scale + instrument.base.scale)) // price)


def _can_act(owner: Owner, world: World) -> bool:
    return owner.world is world and owner.status is AccountStatus.ACTIVE


def _limit(terms: Terms, account_id: int, side: Side, ticks: int, lots: int) -> PlaceOrder:
    return PlaceOrder(
        account_id,
        terms.instrument.symbol,
        side,
        OrderType.LIMIT,
        quantity=lots * terms.lot,
        price=ticks * terms.tick,
    )


def _price(terms: Terms, atoms: int) -> str:
    return format_atoms(atoms, terms.instrument.price_scale)


def _quantity(terms: Terms) -> str:
    return format_atoms(terms.lot, terms.instrument.quantity_scale)


@asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    """As long as somebody waits for the engine; then it is said."""
    try:
        async with asyncio.timeout(ENGINE_WAIT_S):
            yield
    except TimeoutError as error:
        raise UserError(
            f"The engine did not answer within {ENGINE_WAIT_S:.0f} s. `fondaco doctor` says whether the house is well."
        ) from error
