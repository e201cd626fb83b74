"""The feed port: whatever delivers trades, live, recorded or invented, delivers them like this.

A feed never touches the database or the bus. It is told where its last run stopped (`Resume`) and hands out what one
read of its wire gave, in order, as soon as it has it. Asking for the next read is what lets it go on: a slow consumer
makes the feed wait, never drop.
"""

from collections.abc import AsyncGenerator, Mapping
from typing import NamedTuple, Protocol

from fondaco.market.messages import Refused, Source, TickBatch


class FeedError(Exception):
    """A feed cannot be started as asked. The message is one sentence for the person who asked."""


class Read(NamedTuple):
    """What one read of the wire gave. Both may be empty: then only the state of the connection has changed."""

    ticks: tuple[TickBatch, ...] = ()
    refused: tuple[Refused, ...] = ()
    is_history: bool = False
    """Ticks of before the feed's start: to be stored and charted, but nobody is quoted a price from them."""


class LastTick(NamedTuple):
    """The newest tick of a series that is stored, by trade id."""

    trade_id: int
    time_us: int


class ResumePoint(NamedTuple):
    """Where a series of one source and symbol stands in the database."""

    anchor_us: int | None = None
    last: LastTick | None = None


Resume = Mapping[tuple[Source, str], ResumePoint]
"""Where every series stands; a series without an entry has never run."""


class Feed(Protocol):
    """A source of ticks."""

    @property
    def source(self) -> Source:
        """What the ticks are marked with."""
        ...

    @property
    def label(self) -> str:
        """What the feed is, for people."""
        ...

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that it delivers."""
        ...

    @property
    def connected(self) -> bool:
        """Whether its wire is up now. A change is announced by a read, if need be an empty one."""
        ...

    @property
    def anchors(self) -> Mapping[str, int]:
        """The anchor of each symbol: store it before the first tick, give it back in `Resume`. Most feeds have none."""
        ...

    def reads(self) -> AsyncGenerator[Read, None]:
        """Deliver reads until the feed ends, if ever it does. Close the generator to let go of the wire."""
        ...
