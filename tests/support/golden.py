"""Recorded command streams with the hashes that they led to, one for each release, kept for ever.

A machine of any later version must lead the same commands to the same events, so nobody changes what has been done.
docs/recipes/golden-journal.md says how to record one.
"""

from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from fondaco import __version__
from fondaco.core.commands import Submission
from fondaco.core.machine import Machine
from fondaco.core.snapshot import state_hash
from support.command_stream import stream
from support.desk_stream import desk_stream
from support.journals import chain_hash
from support.tree import ROOT

FOLDER: Final = ROOT / "tests" / "golden"
SEED: Final = 7
COUNT: Final = 900
VARIETY: Final = 12
"""So that a few hundred commands have all types among them."""
DESK_COUNT: Final = 1_800
STREAMS: Final = {
    "exchange": lambda: list(islice(stream(SEED, crowds=0, variety=VARIETY), COUNT)),
    "desk": lambda: list(islice(desk_stream(SEED), DESK_COUNT)),
}
"""What is recorded, by kind."""


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """A command and when it was applied."""

    submission: Submission
    now_ns: int


class Journal(msgspec.Struct, frozen=True):
    """What was told to a version, and what came of it."""

    version: str
    moments: list[Moment]
    chain: bytes
    """Hash over the events, as `support.journals.chain_hash` makes it."""
    state: bytes
    """Hash of the dump."""


decode = msgspec.msgpack.Decoder(Journal).decode


def path_of(version: str, kind: str) -> Path:
    """Where a journal of a version is."""
    return FOLDER / f"{kind}-{version}.msgpack"


def recorded(version: str, kind: str) -> Journal:
    """A journal of what this code does."""
    steps = STREAMS[kind]()
    machine = Machine()
    chain = chain_hash(machine, steps)
    moments = [Moment(step.submission, step.now_ns) for step in steps]
    return Journal(version, moments, chain, state_hash(machine))


def record(version: str, kind: str) -> None:
    """Write a journal of a version. One that is there already stays: `FileExistsError`."""
    with path_of(version, kind).open("xb") as file:
        file.write(msgspec.msgpack.encode(recorded(version, kind)))


if __name__ == "__main__":
    for each in STREAMS:
        if not path_of(__version__, each).exists():
            record(__version__, each)
