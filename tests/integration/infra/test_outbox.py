"""The outbox: with its transaction or not at all, in order for each key, at least once, in nobody's way."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from fondaco.infra import outbox
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.ids import uuid7
from fondaco.infra.outbox import (
    BATCH_ROWS,
    LONGEST_RETRY_S,
    MAX_ATTEMPTS,
    MAX_ERROR_CHARACTERS,
    Courier,
    Message,
    OutboxRow,
    enqueue,
    enqueue_all,
    purge_outbox,
    retry_pause,
)
from support.waiting import eventually

DAY_US = 86_400_000_000


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_us = 2_000_000_000_000_000  # later than the clock that `enqueue` reads

    def __call__(self) -> int:
        """The moment."""
        return self.now_us


class Handler:
    """Writes down what it is given; fails while it has been told to."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.failing: dict[Any, Exception] = {}

    async def __call__(self, topic: str, body: Mapping[str, Any], row_id: UUID) -> None:
        """Take a message."""
        del topic, row_id
        if body["n"] in self.failing:
            raise self.failing[body["n"]]
        self.taken.append(body["n"])


async def put(database: Database, *numbers: Any, key: str = "k", topic: str = "t") -> None:  # noqa: ANN401 - any JSON
    """Enqueue in one transaction."""
    async with database.transaction() as connection:
        for number in numbers:
            await enqueue(connection, topic, key, {"n": number})


async def put_and_fail(database: Database) -> None:
    """Enqueue in a transaction that is rolled back."""
    async with database.transaction() as connection:
        await enqueue(connection, "t", "k", {"n": "lost"})
        raise RuntimeError("rolled back")


async def rows(database: Database) -> list[Any]:
    """The outbox in the order of its ids."""
    async with database.transaction() as connection:
        return list((await connection.execute(select(OutboxRow.__table__).order_by(OutboxRow.id))).all())


async def drain(courier: Courier) -> None:
    """Deliver until nothing is due."""
    while await courier.deliver_batch():
        pass


async def test_a_message_leaves_with_its_transaction_and_dies_with_it(database: Database) -> None:
    handler = Handler()
    courier = Courier(database, {"t": handler})
    with pytest.raises(RuntimeError, match="rolled back"):
        await put_and_fail(database)
    async with database.transaction() as connection:
        row_id = await enqueue(connection, "t", "k", {"n": "kept"})
        await drain(courier)
        assert handler.taken == [], "not before the commit"
    await drain(courier)
    assert handler.taken == ["kept"]
    (row,) = await rows(database)
    assert (row.id, row.state, row.attempts, row.sent_at is None) == (row_id, "sent", 1, False)


async def test_messages_of_a_key_are_delivered_in_order_and_a_failing_one_holds_up_only_its_key(
    database: Database,
) -> None:
    handler, clock = Handler(), Clock()
    courier = Courier(database, {"t": handler}, clock_us=clock)
    await put(database, "a1", "a2", "a3", key="a")
    await put(database, "b1", "b2", key="b")
    handler.failing["a2"] = OSError("away")
    await drain(courier)
    assert handler.taken == ["a1", "b1", "b2"]
    handler.failing.clear()
    clock.now_us += 999_999
    await drain(courier)
    assert handler.taken == ["a1", "b1", "b2"], "it waits a second after its first failure"
    clock.now_us += 1
    await drain(courier)
    assert handler.taken == ["a1", "b1", "b2", "a2", "a3"]


async def test_a_key_of_another_topic_is_another_key(database: Database) -> None:
    handler = Handler()
    handler.failing["1"] = OSError("away")
    courier = Courier(database, {"t": handler, "u": handler}, clock_us=Clock())
    await put(database, "1", topic="t")
    await put(database, "2", topic="u")
    await drain(courier)
    assert handler.taken == ["2"]


async def test_a_row_that_never_succeeds_is_dead_in_the_end_and_its_key_moves_on(database: Database) -> None:
    handler, clock = Handler(), Clock()
    courier = Courier(database, {"t": handler}, clock_us=clock)
    await put(database, "bad", "good")
    handler.failing["bad"] = ValueError("x" * 2 * MAX_ERROR_CHARACTERS)
    for _ in range(MAX_ATTEMPTS - 1):
        assert await courier.deliver_batch() == 1
        clock.now_us += LONGEST_RETRY_S * 1_000_000
    bad, _ = await rows(database)
    assert (bad.state, bad.attempts) == ("waiting", MAX_ATTEMPTS - 1)
    await drain(courier)
    bad, good = await rows(database)
    assert (bad.state, bad.attempts, bad.sent_at) == ("dead", MAX_ATTEMPTS, None)
    assert bad.last_error.startswith("ValueError: xxx")
    assert len(bad.last_error) == MAX_ERROR_CHARACTERS
    assert good.state == "sent"


def test_the_pause_doubles_up_to_a_limit() -> None:
    pauses = [retry_pause(attempts) // timedelta(seconds=1) for attempts in range(1, MAX_ATTEMPTS)]
    assert pauses[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert set(pauses[9:]) == {LONGEST_RETRY_S}


async def test_a_topic_without_a_handler_waits_with_its_reason(database: Database) -> None:
    await put(database, 1, topic="unknown")
    assert await Courier(database, {}).deliver_batch() == 1
    (row,) = await rows(database)
    assert (row.state, row.attempts, row.last_error) == (
        "waiting",
        1,
        "LookupError: No handler takes the topic 'unknown'.",
    )


async def test_an_unclaimed_topic_waits_untried_and_holds_up_nobody(database: Database) -> None:
    handler = Handler()
    await put(database, "early", key="k", topic="u")
    await put(database, "now", key="k", topic="t")
    await put(database, "strange", key="k", topic="v")
    courier = Courier(database, {"t": handler}, unclaimed={"u"}, clock_us=Clock())
    assert await courier.deliver_batch() == 2
    assert handler.taken == ["now"]
    assert [(row.topic, row.state, row.attempts) for row in await rows(database)] == [
        ("u", "waiting", 0),
        ("t", "sent", 1),
        ("v", "waiting", 1),
    ]
    await drain(Courier(database, {"t": handler, "u": handler}, clock_us=Clock()))
    assert handler.taken == ["now", "early"], "whoever comes to take it finds it"


async def test_a_purge_drops_what_nobody_came_for_and_keeps_what_waits_for_others(database: Database) -> None:
    await put(database, 1, 2, topic="u")
    await put(database, 3, topic="t")
    old = now_us() + 7 * DAY_US
    assert await purge_outbox(database, timedelta(days=7), old - 60_000_000, {"u"}) == (0, 0)
    assert await purge_outbox(database, timedelta(days=7), old + 60_000_000, {"u"}) == (0, 2)
    assert [row.topic for row in await rows(database)] == ["t"]


async def test_many_messages_are_written_at_once_under_ids_of_the_writers(database: Database) -> None:
    messages = [Message(uuid7(number, 0), "t", "k", {"n": f"{number} \\ \t \u20ac"}) for number in (3, 1, 2)]
    handler = Handler()
    with pytest.raises(RuntimeError, match="rolled back"):
        await put_all_and_fail(database, messages)
    async with database.driver_transaction() as connection:
        await enqueue_all(connection, messages)
    await drain(Courier(database, {"t": handler}, clock_us=Clock()))
    assert handler.taken == [f"{number} \\ \t \u20ac" for number in (1, 2, 3)], "in the order of their ids"


async def put_all_and_fail(database: Database, messages: list[Message]) -> None:
    """Enqueue in a transaction that is rolled back."""
    async with database.driver_transaction() as connection:
        await enqueue_all(connection, messages)
        raise RuntimeError("rolled back")


async def test_two_couriers_share_the_work_and_no_message_is_in_two_hands(database: Database) -> None:
    inside, entered = asyncio.Event(), asyncio.Event()
    taken: list[Any] = []

    async def slow(topic: str, body: Mapping[str, Any], row_id: UUID) -> None:
        del topic, row_id
        taken.append(body["n"])
        entered.set()
        await inside.wait()

    await put(database, "a1", "a2", key="a")
    one, two = (Courier(database, {"t": slow}, clock_us=Clock()) for _ in range(2))
    first = asyncio.create_task(one.deliver_batch())
    await entered.wait()
    assert await two.deliver_batch() == 0, "a1 is in the first one's hands and a2 waits behind it"
    await put(database, "b1", key="b")
    second = asyncio.create_task(two.deliver_batch())
    await eventually(lambda: _is_taken(taken, "b1"))
    inside.set()
    assert [await first, await second] == [1, 1]
    await drain(one)
    assert taken == ["a1", "b1", "a2"]


async def test_a_courier_that_dies_at_work_leaves_the_message_to_the_next(database: Database) -> None:
    entered = asyncio.Event()

    async def hangs(topic: str, body: Mapping[str, Any], row_id: UUID) -> None:
        del topic, body, row_id
        entered.set()
        await asyncio.Event().wait()

    await put(database, "1")
    dying = asyncio.create_task(Courier(database, {"t": hangs}).deliver_batch())
    await entered.wait()
    dying.cancel()
    await asyncio.wait([dying])
    handler = Handler()
    await drain(Courier(database, {"t": handler}))
    assert handler.taken == ["1"]


async def test_a_batch_is_bounded(database: Database) -> None:
    for number in range(BATCH_ROWS + 1):
        await put(database, number, key=str(number))
    courier = Courier(database, {"t": Handler()}, clock_us=Clock())
    assert [await courier.deliver_batch() for _ in range(3)] == [BATCH_ROWS, 1, 0]


async def test_a_purge_takes_what_was_sent_long_ago_and_nothing_else(database: Database) -> None:
    handler, clock = Handler(), Clock()
    courier = Courier(database, {"t": handler}, clock_us=clock)
    await put(database, "old", key="a")
    await drain(courier)
    clock.now_us += 1
    await put(database, "new", key="b")
    await drain(courier)
    handler.failing["waits"] = OSError("away")
    await put(database, "waits", key="c")
    await drain(courier)
    assert await purge_outbox(database, timedelta(days=7), clock.now_us + 7 * DAY_US - 1) == (0, 0)
    assert await purge_outbox(database, timedelta(days=7), clock.now_us + 7 * DAY_US) == (1, 0)
    assert [row.body["n"] for row in await rows(database)] == ["new", "waits"]


async def test_a_purge_goes_on_until_nothing_old_is_left(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PURGE_ROWS", 2)
    clock = Clock()
    await put(database, 1, 2, 3, 4)
    await drain(Courier(database, {"t": Handler()}, clock_us=clock))
    assert await purge_outbox(database, timedelta(0), clock.now_us + 1) == (4, 0)
    assert await rows(database) == []


async def test_a_handler_that_takes_too_long_has_failed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "DELIVERY_TIMEOUT_S", 0.01)

    async def hangs(topic: str, body: Mapping[str, Any], row_id: UUID) -> None:
        del topic, body, row_id
        await asyncio.Event().wait()

    await put(database, 1)
    assert await Courier(database, {"t": hangs}).deliver_batch() == 1
    (row,) = await rows(database)
    assert (row.state, row.attempts, row.last_error) == ("waiting", 1, "TimeoutError: TimeoutError")


async def _is_taken(taken: list[Any], number: str) -> bool:
    return number in taken
