"""The process that serves: API, streams and page on one port."""

import signal
import socket
import sys
from types import FrameType
from typing import Annotated, NoReturn

from cyclopts import Parameter

from fondaco.app.configuration import begin
from fondaco.app.doors import keep_strangers_out, open_door
from fondaco.app.processes.parts import house_parts, run, settle
from fondaco.engine.away import AwayEngine
from fondaco.engine.live import LiveHouse
from fondaco.gateways.rest.app import build_app
from fondaco.gateways.rest.terminal import built_folder
from fondaco.gateways.server import HouseServer
from fondaco.infra.settings import Settings


def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    supervised: Annotated[bool, Parameter(show=False)] = False,
    listening_fd: Annotated[int | None, Parameter(show=False)] = None,
) -> None:
    """Serve.

    Args:
        host: Address to serve on.
        port: Port to serve on; 0 takes any that is free.
        supervised: The supervisor has seen to database and bus.
        listening_fd: A listening socket that the supervisor handed down.
    """
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = begin("serve", {"serve": given} if given else None)
    listener = open_door(settings.serve) if listening_fd is None else socket.socket(fileno=listening_fd)
    # uvicorn stops in order at this signal and then raises it again, which would cut off what we still have to close.
    signal.signal(signal.SIGTERM, _leave)
    with listener:
        keep_strangers_out(settings.serve, listener.getsockname()[0])
        run(_serve(settings, listener, supervised=supervised))


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit()


async def _serve(settings: Settings, listener: socket.socket, *, supervised: bool) -> None:
    async with house_parts(settings, "serve", supervised=supervised) as (database, bus):
        engine = AwayEngine()  # the one place where this process finds its way to the engine
        app = build_app(settings, database, bus, engine, LiveHouse(engine, database), page=built_folder())
        settle()
        await HouseServer(app, settings).serve([listener])
