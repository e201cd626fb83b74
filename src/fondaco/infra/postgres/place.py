"""Where the embedded PostgreSQL lives, and as whom it runs.

Everything lies under one folder, so that it moves as one: ``data`` (the cluster), ``socket``, ``programs`` (a copy of
the binaries, made only for root), ``password``, ``port`` and ``log``. PostgreSQL refuses to run as root, so root's runs
under an unprivileged user that exists already; that user owns ``data`` and ``socket`` and nothing else.
"""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from fondaco.infra.embedded import LOOPBACK, MAX_SOCKET_PATH_BYTES, choose_password, choose_port
from fondaco.infra.errors import UserError
from fondaco.infra.house import make_folders

NAME = "fondaco"
"""Of the database, and of the user who owns it."""
ROOTS_DATABASE_USERS = ("postgres", "nobody")
"""As whom root's server runs: the first that exists."""
LONGEST_SOCKET_NAME = ".s.PGSQL.65535"


class PostgresError(UserError):
    """The embedded database cannot be started. The first line says why; lines of its log may follow."""


class Account(NamedTuple):
    """An operating-system user."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """The folder of one embedded server."""

    root: Path

    @property
    def data(self) -> Path:
        """The cluster. It is complete whenever it exists."""
        return self.root / "data"

    @property
    def socket_dir(self) -> Path:
        """Folder of the Unix socket."""
        return self.root / "socket"

    @property
    def programs(self) -> Path:
        """Folder of copied binaries, one version each."""
        return self.root / "programs"

    @property
    def password_file(self) -> Path:
        """The password of `NAME`."""
        return self.root / "password"

    @property
    def port_file(self) -> Path:
        """The port that was chosen last."""
        return self.root / "port"

    @property
    def log_file(self) -> Path:
        """What the server says: starts, stops, crashes and recoveries."""
        return self.root / "log"

    @property
    def has_usable_socket(self) -> bool:
        """Whether the socket's path fits an address and is no list of hosts for libpq; else TCP serves alone."""
        path = os.fsencode(self.socket_dir.resolve() / LONGEST_SOCKET_NAME)
        return len(path) <= MAX_SOCKET_PATH_BYTES and b"," not in path

    def url(self) -> str:
        """The server's address, over its Unix socket where that is possible.

        Raises:
            PostgresError: port or password have not been chosen: no house has ever run here.
        """
        if not self.has_usable_socket:
            return self.tcp_url()
        host = quote(str(self.socket_dir.resolve()), safe="")
        return f"postgresql://{NAME}:{self._read(self.password_file)}@/{NAME}?host={host}&port={self.port()}"

    def tcp_url(self) -> str:
        """The server's address over loopback TCP, which every program understands."""
        return f"postgresql://{NAME}:{self._read(self.password_file)}@{LOOPBACK}:{self.port()}/{NAME}"

    def port(self) -> int:
        """The port that was chosen."""
        return int(self._read(self.port_file))

    def prepare(self) -> None:
        """Make the folders and choose password and port, so that the address is known before the server is up.

        Raises:
            PostgresError: something cannot be written.
        """
        account = database_account(self.data)
        try:
            make_folders(self.root, mode=0o755 if account else 0o700)
            make_folders(self.socket_dir, mode=0o700)
            if account:
                os.chown(self.socket_dir, account.uid, account.gid)
            if not self.password_file.exists():
                if self.data.exists():
                    raise PostgresError(
                        f"The database's password is gone: {self.password_file} is missing beside {self.data} "
                        "(docs/runbooks/embedded-postgresql.md says how to set a new one)."
                    )
                choose_password(self.password_file)
            choose_port(self.port_file)
        except OSError as error:
            raise PostgresError(f"The database's folder {self.root} cannot be made ready: {error}.") from error

    def _read(self, file: Path) -> str:
        try:
            return file.read_text().strip()
        except FileNotFoundError as error:
            raise PostgresError(
                f"No house has been opened in {self.root.parent} yet: start one with `fondaco up`, or set DATABASE_URL."
            ) from error
        except OSError as error:
            raise PostgresError(f"The embedded database has no {file.name} ({file}): {error.strerror}.") from error


def database_account(data: Path) -> Account | None:
    """As whom the server runs: None for whoever runs us. For root the data's owner, else the first user that exists."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (status := data.stat()).st_uid != 0:
        return Account(f"number {status.st_uid}", status.st_uid, status.st_gid)
    for name in ROOTS_DATABASE_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise PostgresError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(ROOTS_DATABASE_USERS)} to run it: "
        "start Fondaco as a normal user, or set DATABASE_URL."
    )
