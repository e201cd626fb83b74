"""How far the readers of the bus are behind, for people."""

from collections.abc import Mapping
from typing import NamedTuple

from fondaco.infra.bus.valkey.address import Address
from fondaco.infra.bus.valkey.durability import check_durability
from fondaco.infra.bus.valkey.line import Reply, Wire
from fondaco.infra.bus.valkey.names import held_bytes
from fondaco.infra.bus.valkey.scripts import RETURNED
from fondaco.infra.settings import BusSettings


class Reader(NamedTuple):
    """One reader: what it holds, and since when it has been silent."""

    name: str
    holds: int
    silent_ms: int


class GroupLag(NamedTuple):
    """One group of a stream: what nobody was handed, if the server knows; what is not acknowledged; its readers."""

    name: str
    waiting: int | None
    unacknowledged: int
    readers: tuple[Reader, ...]


class StreamLag(NamedTuple):
    """One stream: what it holds, and the groups that read it."""

    name: str
    entries: int
    held_bytes: int
    groups: tuple[GroupLag, ...]


async def lag(address: Address, settings: BusSettings, streams: tuple[str, ...]) -> list[StreamLag]:
    """Look at streams, those that there are.

    Raises:
        NotDurableError: the server would lose what it has taken.
        BusUnavailableError: it does not answer.
    """
    wire = Wire(address, "fondaco-check")
    await wire.open()
    try:
        await check_durability(wire, address, accept_loss=settings.accept_loss)
        return [await _stream(wire, name) for name in streams if await wire.call("EXISTS", name)]
    finally:
        await wire.close()


async def _stream(wire: Wire, name: str) -> StreamLag:
    groups = [await _group(wire, name, _named(each)) for each in await wire.call("XINFO", "GROUPS", name)]
    entries = int(await wire.call("XLEN", name))
    return StreamLag(name, entries, int(await wire.call("GET", held_bytes(name)) or 0), tuple(groups))


async def _group(wire: Wire, stream: str, group: Mapping[str, Reply]) -> GroupLag:
    name = group["name"].decode()
    found = [_named(each) for each in await wire.call("XINFO", "CONSUMERS", stream, name)]
    readers = (Reader(each["name"].decode(), each["pending"], each["idle"]) for each in found)
    kept = tuple(each for each in readers if each.name != RETURNED or each.holds)
    return GroupLag(name, group["lag"], int(group["pending"]), kept)


def _named(flat: list[Reply]) -> dict[str, Reply]:
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
