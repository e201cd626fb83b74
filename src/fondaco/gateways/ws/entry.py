"""Order entry over the stream: commands go to the engine as they come, and answers return as they come.

Commands reach the engine in the order of their messages, but that an amendment asks for its order first. Each waits for
its answer in a task of its own; so many at once as the client may have under way, and no more.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from fondaco.domains.identity.api import Actor
from fondaco.domains.trading.api import TradingService
from fondaco.domains.trading.shapes import Answered
from fondaco.gateways.ws.errors import error_frame
from fondaco.gateways.ws.messages import Amend, Answer, Cancel, CancelAll, OrderMessage, Place, RequestId
from fondaco.gateways.ws.outbox import Outbox


class OrderEntry:
    """The commands of one client.

    Args:
        trading: does them.
        outbox: where answers go.
        max_commands: how many may be under way.
    """

    def __init__(self, trading: TradingService, outbox: Outbox, max_commands: int) -> None:
        self._trading = trading
        self._outbox = outbox
        self._max_commands = max_commands
        self._under_way: Final[set[asyncio.Task[None]]] = set()
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """Wait until a command may be taken."""
        await self._room.wait()

    def take(self, actor: Actor, message: OrderMessage) -> None:
        """Send a command on its way."""
        task = asyncio.create_task(self._answer(message.id, self._doing(actor, message)))
        self._under_way.add(task)
        task.add_done_callback(self._done)
        if len(self._under_way) >= self._max_commands:
            self._room.clear()

    def _doing(self, actor: Actor, message: OrderMessage) -> Coroutine[Any, Any, Answered]:
        trading, key = self._trading, message.command_id or ""
        match message:
            case Place():
                return trading.place(actor, message, key)
            case Amend():
                return trading.amend(actor, message.order_id, message, key)
            case Cancel():
                return trading.cancel(actor, message.account_id, message.order_id, key)
            case CancelAll():
                return trading.cancel_all(actor, message.account_id, message.symbol or "", key)

    async def _answer(self, request_id: RequestId, doing: Coroutine[Any, Any, Answered]) -> None:
        try:
            self._outbox.reply(Answer(request_id, await doing))
        except Exception as error:  # noqa: BLE001 - whatever it is, `error_frame` names it and logs what nobody foresaw
            self._outbox.reply(error_frame(request_id, error))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._room.set()
