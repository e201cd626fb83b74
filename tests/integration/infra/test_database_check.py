"""A wrong DATABASE_URL is one sentence that says what to change and never the password."""

import asyncio
import socket
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest

from fondaco.infra.database import DatabaseMisconfiguredError, DatabaseUnavailableError
from fondaco.infra.database_check import DatabaseRefusedError, check_database
from fondaco.infra.postgres import EmbeddedPostgres, PostgresError
from fondaco.infra.settings import DatabaseSettings

SETTINGS = DatabaseSettings(connect_timeout_s=2)
PASSWORD = "hunter2-is-secret"  # noqa: S105 - an invented one, to be looked for


def changed(url: str, *, user: str = "fondaco", password: str | None = PASSWORD, name: str | None = None) -> str:
    """An address of the same server with other credentials, or another database."""
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    secret = parts.password if password is None else quote(password, safe="")
    return urlunsplit(
        parts._replace(netloc=f"{user}:{secret}@{server}", path=parts.path if name is None else f"/{name}")
    )


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "must begin with postgresql://"),
        ("mysql://u:hunter2-is-secret@h/d", r"must begin with postgresql:// \(it begins with 'mysql'\)"),
        ("just words", "must begin with postgresql://"),
        ("postgresql://u:hunter2-is-secret%zz@h/d", "cannot be read: invalid percent-encoded token"),
        ("postgresql://u:hunter2@is-secret@h/d", "write @ as %40"),
        ("postgresql://u:hunter2/is-secret@h/d", "write @ as %40, / as %2F"),
        ("postgresql://u:hunter2#is-secret@h/d", "# as %23"),
        ("postgresql://u:hunter2-is-secret@h/d?nosuch=1", 'cannot be read: invalid URI query parameter: "nosuch"'),
        ("postgresql://u:hunter2-is-secret@[::1/d", "cannot be read"),
    ],
)
async def test_an_address_that_can_never_work(url: str, sentence: str) -> None:
    with pytest.raises(DatabaseMisconfiguredError, match=sentence) as raised:
        await check_database(url, SETTINGS)
    assert "hunter2" not in str(raised.value)
    assert "is-secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            f"postgresql://u:{PASSWORD}@127.0.0.1:1/x",
            r'^The database "x" at 127\.0\.0\.1:1 cannot be used \(Connection refused\): is it running, ',
        ),
        (f"postgresql://u:{PASSWORD}@/x?host=/nowhere", r"\(No such file or directory\): is it running"),
        (f"postgresql://u:{PASSWORD}@127.0.0.1:port/x", "cannot be used"),
    ],
)
async def test_a_server_that_cannot_be_reached(url: str, sentence: str) -> None:
    with pytest.raises(DatabaseRefusedError, match=sentence) as raised:
        await check_database(url, SETTINGS)
    assert PASSWORD not in str(raised.value)


async def test_a_server_that_refuses(server_url: str) -> None:
    with pytest.raises(
        DatabaseUnavailableError, match=r"password authentication failed.*user or password of DATABASE_URL"
    ):
        await check_database(changed(server_url), SETTINGS)
    with pytest.raises(DatabaseUnavailableError, match=r'database "nosuch" does not exist\): create it'):
        await check_database(changed(server_url, password=None, name="nosuch"), SETTINGS)


async def test_a_server_that_says_nothing_is_not_waited_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(DatabaseRefusedError, match="timeout expired"):
            await check_database(f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/x", SETTINGS)


async def test_a_server_that_is_right_is_silent(server_url: str) -> None:
    await check_database(server_url, SETTINGS)


async def test_a_server_that_comes_up_while_it_is_waited_for(server_url: str) -> None:
    late = changed(server_url, password=None, name="late")
    waiting = asyncio.ensure_future(check_database(late, SETTINGS, wait_s=30))
    async with await psycopg.AsyncConnection.connect(server_url, autocommit=True) as connection:
        assert not waiting.done()
        await connection.execute("CREATE DATABASE late")
        await waiting
        await connection.execute("DROP DATABASE late WITH (FORCE)")


async def test_a_server_that_is_recovering_is_waited_for_unasked() -> None:
    answers = ["the database system is starting up", "the database system is not yet accepting connections", "enough"]

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer as PostgreSQL refuses: https://www.postgresql.org/docs/current/protocol-message-formats.html."""
        await reader.read(1_000)
        fields = f"SFATAL\0VFATAL\0C57P03\0M{answers.pop(0)}\0\0".encode()
        writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DatabaseRefusedError, match="enough"):
            await check_database(f"postgresql://u@127.0.0.1:{port}/x?sslmode=disable&gssencmode=disable", SETTINGS)
    assert answers == []


def test_the_embedded_servers_address_is_a_sentence_where_no_house_has_been(tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match=r"No house has been opened in .* yet: start one with `fondaco up`"):
        _ = EmbeddedPostgres(tmp_path).url
