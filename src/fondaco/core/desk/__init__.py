"""The dealing desk: quotes, leveraged positions, margin, stops, liquidation, financing. See ``docs/desk.md``."""
