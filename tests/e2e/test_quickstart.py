"""docs/quickstart.md, run line by line as a newcomer would, against a house that has just been opened."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from support.houses import RunningHouse, running_house
from support.places import open_folder
from support.waiting import eventually

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"
WRITTEN_ADDRESS = "http://localhost:8000"


def blocks(address: str) -> str:
    """Every command of the page after the one that opens the house."""
    found = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert found[0] == "./dev up\n"
    return "\n".join(found[1:]).replace(WRITTEN_ADDRESS, address)


async def run(script: str) -> list[Any]:
    """Run it with bash; returns each line of JSON that it printed."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (err.decode(), out.decode())
    return [json.loads(line) for line in out.decode().splitlines() if line]


async def seeded(house: RunningHouse) -> None:
    """Wait until everything is there, the market maker and the dealer too."""

    async def is_seeded() -> bool:
        return any("The house is seeded" in line for line in house.log)

    async def is_made() -> bool:
        answer = await run(f"curl -fsS '{house.address}/api/v1/depth?symbol=BTCUSDT&world=demo'; echo")
        return bool(answer[0]["bids"]) and bool(answer[0]["asks"])

    async def is_dealt() -> bool:
        url = f"{house.address}/api/v1/desk/quotes?world=demo"
        answer = await run(f"curl -fsS -H 'Authorization: Bearer dev:alice@example.com' '{url}'; echo")
        return any(each["symbol"] == "BTCUSDT" for each in answer[0]["quotes"])

    await eventually(is_seeded, patience_s=90)
    await eventually(is_made, patience_s=60)
    await eventually(is_dealt, patience_s=60)


async def test_two_people_trade_as_the_quickstart_says() -> None:
    with open_folder() as folder:
        async with running_house(folder / "house", "--seed", FONDACO_SERVE__DEVELOPMENT_TOKENS="true") as house:
            await seeded(house)
            said = await run(blocks(house.address))
            assert await house.stop() == 0
    accounts, depth, played, balances = said[0], said[2], said[3], said[4]
    offered, again, taken, trades, left, cancelled, bet, closed, ledger = said[5:]
    assert {each["world"] for each in accounts["accounts"]} == {"trading", "demo"}
    assert len(depth["bids"]) == len(depth["asks"]) == 3
    assert (played["state"], played["filled"]) == ("filled", "0.00100000")
    assert {each["asset"] for each in balances["balances"]} >= {"BTC", "USDT"}
    assert (offered["state"], offered["duplicate"]) == ("open", False)
    assert again == {**offered, "duplicate": True}
    assert (taken["state"], taken["filled"]) == ("filled", "0.00100000")
    assert trades["trades"][0]["quantity"] == "0.00100000"
    rest = left["orders"][0]
    assert (rest["order_id"], rest["state"]) == (offered["order_id"], "partially_filled")
    assert cancelled["cancelled"] >= 1
    assert (bet["direction"], bet["quantity"]) == ("long", "0.01000000")
    position, fills = closed["position"], closed["fills"]
    assert position["position_id"] == bet["position_id"]
    assert (position["status"], position["leverage"]) == ("closed", 50)
    assert position["close_reason"] in {"stop_loss", "take_profit"}
    assert len(fills) == 2
    leg = ledger["entries"][0]
    assert (leg["reason"], leg["reference_id"]) == ("desk_result", bet["position_id"])
    assert leg["amount"] == position["realized_pnl"].removeprefix("-")
