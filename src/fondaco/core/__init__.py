"""The pure heart of the house: no I/O, no clock, no randomness, no logging.

Time, ids and random numbers are arguments here, so that a replayed journal and a backtest run through the very
code that trades. A test walks the imports of this package and fails on anything else.
"""
