"""What a test may reach: unit, property, golden and rules tests no network at all, the others this machine only.

A pytest plugin, loaded by tests/conftest.py. Unix sockets are open to all, because every asyncio loop wakes itself
through a pair of them. Nobody needs the world beyond: what the tests use was installed before the first of them.
"""

from pathlib import Path

import pytest
from pytest_socket import disable_socket, socket_allow_hosts

TESTS = Path(__file__).parents[1]
WITHOUT_NETWORK = frozenset({"unit", "property", "golden", "rules"})
LOOPBACK = ["127.0.0.1", "::1"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Close the network before the test's fixtures are made; pytest-socket opens it again after the test."""
    if item.path.relative_to(TESTS).parts[0] in WITHOUT_NETWORK:
        disable_socket(allow_unix_socket=True)
    else:
        socket_allow_hosts(LOOPBACK, allow_unix_socket=True)
