"""An exchange that is open over HTTP: people of each role with accounts, the engine behind it, and clients that ask."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import httpx
from sqlalchemy import insert

from fondaco.core.commands import HOUSE, AdmitUser, Command, Deposit, ListAsset, ListInstrument, OpenAccount
from fondaco.core.replies import AccountOpened, Refused
from fondaco.core.vocabulary import World
from fondaco.domains.identity.tables import UserRole, UserRow, UserState
from fondaco.engine.client import EngineClient
from fondaco.engine.live import LiveHouse
from fondaco.infra.database import Database
from fondaco.infra.ids import new_id
from fondaco.infra.settings import ServeSettings, Settings
from support.engines import submit
from support.floor import FUNDS, SYMBOL, TERMS
from support.house import House
from support.live import House as Engine
from support.live import kept_up, whole_engine

TOKENS: Final = Settings(serve=ServeSettings(development_tokens=True))
ROLES: Final = {
    "alice": UserRole.USER,
    "bob": UserRole.USER,
    "maker": UserRole.MARKET_MAKER,
    "admin": UserRole.ADMIN,
    "superadmin": UserRole.SUPERADMIN,
}
Json = dict[str, Any]


class Person(NamedTuple):
    """Somebody with an account."""

    user_id: str
    email: str
    account_id: int

    @property
    def headers(self) -> dict[str, str]:
        """What shows who asks."""
        return {"authorization": f"Bearer dev:{self.user_id}"}


@dataclass(frozen=True)
class Floor:
    """The open exchange."""

    house: House
    engine: Engine
    people: Mapping[str, Person]
    http: httpx.AsyncClient

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    async def ask(self, name: str, method: str, path: str, body: object = None, *, key: str = "") -> httpx.Response:
        """Have somebody ask for something."""
        headers = self[name].headers | ({"idempotency-key": key} if key else {})
        return await self.http.request(method, f"/api/v1{path}", headers=headers, json=body)

    def order(self, name: str, **changes: object) -> Json:
        """A limit order of somebody's that rests; changes that are None leave a field out."""
        whole = {
            "account_id": self[name].account_id,
            "symbol": SYMBOL,
            "side": "buy",
            "type": "limit",
            "quantity": "0.5",
            "price": "50000",
        } | changes
        return {field: value for field, value in whole.items() if value is not None}

    async def placed(self, name: str, **changes: object) -> Json:
        """Place an order that must be accepted."""
        answer = await self.ask(name, "POST", "/orders", self.order(name, **changes))
        assert answer.status_code == 201, answer.text
        order: Json = answer.json()
        return order


@asynccontextmanager
async def open_floor(database: Database, settings: Settings = TOKENS) -> AsyncIterator[Floor]:
    """Open the exchange until the block ends; no port is needed."""
    async with whole_engine(database) as engine:
        people = await opened(database, engine.client)
        live = LiveHouse(engine.client, database)
        house = House(settings, database, engine=engine.client, live=live)
        await engine.caught_up()
        async with kept_up(live), house.http() as http:
            yield Floor(house, engine, people, http)


async def opened(database: Database, client: EngineClient) -> dict[str, Person]:
    """List an instrument in both worlds and give everybody an account with money in the real one."""
    await _done(client, ListAsset("BTC", 8), ListAsset("USDT", 8), ListInstrument(TERMS))
    return {name: await join(database, client, name, role) for name, role in ROLES.items()}


async def join(
    database: Database, client: EngineClient, name: str, role: UserRole, state: UserState = UserState.ACTIVE
) -> Person:
    """Make somebody known, with an account and money."""
    user_id, email = new_id(), f"{name}@example.com"
    async with database.transaction() as connection:
        await connection.execute(insert(UserRow).values(id=user_id, email=email, role=role, status=state))
    await _done(client, AdmitUser(str(user_id)))
    reply = (await submit(client, HOUSE, OpenAccount(str(user_id), World.TRADING, "USDT"))).reply
    assert isinstance(reply, AccountOpened)
    await _done(client, *(Deposit(reply.account_id, asset, FUNDS) for asset in ("BTC", "USDT")))
    return Person(str(user_id), email, reply.account_id)


async def _done(client: EngineClient, *commands: Command) -> None:
    for command in commands:
        answer = await submit(client, HOUSE, command)
        assert not isinstance(answer.reply, Refused), answer
