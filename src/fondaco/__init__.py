"""Fondaco: a trading house that a person or a small firm runs on their own machine."""

__version__ = "0.1.0"
