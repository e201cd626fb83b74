"""What goes wrong, and how often: one place, drawn from one seed.

Chances are in permille. `Luck.calm` ends all of it, so that a run can come to rest before it is judged.
"""

import asyncio
from enum import Enum, auto
from random import Random
from typing import Final, NamedTuple


class Chances(NamedTuple):
    """How often each kind of bad luck strikes, in permille of its occasions."""

    commit_fails: int = 4
    commit_is_ambiguous: int = 4
    writer_stalls: int = 3
    eviction_misses: int = 500
    """A leader that is turned out and whose session goes on: only the fence is left."""
    projection_fails: int = 10
    projection_is_ambiguous: int = 10
    projection_lags: int = 30
    request_is_lost: int = 10
    reply_is_lost: int = 10
    request_comes_twice: int = 20
    request_is_late: int = 20


class Commit(Enum):
    """What becomes of a commit."""

    GOES_WELL = auto()
    FAILS = auto()
    IS_AMBIGUOUS = auto()
    STALLS = auto()


NONE: Final = Chances(*(0 for _ in Chances._fields))


class Luck:
    """Draws from a seed. Every part of a run that needs chance has one of its own."""

    def __init__(self, seed: str, chances: Chances) -> None:
        self.random = Random(seed)  # noqa: S311 - for repeating, not for secrets
        self.chances = chances

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.chances = NONE

    def strikes(self, permille: int) -> bool:
        """Whether something of this chance happens now."""
        return self.random.randrange(1_000) < permille

    def commit(self) -> Commit:
        """What becomes of the next commit."""
        draw = self.random.randrange(1_000)
        for permille, fate in (
            (self.chances.commit_fails, Commit.FAILS),
            (self.chances.commit_is_ambiguous, Commit.IS_AMBIGUOUS),
            (self.chances.writer_stalls, Commit.STALLS),
        ):
            if draw < permille:
                return fate
            draw -= permille
        return Commit.GOES_WELL

    async def wait_ms(self, least: int, most: int) -> None:
        """Let a moment pass."""
        await asyncio.sleep(self.random.randint(least, most) / 1_000)
