"""A local REST server that has an exchange's old trades, and misbehaves when told to."""

import json
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from fondaco.core.money import format_atoms
from fondaco.market.messages import Tick

PAGE = 1_000


class Answer(NamedTuple):
    """What the server says instead of trades, once."""

    status: int
    body: str = "{}"
    headers: tuple[tuple[str, str], ...] = ()


class PastTradesServer:
    """Answers ``GET /api/v3/historicalTrades`` from a list of trades, which a test may change while it runs."""

    def __init__(self, ticks: Sequence[Tick]) -> None:
        self.ticks = list(ticks)
        self.instead: deque[Answer] = deque()
        self.asked: list[int] = []
        self.keys: list[str | None] = []
        self.url = ""

    def answer(self, path: str, key: str | None) -> Answer:
        """Answer one request."""
        url = urlsplit(path)
        assert url.path == "/api/v3/historicalTrades"
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        assert query["symbol"] == "BTCUSDT"
        assert int(query["limit"]) <= PAGE
        self.asked.append(int(query["fromId"]))
        self.keys.append(key)
        if self.instead:
            return self.instead.popleft()
        page = [each for each in self.ticks if each.trade_id >= int(query["fromId"])][:PAGE]
        return Answer(200, json.dumps([_as_binance_writes(each) for each in page]))


@contextmanager
def past_trades(ticks: Sequence[Tick]) -> Iterator[PastTradesServer]:
    """Serve these trades, in order of their ids, on a port of the kernel's choice."""
    server = PastTradesServer(ticks)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = server.answer(self.path, self.headers.get("X-MBX-APIKEY"))
            body = answer.body.encode()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        server.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


def _as_binance_writes(tick: Tick) -> dict[str, object]:
    return {
        "id": tick.trade_id,
        "price": format_atoms(tick.price, 8),
        "qty": format_atoms(tick.quantity, 8),
        "quoteQty": "0",
        "time": tick.time_us // 1000,
        "isBuyerMaker": tick.buyer_is_maker,
        "isBestMatch": True,
    }
