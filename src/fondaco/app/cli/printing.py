"""The only place that prints: for the person at the keyboard. What processes do goes to the log."""

import sys

COMPLAINT = "fondaco: "
"""How a line begins that says what a person must put right."""


def say(text: str) -> None:
    """Print a result."""
    print(text, flush=True)  # noqa: T201 - this is what the function is for


def complain(sentence: str) -> None:
    """Print what a person must put right, where errors belong."""
    print(f"{COMPLAINT}{sentence}", file=sys.stderr, flush=True)  # noqa: T201 - this is what the function is for
