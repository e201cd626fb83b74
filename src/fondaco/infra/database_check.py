"""Tries a database's address once, and says in one sentence what is wrong with it.

The sentence names host, port, user or database as far as they are the trouble, and never the password.
"""

import asyncio
import re
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from fondaco.infra.database import DatabaseMisconfiguredError, DatabaseUnavailableError, libpq_url, one_line
from fondaco.infra.settings import DatabaseSettings

RETRY_S = 0.1
STARTING = ("the database system is starting up", "the database system is not yet accepting connections")
"""What a server says that comes up, or recovers from a crash: its address is right, and it will answer."""
STARTING_WAIT_S = 60.0
"""How long to go on trying while it says so."""


class DatabaseRefusedError(DatabaseUnavailableError):
    """Nobody answers at an address, or not as wanted. The message is one sentence that names it and says what to do."""


ADVICE = (
    ("the database system is", "it is not open yet; try again when it is."),
    ("Connection refused", "is it running, and are host and port of DATABASE_URL right?"),
    ("No such file or directory", "is it running, and are host and port of DATABASE_URL right?"),
    ("timeout expired", "is the host of DATABASE_URL right, and does a firewall let you through?"),
    ("failed to resolve host", "is the host of DATABASE_URL right?"),
    ("password authentication failed", "user or password of DATABASE_URL is wrong."),
    ("no password supplied", "DATABASE_URL has no password: postgresql://user:password@host:port/database."),
    ('role "', "the user of DATABASE_URL is wrong, or must be created (createuser)."),
    ("does not exist", "create it (createdb), or correct the name in DATABASE_URL."),
)
"""What the server or the driver says, and what to do about it."""
OTHER_ADVICE = "check DATABASE_URL."


async def check_database(url: str, settings: DatabaseSettings, *, wait_s: float = 0.0) -> None:
    """Connect and disconnect. A server that says it is starting is waited for.

    Args:
        url: the address.
        settings: for the time that one attempt may take.
        wait_s: go on trying so long, for a server that may not have begun to start.

    Raises:
        DatabaseMisconfiguredError: the address can never work.
        DatabaseRefusedError: nobody answers there, or not as wanted.
    """
    conninfo = _checked(url)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(
                conninfo, connect_timeout=settings.connect_timeout_s, prepare_threshold=None
            )
        except psycopg.OperationalError as error:
            patience_s = max(wait_s, STARTING_WAIT_S) if is_starting(error) else wait_s
            if loop.time() >= begun + patience_s:
                raise DatabaseRefusedError(_sentence(conninfo, error)) from None
        else:
            await connection.close()
            return
        await asyncio.sleep(RETRY_S)


def is_starting(error: psycopg.OperationalError) -> bool:
    """Whether a server answered, and only has not come up yet. A failed connection carries no SQLSTATE, only words."""
    return any(words in str(error) for words in STARTING)


def _checked(url: str) -> str:
    authority = re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0]
    if authority.count("@") > 1 or (":" in authority and "@" not in authority and "@" in url):
        # libpq would take a part of the password for the host, and name it in its error.
        raise DatabaseMisconfiguredError(
            "DATABASE_URL has a sign in its user or password that means something else in an address: "
            "write @ as %40, / as %2F, ? as %3F and # as %23."
        )
    try:
        conninfo = libpq_url(url)
        conninfo_to_dict(conninfo)
    except (ValueError, psycopg.ProgrammingError) as error:
        raise DatabaseMisconfiguredError(f"DATABASE_URL cannot be read: {_without_password(url, error)}.") from None
    return conninfo


def _sentence(conninfo: str, error: psycopg.OperationalError) -> str:
    where = conninfo_to_dict(conninfo)
    said = _without_password(conninfo, error)
    name = f'The database "{where.get("dbname", "")}" at {where.get("host", "localhost")}:{where.get("port", 5432)}'
    advice = next((advice for words, advice in ADVICE if words in said), OTHER_ADVICE)
    return f"{name} cannot be used ({_essence(said)}): {advice}"


def _essence(said: str) -> str:
    """The reason, without the address that the sentence names already."""
    for opening in ("FATAL: ", "failed: "):
        if opening in said:
            return said.rpartition(opening)[2].strip().rstrip(".?")
    return said.rstrip(".?")


def _without_password(url: str, error: Exception) -> str:
    """What the error says. The driver quotes what it cannot read, and that may be the password."""
    said = one_line(error)
    password = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    for secret in {password, unquote(password)} - {""}:
        said = said.replace(f'"{secret}"', '"..."')
    return said.rstrip(".")
