"""A look at a stream that takes nothing: first what a group has not acknowledged, then each new entry, none twice.

It listens to the news first and asks for the backlog second. The first answer names the newest entry there is, in the
same step: what is not newer is the backlog's, what is newer comes with the news, in order. The backlog is fetched a
page at a time; an entry that the group acknowledges before its page is fetched is no longer shown.
"""

from types import TracebackType
from typing import Self

from fondaco.infra.bus.hub import MAX_BATCH_BYTES, Watcher
from fondaco.infra.bus.port import Entry
from fondaco.infra.bus.valkey.names import news
from fondaco.infra.bus.valkey.scripts import NO_ENTRY, UNACKNOWLEDGED
from fondaco.infra.bus.valkey.session import Session

MAX_LOOKED_AT = 1_000
"""Entries that the server looks at for one page."""


class Tail:
    """One watcher's place in a stream."""

    def __init__(self, session: Session, stream: str, group: str, watcher: Watcher[Entry]) -> None:
        self._session = session
        self._stream = stream
        self._group = group
        self._watcher = watcher
        self._page: list[Entry] = []
        self._place = NO_ENTRY
        self._backlog_ends = ""

    async def __aenter__(self) -> Self:
        await self._session.ears.listen(news(self._stream).encode(), self._heard)
        await self._fetch()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.ears.ignore(news(self._stream).encode(), self._heard)

    async def next_batch(self) -> list[Entry]:
        """The next entries, at least one. Cancelling takes none."""
        self._watcher.require_open()
        while not self._page and self._place:
            await self._fetch()
        if self._page:
            page, self._page = self._page, []
            return page
        while True:
            batch = [each for each in await self._watcher.next_batch() if order(each.id) > order(self._backlog_ends)]
            if batch:
                return batch

    async def _fetch(self) -> None:
        last, place, found = await self._session.run(
            UNACKNOWLEDGED,
            (self._stream,),
            self._group,
            self._place,
            self._backlog_ends,
            MAX_LOOKED_AT,
            MAX_BATCH_BYTES,
        )
        self._backlog_ends, self._place = last.decode(), place.decode()
        self._page = [Entry(entry_id.decode(), body) for entry_id, body in found]

    def _heard(self, _channel: bytes, message: bytes) -> None:
        entry_id, _, body = message.partition(b" ")
        self._watcher.push(Entry(entry_id.decode(), body))


def order(entry_id: str) -> tuple[int, int]:
    """Where an entry stands among the others."""
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number)
