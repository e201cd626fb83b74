"""What travels on the engine's socket, and how both ends prove who they are.

A connection opens with three frames: the engine's `Challenge`, the client's `Introduction`, and the engine's `Welcome`,
or `TurnedAway`. Each end proves with them that it knows the house's secret, without saying it, before it hears anything
of the other; a proof is worth nothing on another connection. The frames after that are neither signed nor encrypted:
beyond one machine the socket belongs on a network that is.

Afterwards a client either asks (`Submit`, `Look`: as many as it likes, each with a number that comes back with the
answer) or follows (`Follow`, once: from then on the engine tells).
"""

import hmac
import secrets
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec

from fondaco.core.commands import Submission
from fondaco.core.replies import Answer
from fondaco.engine.journal import Mark
from fondaco.engine.queries import Query, Seen

UNIX: Final = "unix:"
TCP: Final = "tcp:"
"""What the lease's address begins with: the path of a socket, or host and port, follow."""
VERSION: Final = 1
"""Of what is said here. Ends that speak different ones part at once."""
NONCE_BYTES: Final = 32
MAX_REQUEST_BYTES: Final = 64 * 1024
"""Longest frame that the engine takes. A command has a few hundred bytes."""
MAX_REPLY_BYTES: Final = 512 * 1024 * 1024
"""Longest frame that a client takes: the events of one batch, or an account with all that it has standing."""


class Challenge(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The engine's first word."""

    version: int
    nonce: bytes


class Introduction(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The client's first word."""

    version: int
    nonce: bytes
    proof: bytes


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The engine leads, and knows the secret too."""

    proof: bytes
    epoch: int


class TurnedAway(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The engine does not want this client, or not now. The connection ends."""

    reason: str


class Submit(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """A command. Answered with `Answered`, `NotTaken` or `Malformed`."""

    request: int
    submission: Submission


class Look(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """A question. Answered with `Shown` or `NotTaken`."""

    request: int
    query: Query


class Follow(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """Tell everything from now on, or everything after this place."""

    after: Mark | None


class Answered(msgspec.Struct, frozen=True, array_like=True, tag=20):
    """The command's answer, once it is on disk."""

    request: int
    answer: Answer


class Shown(msgspec.Struct, frozen=True, array_like=True, tag=21):
    """What was to be seen."""

    request: int
    seen: Seen


class NotTaken(msgspec.Struct, frozen=True, array_like=True, tag=22):
    """The engine takes no more for now: see `fondaco.engine.sequencer.Overloaded`. Nothing was done."""

    request: int
    why: str
    retry_after_s: int


class Malformed(msgspec.Struct, frozen=True, array_like=True, tag=23):
    """It is no command."""

    request: int
    reason: str


class Told(msgspec.Struct, frozen=True, array_like=True, tag=24):
    """A batch that is on disk."""

    mark: Mark
    events: bytes


class Skipped(msgspec.Struct, frozen=True, array_like=True, tag=25):
    """The stream goes on after this place: see `fondaco.engine.port.StartOver`."""

    mark: Mark


ToEngine: TypeAlias = Introduction | Submit | Look | Follow
ToClient: TypeAlias = Challenge | Welcome | TurnedAway | Answered | Shown | NotTaken | Malformed | Told | Skipped

decode_to_engine = msgspec.msgpack.Decoder(ToEngine).decode
decode_to_client = msgspec.msgpack.Decoder(ToClient).decode


def new_nonce() -> bytes:
    """What makes a connection unlike any other."""
    return secrets.token_bytes(NONCE_BYTES)


def proof_of(secret: bytes, end: str, challenge: bytes, introduction: bytes) -> bytes:
    """What only somebody with the secret can say on this connection, and only as this end of it."""
    return hmac.digest(secret, end.encode() + b"\0" + challenge + introduction, sha256)


def is_proof(given: bytes, expected: bytes) -> bool:
    """Compare without telling by the time that it takes."""
    return hmac.compare_digest(given, expected)
