"""A house that lives through years of bad luck in seconds: everything real but clock, store and network.

`simulation.simulate` runs two nodes and a handful of traders on a virtual clock, breaks whatever can break, and then
asks whether anything was lost, done twice or made up. The same seed always gives the same run.
"""
