"""Subscriptions, as the server's channels and patterns.

The server sends a message once for each channel and pattern of ours that matches it. A subscription hands it on once:
by its own name if that was asked for, else by the first of the beginnings that match.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fondaco.infra.bus.hub import Subscription
from fondaco.infra.bus.port import Message
from fondaco.infra.bus.valkey.line import Ears
from fondaco.infra.bus.valkey.names import INTERNAL

SPECIAL = re.compile(r"([*?\[\]\\])")
"""What means something in a pattern of the server's."""


@asynccontextmanager
async def listening(ears: Ears, subscription: Subscription) -> AsyncIterator[None]:
    """Hand a subscription its messages for as long as the block runs."""
    async with AsyncExitStack() as stack:
        for name in subscription.names:
            take = partial(_by_name, subscription)
            stack.callback(ears.ignore, name.encode(), take)
            await ears.listen(name.encode(), take)
        for prefix in dict.fromkeys(subscription.prefixes):
            take, pattern = partial(_by_prefix, subscription, prefix), pattern_of(prefix)
            stack.callback(ears.ignore, pattern, take, is_pattern=True)
            await ears.listen(pattern, take, is_pattern=True)
        yield


def pattern_of(prefix: str) -> bytes:
    """The server's pattern for every channel with this beginning."""
    return (SPECIAL.sub(r"\\\1", prefix) + "*").encode()


def _by_name(subscription: Subscription, channel: bytes, body: bytes) -> None:
    subscription.watcher.push(Message(channel.decode(), body))


def _by_prefix(subscription: Subscription, prefix: str, channel: bytes, body: bytes) -> None:
    name = channel.decode(errors="replace")
    if name in subscription.names or name.startswith(INTERNAL):
        return
    if prefix == next(each for each in subscription.prefixes if name.startswith(each)):
        subscription.watcher.push(Message(name, body))
