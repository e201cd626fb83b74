"""A process for tests that kill it: a node that, while it leads, lets recorded prices pass and a crowd bet on them.

Arguments: the database's address, ``lead`` or ``follow``, the file that gets a line ``number id`` for each answer, when
the first price came in, and the seed of the crowd. The same arguments make the same commands under the same ids, so
whoever leads next sends again what has no answer yet, and some that have one, as they were.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import structlog

from fondaco.app.processes.engine import node_of
from fondaco.core.commands import (
    HOUSE,
    AdmitUser,
    Command,
    Deposit,
    FundInsurance,
    ListAsset,
    ListInstrument,
    OpenAccount,
    SetDeskRules,
    SetDeskTerms,
)
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.state import FIRST_ID
from fondaco.core.vocabulary import AccountKind, StopOutPolicy, World
from fondaco.engine.client import EngineClient
from fondaco.engine.leader import Leader
from fondaco.engine.port import OutcomeUnknownError, OverloadedError
from fondaco.engine.store import FencedError, Identity, StoreLostError
from fondaco.infra.database import Database
from fondaco.infra.settings import EngineSettings, Settings
from support.floor import VALID_NS
from support.recorded_quotes import TERMS, USDT, Crowd, quotes_of, the_ticks

TRADING = World.TRADING
ACCOUNTS = 10
CROSS_CASH, ISOLATED_CASH, FUND = 800, 20_000, 500
AT_ONCE = 100
"""Commands on their way together."""
AGAIN = 30
"""Commands that had an answer and are sent again by who leads next."""
WINDOW_MS = 2_000
SNAPSHOT_COMMANDS = 700
HOUR_NS = 3_600_000_000_000

log = structlog.get_logger()


def opening() -> Iterator[Command]:
    """Three markets, a crowd's accounts, half of them for cross positions, and rules that let prices be old."""
    yield ListAsset(USDT.code, USDT.scale)
    for symbol, terms in TERMS.items():
        yield ListAsset(terms.instrument.base.code, terms.instrument.base.scale)
        yield ListInstrument(terms)
        yield SetDeskTerms(DeskTerms(TRADING, symbol, is_dealt=True, min_lots=1, max_lots=50_000))
    rules = DeskRules(TRADING, max_quote_age_ns=HOUR_NS, stop_out_policy=StopOutPolicy.SMALLEST_STEP)
    yield SetDeskRules(rules)
    yield AdmitUser("crowd")
    for number in range(ACCOUNTS):
        is_cross = number < ACCOUNTS // 2
        yield OpenAccount("crowd", TRADING, USDT.code, AccountKind.MARGIN if is_cross else AccountKind.SPOT)
        cash = CROSS_CASH if is_cross else ISOLATED_CASH
        yield Deposit(FIRST_ID + number, USDT.code, cash * 10**USDT.scale)
    yield FundInsurance(TRADING, USDT.code, FUND * 10**USDT.scale)


def commands(begin_ns: int, seed: int) -> Iterator[tuple[int, Command]]:
    """Who sends what: a price, and after most of them a bet."""
    for command in opening():
        yield HOUSE, command
    half = FIRST_ID + ACCOUNTS // 2
    crowd = Crowd(seed, range(FIRST_ID, half), range(half, FIRST_ID + ACCOUNTS), away_ppm=2_000)
    random = Random(seed)
    for number, move in enumerate(the_ticks(WINDOW_MS)):
        yield HOUSE, quotes_of(move, begin_ns + number * 1_000, 3_000)
        crowd.see(move)
        if random.random() < 0.8:
            bet = crowd.open(move.symbol) if random.random() < 0.8 else crowd.wait(move.symbol)
            yield bet.account_id, bet


async def main(url: str, role: str, file: Path, begin_ns: int, seed: int) -> None:
    """Run until killed, or until the database goes away under a leader."""
    settings = Settings(database_url=url, engine=EngineSettings(snapshot_commands=SNAPSHOT_COMMANDS))
    database = Database(url, settings.database, application=role)
    sends: set[asyncio.Task[None]] = set()
    acknowledged = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def led(leader: Leader) -> None:
        sends.add(asyncio.ensure_future(send_all(leader.client, acknowledged, file.parent, begin_ns, seed)))

    node = node_of(settings, database, Identity(role, ""), led)
    try:
        await (node.lead_or_follow() if role == "lead" else node.follow())
    except (FencedError, StoreLostError) as error:
        log.info("dealing.ended", why=str(error))


async def send_all(client: EngineClient, acknowledged: int, folder: Path, begin_ns: int, seed: int) -> None:
    """Send what nobody has had an answer to, in its order."""
    begin = max(0, answered(folder) - AGAIN)
    try:
        batch: list[tuple[int, int, Command]] = []
        for number, (sender, command) in enumerate(commands(begin_ns, seed)):
            if number >= begin:
                batch.append((number, sender, command))
            if len(batch) == AT_ONCE:
                await asyncio.gather(*(note(client, acknowledged, *each) for each in batch))
                batch = []
        await asyncio.gather(*(note(client, acknowledged, *each) for each in batch))
    except (OverloadedError, OutcomeUnknownError) as error:
        log.info("dealing.no_more", why=str(error))


def answered(folder: Path) -> int:
    """How many commands have an answer, without a gap from the first one."""
    text = "".join(file.read_text() for file in folder.glob("*.answers"))
    numbers = {int(line.rpartition("d")[2]) for line in text.splitlines()}
    return next(number for number in range(len(numbers) + 1) if number not in numbers)


async def note(client: EngineClient, acknowledged: int, number: int, sender: int, command: Command) -> None:
    """Have a command done, and write its answer down before anything else happens."""
    not_after_ns = time.time_ns() + VALID_NS
    answer = await client.submit(sender, command, command_id=f"d{number}", not_after_ns=not_after_ns)
    os.write(acknowledged, f"{answer.seq} d{number}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])))
