"""Names of the keys and channels that the bus keeps for itself, beside the streams, channels and keys of its users."""

INTERNAL = "fondaco:"
"""How they all begin. Nobody hears them by listening to ``*``."""


def held_bytes(stream: str) -> str:
    """Key: how many bytes a stream holds."""
    return f"{INTERNAL}bytes:{stream}"


def news(stream: str) -> str:
    """Channel: each new entry, as its id, a space and its body."""
    return f"{INTERNAL}news:{stream}"


def entries_bell(stream: str) -> str:
    """Channel: there may be entries to read."""
    return f"{INTERNAL}entries:{stream}"


def room_bell(stream: str) -> str:
    """Channel: there may be room to write."""
    return f"{INTERNAL}room:{stream}"
