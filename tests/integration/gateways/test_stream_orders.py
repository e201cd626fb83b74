"""Order entry over the stream: what is answered, what is refused by name, and what a lost answer may cost: nothing."""

import asyncio
import json
from collections.abc import AsyncGenerator
from random import Random

from fondaco.core.commands import Command
from fondaco.core.machine import Machine
from fondaco.core.replies import Answer
from fondaco.engine.journal import Committed
from fondaco.engine.port import Engine, StartOver
from fondaco.engine.queries import Query, Seen
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings, StreamSettings
from support.floor import ALICE, BOB, SYMBOL
from support.house_stream import Frame, Served, served_floor
from support.trading import TOKENS

ORDER: Frame = {
    "op": "place",
    "account_id": ALICE,
    "symbol": SYMBOL,
    "side": "buy",
    "type": "limit",
    "quantity": "0.5",
    "price": "50000",
}


async def open_orders(served: Served, account_id: int = ALICE) -> list[int]:
    def read(machine: Machine) -> list[int]:
        return [each.order_id for each in machine.orders_of(account_id)]

    return await served.engine.client.read(read)


async def test_an_order_is_placed_amended_and_cancelled_and_each_answer_has_the_command_s_number(
    database: Database,
) -> None:
    async with served_floor(database) as served, served.client("alice") as client:
        placed = await client.ask(**ORDER, id="p")
        order_id = placed["data"]["order_id"]
        assert placed == {
            "type": "answer",
            "id": "p",
            "data": {
                "seq": placed["data"]["seq"],
                "duplicate": False,
                "order_id": order_id,
                "account_id": ALICE,
                "symbol": SYMBOL,
                "client_order_id": None,
                "state": "open",
                "filled": "0.00000000",
                "filled_notional": "0.00000000",
                "fee": "0.00000000",
            },
        }
        assert await open_orders(served) == [order_id]
        amended = await client.ask(op="amend", account_id=ALICE, symbol="btc", order_id=order_id, quantity="0.4", id=2)
        assert (amended["id"], amended["data"]["kept_place"]) == (2, True)
        cancelled = await client.ask(op="cancel", account_id=ALICE, order_id=order_id, id=3)
        assert (cancelled["id"], cancelled["data"]["order_id"]) == (3, order_id)
        await client.ask(**ORDER)
        await client.ask(**ORDER)
        everything = await client.ask(op="cancel_all", account_id=ALICE, id=4)
        assert (everything["id"], everything["data"]["cancelled"]) == (4, 2)
        seqs = [each["data"]["seq"] for each in (placed, amended, cancelled, everything)]
        assert seqs == sorted(seqs)
        assert await open_orders(served) == []


async def test_what_is_refused_is_refused_by_name_and_the_stream_goes_on(database: Database) -> None:
    async with served_floor(database) as served, served.client("alice") as client:
        for changes, code in (
            ({"symbol": "DOGEUSDT"}, "unknown_symbol"),
            ({"quantity": "1000000"}, "quantity_too_large"),
            ({"account_id": BOB}, "unknown_account"),
            ({"account_id": 987_654}, "unknown_account"),
            ({"quantity": 0.5}, "bad_message"),
            ({"price": "5e4"}, "bad_amount"),
            ({"misspelt": 1}, "bad_message"),
            ({"side": "BUY"}, "bad_message"),
            ({"command_id": ""}, "bad_message"),
            ({"command_id": "x" * 61}, "bad_message"),
            ({"command_id": "é"}, "bad_message"),
            ({"op": "cancel", "order_id": 5}, "bad_message"),
        ):
            answer = await client.ask(**(ORDER | changes), id=7)
            assert answer["type"] == "error", answer
            assert answer["code"] == code, (changes, answer)
            assert answer["id"] == 7
        missing = await client.ask(op="cancel", account_id=ALICE, order_id=1, id=8)
        assert (missing["code"], missing["seq"] > 0) == ("unknown_order", True)
        async with served.client("bob") as bob:
            theirs = (await bob.ask(**(ORDER | {"account_id": BOB})))["data"]["order_id"]
        other = await client.ask(op="cancel", account_id=ALICE, order_id=theirs, id=8)
        assert {**other, "seq": 0} == {**missing, "seq": 0}, "another user's order looks missing"
        await client.connection.send(b"\x81\xa2op\xa4ping")
        assert (await client.hear())["code"] == "binary_message"
        await client.connection.send('{"op":"place"')
        assert (await client.hear())["code"] == "bad_json"
        assert (await client.ask(**ORDER))["type"] == "answer"


async def test_nobody_places_orders_before_saying_who_it_is(database: Database) -> None:
    async with served_floor(database) as served, served.client() as client:
        for message in (
            ORDER,
            {"op": "cancel", "account_id": ALICE, "order_id": 1},
            {"op": "cancel_all", "account_id": ALICE},
            {"op": "amend", "account_id": ALICE, "order_id": 1, "symbol": SYMBOL},
        ):
            answer = await client.ask(**message, id=1)
            assert (answer["code"], answer["id"]) == ("not_signed_in", 1)
        assert await open_orders(served) == []


async def test_commands_whose_answers_were_lost_are_sent_again_and_done_once(database: Database) -> None:
    random, wanted = Random(51), 120
    unanswered = {f"order-{number}": ORDER | {"command_id": f"order-{number}"} for number in range(wanted)}
    answers: dict[str, Frame] = {}
    async with served_floor(database) as served:
        while unanswered:
            async with served.client("alice") as client:
                for command_id, message in unanswered.items():
                    await client.say(**message, id=command_id)
                for _ in range(random.randrange(1, 40)):
                    if len(answers) < wanted:
                        answer = await client.hear()
                        answers[answer["id"]] = answer["data"]
                client.connection.transport.abort()
            unanswered = {id_: message for id_, message in unanswered.items() if id_ not in answers}
        assert any(each["duplicate"] for each in answers.values())
        assert sorted(each["order_id"] for each in answers.values()) == sorted(await open_orders(served))
        assert len(await open_orders(served)) == wanted
        async with served.client("alice") as client:
            again = await client.ask(**(ORDER | {"command_id": "order-1", "price": "49999"}))
        assert again["code"] == "command_id_reused"


async def test_commands_are_done_in_the_order_of_their_messages(database: Database) -> None:
    async with served_floor(database) as served, served.client("alice") as client:
        for number in range(100):
            await client.say(**ORDER, id=number)
        answers = [await client.hear() for _ in range(100)]
        assert [each["id"] for each in sorted(answers, key=lambda each: int(each["data"]["seq"]))] == list(range(100))


class HoldingEngine:
    """An engine that begins nothing until it is let go: see `fondaco.engine.port.Engine`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.let_go = asyncio.Event()
        self.begun = 0

    async def submit(self, account_id: int, command: Command, *, command_id: str, not_after_ns: int) -> Answer:
        """Count it, and pass it on once that may be."""
        self.begun += 1
        await self.let_go.wait()
        return await self._engine.submit(account_id, command, command_id=command_id, not_after_ns=not_after_ns)

    async def look(self, query: Query) -> Seen:
        """Pass it on."""
        return await self._engine.look(query)

    def follow(self) -> AsyncGenerator[Committed | StartOver, None]:
        """Pass it on."""
        return self._engine.follow()


async def test_a_client_has_so_many_commands_under_way_and_is_read_no_further(database: Database) -> None:
    most, engines = 3, list[HoldingEngine]()

    def between(engine: Engine) -> Engine:
        engines.append(HoldingEngine(engine))
        return engines[0]

    settings = Settings(serve=TOKENS.serve, stream=StreamSettings(max_commands=most))
    async with (
        served_floor(database, settings, between) as served,
        served.client("alice") as client,
        served.client("alice") as other,
    ):
        for number in range(most + 1):
            await client.say(**ORDER, id=number)
        await client.say(op="ping", id="after")
        assert (await other.ask(op="ping"))["type"] == "pong"
        assert (await other.ask(op="ping"))["type"] == "pong"
        assert engines[0].begun == most
        engines[0].let_go.set()
        answers = [await client.hear() for _ in range(most + 2)]
        assert [each["id"] for each in answers[:most]] == list(range(most))
        assert {json.dumps(each["id"]) for each in answers[most:]} == {json.dumps(most), '"after"'}
        assert len(await open_orders(served)) == most + 1


async def test_while_the_engine_is_away_that_is_said_and_when_to_come_back(database: Database) -> None:
    async with served_floor(database) as served, served.client("alice") as client:
        served.engine.client.close()
        answer = await client.ask(**ORDER, id=1)
        assert (answer["code"], answer["retry_after_s"] > 0) == ("engine_away", True)
        await client.ask(op="subscribe", channels=[f"account:{ALICE}"], id=2)
        answer = await client.hear()
        assert (answer["code"], answer["id"]) == ("engine_away", 2)
        assert (await client.ask(op="ping"))["type"] == "pong"
