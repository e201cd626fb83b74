"""The spot exchange: an order's whole life, from the first question to the last posting.

`writing` asks whether an order is written properly, `placing` whether the market and the account allow it; `matching`
sends it to the book and settles every fill; `triggers` wakes orders that wait for a price; `amending` and `ending` are
what happens to one afterwards. All of it works on a `fondaco.core.house.House`.
"""
