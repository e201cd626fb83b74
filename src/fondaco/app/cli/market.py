"""``fondaco candles …`` and ``fondaco ticks …``."""

import asyncio
import re
from datetime import timedelta

from fondaco.app.cli.printing import say
from fondaco.app.configuration import begin
from fondaco.app.databases import house_database, said_to_the_user
from fondaco.infra.clock import now_us
from fondaco.infra.database import Database
from fondaco.infra.errors import UserError
from fondaco.infra.settings import Settings
from fondaco.market.jobs import purge_ticks
from fondaco.market.verify import WeekVerified, verify_candles

DIFFERENT = 1
"""Exit code when a candle is not what its trades make."""

AGE = re.compile(r"([0-9]{1,6})([hdw])")
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def purge(*, older_than: str) -> None:
    """Purge.

    Args:
        older_than: An age in hours, days or weeks: 36h, 30d, 4w.
    """
    age = parse_age(older_than)
    asyncio.run(_purge(begin("purge"), age))


def parse_age(text: str) -> timedelta:
    """Read an age such as ``30d``. Raises `UserError` when it is none, or none at all."""
    found = AGE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise UserError(f"{text!r} is no age: write a whole number of hours, days or weeks, such as 36h, 30d or 4w.")
    return int(found[1]) * UNITS[found[2]]


def verify() -> int:
    """Compare, week by week."""
    return asyncio.run(_verify(begin("verify")))


async def _purge(settings: Settings, age: timedelta) -> None:
    async with house_database(settings, command="fondaco ticks purge") as url:
        database = Database(url, settings.database, application="purge")
        try:
            with said_to_the_user():
                purged = await purge_ticks(database, age, now_us())
        finally:
            await database.dispose()
    say(f"{purged} trades dropped.")


async def _verify(settings: Settings) -> int:
    async with house_database(settings, command="fondaco candles verify") as url:
        database = Database(url, settings.database, application="verify")
        weeks: list[WeekVerified] = []
        try:
            with said_to_the_user():
                async for week in verify_candles(database):
                    weeks.append(week)
                    for line in _week_lines(week):
                        say(line)
        finally:
            await database.dispose()
    different = sum(week.different for week in weeks)
    equal = sum(week.equal for week in weeks)
    unverifiable = sum(week.unverifiable for week in weeks)
    say(f"{equal} candles equal their trades, {different} differ, {unverifiable} have lost some of their trades.")
    return DIFFERENT if different else 0


def _week_lines(week: WeekVerified) -> list[str]:
    series = f"{week.source} {week.symbol} week of {week.week:%Y-%m-%d}"
    lines = [f"{series}: {week.equal} equal, {week.different} different, {week.unverifiable} not verifiable"]
    lines += [f"  {each.timeframe} {each.open_time:%Y-%m-%dT%H:%MZ}: {', '.join(each.columns)}" for each in week.shown]
    if week.different > len(week.shown):
        lines.append(f"  and {week.different - len(week.shown)} more")
    return lines
