"""What must be true afterwards, asked of the tables, and of the journal done again, about what clients wrote down."""

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import TupleRow

ENDED = ("filled", "cancelled", "rejected", "expired")


class Acknowledged(NamedTuple):
    """What the clients wrote down."""

    placed: dict[str, dict[str, Any]]
    """By the client's key."""
    cancelled: dict[str, tuple[int, dict[str, Any]]]
    """Order and answer, by key."""
    told: list[dict[str, Any]]
    """What account streams told: each an account, the commands from and to which, and the trades among them."""
    resumed: int

    @property
    def answers(self) -> int:
        """How many answers there were."""
        return len(self.placed) + len(self.cancelled)


def read(files: Sequence[Path]) -> Acknowledged:
    """What is in these files. A key that was answered twice is a fault of the client."""
    placed: dict[str, dict[str, Any]] = {}
    cancelled: dict[str, tuple[int, dict[str, Any]]] = {}
    told: list[dict[str, Any]] = []
    resumed = 0
    for line in (line for file in files for line in file.read_text().splitlines()):
        note = json.loads(line)
        match note["kind"]:
            case "place":
                assert note["key"] not in placed
                placed[note["key"]] = note["answer"]
            case "cancel":
                assert note["key"] not in cancelled
                cancelled[note["key"]] = (note["order_id"], note["answer"])
            case "snapshot" | "update":
                told.append(note)
            case "resumed":
                resumed += 1
    return Acknowledged(placed, cancelled, told, resumed)


def count_lines(files: Sequence[Path]) -> int:
    """How many acknowledgements there are by now."""
    words = (b'"kind": "place"', b'"kind": "cancel"')
    return sum(file.read_bytes().count(word) for file in files if file.exists() for word in words)


def check_orders(connection: psycopg.Connection[TupleRow], said: Acknowledged, accounts: Sequence[int]) -> str:
    """Every acknowledged order stands there once, as it was said, and no other."""
    rows = connection.execute(
        "SELECT client_order_id, id, account_id, accepted_seq, state, as_decimal(filled_quantity, 8) FROM orders "
        "WHERE account_id = ANY(%s)",
        (list(accounts),),
    ).fetchall()
    stored = {row[0]: row[1:] for row in rows}
    accepted = {key: answer for key, answer in said.placed.items() if "order_id" in answer}
    assert len(stored) == len(rows), "an order stands there twice"
    assert stored.keys() == accepted.keys(), stored.keys() ^ accepted.keys()
    for key, answer in accepted.items():
        order_id, _, seq, state, filled = stored[key]
        assert (order_id, seq) == (answer["order_id"], answer["seq"]), (key, answer, stored[key])
        assert filled >= Decimal(answer["filled"]), (key, answer, stored[key])
        assert answer["state"] not in ENDED or answer["state"] == state, (key, answer, stored[key])
    seqs = Counter(answer["seq"] for answer in said.placed.values())
    assert all(count == 1 for count in seqs.values()), "two answers have one number"
    return f"{len(accepted)} acknowledged orders are there once, and no other"


def check_cancels(connection: psycopg.Connection[TupleRow], said: Acknowledged) -> str:
    """What was said to be taken back is."""
    done = [order_id for order_id, answer in said.cancelled.values() if "code" not in answer]
    query = "SELECT count(*) FROM orders WHERE id = ANY(%s) AND state = 'cancelled'"
    (found,) = connection.execute(query, (done,)).fetchone() or (0,)
    assert found == len(set(done)) == len(done), f"{found} of {len(done)} cancelled orders are"
    return f"{len(done)} acknowledged cancellations hold"


def check_trades(connection: psycopg.Connection[TupleRow]) -> str:
    """No trade is missing or there twice, and every order has what its trades say."""
    count, last, notional = connection.execute(
        "SELECT count(*), max(id), coalesce(sum(notional), 0) FROM trades "
        "WHERE world = 'trading' AND symbol = 'BTCUSDT'"
    ).fetchone() or (0, 0, 0)
    assert count == last, f"{count} trades, and the last one has number {last}"
    wrong = connection.execute(
        """
        SELECT o.id FROM orders o LEFT JOIN LATERAL (
            SELECT coalesce(sum(t.quantity), 0) AS traded FROM trades t
            WHERE t.symbol = o.symbol AND t.world = o.world AND o.id IN (t.buy_order_id, t.sell_order_id)
        ) t ON true WHERE o.filled_quantity <> t.traded
        """
    ).fetchall()
    assert wrong == [], wrong
    return f"{count} trades without a gap ({notional} quote atoms), and each order has what its trades say"


def check_streams(connection: psycopg.Connection[TupleRow], said: Acknowledged) -> str:
    """Account streams told every trade once, but those that a snapshot took the place of."""
    count, snapshots = 0, 0
    for account_id in {note["account_id"] for note in said.told}:
        notes = [note for note in said.told if note["account_id"] == account_id]
        leaps = [(note["from_seq"], note["to_seq"]) for note in notes if note["kind"] == "snapshot"]
        told = [trade_id for note in notes for trade_id in note["trades"]]
        rows = connection.execute(
            "SELECT id, seq FROM trades WHERE %s IN (buyer_account_id, seller_account_id) AND seq <= %s",
            (account_id, notes[-1]["to_seq"]),
        ).fetchall()
        owed = [trade_id for trade_id, seq in rows if not any(begin < seq <= end for begin, end in leaps)]
        assert sorted(told) == sorted(owed), (account_id, set(told) ^ set(owed))
        count, snapshots = count + len(told), snapshots + len(leaps)
    return f"account streams told {count} trades, each once; {snapshots} times they began with a snapshot"


def check_balances(connection: psycopg.Connection[TupleRow], accounts: Sequence[int], deposits: dict[str, int]) -> str:
    """Every balance is what was deposited and traded, to the atom."""
    for account_id in accounts:
        bought, paid = connection.execute(
            "SELECT coalesce(sum(quantity), 0), coalesce(sum(notional + buyer_fee), 0) FROM trades "
            "WHERE buyer_account_id = %s",
            (account_id,),
        ).fetchone() or (0, 0)
        sold, got = connection.execute(
            "SELECT coalesce(sum(quantity), 0), coalesce(sum(notional - seller_fee), 0) FROM trades "
            "WHERE seller_account_id = %s",
            (account_id,),
        ).fetchone() or (0, 0)
        balances: dict[str, int] = dict(
            connection.execute(
                "SELECT asset, available + held FROM balances WHERE account_id = %s", (account_id,)
            ).fetchall()
        )
        expected = {"BTC": deposits["BTC"] + bought - sold, "USDT": deposits["USDT"] - paid + got}
        assert balances == expected, (account_id, balances, expected)
    return f"{len(accounts)} accounts have what was deposited and traded, to the atom"


def check_journal(connection: psycopg.Connection[TupleRow]) -> str:
    """Batches and commands have no gap, and no epoch writes after a later one has."""
    wrong = connection.execute(
        """
        SELECT batch_no FROM (
            SELECT batch_no, first_seq, epoch, lag(batch_no) OVER w AS before, lag(last_seq) OVER w AS ended,
                lag(epoch) OVER w AS led FROM journal WINDOW w AS (ORDER BY batch_no)
        ) AS rows WHERE batch_no <> before + 1 OR first_seq <> ended + 1 OR epoch < led
        """
    ).fetchall()
    assert wrong == [], wrong
    batches, epochs = connection.execute("SELECT count(*), count(DISTINCT epoch) FROM journal").fetchone() or (0, 0)
    return f"{batches} batches of {epochs} leaders follow on each other"
