"""What a question to the tables is."""

from typing import NamedTuple


class Check(NamedTuple):
    """A question to the tables: its part of the house, what is well when it finds nothing, and the faults in words."""

    part: str
    well: str
    query: str
