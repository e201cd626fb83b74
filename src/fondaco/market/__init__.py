"""Market data from trade to candle: feeds, normalising, recorder, candles, gaps, quotes and their tables."""
