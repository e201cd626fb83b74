"""Doors to the outside: authenticate, decode, call, encode. No business rules."""
