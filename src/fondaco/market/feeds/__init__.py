"""Feeds: where ticks come from, behind one port."""
