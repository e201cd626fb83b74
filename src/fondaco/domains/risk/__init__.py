"""Limits, breakers and alerts, for those who watch over the house and those who are bound by it."""
