"""A secret that the processes of one house share: made once, by whoever comes first, readable by its owner alone."""

import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

SECRET_BYTES: Final = 32


class BadSecretError(ValueError):
    """The file holds no secret of ours. The message says what to do."""


def shared_secret(file: Path) -> bytes:
    """The secret of this file; makes it when there is none. Of several who do so at once, one wins and all get its.

    Raises:
        BadSecretError: it is too short to be one.
    """
    if not file.exists():
        _make(file)
    secret = bytes.fromhex(_text_of(file))
    if len(secret) < SECRET_BYTES:
        raise BadSecretError(f"{file} holds {len(secret)} bytes instead of {SECRET_BYTES}: delete it and start again.")
    return secret


def _text_of(file: Path) -> str:
    text = file.read_text("ascii").strip()
    if not all(each in "0123456789abcdef" for each in text) or len(text) % 2:
        raise BadSecretError(f"{file} holds something else than a secret: delete it and start again.")
    return text


def _make(file: Path) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")  # its mode is 0600
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(secrets.token_hex(SECRET_BYTES))
            out.flush()
            os.fsync(out.fileno())
        file.hardlink_to(new)
    except FileExistsError:
        pass  # somebody was faster: theirs counts
    finally:
        new.unlink()
