"""The web server: uvicorn, set up for streams, with a goodbye to their clients before it stops."""

import socket
from math import ceil

import uvicorn

from fondaco.gateways.rest.app import FrontDoor
from fondaco.gateways.ws.protocol import FrameProtocol
from fondaco.infra.settings import Settings

SLACK = 16
"""uvicorn itself cuts messages this many times `stream.max_message_bytes` long; shorter ones are refused by name."""


class HouseServer(uvicorn.Server):
    """Serves the application. uvicorn alone would close streams as "service restart"; this says 1001 first."""

    def __init__(self, app: FrontDoor, settings: Settings) -> None:
        super().__init__(server_config(app, settings))
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: streams first, then open requests, then the application."""
        await self._app.stream.close()
        await super().shutdown(sockets)


def server_config(app: FrontDoor, settings: Settings) -> uvicorn.Config:
    """How the application is served."""
    return uvicorn.Config(
        app,
        host=settings.serve.host,
        port=settings.serve.port,
        http="httptools",
        ws=FrameProtocol,
        ws_max_size=SLACK * settings.stream.max_message_bytes,
        ws_per_message_deflate=False,  # a frame is encoded once for all; deflate would do it again for each
        timeout_graceful_shutdown=ceil(settings.serve.drain_s),
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
    )
