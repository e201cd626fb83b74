"""Runs pg_dump, pg_restore and psql of the wheel against any server, ours or that of DATABASE_URL.

Nothing of an address stands on a command line, where every user of the machine could read it: all of it goes into the
child's environment, the password too. A child ends with us, however we end.
"""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from fondaco.infra.children import end_process, told_of_parents_death
from fondaco.infra.database import libpq_url
from fondaco.infra.errors import UserError
from fondaco.infra.output import read_lines
from fondaco.infra.postgres.programs import ENVIRONMENT, client_programs

PASSED_ON = ("HOME", "PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What of our environment a client needs, beside all that begins with PG: certificates lie below the home."""
ENDING = ((signal.SIGTERM, 5.0),)
TABLE = re.compile(r'pg_(?:dump|restore): (?:dumping contents of|processing data for) table "(?:public\.)?(.+)"')
TROUBLE = re.compile(r"(?:(?:pg_dump|pg_restore|psql)(?:: error:|:.*?ERROR:|:.*?FATAL:)|ERROR:|FATAL:) *(.+)")

Say = Callable[[str], None]


class ClientProgram:
    """One of the programs while it runs. Its standard error is read for its progress and its complaints."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, on_table: Say) -> None:
        self.process = process
        self._name = name
        self._on_table = on_table
        self._trouble: str | None = None
        self._last_line = "nothing"
        assert process.stderr is not None
        self._reading = asyncio.ensure_future(read_lines(process.stderr, self._take))

    async def output(self, max_bytes: int) -> bytes:
        """What it writes to its standard output, up to so much."""
        assert self.process.stdout is not None
        said = b""
        while len(said) < max_bytes and (chunk := await self.process.stdout.read(max_bytes - len(said))):
            said += chunk
        return said

    async def ended(self) -> str | None:
        """Wait for the end; returns what went wrong, or None."""
        await self._reading
        code = await self.process.wait()
        if code == 0:
            return None
        said = self._trouble or f"it ended with {code} after: {self._last_line}"
        return f"{self._name}: {said.rstrip('.')}"

    def _take(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if table := TABLE.fullmatch(text):
            self._on_table(table[1])
        elif text:
            self._last_line = text
            if self._trouble is None and (trouble := TROUBLE.match(text)):
                self._trouble = trouble[1]


@asynccontextmanager
async def client_program(
    name: str, arguments: Sequence[str], *, url: str | None = None, on_table: Say = lambda _table: None
) -> AsyncIterator[ClientProgram]:
    """A program with pipes to its standard input and output, ended at the end of the block if it still runs.

    Args:
        name: pg_dump, pg_restore or psql.
        arguments: without an address.
        url: the database that it works on, if it works on one.
        on_table: called with the name of each table whose rows it comes to.

    Raises:
        UserError: it cannot be started, or the address cannot be handed to it.
    """
    program = client_programs() / name
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            str(program),
            *arguments,
            env=environment(url),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            preexec_fn=told_of_parents_death(signal.SIGKILL),
        )
    except OSError as error:
        raise UserError(f"{program} cannot be started: {error.strerror}.") from error
    running = ClientProgram(name, process, on_table)
    try:
        yield running
    finally:
        await end_process(process, ENDING)


def environment(url: str | None) -> Mapping[str, str]:
    """What a client finds in its environment: ours as far as it needs it, and the parts of the address."""
    ours = {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("PG")}
    return {**ENVIRONMENT, **ours, **({} if url is None else _variables(url))}


def _variables(url: str) -> Mapping[str, str]:
    """An address as the variables that libpq reads."""
    names = {each.keyword.decode(): each.envvar for each in Conninfo.get_defaults()}
    variables = {}
    for keyword, value in conninfo_to_dict(libpq_url(url)).items():
        variable = names.get(keyword)
        if variable is None:
            raise UserError(
                f"DATABASE_URL has the parameter {keyword}, which cannot be handed on to PostgreSQL's own programs: "
                "leave it out for this command."
            )
        variables[variable.decode()] = str(value)
    return variables
