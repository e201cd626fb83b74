"""The way from a user to the engine: what is known here, and commands under ids that are safe to send again.

Whoever asks gets at an account only through `Desk.get_for`: another's looks missing.

A command goes under the id that its sender chose (`Idempotency-Key`), so one whose answer was lost may be sent again.
A user's keys are those of the account. What the house does for somebody goes under the house's account, where keys of
all must not meet: there the id is made of user and key.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from typing import Final, TypeVar

from fondaco.core.commands import HOUSE, AdmitUser, Command
from fondaco.core.listings import canonical_symbol
from fondaco.core.refusals import Refusal
from fondaco.core.replies import Answer, Done, Refused, Reply
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import World
from fondaco.domains.identity.api import Actor
from fondaco.domains.trading.errors import OperatorsOnlyError, RefusedError, refused
from fondaco.domains.trading.shapes import Answered
from fondaco.engine.live import LiveHouse, Owner
from fondaco.engine.port import Engine, OutcomeUnknownError, engine_away
from fondaco.engine.queries import Query, Seen
from fondaco.infra.ids import new_id

MAX_KEY: Final = 60
"""The longest key of a client's: a batch adds its orders' numbers to it, and an id has 64 characters at most."""
ANSWER_GRACE_S: Final = 5.0
"""How long an answer is waited for beyond the moment until which the command is worth doing."""
KNOWN_WAIT_S: Final = 2.0
"""How long an answer is held back until this process knows what it tells of."""
_ADMISSION: Final = "\nadmission"
"""The key under which a user is let in: the same for every try, and none that a client can send."""
DEFAULT_QUOTE: Final = "USDT"
"""The quote of a symbol that names its base alone."""

AnyReply = TypeVar("AnyReply", bound=Reply)
AnySeen = TypeVar("AnySeen", bound=Seen)


class Desk:
    """Knows accounts and symbols, and has commands done.

    Args:
        engine: does the commands.
        live: what is known of it.
        lifetime_ms: how long a command is worth doing.
        now_ns: the clock.
        grace_s: how long an answer is waited for beyond that lifetime.
    """

    def __init__(
        self,
        engine: Engine,
        live: LiveHouse,
        lifetime_ms: int,
        now_ns: Callable[[], int],
        *,
        grace_s: float = ANSWER_GRACE_S,
    ) -> None:
        self._engine = engine
        self._live = live
        self._lifetime_ns = lifetime_ms * 1_000_000
        self._patience_s = lifetime_ms / 1_000 + grace_s
        self._now_ns = now_ns

    @property
    def live(self) -> LiveHouse:
        """What is known of the house. Raises `OverloadedError` while that is not up to date."""
        self.must_know()
        return self._live

    def must_know(self) -> None:
        """Raise `OverloadedError` while what is known here is not up to date."""
        if not self._live.ready.is_set():
            raise engine_away()

    def get_for(self, actor: Actor, account_id: int) -> Owner:
        """An account of the actor's, or any for an operator. Raises `RefusedError`: another's looks missing."""
        owner = self.live.accounts.get(account_id)
        if owner is None or not (owner.user_id == actor.user_id or actor.is_operator):
            raise RefusedError(Refusal.UNKNOWN_ACCOUNT)
        return owner

    def terms(self, world: World, spelling: str) -> Terms:
        """The terms of a symbol in whatever spelling, also of one that is closed. Raises `RefusedError`."""
        symbol = canonical_symbol(spelling)
        listings = self.live.listings
        listing = listings.get((world, symbol)) or listings.get((world, symbol + DEFAULT_QUOTE))
        if listing is None:
            raise RefusedError(Refusal.UNKNOWN_SYMBOL)
        return listing.terms

    def scale(self, asset: str) -> int:
        """The scale of an asset. Raises `RefusedError`."""
        found = self.live.assets.get(asset)
        if found is None:
            raise RefusedError(Refusal.UNKNOWN_ASSET)
        return found

    async def look(self, query: Query, wanted: type[AnySeen]) -> AnySeen:
        """Ask something of the engine's memory."""
        try:
            async with asyncio.timeout(self._patience_s):
                seen = await self._engine.look(query)
        except TimeoutError as error:
            raise engine_away() from error
        assert isinstance(seen, wanted), "each question has one kind of answer"
        return seen

    async def come_to(self, seq: int) -> None:
        """Wait a while until this process knows what a command did, so that whoever hears of it can go on here."""
        with suppress(TimeoutError):  # it is done and must be told; knowing it here comes a little later then
            async with asyncio.timeout(KNOWN_WAIT_S):
                await self._live.come_to(seq)

    async def act(
        self, actor: Actor, owner: Owner, command: Command, wanted: type[AnyReply], key: str
    ) -> tuple[Answer, AnyReply]:
        """Have a command done for an account: by its owner, or by the house when an operator asks."""
        if owner.user_id == actor.user_id:
            return await self._do(owner.account_id, command, wanted, key or str(new_id()))
        return await self.act_as_house(actor, command, wanted, key)

    async def act_as_house(
        self, actor: Actor, command: Command, wanted: type[AnyReply], key: str
    ) -> tuple[Answer, AnyReply]:
        """Have the house do a command for an operator."""
        must_be_operator(actor)
        return await self.grant(actor.user_id, command, wanted, key)

    async def grant(self, user_id: str, command: Command, wanted: type[AnyReply], key: str) -> tuple[Answer, AnyReply]:
        """Have the house do a command that it grants to any user. What may be granted is for the caller to judge."""
        return await self._do(HOUSE, command, wanted, _house_id(user_id, key) if key else str(new_id()))

    async def admit(self, user_id: str) -> None:
        """Have the engine know a user, if it does not yet."""
        if user_id in self.live.accounts_of:
            return
        try:
            await self.grant(user_id, AdmitUser(user_id), Done, _ADMISSION)
        except RefusedError as error:
            if error.refusal is not Refusal.USER_EXISTS:
                raise

    async def _do(
        self, sender: int, command: Command, wanted: type[AnyReply], command_id: str
    ) -> tuple[Answer, AnyReply]:
        not_after_ns = self._now_ns() + self._lifetime_ns
        try:
            async with asyncio.timeout(self._patience_s):
                answer = await self._engine.submit(sender, command, command_id=command_id, not_after_ns=not_after_ns)
        except TimeoutError as error:
            raise OutcomeUnknownError from error
        reply = answer.reply
        if isinstance(reply, Refused):
            raise refused(reply, answer)
        assert isinstance(reply, wanted), "each command has one kind of answer"
        return answer, reply


def must_be_operator(actor: Actor) -> None:
    """Raise `OperatorsOnlyError` for anybody else."""
    if not actor.is_operator:
        raise OperatorsOnlyError


def done(answer: Answer, _: Done) -> Answered:
    """What is told of a command that has nothing to add."""
    return Answered(seq=answer.seq, duplicate=answer.is_duplicate)


def _house_id(user_id: str, key: str) -> str:
    """The id under which the house acts for a user: no two users' keys meet, nor a user's and the house's own."""
    return "api-" + blake2b(f"{user_id}\n{key}".encode(), digest_size=16).hexdigest()
