"""What was committed is handed on in order and without a gap, or those who listen are told to start over."""

import asyncio
from collections.abc import AsyncIterator

from fondaco.engine.broadcast import Broadcast
from fondaco.engine.journal import BEGINNING, Committed, Mark, chained
from fondaco.engine.port import StartOver


def batches(count: int, size_bytes: int = 10, after: Mark = BEGINNING) -> list[Committed]:
    """So many batches of one command each."""
    made: list[Committed] = []
    for _ in range(count):
        events = bytes(size_bytes)
        after = Mark(after.batch_no + 1, after.seq + 1, chained(after.chain_hash, events))
        made.append(Committed(after, events))
    return made


async def taken(stream: AsyncIterator[Committed | StartOver], count: int) -> list[Committed | StartOver]:
    """The next so many, which must be there already."""
    async with asyncio.timeout(1):
        return [await anext(stream) for _ in range(count)]


async def test_a_listener_hears_everything_from_where_it_came_in() -> None:
    first, second, third, fourth = batches(4)
    told = Broadcast(BEGINNING)
    told.publish(first)
    stream = told.follow()
    assert await taken(stream, 1) == [StartOver(first.mark)]
    told.publish(second)
    told.publish(third)
    assert await taken(stream, 2) == [second, third]
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert not waiting.done()
    told.publish(fourth)
    assert await waiting == fourth


async def test_who_comes_back_goes_on_where_it_was() -> None:
    made = batches(5)
    told = Broadcast(BEGINNING)
    for each in made:
        told.publish(each)
    assert await taken(told.follow(made[1].mark), 3) == made[2:]
    assert await taken(told.follow(BEGINNING), 5) == made


async def test_who_comes_back_too_late_or_from_elsewhere_starts_over() -> None:
    made = batches(5)
    told = Broadcast(BEGINNING, kept_bytes=30)
    for each in made:
        told.publish(each)
    assert await taken(told.follow(made[1].mark), 3) == made[2:]
    elsewhere = Mark(made[2].mark.batch_no, made[2].mark.seq, bytes(32))
    ahead = batches(6)[-1].mark
    for gone in (made[0].mark, BEGINNING, elsewhere, ahead):
        assert await taken(told.follow(gone), 1) == [StartOver(made[4].mark)]


async def test_a_slow_listener_that_is_overtaken_starts_over_and_hears_the_rest() -> None:
    told = Broadcast(BEGINNING, kept_bytes=30)
    stream = told.follow()
    made = batches(10)
    assert await taken(stream, 1) == [StartOver(BEGINNING)]
    told.publish(made[0])
    assert await taken(stream, 1) == [made[0]]
    for each in made[1:9]:
        told.publish(each)
    assert await taken(stream, 1) == [StartOver(made[8].mark)]
    told.publish(made[9])
    assert await taken(stream, 1) == [made[9]]


async def test_a_batch_larger_than_what_is_kept_is_kept_alone() -> None:
    large, small = batches(1, size_bytes=100)[0], batches(1)[0]
    told = Broadcast(BEGINNING, kept_bytes=30)
    told.publish(large)
    assert await taken(told.follow(BEGINNING), 1) == [large]
    after = batches(1, after=large.mark)[0]
    told.publish(after)
    assert await taken(told.follow(large.mark), 1) == [after]
    assert await taken(told.follow(small.mark), 1) == [StartOver(after.mark)]


async def test_it_ends_once_everything_is_handed_out() -> None:
    made = batches(2)
    told = Broadcast(BEGINNING)
    stream = told.follow(BEGINNING)
    told.publish(made[0])
    told.publish(made[1])
    told.close()
    assert [each async for each in stream] == made
