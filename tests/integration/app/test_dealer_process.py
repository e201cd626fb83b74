"""The dealer in a whole house: it quotes what is seeded, ends when told to, and outlives whoever dies beside it."""

import json
import os
import signal

import httpx

from support.houses import RunningHouse, running_house
from support.places import open_folder
from support.waiting import eventually

SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
PATIENCE_S = 90.0
OPERATOR = {"authorization": "Bearer dev:admin@example.com"}


async def quoted(house: RunningHouse, world: str) -> dict[str, str]:
    """When the trades came in that the quotes of a world were made of."""
    async with httpx.AsyncClient(trust_env=False, base_url=house.address, headers=OPERATOR, timeout=10) as client:
        try:
            answer = await client.get(f"/api/v1/desk/quotes?world={world}")
        except httpx.HTTPError:
            return {}
    return {each["symbol"]: each["received_at"] for each in answer.json()["quotes"]} if answer.is_success else {}


async def quotes_go_on(house: RunningHouse) -> None:
    """Wait until every symbol has a newer quote, in both worlds."""
    before = {world: await quoted(house, world) for world in ("trading", "demo")}

    async def has_gone_on() -> bool:
        for world, known in before.items():
            now = await quoted(house, world)
            if sorted(now) != SYMBOLS or any(now[symbol] <= known.get(symbol, "") for symbol in SYMBOLS):
                return False
        return True

    await eventually(has_gone_on, patience_s=PATIENCE_S)


async def ended(house: RunningHouse, number: signal.Signals) -> str:
    """Send the dealer a signal; returns how it ended."""
    (pid,) = house.pids("fondaco dealer")
    os.kill(pid, number)
    found: list[str] = []

    async def has_ended() -> bool:
        said = (json.loads(line) for line in house.log if line.startswith("{"))
        found[:] = [
            each["how"]
            for each in said
            if each["event"] == "process.ended" and (each["name"], each["pid"]) == ("dealer", pid)
        ]
        return bool(found)

    await eventually(has_ended)
    return found[0]


async def test_it_quotes_ends_when_told_to_and_outlives_those_beside_it() -> None:
    """EXP-89, EXP-95."""
    with open_folder() as folder:
        async with running_house(folder / "house", "--seed", FONDACO_SERVE__DEVELOPMENT_TOKENS="true") as house:
            await quotes_go_on(house)
            assert await ended(house, signal.SIGKILL) == "signal SIGKILL"
            await quotes_go_on(house)
            for number in (signal.SIGTERM, signal.SIGINT):
                assert await ended(house, number) == "exit code 0"
                await quotes_go_on(house)
            for words in ("fondaco engine", "fondaco feed", "postgres -D"):
                for pid in house.pids(words):
                    os.kill(pid, signal.SIGKILL)
                await quotes_go_on(house)
            assert await told_in_metrics(house)
            assert await house.stop() == 0
    assert [line for line in house.log if '"dealer"' in line and ("Traceback" in line or '"error"' in line)] == []


async def told_in_metrics(house: RunningHouse) -> bool:
    """Whether the serving process tells the dealer's metrics."""
    async with httpx.AsyncClient(trust_env=False, base_url=house.address, timeout=10) as client:
        body = (await client.get("/metrics")).text
    return 'fondaco_dealer_quotes_total{symbol="BTCUSDT",world="demo"}' in body
