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
from support.journals import chain_hash
from support.tree import ROOT

FOLDER: Final = ROOT / "tests" / "golden"
SEED: Final = 7
COUNT: Final = 900
VARIETY: Final = 12
"""So that a few hundred commands have all types among them."""


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


def path_of(version: str) -> Path:
    """Where the journal of a version is."""
    return FOLDER / f"journal-{version}.msgpack"


def recorded(version: str) -> Journal:
    """A journal of what this code does."""
    steps = list(islice(stream(SEED, crowds=0, variety=VARIETY), COUNT))
    machine = Machine()
    chain = chain_hash(machine, steps)
    moments = [Moment(step.submission, step.now_ns) for step in steps]
    return Journal(version, moments, chain, state_hash(machine))


def record(version: str) -> None:
    """Write the journal of a version. One that is there already stays: `FileExistsError`."""
    with path_of(version).open("xb") as file:
        file.write(msgspec.msgpack.encode(recorded(version)))


if __name__ == "__main__":
    record(__version__)
