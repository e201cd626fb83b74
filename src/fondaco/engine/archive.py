"""Old journal in files: compressed, in order, each vouching for the one before by its hash.

A file holds the batches after one mark up to another. Its head says which, and carries the hash of the file before; its
body is the rows, compressed. Files are written under another name, forced to disk and only then given their own, so one
that is there is whole. A folder of them, followed by the table, is the journal from its first command on.
"""

import fcntl
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from fondaco.engine.journal import (
    BEGINNING,
    CHAIN_BYTES,
    JournalError,
    JournalGapError,
    JournalRow,
    Mark,
    UnknownCodecError,
)
from fondaco.infra.house import make_folders

FORMAT: Final = 1
_NAME = re.compile(r"journal-([0-9]{12})-([0-9]{12})\.fonj")
_LENGTH_BYTES: Final = 4
MAX_HEAD_BYTES: Final = 1024
_NOTHING_BEFORE: Final = bytes(CHAIN_BYTES)


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What a file says of itself."""

    format: int
    previous: bytes
    """The hash of the file before; zeros in the first."""
    begins: Mark
    ends: Mark
    plain_bytes: int


class ArchiveFile(NamedTuple):
    """A file by its name: from which batch to which."""

    path: Path
    first_batch: int
    last_batch: int


_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(Head).decode
_decode_rows = msgspec.msgpack.Decoder(list[JournalRow]).decode


class Archive:
    """The files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: tuple[Path, list[JournalRow]] | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from adding until the block ends. Raises `JournalError` when somebody else does so."""
        make_folders(self._folder, mode=0o700)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise JournalError("Another command is just moving journal into the archive.") from error
            yield
        finally:
            os.close(folder)

    def files(self) -> list[ArchiveFile]:
        """In order."""
        paths = sorted(self._folder.glob("journal-*.fonj")) if self._folder.exists() else []
        found = ((path, _NAME.fullmatch(path.name)) for path in paths)
        return [ArchiveFile(path, int(name[1]), int(name[2])) for path, name in found if name is not None]

    def end(self) -> Mark:
        """Where the files end."""
        files = self.files()
        return _head_of(files[-1].path)[0].ends if files else BEGINNING

    def rows_after(self, batch_no: int, limit: int) -> list[JournalRow]:
        """Batches after that one, of one file; none when the files hold no such. Raises `JournalError`."""
        for file in self.files():
            if file.first_batch <= batch_no + 1 <= file.last_batch:
                rows = self._rows_of(file.path)
                start = batch_no + 1 - file.first_batch
                return rows[start : start + limit]
        return []

    def add(self, rows: Sequence[JournalRow], begins: Mark) -> ArchiveFile:
        """Write the batches that follow on the files there are; returns once they are on disk."""
        if begins != self.end() or rows[0].batch_no != begins.batch_no + 1:
            raise JournalGapError(
                f"The archive ends at batch {self.end().batch_no}; batch {rows[0].batch_no} is not next."
            )
        files = self.files()
        previous = _hash_of(files[-1].path) if files else _NOTHING_BEFORE
        plain = _encode(rows)
        head = _encode(Head(FORMAT, previous, begins, rows[-1].end, len(plain)))
        name = f"journal-{rows[0].batch_no:012d}-{rows[-1].batch_no:012d}.fonj"
        _write(self._folder / name, len(head).to_bytes(_LENGTH_BYTES) + head + zlib.compress(plain))
        return ArchiveFile(self._folder / name, rows[0].batch_no, rows[-1].batch_no)

    def check(self) -> None:
        """Raise `JournalError` unless each file is whole and follows on the one before."""
        previous, mark = _NOTHING_BEFORE, BEGINNING
        for file in self.files():
            head, _ = _head_of(file.path)
            if head.previous != previous:
                raise JournalError(f"{file.path.name} does not carry the hash of the archive file before it.")
            if head.begins != mark:
                raise JournalGapError(f"{file.path.name} does not begin where the archive file before it ends.")
            rows = self._rows_of(file.path)
            if [row.batch_no for row in rows] != list(range(file.first_batch, file.last_batch + 1)):
                raise JournalGapError(f"{file.path.name} does not hold the batches that its name says.")
            if rows[-1].end != head.ends:
                raise JournalError(f"{file.path.name} does not end where its head says.")
            previous, mark = _hash_of(file.path), head.ends

    def _rows_of(self, path: Path) -> list[JournalRow]:
        if self._read is None or self._read[0] != path:
            self._read = (path, _rows_in(path))
        return self._read[1]


def _rows_in(path: Path) -> list[JournalRow]:
    head, start = _head_of(path)
    try:
        inflating = zlib.decompressobj()
        plain = inflating.decompress(path.read_bytes()[start:], head.plain_bytes)
        if len(plain) != head.plain_bytes or not inflating.eof:
            raise JournalError(f"{path.name} is not of the size that its head says.")
        return _decode_rows(plain)
    except (zlib.error, msgspec.DecodeError) as error:
        raise JournalError(f"{path.name} cannot be read: {error}.") from error


def _head_of(path: Path) -> tuple[Head, int]:
    """The head of a file, and where its body begins."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(_LENGTH_BYTES))
        try:
            head = _decode_head(file.read(min(size, MAX_HEAD_BYTES)))
        except msgspec.DecodeError as error:
            raise JournalError(f"{path.name} cannot be read: {error}.") from error
    if head.format != FORMAT:
        raise UnknownCodecError(f"{path.name} has format {head.format}, and this version knows {FORMAT}.")
    return head, _LENGTH_BYTES + size


def _hash_of(path: Path) -> bytes:
    return blake2b(path.read_bytes(), digest_size=CHAIN_BYTES).digest()


def _write(path: Path, body: bytes) -> None:
    """All of it or nothing, on disk when this returns."""
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
