"""What can be said of many orders at once: totals, statistics by symbol, the leader board."""
