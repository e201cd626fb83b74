"""The house under load while its processes are killed. Short here; whole, with twenty kills, among the long tests."""

import pytest

from onslaught.house import ACKS_BETWEEN_KILLS, onslaught
from support.places import open_folder


@pytest.mark.timeout(400)
async def test_nothing_acknowledged_is_lost_when_processes_are_killed() -> None:
    with open_folder() as folder:
        await onslaught(folder, kills=4, acks=100, seed=1, say=print)


@pytest.mark.long
@pytest.mark.timeout(1_500)
async def test_nothing_acknowledged_is_lost_in_twenty_kills() -> None:
    with open_folder() as folder:
        await onslaught(folder, kills=20, acks=ACKS_BETWEEN_KILLS, seed=2, say=print)
