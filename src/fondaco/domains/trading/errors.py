"""Why something was not done, for whoever has to tell it: the gateways turn these into problems and error frames."""

from typing import NamedTuple

from fondaco.core.listings import Asset
from fondaco.core.money import AmountProblem, display_atoms, format_atoms
from fondaco.core.refusals import SENTENCES, Refusal
from fondaco.core.replies import Answer, Refused
from fondaco.engine.door import NO_SEQ


class Shortage(NamedTuple):
    """How much margin was needed, and how much there was, in atoms of the quote asset."""

    required: int
    available: int


class TradingError(Exception):
    """Nothing was done. The message is for the client."""


class RefusedError(TradingError):
    """The engine refused, or would have: what it does not know the edge does not know either.

    Args:
        refusal: why.
        seq: the number of the refused command; `NO_SEQ` when it never reached the engine.
        is_duplicate: the same command was refused before.
        shortage: what was short, where the engine has said so.
    """

    def __init__(
        self,
        refusal: Refusal,
        seq: int = NO_SEQ,
        *,
        is_duplicate: bool = False,
        shortage: Shortage | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(SENTENCES[refusal] + detail)
        self.refusal = refusal
        self.seq = seq
        self.is_duplicate = is_duplicate
        self.shortage = shortage
        self.required: str | None = None
        self.available: str | None = None

    def told_in(self, quote: Asset) -> "RefusedError":
        """The same refusal, with what was short in units of the asset that it is counted in."""
        if self.shortage is None:
            return self
        required, available = (display_atoms(each, quote.scale) for each in self.shortage)
        told = RefusedError(
            self.refusal,
            self.seq,
            is_duplicate=self.is_duplicate,
            shortage=self.shortage,
            detail=f" {required} {quote.code} are needed, {available} {quote.code} are free.",
        )
        told.required, told.available = (format_atoms(each, quote.scale) for each in self.shortage)
        return told


class BadAmountError(TradingError):
    """A text is no amount of its asset."""

    def __init__(self, field: str, text: str, problem: AmountProblem, scale: int) -> None:
        super().__init__(f"`{field}`: {_SENTENCES[problem].format(text=text, scale=scale)}")


class OperatorsOnlyError(TradingError):
    """The act is not this user's to do."""

    def __init__(self) -> None:
        super().__init__("Only an operator of the house may do this.")


class NotYoursError(TradingError):
    """An operator may look after another's account, but not trade with it."""

    def __init__(self) -> None:
        super().__init__("Nobody but its owner trades with an account.")


def refused(reply: Refused, answer: Answer) -> RefusedError:
    """The refusal that the engine answered."""
    shortage = Shortage(reply.required, reply.available) if reply.required else None
    return RefusedError(reply.code, answer.seq, is_duplicate=answer.is_duplicate, shortage=shortage)


_SENTENCES = {
    AmountProblem.NOT_A_NUMBER: "{text!r} is no plain decimal such as 0.015.",
    AmountProblem.TOO_LONG: "the number has too many digits.",
    AmountProblem.TOO_MANY_DECIMALS: "{text!r} has more than the {scale} decimal places that are counted here.",
    AmountProblem.OUT_OF_RANGE: "{text!r} is beyond what the house can count.",
    AmountProblem.NOT_POSITIVE: "{text!r} is not above zero.",
}
