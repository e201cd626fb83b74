"""Where the embedded Valkey lives: one folder, so that it moves as one.

``data`` holds the append-only file, beside it lie ``socket``, ``password``, ``port``, ``log`` and ``lock``. Everything
belongs to whoever runs the house, and nobody else can read it. Root's server runs as root: unlike PostgreSQL it does
not refuse, and it listens to this machine only, asks for the password, and lets no client change where it writes.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fondaco.infra.embedded import LOOPBACK, MAX_SOCKET_PATH_BYTES, choose_password, choose_port
from fondaco.infra.errors import UserError
from fondaco.infra.house import make_folders


class ValkeyError(UserError):
    """The embedded Valkey cannot be started. The first line says why; lines of its log may follow."""


@dataclass(frozen=True)
class Place:
    """The folder of one embedded server."""

    root: Path

    @property
    def data(self) -> Path:
        """What the server keeps."""
        return self.root / "data"

    @property
    def socket(self) -> Path:
        """The Unix socket."""
        return self.root / "socket"

    @property
    def password_file(self) -> Path:
        """The password; the server is given it anew at each start."""
        return self.root / "password"

    @property
    def port_file(self) -> Path:
        """The port that was chosen last."""
        return self.root / "port"

    @property
    def log_file(self) -> Path:
        """What the server says."""
        return self.root / "log"

    @property
    def lock_file(self) -> Path:
        """Held by the server for as long as it lives, whoever started it; says which process it is."""
        return self.root / "lock"

    @property
    def has_usable_socket(self) -> bool:
        """Whether the socket's path fits an address; else TCP serves alone."""
        return len(os.fsencode(self.socket)) <= MAX_SOCKET_PATH_BYTES

    def url(self) -> str:
        """The server's address, over its Unix socket where that is possible.

        Raises:
            ValkeyError: port or password have not been chosen: no house has ever run here with this bus.
        """
        if not self.has_usable_socket:
            return self.tcp_url()
        return f"unix://:{self.password()}@{quote(str(self.socket))}"

    def tcp_url(self) -> str:
        """The server's address over loopback TCP, which every program understands."""
        return f"redis://:{self.password()}@{LOOPBACK}:{self.port()}/0"

    def password(self) -> str:
        """The password that was chosen."""
        return self._read(self.password_file)

    def port(self) -> int:
        """The port that was chosen."""
        return int(self._read(self.port_file))

    def prepare(self) -> None:
        """Make the folders and choose password and port, so that the address is known before the server is up.

        Raises:
            ValkeyError: something cannot be written.
        """
        try:
            make_folders(self.data, mode=0o700)
            if not self.password_file.exists():
                choose_password(self.password_file)
            choose_port(self.port_file)
        except OSError as error:
            raise ValkeyError(f"The bus's folder {self.root} cannot be made ready: {error}.") from error

    def _read(self, file: Path) -> str:
        try:
            return file.read_text().strip()
        except FileNotFoundError as error:
            raise ValkeyError(
                f"No house with a Valkey bus has been opened in {self.root.parent} yet: start one with "
                "`fondaco up --bus valkey`, or set FONDACO_BUS__URL."
            ) from error
        except OSError as error:
            raise ValkeyError(f"The bus has no {file.name} ({file}): {error.strerror}.") from error
