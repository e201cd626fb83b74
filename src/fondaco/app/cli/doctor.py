"""``fondaco doctor``."""

import asyncio
from collections import Counter

from fondaco.app.cli.printing import say
from fondaco.app.configuration import begin
from fondaco.app.doctor import Finding, Level, check_up, fail
from fondaco.infra.clock import now_us
from fondaco.infra.errors import UserError
from fondaco.infra.settings import Settings

UNWELL = 1
"""Exit code when something must be put right."""


def doctor() -> int:
    """Check every part."""
    try:
        settings = begin("doctor")
    except UserError as error:
        say(_line(fail("settings", str(error))))
        return UNWELL
    return asyncio.run(_doctor(settings))


async def _doctor(settings: Settings) -> int:
    levels: Counter[Level] = Counter()
    async for finding in check_up(settings, now_us):
        levels[finding.level] += 1
        say(_line(finding))
    say(f"{levels[Level.OK]} ok, {levels[Level.WARN]} to know, {levels[Level.FAIL]} to put right")
    return UNWELL if levels[Level.FAIL] else 0


def _line(finding: Finding) -> str:
    return f"{finding.level:<4}  {finding.part:<10}  {finding.said}"
