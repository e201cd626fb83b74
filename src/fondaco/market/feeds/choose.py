"""Chooses the feed: what the setting names, or in turn Binance, recorded data and simulation, saying which and why."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from fondaco.core.listings import Catalogue
from fondaco.infra.settings import Settings
from fondaco.market.feeds.binance import BinanceFeed
from fondaco.market.feeds.port import Feed, FeedError, Resume
from fondaco.market.feeds.recordings import RecordingError
from fondaco.market.feeds.replay import open_replay
from fondaco.market.feeds.simulated import SimulatedFeed

KINDS_OF_RECORDING = ("ws_raw", "trades", "aggtrades")
"""Which recording of a symbol is taken, the best first: raw lines are closest to the wire."""


class Choice(NamedTuple):
    """A feed, and a sentence that says why it was taken."""

    feed: Feed
    why: str


async def choose_feed(settings: Settings, catalogue: Catalogue, resume: Resume, clock_us: Callable[[], int]) -> Choice:
    """Make the feed that the settings ask for. Nothing but Binance's probe has run yet.

    Raises:
        FeedError: the setting names no feed, or one that cannot be started.
    """
    market = settings.market
    if market.feed == "auto":
        return await _choose_by_trying(settings, catalogue, resume, clock_us)
    if market.feed == "binance":
        return Choice(BinanceFeed(market, catalogue, clock_us), "The setting asks for Binance.")
    if market.feed == "simulated":
        return Choice(SimulatedFeed(market, catalogue, resume, clock_us), "The setting asks for simulated prices.")
    kind, _, name = market.feed.partition(":")
    if kind != "replay" or not name:
        raise FeedError(f'There is no feed "{market.feed}"; use auto, binance, replay:FILE or simulated.')
    path = _locate(name, settings.recorded_data)
    feed = await asyncio.to_thread(open_replay, [path], market, catalogue, resume, clock_us)
    return Choice(feed, f"The setting asks for {path.name}.")


def find_recordings(folder: Path, symbols: Iterable[str]) -> list[Path]:
    """The best and newest recorded spot trades of each symbol, as far as the folder has any."""
    found = (_best_recording(folder, symbol.lower()) for symbol in symbols)
    return [path for path in found if path is not None]


async def _choose_by_trying(
    settings: Settings, catalogue: Catalogue, resume: Resume, clock_us: Callable[[], int]
) -> Choice:
    market = settings.market
    binance = BinanceFeed(market, catalogue, clock_us)
    if await binance.delivers_within(market.binance_wait_s):
        return Choice(binance, "Binance answered.")
    why = f"Binance did not answer within {market.binance_wait_s:g} s"
    paths = find_recordings(settings.recorded_data, catalogue.symbols)
    if not paths:
        why = f"{why}, and {settings.recorded_data} holds no recorded trades of {', '.join(catalogue.symbols)}."
        return Choice(SimulatedFeed(market, catalogue, resume, clock_us), why)
    try:
        replay = await asyncio.to_thread(open_replay, paths, market, catalogue, resume, clock_us)
    except RecordingError as error:
        return Choice(SimulatedFeed(market, catalogue, resume, clock_us), f"{why}. {error}")
    return Choice(replay, f"{why}.")


def _best_recording(folder: Path, symbol: str) -> Path | None:
    for kind in KINDS_OF_RECORDING:
        found = sorted(folder.glob(f"binance_spot_{symbol}_{kind}_*"))
        if found:
            return found[-1]
    return None


def _locate(name: str, folder: Path) -> Path:
    """A path as given, or the file of that name among the recorded data."""
    path = Path(name).expanduser()
    return path if path.exists() or path.is_absolute() else folder / path
