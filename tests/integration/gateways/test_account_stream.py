"""The account stream: begun from the engine's memory, gone on with by command, taken up again after a break."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import update
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from fondaco.core.commands import RequestWithdrawal
from fondaco.core.money import format_atoms
from fondaco.core.state import ENDED
from fondaco.domains.identity.tables import UserRow, UserState
from fondaco.engine.port import Engine
from fondaco.engine.queries import AccountSeen, LookAtAccount
from fondaco.gateways.ws import accounts, outbox
from fondaco.infra.database import Database
from support.engines import submit
from support.floor import ALICE, BOB, TERMS
from support.house import StreamClient
from support.house_stream import Frame, Served, served_floor
from support.order_flow import OrderFlow
from support.rejoining import RejoiningEngine

CHANNEL = f"account:{ALICE}"
ROUNDS = 12
COMMANDS_A_ROUND = 200
MOST_ROUNDS_IN_BUFFERS = 200
"""Rounds whose frames the kernel may hold before a client that reads nothing is found out."""


class LocalAccount:
    """An account as a client keeps it. A hole in the numbers, and an effect that comes twice, are found out."""

    def __init__(self) -> None:
        self.seq = -1
        self.snapshots = 0
        self.balances: dict[str, tuple[str, str]] = {}
        self.orders: dict[int, Frame] = {}
        self.holdings: dict[str, Frame] = {}
        self.trade_ids: list[int] = []

    def take(self, frame: Frame) -> None:
        """Take a frame of the channel."""
        assert frame["channel"] == CHANNEL, frame
        if frame["type"] == "snapshot":
            self.snapshots += 1
            self.balances, self.orders, self.holdings = {}, {}, {}
            self._keep(frame["data"])
        else:
            assert frame["first_seq"] == self.seq + 1, (frame["first_seq"], self.seq)
            for effect in frame["data"]:
                assert self.seq < effect["seq"] <= frame["seq"]
                self.seq = effect["seq"]
                self._keep(effect)
        self.seq = frame["seq"]

    def _keep(self, rows: Frame) -> None:
        self.balances |= {each["asset"]: (each["available"], each["held"]) for each in rows.get("balances", [])}
        for holding in rows.get("holdings", []):
            self.holdings[holding["symbol"]] = holding
            if not Decimal(holding["quantity"]):
                del self.holdings[holding["symbol"]]
        for order in rows.get("orders", []):
            self.orders[order["order_id"]] = order
            if order["state"] in ENDED:
                del self.orders[order["order_id"]]
        for trade in rows.get("trades", []):
            assert trade["id"] > max(self.trade_ids, default=0), "each once, in the engine's order"
            self.trade_ids.append(trade["id"])


async def subscribe(client: StreamClient, mine: LocalAccount, after_seq: int | None = None) -> None:
    """Begin, or go on after a command."""
    answer = await client.ask(op="subscribe", channels=[CHANNEL], after_seq=after_seq)
    assert answer["type"] == "subscribed", answer
    mine.take(await client.hear())


async def must_equal_the_engine_s(served: Served, client: StreamClient, mine: LocalAccount) -> None:
    """Do something to the account, hear of it, and compare."""
    await submit(served.engine.client, ALICE, RequestWithdrawal(ALICE, "USDT", 1))
    seen = await served.engine.client.look(LookAtAccount(ALICE))
    assert isinstance(seen, AccountSeen)
    while mine.seq < seen.seq:
        mine.take(await client.hear())

    def quantity(lots: int) -> str:
        return format_atoms(lots * TERMS.lot, 8)

    assert mine.balances == {
        each.asset: (format_atoms(each.available, 8), format_atoms(each.held, 8)) for each in seen.balances
    }
    assert {id_: (each["state"], each["open"]) for id_, each in mine.orders.items()} == {
        each.order_id: (each.state.value, quantity(each.open_lots)) for each in seen.orders
    }
    assert [each["quantity"] for each in mine.holdings.values()] == [quantity(each.lots) for each in seen.positions]


async def test_an_account_kept_from_its_stream_is_the_engine_s_through_many_breaks(database: Database) -> None:
    flow, mine = OrderFlow(seed=41), LocalAccount()
    async with served_floor(database) as served:
        for _ in range(ROUNDS):
            async with served.client("alice") as client:
                running = asyncio.ensure_future(flow.run(served.engine.client, COMMANDS_A_ROUND))
                await subscribe(client, mine, mine.seq if mine.snapshots else None)
                await running
                await must_equal_the_engine_s(served, client, mine)
            await flow.run(served.engine.client, COMMANDS_A_ROUND)  # while nobody listens
        assert mine.snapshots == 1
        assert len(mine.trade_ids) > ROUNDS
        assert mine.orders


async def test_whoever_begins_in_the_middle_of_many_commands_misses_none_and_has_none_twice(database: Database) -> None:
    flow = OrderFlow(seed=42)
    async with served_floor(database) as served:
        for _ in range(ROUNDS):
            running = asyncio.ensure_future(flow.run(served.engine.client, COMMANDS_A_ROUND))
            async with served.client("alice") as first, served.client("alice") as second:
                one, other = LocalAccount(), LocalAccount()
                await subscribe(first, one)
                await subscribe(second, other)
                await running
                await must_equal_the_engine_s(served, first, one)
                await must_equal_the_engine_s(served, second, other)


async def test_after_the_engine_s_line_was_lost_a_new_snapshot_comes(database: Database) -> None:
    flow, mine, lines = OrderFlow(seed=43), LocalAccount(), list[RejoiningEngine]()

    def between(engine: Engine) -> Engine:
        lines.append(RejoiningEngine(engine))
        return lines[0]

    async with served_floor(database, between=between) as served, served.client("alice") as client:
        await subscribe(client, mine)
        for step in range(3):
            await flow.run(served.engine.client, 100)
            lines[0].lose_the_line()
            while mine.snapshots < step + 2:
                mine.take(await client.hear())
            await flow.run(served.engine.client, 100)
            mine.trade_ids.clear()  # those made meanwhile are in the tables
            await must_equal_the_engine_s(served, client, mine)


async def test_what_one_command_did_comes_as_one_effect(database: Database) -> None:
    async with served_floor(database) as served, served.client("alice") as client, served.client("bob") as other:
        mine = LocalAccount()
        await subscribe(client, mine)
        order = {"symbol": "btc", "type": "limit", "price": "50000"}
        await client.say(op="place", account_id=ALICE, side="sell", quantity="0.05", **order)
        frames = [await client.hear(), await client.hear()]
        (told,) = [each for each in frames if each["type"] == "update"]
        (effect,) = told["data"]
        (row,) = effect["orders"]
        assert (row["state"], row["open"], row["price"]) == ("open", "0.05000000", "50000.00000000")
        assert {each["asset"]: each["held"] for each in effect["balances"]} == {"BTC": "0.05000000"}
        assert "trades" not in effect
        assert "holdings" not in effect
        await other.ask(op="place", account_id=BOB, side="buy", quantity="0.02", **order)
        (effect,) = (await client.hear())["data"]
        (trade,) = effect["trades"]
        assert {name: trade[name] for name in ("id", "order_id", "side", "quantity", "notional", "fee", "maker")} == {
            "id": 1,
            "order_id": row["order_id"],
            "side": "sell",
            "quantity": "0.02000000",
            "notional": "1000.00000000",
            "fee": "0.50000000",
            "maker": True,
        }
        assert (effect["orders"][0]["state"], effect["orders"][0]["filled"]) == ("partially_filled", "0.02000000")


async def test_who_was_away_for_too_long_or_comes_from_the_future_gets_a_snapshot(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "MAX_REPLAYED", 2)
    async with served_floor(database) as served:
        mine = LocalAccount()
        async with served.client("alice") as client:
            await subscribe(client, mine)
        for missed, snapshots in ((0, 0), (2, 0), (3, 1)):
            begin = LocalAccount()
            begin.seq = mine.seq
            for _ in range(missed):
                await submit(served.engine.client, ALICE, RequestWithdrawal(ALICE, "USDT", 1))
            seq = await served.engine.client.read(lambda machine: machine.seq)
            await served.house.live.come_to(seq)
            async with served.client("alice") as client:
                await subscribe(client, begin, mine.seq)
                assert (begin.snapshots, begin.seq) == (snapshots, seq)
            mine.seq = seq
        async with served.client("alice") as client:
            await subscribe(client, begin, seq + 1_000)
            assert begin.snapshots == 2


async def test_another_user_s_account_looks_missing_and_an_operator_sees_any(database: Database) -> None:
    async with served_floor(database) as served, served.client("bob") as bob, served.client("admin") as admin:
        missing = await bob.ask(op="subscribe", channels=["account:987654321"], id=1)
        others = await bob.ask(op="subscribe", channels=[CHANNEL], id=1)
        assert others == missing
        assert others["code"] == "unknown_account"
        assert (await bob.ask(op="unsubscribe", channels=[CHANNEL]))["code"] == "unknown_account"
        for name in ("account:", "account:x", "account:-1", "account:1.5", "account:²", "account:" + "9" * 20):
            assert (await bob.ask(op="subscribe", channels=[name]))["code"] == "unknown_channel", name
        await subscribe(admin, LocalAccount())


async def test_a_token_for_nobody_lets_nobody_in_and_who_is_somebody_stays_so(database: Database) -> None:
    async with served_floor(database) as served, served.client() as client:
        async with database.transaction() as connection:
            shut_out = update(UserRow).where(UserRow.email == served["bob"].email).values(status=UserState.SUSPENDED)
            await connection.execute(shut_out)
        for token, code in (
            ("", "not_signed_in"),
            ("dev:nobody@example.com", "unknown_token"),
            ("dev:", "unknown_token"),
            ("dev:ünïcödé", "unknown_token"),
            ("alice", "unknown_token"),
            (f"dev:{served['bob'].email}", "user_not_active"),
        ):
            assert (await client.ask(op="auth", token=token, id=token))["code"] == code, token
            assert (await client.ask(op="subscribe", channels=[CHANNEL]))["code"] == "not_signed_in"
        answer = await client.ask(op="auth", token=f"dev:{served['alice'].email}", id=7)
        assert answer == {"type": "signed_in", "id": 7, "user_id": served["alice"].user_id}
        again = await client.ask(op="auth", token=f"dev:{served['admin'].email}")
        assert again["code"] == "already_signed_in"


async def test_who_reads_too_slowly_is_cut_off_and_told_where_to_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_TOLD_BYTES", 100_000)
    flow, mine = OrderFlow(seed=44), LocalAccount()
    async with (
        served_floor(database) as served,
        connect(served.house.stream_url, proxy=None, max_queue=1) as connection,
    ):
        asleep = StreamClient(connection)
        await asleep.ask(op="auth", token=f"dev:{served['alice'].email}")
        await subscribe(asleep, mine)
        (session,) = served.house.app.stream._sessions
        rounds = 0
        while session.outbox._closing is None:
            rounds += 1
            assert rounds < MOST_ROUNDS_IN_BUFFERS, "whoever does not read is sent more than any buffer holds"
            await flow.run(served.engine.client, COMMANDS_A_ROUND)
        while (frame := await asleep.hear())["type"] != "error":
            mine.take(frame)
        assert (frame["code"], frame["resume"]) == ("too_slow", {CHANNEL: mine.seq})
        with pytest.raises(ConnectionClosed) as closed:
            await asleep.hear()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4008, "too_slow")
        async with served.client("alice") as client:
            await subscribe(client, mine, mine.seq)
            await must_equal_the_engine_s(served, client, mine)
