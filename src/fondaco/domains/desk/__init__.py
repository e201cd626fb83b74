"""The dealing desk beside the engine: how its quotes are made, its nights, and what administrators do with it."""
