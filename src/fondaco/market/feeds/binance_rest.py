"""Old trades from Binance's REST API, by trade id, inside Binance's limits.

Binance counts *weight* for each address: 6,000 a minute for all programs behind it, 25 for a page of old trades. We
spend at most our own allowance, stop when Binance says that the address has spent nearly everything, and wait as long
as a 429 or a 418 asks for: whoever goes on asking is banned.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api: "Old trade lookup", "Limits".
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

import httpx
import msgspec
import structlog

from fondaco.infra.settings import MarketSettings
from fondaco.wire.binance import PastTrade, decode_past_trades

log = structlog.get_logger()

PAGE: Final = 1_000
"""Trades on a page; Binance allows no more."""
PAGE_WEIGHT: Final = 25
STOP_AT_USED_WEIGHT: Final = 5_000
"""When the address has spent so much of its 6,000 this minute, the rest is left to others."""
MINUTE_S: Final = 60.0
TIMEOUT_S: Final = 10.0
MAX_TRIES: Final = 5
FIRST_RETRY_S: Final = 0.5
MAX_HEADER_NUMBER: Final = 3 * 24 * 3600.0
"""Binance bans for up to three days and counts weights of thousands; a larger number in a header is taken for this."""

_LIMITED: Final = frozenset({418, 429})


class HistoryProblem(StrEnum):
    """Why a page could not be had. The values are stable: they stand in the ledger of gaps."""

    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"
    BAD_ANSWER = "bad_answer"


class HistoryError(Exception):
    """A page could not be had."""

    def __init__(self, problem: HistoryProblem, detail: str) -> None:
        super().__init__(f"{problem.value}: {detail}")
        self.problem = problem


class WeightBudget:
    """How much may be spent now: so much a minute, refilled evenly, and nothing while the exchange says wait."""

    def __init__(
        self, per_minute: int, *, clock_s: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._per_minute = per_minute
        self._clock_s = clock_s
        self._sleep = sleep
        self._left = float(per_minute)
        self._counted_s = clock_s()
        self._blocked_until_s = self._counted_s

    async def spend(self, weight: int) -> None:
        """Wait until so much may be spent, and spend it."""
        while (wait_s := self._wait_s(weight)) > 0:
            await self._sleep(wait_s)
        self._left -= weight

    def block(self, seconds: float) -> None:
        """Spend nothing for so long."""
        self._blocked_until_s = max(self._blocked_until_s, self._clock_s() + seconds)

    def _wait_s(self, weight: int) -> float:
        now_s = self._clock_s()
        per_second = self._per_minute / MINUTE_S
        self._left = min(self._per_minute, self._left + (now_s - self._counted_s) * per_second)
        self._counted_s = now_s
        return max(self._blocked_until_s - now_s, (weight - self._left) / per_second)


class BinanceHistory:
    """Pages of old trades. Close it after use."""

    def __init__(
        self,
        settings: MarketSettings,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        key = settings.binance_api_key
        self._client = httpx.AsyncClient(
            base_url=settings.binance_rest_url,
            timeout=TIMEOUT_S,
            headers={} if key is None else {"X-MBX-APIKEY": key.get_secret_value()},
        )
        self._sleep = sleep
        self._budget = WeightBudget(settings.backfill_weight_per_minute, clock_s=clock_s, sleep=sleep)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def page(self, symbol: str, from_id: int) -> list[PastTrade]:
        """The oldest trades with at least this id, at most `PAGE`, in order of id.

        Raises:
            HistoryError: Binance did not give them, however often it was asked.
        """
        last = HistoryError(HistoryProblem.UNREACHABLE, "not asked")
        for number in range(MAX_TRIES):
            await self._budget.spend(PAGE_WEIGHT)
            try:
                return self._read(await self._ask(symbol, from_id))
            except HistoryError as error:
                if error.problem is HistoryProblem.REFUSED:
                    raise
                last = error
            except httpx.HTTPError as error:
                last = HistoryError(HistoryProblem.UNREACHABLE, f"{type(error).__name__}: {error}")
            log.warning("binance.page_failed", symbol=symbol, from_id=from_id, problem=str(last))
            if last.problem is not HistoryProblem.RATE_LIMITED:  # the budget waits for that one
                await self._sleep(FIRST_RETRY_S * 2**number)
        raise last

    async def _ask(self, symbol: str, from_id: int) -> httpx.Response:
        wanted: dict[str, str | int] = {"symbol": symbol, "fromId": from_id, "limit": PAGE}
        response = await self._client.get("/api/v3/historicalTrades", params=wanted)
        if _number(response.headers.get("x-mbx-used-weight-1m")) >= STOP_AT_USED_WEIGHT:
            self._budget.block(MINUTE_S)
        return response

    def _read(self, response: httpx.Response) -> list[PastTrade]:
        if response.status_code in _LIMITED:
            wait_s = _number(response.headers.get("retry-after")) or MINUTE_S
            self._budget.block(wait_s)
            raise HistoryError(HistoryProblem.RATE_LIMITED, f"status {response.status_code}, wait {wait_s:g} s")
        if response.is_server_error:
            raise HistoryError(HistoryProblem.UNREACHABLE, f"status {response.status_code}")
        if not response.is_success:
            raise HistoryError(HistoryProblem.REFUSED, f"status {response.status_code}: {response.text[:200]}")
        try:
            trades = decode_past_trades(response.content)
        except msgspec.DecodeError as error:
            raise HistoryError(HistoryProblem.BAD_ANSWER, str(error)) from error
        ids = [each.trade_id for each in trades]
        if ids != sorted(set(ids)) or len(ids) > PAGE:
            raise HistoryError(HistoryProblem.BAD_ANSWER, "the trades are not in order of their ids")
        return trades


def _number(header: str | None) -> float:
    """A header that should be a number; 0 when it is none."""
    try:
        return min(max(float(header or 0), 0.0), MAX_HEADER_NUMBER)
    except ValueError:
        return 0.0
