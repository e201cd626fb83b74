"""Short texts that stand in the journal for ever: ids, notes, reasons."""

from typing import Final

MAX_NOTE: Final = 200
MAX_ID: Final = 64
MAX_CODE: Final = 20
MAX_SYMBOL: Final = 40


def is_text(text: str, longest: int) -> bool:
    """Whether a text is not empty, not too long and printable throughout."""
    return 0 < len(text) <= longest and text.isprintable()
