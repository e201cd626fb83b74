"""The guard of the suite itself: an integration test reaches this machine and nothing beyond."""

import socket

import pytest
from pytest_socket import SocketConnectBlockedError

ELSEWHERE = ("192.0.2.1", 9)
"""TEST-NET-1 (RFC 5737): nobody's address."""


@pytest.mark.filterwarnings("ignore:A test tried to use socket")  # said beside the error that is looked for
def test_a_socket_off_loopback_fails_the_test() -> None:
    with socket.socket() as client, pytest.raises(SocketConnectBlockedError):
        client.connect(ELSEWHERE)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()
