"""Order entry: the way of `POST /api/v1/orders` and `DELETE /api/v1/orders/{order_id}`, which must be short.

These two are answered in front of the framework, as plain ASGI. The framework documents them and answers what is
spelled in another way (a slash at the end); both call the same two functions.
"""

from typing import Final

import msgspec
from litestar.openapi.spec import OpenAPIType, Schema

from fondaco.core.money import INT64_MAX
from fondaco.core.vocabulary import OrderType
from fondaco.domains.trading.api import MAX_KEY, TradingService
from fondaco.domains.trading.shapes import CancelledOrder, NewOrder, PlacedOrder
from fondaco.engine.projection.tables import OrderSide
from fondaco.gateways.actors import Actors
from fondaco.gateways.asgi import Headers, Receive, Scope, Send
from fondaco.gateways.rest.bodies import Body, read_body
from fondaco.gateways.rest.parameters import HeaderParameter, PathParameter, QueryParameter, decoded_query, number_id
from fondaco.gateways.rest.problems import ProblemError

ORDERS_PATH: Final = "/api/v1/orders"
ORDER_PATH: Final = ORDERS_PATH + "/{order_id:str}"
ONE_ORDER_TEMPLATE: Final = ORDERS_PATH + "/{order_id}"
"""The same as metrics name it."""
_ONE_ORDER: Final = ORDERS_PATH + "/"
_JSON: Final = (b"content-type", b"application/json")

_encode = msgspec.json.Encoder().encode


class OrderEntry:
    """Places and cancels orders.

    Args:
        actors: says who asks.
        trading: does it.
    """

    def __init__(self, actors: Actors, trading: TradingService) -> None:
        self._actors = actors
        self._trading = trading

    def wants(self, scope: Scope) -> bool:
        """Whether a request is one of the two."""
        path: str = scope["path"]
        if scope["method"] == "POST":
            return path == ORDERS_PATH
        return scope["method"] == "DELETE" and path.startswith(_ONE_ORDER) and path[len(_ONE_ORDER) :].isdecimal()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one of the two. Raises what went wrong."""
        headers = scope["headers"]
        if scope["method"] == "POST":
            scope["path_template"] = ORDERS_PATH
            await _send(send, 201, _encode(await self.place(headers, await read_body(receive))))
        else:
            scope["path_template"] = ONE_ORDER_TEMPLATE
            order_id = scope["path"][len(_ONE_ORDER) :]
            await _send(send, 200, _encode(await self.cancel(headers, scope["query_string"], order_id)))

    async def place(self, headers: Headers, body: bytes) -> PlacedOrder:
        """Place the order of a body."""
        actor = await self._actors.of(headers)
        return await self._trading.place(actor, NEW_ORDER.read(body), idempotency_key(headers))

    async def cancel(self, headers: Headers, query_string: bytes, order_id: str) -> CancelledOrder:
        """Take the order of a path back."""
        actor = await self._actors.of(headers)
        account_id = ACCOUNT_ID.read(decoded_query(query_string))
        return await self._trading.cancel(actor, account_id, number_id(order_id), idempotency_key(headers))


def idempotency_key(headers: Headers) -> str:
    """The key under which a command may be sent again; empty where none is given."""
    given = [value for name, value in headers if name == b"idempotency-key"]
    if not given:
        return ""
    if len(given) > 1:
        raise ProblemError("bad_idempotency_key", "The header `Idempotency-Key` is given more than once.")
    return _key(given[0].decode("latin-1"))


def _key(text: str) -> str:
    if 0 < len(text) <= MAX_KEY and text.isascii() and text.isprintable() and " " not in text:
        return text
    raise ProblemError("bad_idempotency_key", f"An `Idempotency-Key` has 1 to {MAX_KEY} visible ASCII characters.")


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [_JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _id_schema() -> Schema:
    return Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=INT64_MAX)


ACCOUNT_ID: Final = QueryParameter(
    "account_id",
    "The account, always named: a second one must not change what is meant.",
    _id_schema(),
    1000,
    number_id,
    required=True,
)
ORDER_ID: Final = PathParameter("order_id", "The order.", _id_schema(), 1005, number_id, required=True)
KEY: Final = HeaderParameter(
    "Idempotency-Key",
    "The same key again gets the same answer and does nothing. Without one, a lost answer cannot be asked for again.",
    Schema(type=OpenAPIType.STRING, min_length=1, max_length=MAX_KEY, pattern="^[!-~]+$"),
    "order-2024-08-09-0001",
    _key,
)
EXAMPLE_ORDER: Final = NewOrder(
    account_id=1000, symbol="BTCUSDT", side=OrderSide.BUY, type=OrderType.LIMIT, quantity="0.015", price="61837.63"
)
NEW_ORDER: Final = Body(NewOrder, EXAMPLE_ORDER)
