"""What the engine keeps to live by: its journal, leases, snapshots, and how far followers have come.

Nothing here has a database default: every value is the engine's own. ``journal.body`` and ``snapshot_parts.body`` are
stored as they are (STORAGE EXTERNAL): compressing them again tripled the time of a commit. The tables that people read
stand in `fondaco.engine.projection.tables`.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from fondaco.infra.database import Base

OWNER = {"owner": "engine"}
HASH_BYTES = 32


def _number(*, primary_key: bool = False) -> Mapped[int]:
    return mapped_column(BigInteger, primary_key=primary_key, autoincrement=False)


def _is_hash(column: str) -> CheckConstraint:
    return CheckConstraint(f"octet_length({column}) = {HASH_BYTES}", name=column)


class JournalRow(Base):
    """Every command that was given a number, in batches without a gap: what all else can be made from again."""

    __tablename__ = "journal"
    __table_args__ = (
        CheckConstraint("batch_no > 0", name="batch_no"),
        CheckConstraint("last_seq >= first_seq AND first_seq > 0", name="order"),
        _is_hash("chain_hash"),
        {"info": OWNER},
    )

    batch_no: Mapped[int] = _number(primary_key=True)
    first_seq: Mapped[int] = _number()
    last_seq: Mapped[int] = _number()
    epoch: Mapped[int] = _number()
    codec: Mapped[int] = mapped_column(SmallInteger)
    rules_version: Mapped[int] = mapped_column(Integer)
    last_ns: Mapped[int] = _number()
    chain_hash: Mapped[bytes] = mapped_column(LargeBinary)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    written_at: Mapped[datetime]


class LeaseRow(Base):
    """Who leads, since which takeover, and where it is reached; the heartbeat is the database's time."""

    __tablename__ = "leases"
    __table_args__ = ({"info": OWNER},)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    epoch: Mapped[int] = _number()
    holder: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    backend_pid: Mapped[int] = mapped_column(Integer)
    heartbeat_at: Mapped[datetime]


class SnapshotRow(Base):
    """All that a machine knew after a batch, from which recovery begins."""

    __tablename__ = "snapshots"
    __table_args__ = (_is_hash("chain_hash"), _is_hash("state_hash"), {"info": OWNER})

    batch_no: Mapped[int] = _number(primary_key=True)
    seq: Mapped[int] = _number()
    chain_hash: Mapped[bytes] = mapped_column(LargeBinary)
    state_hash: Mapped[bytes] = mapped_column(LargeBinary)
    codec: Mapped[int] = mapped_column(SmallInteger)
    rules_version: Mapped[int] = mapped_column(Integer)
    byte_count: Mapped[int] = _number()
    created_at: Mapped[datetime]


class SnapshotPartRow(Base):
    """The bytes of a snapshot, in pieces of at most 8 MiB."""

    __tablename__ = "snapshot_parts"
    __table_args__ = (CheckConstraint("part_no >= 0", name="part_no"), {"info": OWNER})

    batch_no: Mapped[int] = _number(primary_key=True)
    part_no: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    body: Mapped[bytes] = mapped_column(LargeBinary)


PROJECTION: Final = "projection"
"""The watermark of the read models."""


class WatermarkRow(Base):
    """How far each reader of the journal has come, moved in the transaction that writes what it read."""

    __tablename__ = "watermarks"
    __table_args__ = (_is_hash("chain_hash"), {"info": OWNER})

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    batch_no: Mapped[int] = _number()
    seq: Mapped[int] = _number()
    chain_hash: Mapped[bytes] = mapped_column(LargeBinary)
    updated_at: Mapped[datetime]
