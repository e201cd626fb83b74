"""The guard of the suite itself: a unit test can make no network socket, not even to this machine."""

import socket

import pytest
from pytest_socket import SocketBlockedError


@pytest.mark.filterwarnings("ignore:A test tried to use socket")  # said beside the error that is looked for
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_unit_test_makes_no_network_socket(family: socket.AddressFamily) -> None:
    with pytest.raises(SocketBlockedError):
        socket.socket(family)


async def test_an_event_loop_still_wakes_itself() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"awake")
        assert other.recv(5) == b"awake"
