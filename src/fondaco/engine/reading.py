"""Reads of the engine's tables that know how new they are.

The tables follow the engine by a moment. Whoever has just been answered names the number of that answer, and a read
waits, bounded, until the tables have come so far; every read says which command it is at least as new as.

However many wait, one of them at a time looks where the tables are.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from fondaco.engine.projection.projection import read_watermark
from fondaco.infra.database import Database, PsycopgConnection

POLL_S: Final = 0.02
"""Between two looks at tables that are not there yet."""


class NotThereYetError(Exception):
    """The tables have not come to the command that a reader wants to see the effect of."""

    def __init__(self, seq: int, after_seq: int) -> None:
        self.seq = seq
        self.after_seq = after_seq
        super().__init__(f"The tables have come to command {seq}; {after_seq} is still to come.")


class Reading(NamedTuple):
    """A transaction on the tables, and the command that all it sees is at least as new as."""

    connection: PsycopgConnection
    seq: int


class Tables:
    """The engine's tables for readers.

    Args:
        database: where they are.
        wait_s: how long a read waits for them.
    """

    def __init__(self, database: Database, *, wait_s: float) -> None:
        self._database = database
        self._wait_s = wait_s
        self._seq = 0
        self._asking = asyncio.Lock()

    @asynccontextmanager
    async def read(self, after_seq: int = 0) -> AsyncIterator[Reading]:
        """A transaction that sees at least what this command did.

        Raises:
            NotThereYetError: the tables have not come so far in time.
            DatabaseUnavailableError: they cannot be reached.
        """
        if after_seq > self._seq:
            await self._come_to(after_seq)
        async with self._database.driver_transaction() as connection:
            yield Reading(connection, await self._look(connection))

    async def _come_to(self, seq: int) -> None:
        try:
            async with asyncio.timeout(self._wait_s):
                while self._seq < seq:
                    await self._wait_for(seq)
        except TimeoutError as error:
            raise NotThereYetError(self._seq, seq) from error

    async def _wait_for(self, seq: int) -> None:
        """Look once, after those who came before have looked; pause when that was not enough."""
        async with self._asking:
            if self._seq >= seq:
                return
            async with self._database.driver_transaction() as connection:
                await self._look(connection)
            if self._seq < seq:
                await asyncio.sleep(POLL_S)

    async def _look(self, connection: PsycopgConnection) -> int:
        """Where the tables are. What is read after this in the same transaction is as new or newer."""
        self._seq = max(self._seq, (await read_watermark(connection)).seq)
        return self._seq
