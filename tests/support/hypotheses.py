"""How Hypothesis runs here: without a deadline, since no test of ours may fail because the machine was busy.

A pytest plugin, loaded by tests/conftest.py. A failing example is printed in a form that can be replayed.
"""

from hypothesis import settings

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")
