"""The onslaught: a house, clients that trade, and signal 9 for one of its processes after the other.

``python -m onslaught.house --kills 20`` does it whole and prints what it checked; `tests/e2e/test_onslaught.py` does it
short in every run, and whole in the long one. The seed is printed, and says which process is killed when.
"""

import argparse
import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import httpx
import psycopg

from onslaught import checks
from support.houses import RunningHouse, command, running_house
from support.places import open_folder
from support.waiting import eventually

CLIENTS: Final = 8
ACKS_BETWEEN_KILLS: Final = 500
LATEST_KILL_S: Final = 0.5
"""After so many acknowledgements have come, the blow falls at a random moment within this time."""
PATIENCE_S: Final = 120.0
COUNT_S: Final = 0.1
TAKEOVER_S: Final = 4.0
ADMIN: Final = "dev:admin@example.com"
DEPOSITS: Final = {"BTC": "1000", "USDT": "100000000"}
ATOMS: Final = 10**8
TARGETS: Final = ("engine", "follower", "serve", "database")

Say = Callable[[str], None]


class Client(NamedTuple):
    """One that trades."""

    process: asyncio.subprocess.Process
    file: Path
    account_id: int


async def onslaught(folder: Path, *, kills: int, acks: int, seed: int, say: Say) -> None:
    """Live through it, and check everything. Raises `AssertionError` when something is not as it must be."""
    random = Random(seed)
    say(f"seed {seed}: {kills} kills, {CLIENTS} clients, at least {acks} acknowledgements before each")
    data_dir = folder / "house"
    async with running_house(data_dir, FONDACO_SERVE__DEVELOPMENT_TOKENS="true") as house:
        await eventually(house.is_ready, patience_s=PATIENCE_S)
        url = database_url(data_dir)
        accounts = await opened(house, data_dir, url)
        async with trading(house, folder, accounts, seed) as clients:
            files = [each.file for each in clients]
            targets = [TARGETS[number % len(TARGETS)] for number in range(kills)]
            random.shuffle(targets)
            for number, target in enumerate(targets, 1):
                before = await more_acknowledged(clients, acks)
                await asyncio.sleep(random.uniform(0, LATEST_KILL_S))
                pids = await kill(house, data_dir, target)
                say(f"{number:>3}. killed {target} ({', '.join(map(str, pids))}) after {before} acknowledgements")
            await more_acknowledged(clients, acks)
            await stopped_leader(house, url, clients, say)
            await more_acknowledged(clients, acks)
        said = checks.read(files)
        say(f"{said.answers} acknowledgements written down; sockets were opened again {said.resumed} times")
        await all_checked(house, data_dir, url, said, accounts, say)
        assert await house.stop() == 0


async def all_checked(
    house: RunningHouse, data_dir: Path, url: str, said: checks.Acknowledged, accounts: Sequence[int], say: Say
) -> None:
    """Ask everything."""
    await eventually(lambda: tables_are_there(url), patience_s=PATIENCE_S)
    deposits = {asset: int(amount) * ATOMS for asset, amount in DEPOSITS.items()}
    with psycopg.connect(url) as connection:
        say(f"  ok  {checks.check_orders(connection, said, accounts)}")
        say(f"  ok  {checks.check_cancels(connection, said)}")
        say(f"  ok  {checks.check_trades(connection)}")
        say(f"  ok  {checks.check_streams(connection, said)}")
        say(f"  ok  {checks.check_balances(connection, accounts, deposits)}")
        say(f"  ok  {checks.check_journal(connection)}")
    code, out, complaint = await command(["doctor"], data_dir, {"DATABASE_URL": url})
    assert code == 0, out + complaint
    say("  ok  the doctor finds nothing: the tables are what the journal says, and money adds up")
    assert house.process.returncode is None
    say("  ok  the house still runs")


def database_url(data_dir: Path) -> str:
    """The address of the embedded database, as the house's processes have it."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            environ = (process / "environ").read_text(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        values = dict(each.partition("=")[::2] for each in environ)
        if values.get("FONDACO_DATA_DIR") == str(data_dir) and "DATABASE_URL" in values:
            return values["DATABASE_URL"]
    raise AssertionError("no process of the house has a database")


async def opened(house: RunningHouse, data_dir: Path, url: str) -> list[int]:
    """Seed the house, and open an account with money for each client."""
    code, out, complaint = await command(["db", "seed", "all"], data_dir, {"DATABASE_URL": url})
    assert code == 0, out + complaint
    accounts: list[int] = []
    async with httpx.AsyncClient(
        base_url=house.address, trust_env=False, timeout=30, headers={"authorization": f"Bearer {ADMIN}"}
    ) as admin:
        for number in range(CLIENTS):
            user = await asked(admin, "/api/v1/users", {"email": email(number)})
            await admitted(admin, user["user_id"])
            account = await asked(
                admin, "/api/v1/accounts", {"user_id": user["user_id"], "world": "trading", "currency": "USDT"}
            )
            accounts.append(account["account_id"])
            for asset, amount in DEPOSITS.items():
                path = f"/api/v1/accounts/{account['account_id']}/deposits"
                await asked(admin, path, {"asset": asset, "amount": amount})
    return accounts


async def asked(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Post something that must be done."""
    answer = await client.post(path, json=body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def admitted(admin: httpx.AsyncClient, user_id: str) -> None:
    """Wait until the engine knows a user: it is told by the jobs process."""

    async def is_known() -> bool:
        answer = await admin.post("/api/v1/accounts", json={"user_id": user_id, "world": "demo", "currency": "USDT"})
        return answer.is_success

    await eventually(is_known)


def email(number: int) -> str:
    """The address of a client's user."""
    return f"client{number}@example.com"


@asynccontextmanager
async def trading(house: RunningHouse, folder: Path, accounts: Sequence[int], seed: int) -> AsyncIterator[list[Client]]:
    """Clients that trade until the block ends, half of them over HTTP and half over WebSockets."""
    clients: list[Client] = []
    try:
        for number, account_id in enumerate(accounts):
            file = folder / f"client{number}.jsonl"
            file.touch()
            kind, token = ("http", "ws")[number % 2], f"dev:{email(number)}"
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "onslaught.client", house.address, kind, token),
                *(str(account_id), str(seed * 100 + number), str(file)),
                cwd=Path(__file__).parents[1],
            )
            clients.append(Client(process, file, account_id))
        yield clients
        for each in clients:
            each.process.terminate()
        codes = [await asyncio.wait_for(each.process.wait(), PATIENCE_S) for each in clients]
        assert codes == [0] * len(clients), codes
    finally:
        for each in clients:
            if each.process.returncode is None:
                each.process.kill()
                await each.process.wait()


async def more_acknowledged(clients: Sequence[Client], count: int) -> int:
    """Wait for so many further acknowledgements; returns how many there are then."""
    files = [each.file for each in clients]
    before = checks.count_lines(files)

    async def are_there() -> bool:
        ended = [each.process.pid for each in clients if each.process.returncode is not None]
        assert ended == [], f"clients ended: {ended}"
        await asyncio.sleep(COUNT_S)  # counting reads all that was written down
        return checks.count_lines(files) >= before + count

    await eventually(are_there, patience_s=PATIENCE_S)
    return checks.count_lines(files)


async def kill(house: RunningHouse, data_dir: Path, target: str) -> list[int]:
    """Kill with signal 9: the process of that name. Which of two nodes leads, nobody asks."""
    pids: list[int] = []

    async def are_there() -> bool:
        if target == "database":
            pids[:] = [int((data_dir / "postgres" / "data" / "postmaster.pid").read_text().split()[0])]
        else:
            pids[:] = house.pids(f"fondaco {target} ")
        return bool(pids)

    await eventually(are_there, patience_s=PATIENCE_S)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return list(pids)


async def stopped_leader(house: RunningHouse, url: str, clients: Sequence[Client], say: Say) -> None:
    """Stop the leader without killing it: another leads in time, and the first one, woken, writes nothing."""
    await eventually(lambda: both_nodes_run(house), patience_s=PATIENCE_S)
    await asyncio.sleep(TAKEOVER_S)  # a standby that has only just begun gives the leader time first
    epoch, pid = leader(url)
    began_s = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:

        async def another_leads() -> bool:
            return leader(url)[0] > epoch

        await eventually(another_leads, patience_s=PATIENCE_S)
        took_s = time.monotonic() - began_s
        await more_acknowledged(clients, 1)
        said_s = time.monotonic() - began_s
    finally:
        os.kill(pid, signal.SIGCONT)
    assert took_s < TAKEOVER_S, f"it took {took_s:.1f} s until another led"
    with psycopg.connect(url) as connection:
        (last,) = connection.execute("SELECT max(batch_no) FROM journal WHERE epoch = %s", (epoch,)).fetchone() or (0,)
        await more_acknowledged(clients, ACKS_BETWEEN_KILLS)
        (again,) = connection.execute("SELECT max(batch_no) FROM journal WHERE epoch = %s", (epoch,)).fetchone() or (0,)
    assert again == last, "the woken leader wrote to the journal"
    say(f"  ok  stopped leader {pid}: another led after {took_s:.1f} s and answered after {said_s:.1f} s;")
    say("      woken, it wrote nothing")


async def both_nodes_run(house: RunningHouse) -> bool:
    """Whether there is a leader and a standby."""
    return bool(house.pids("fondaco engine ")) and bool(house.pids("fondaco follower "))


def leader(url: str) -> tuple[int, int]:
    """Epoch and process of who leads."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT epoch, holder FROM leases").fetchone()
    assert found is not None
    process = re.search(r"process (\d+)", found[1])
    assert process is not None
    return found[0], int(process[1])


async def tables_are_there(url: str) -> bool:
    """Whether the tables are at the journal's end."""
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT (SELECT max(last_seq) FROM journal) = (SELECT seq FROM watermarks WHERE name = 'projection')"
            ).fetchone()
    except psycopg.OperationalError:
        return False  # it was killed a moment ago
    return found is not None and bool(found[0])


def main() -> None:
    """Do it whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--acks", type=int, default=ACKS_BETWEEN_KILLS)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    with open_folder() as folder:
        asyncio.run(onslaught(folder, kills=arguments.kills, acks=arguments.acks, seed=arguments.seed, say=_say))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
