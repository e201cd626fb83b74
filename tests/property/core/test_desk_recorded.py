"""Real prices drive the desk and the naive desk: what one closes the other closes, at that price, for that reason."""

from collections.abc import Iterator
from random import Random

import pytest

from fondaco.core.commands import (
    AdmitUser,
    Deposit,
    FundInsurance,
    ListAsset,
    ListInstrument,
    OpenAccount,
    Rollover,
    SetDeskRules,
    SetDeskTerms,
)
from fondaco.core.desk.terms import DeskRules, DeskTerms
from fondaco.core.replies import AccountOpened
from fondaco.core.vocabulary import AccountKind, StopOutPolicy, World
from support import needs
from support.desk_witness import START_NS, DeskWitness
from support.recorded_quotes import TERMS, USDT, Crowd, Move, candles, merged, quotes_of, the_ticks

TRADING = World.TRADING
DAY_NS = 86_400_000_000_000
CRASH = {
    "BTCUSDT": "binance_spot_btcusdt_1m_2024-07-26_2024-08-25.csv.gz",
    "ETHUSDT": "binance_spot_ethusdt_1m_2024-07-26_2024-08-25.csv.gz",
    "SOLUSDT": "binance_spot_solusdt_5m_2024-01-01_2024-09-07.csv.gz",
}
CRASH_BEGINS_MS = 1_722_801_600_000
"""2024-08-04 20:00. Until 14:00 of the next day Bitcoin fell from 59,000 to 49,000 and came back half the way."""
HOUR_MS = 3_600_000


class Replay:
    """Two desks, a crowd, and prices as they were.

    Args:
        seed: of the crowd.
        markup_ppm: what the desk keeps, on each side of the price.
        away_ppm: how far the crowd's stops are.
        accounts: how many of each kind.
    """

    def __init__(self, seed: int, *, markup_ppm: int, away_ppm: int, accounts: int) -> None:
        self.both = DeskWitness(looks_at_all=False)
        self._random, self._markup_ppm = Random(seed), markup_ppm
        self._list()
        cross = [self._open(AccountKind.MARGIN, 1_000) for _ in range(accounts)]
        isolated = [self._open(AccountKind.SPOT, 20_000) for _ in range(accounts)]
        self.crowd = Crowd(seed, cross, isolated, away_ppm=away_ppm)

    def run(self, moves: Iterator[Move], *, opens: float) -> None:
        """Let prices pass; ``opens`` is how many positions the crowd opens at each, on average."""
        seen: set[str] = set()
        for number, move in enumerate(moves):
            self.both.now_ns = max(self.both.now_ns, START_NS + move.at_ns)
            self._nights()
            self.both.send(quotes_of(move, self.both.now_ns, self._markup_ppm))
            self.crowd.see(move)
            seen.add(move.symbol)
            self._trade(move.symbol, opens)
            if number % 500 == 499:
                rules = DeskRules(TRADING, stop_out_policy=self._random.choice(list(StopOutPolicy)))
                self.both.send(rules_command(rules))
        self.both.finish()
        assert seen == set(TERMS)

    def _trade(self, symbol: str, opens: float) -> None:
        random, desk = self._random, self.both.desk
        count = int(opens) + (random.random() < opens % 1)
        for _ in range(count):
            command = self.crowd.open(symbol) if random.random() < 0.9 else self.crowd.wait(symbol)
            self.both.send(command, command.account_id)
        if random.random() < opens / 5:
            mine = desk.open_in(TRADING, symbol)
            if mine:
                position = random.choice(mine)
                change = self.crowd.close(position) if random.random() < 0.5 else self.crowd.modify(position)
                self.both.send(change, position.account_id)

    def _nights(self) -> None:
        day = self.both.desk.nights[TRADING] + 1
        if self.both.now_ns >= (day + 1) * DAY_NS:
            self.both.send(Rollover(TRADING, day))

    def _list(self) -> None:
        self.both.send(ListAsset(USDT.code, USDT.scale))
        for symbol, terms in TERMS.items():
            self.both.send(ListAsset(terms.instrument.base.code, terms.instrument.base.scale))
            self.both.send(ListInstrument(terms))
            dealt = DeskTerms(TRADING, symbol, is_dealt=True, min_lots=1, max_lots=50_000, long_financing_ppm=300)
            self.both.send(SetDeskTerms(dealt))
        self.both.send(rules_command(DeskRules(TRADING)))
        self.both.send(AdmitUser("crowd"))
        self.both.send(FundInsurance(TRADING, USDT.code, 500 * 10**USDT.scale))

    def _open(self, kind: AccountKind, usdt: int) -> int:
        reply = self.both.send(OpenAccount("crowd", TRADING, USDT.code, kind))
        assert isinstance(reply, AccountOpened)
        self.both.send(Deposit(reply.account_id, USDT.code, usdt * 10**USDT.scale))
        return reply.account_id


def rules_command(rules: DeskRules) -> SetDeskRules:
    """The command that makes them hold."""
    return SetDeskRules(rules)


def the_crash(hours: int) -> Iterator[Move]:
    """The candles of the three markets when the price of Bitcoin fell to 49,000."""
    until_ms = CRASH_BEGINS_MS + hours * HOUR_MS
    return merged(*(candles(needs.recorded(CRASH[each]), each, CRASH_BEGINS_MS, until_ms) for each in CRASH))


def must_have_happened(replay: Replay, least: int) -> None:
    """A proof that met nothing proves nothing."""
    counts = replay.both.counts
    for what in ("margin_call", "stop_loss", "trailing_stop", "take_profit", "owner"):
        assert counts[f"closed: {what}"] >= least, counts
    assert counts["closed: stop_out"] >= 10, counts
    assert counts["opened"] >= 20 * least, counts
    assert counts["entry filled"] >= least, counts


def test_every_close_on_real_ticks_is_the_naive_desks() -> None:
    replay = Replay(1, markup_ppm=3_000, away_ppm=2_000, accounts=20)
    replay.run(the_ticks(2_000), opens=1.0)
    must_have_happened(replay, 10)


def test_every_close_in_a_crash_is_the_naive_desks() -> None:
    replay = Replay(2, markup_ppm=200, away_ppm=20_000, accounts=20)
    replay.run(the_crash(18), opens=0.7)
    must_have_happened(replay, 10)
    assert replay.both.counts["insurance paid"] > 0


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_every_close_of_thousands_of_positions_is_the_naive_desks() -> None:
    replay = Replay(3, markup_ppm=3_000, away_ppm=2_000, accounts=150)
    replay.run(the_ticks(100), opens=3.0)
    must_have_happened(replay, 50)
    crash = Replay(4, markup_ppm=200, away_ppm=20_000, accounts=150)
    crash.run(the_crash(48), opens=3.0)
    must_have_happened(crash, 100)
