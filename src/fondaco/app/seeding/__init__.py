"""``fondaco db seed``: a house that somebody can trade in, out of nothing (BHC-5)."""
