"""A client of its own: trades without a pause, and writes down every acknowledgement before it counts.

Arguments: the house's address, ``http`` or ``ws``, a user's token, an account, a seed, and the file to write to.

What gets no answer, or a 503, is sent again under the same key until it is answered: at the end of its life nothing is
in doubt. SIGTERM ends it that way. A line is JSON and is on disk (``fdatasync``) before the next command is sent.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

SYMBOL: Final = "BTCUSDT"
RETRY_S: Final = 0.1
ANSWER_WAIT_S: Final = 12.0
"""A socket that has not answered by then is given up; the command is sent again on another."""
MID: Final = 61_000
STANDING: Final = 20
"""Orders of its own that a client lets stand before it takes one back."""


class Notes:
    """The file of acknowledgements."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, **said: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Write a line down for good."""
        os.write(self._file, json.dumps(said).encode() + b"\n")
        os.fdatasync(self._file)


class Line(Protocol):
    """A way to the house."""

    async def ask(self, words: dict[str, Any], key: str) -> dict[str, Any] | None:
        """Send a command; returns what was answered, or None when nobody knows."""
        ...


class HttpLine:
    """Over HTTP, on one connection that is kept alive."""

    def __init__(self, address: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=address,
            trust_env=False,
            timeout=ANSWER_WAIT_S,
            headers={"authorization": f"Bearer {token}"},
        )

    async def ask(self, words: dict[str, Any], key: str) -> dict[str, Any] | None:
        """Place or cancel."""
        try:
            if "order_id" in words:
                path = f"/api/v1/orders/{words['order_id']}"
                answer = await self._client.delete(
                    path, params={"account_id": words["account_id"]}, headers={"idempotency-key": key}
                )
            else:
                answer = await self._client.post("/api/v1/orders", json=words, headers={"idempotency-key": key})
        except httpx.TransportError:
            return None
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None
        found: dict[str, Any] = answer.json()
        return found


class SocketLine:
    """Over the WebSocket; what happens to the account is told there too, and is written down."""

    def __init__(self, address: str, token: str, account_id: int, notes: Notes) -> None:
        self._url = address.replace("http", "ws", 1) + "/api/v1/stream"
        self._token = token
        self._account_id = account_id
        self._notes = notes
        self._socket: ClientConnection | None = None
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._heard_seq = 0

    async def ask(self, words: dict[str, Any], key: str) -> dict[str, Any] | None:
        """Place or cancel."""
        operation = "cancel" if "order_id" in words else "place"
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                socket = await self._open()
                self._waiting[key] = future
                await socket.send(json.dumps({"op": operation, "id": key, "command_id": key, **words}))
                answer = await future
        except (OSError, TimeoutError, WebSocketException):
            await self._drop()
            return None
        finally:
            self._waiting.pop(key, None)
        if answer["type"] == "error":
            return None if answer["code"] in AWAY else answer
        found: dict[str, Any] = answer["data"]
        return found

    async def _open(self) -> ClientConnection:
        if self._socket is None:
            self._socket = await connect(self._url, proxy=None, open_timeout=ANSWER_WAIT_S)
            self._reading = asyncio.ensure_future(self._read(self._socket))
            await self._socket.send(json.dumps({"op": "auth", "token": self._token}))
            listen: dict[str, Any] = {"op": "subscribe", "channels": [f"account:{self._account_id}"]}
            if self._heard_seq:
                listen["after_seq"] = self._heard_seq
                self._notes.add(kind="resumed", after_seq=self._heard_seq)
            await self._socket.send(json.dumps(listen))
        return self._socket

    async def _read(self, socket: ClientConnection) -> None:
        with suppress(WebSocketException, OSError):
            async for text in socket:
                self._hear(json.loads(text))
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("the socket closed"))

    def _hear(self, frame: dict[str, Any]) -> None:
        waiting = self._waiting.get(str(frame.get("id")))
        if waiting is not None:
            if not waiting.done():
                waiting.set_result(frame)
        elif str(frame.get("channel", "")).startswith("account:"):
            told = frame["data"] if frame["type"] == "update" else []
            trades = [trade["id"] for effect in told for trade in effect.get("trades", [])]
            said = {"account_id": self._account_id, "from_seq": self._heard_seq, "to_seq": frame["seq"]}
            if frame["type"] == "snapshot" or trades:
                self._notes.add(kind=frame["type"], trades=trades, **said)
            self._heard_seq = frame["seq"]

    async def _drop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        if self._socket is not None:
            with suppress(WebSocketException, OSError):
                await self._socket.close()
        self._socket = None


AWAY: Final = frozenset(
    {"engine_away", "queue_full", "follower_behind", "outcome_unknown", "database_unavailable", "not_ready"}
)


async def main(address: str, kind: str, token: str, account_id: int, seed: int, file: Path) -> None:
    """Trade until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    notes = Notes(file)
    line: Line = HttpLine(address, token) if kind == "http" else SocketLine(address, token, account_id, notes)
    random = Random(seed)
    standing: list[int] = []
    async for key in _keys(seed, stopping):
        if len(standing) >= STANDING:
            order_id = standing.pop(random.randrange(len(standing)))
            answer = await _answered(line, {"account_id": account_id, "symbol": SYMBOL, "order_id": order_id}, key)
            notes.add(kind="cancel", key=key, order_id=order_id, answer=answer)
            continue
        answer = await _answered(line, _order(random, account_id, key), key)
        notes.add(kind="place", key=key, answer=answer)
        if answer.get("state") in ("open", "partially_filled"):
            standing.append(answer["order_id"])


async def _keys(seed: int, stopping: asyncio.Event) -> AsyncIterator[str]:
    number = 0
    while not stopping.is_set():
        number += 1
        yield f"k{seed}-{number}"


async def _answered(line: Line, words: dict[str, Any], key: str) -> dict[str, Any]:
    while True:
        answer = await line.ask(words, key)
        if answer is not None:
            return answer
        await asyncio.sleep(RETRY_S)


def _order(random: Random, account_id: int, key: str) -> dict[str, Any]:
    side = random.choice(("buy", "sell"))
    away = random.randint(-3, 12) * (1 if side == "sell" else -1)
    return {
        "account_id": account_id,
        "symbol": SYMBOL,
        "side": side,
        "type": "limit",
        "price": str(MID + away),
        "quantity": f"0.{random.randint(1, 40):03d}",
        "client_order_id": key,
    }


if __name__ == "__main__":
    where, how, who, account, number, notes_file = sys.argv[1:]
    asyncio.run(main(where, how, who, int(account), int(number), Path(notes_file)))
