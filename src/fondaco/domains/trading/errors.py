"""Why something was not done, for whoever has to tell it: the gateways turn these into problems and error frames."""

from fondaco.core.money import AmountProblem
from fondaco.core.refusals import SENTENCES, Refusal
from fondaco.core.replies import Answer
from fondaco.engine.door import NO_SEQ


class TradingError(Exception):
    """Nothing was done. The message is for the client."""


class RefusedError(TradingError):
    """The engine refused, or would have: what it does not know the edge does not know either.

    Args:
        refusal: why.
        seq: the number of the refused command; `NO_SEQ` when it never reached the engine.
        is_duplicate: the same command was refused before.
    """

    def __init__(self, refusal: Refusal, seq: int = NO_SEQ, *, is_duplicate: bool = False) -> None:
        super().__init__(SENTENCES[refusal])
        self.refusal = refusal
        self.seq = seq
        self.is_duplicate = is_duplicate


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


def refused(refusal: Refusal, answer: Answer) -> RefusedError:
    """The refusal that the engine answered."""
    return RefusedError(refusal, answer.seq, is_duplicate=answer.is_duplicate)


_SENTENCES = {
    AmountProblem.NOT_A_NUMBER: "{text!r} is no plain decimal such as 0.015.",
    AmountProblem.TOO_LONG: "the number has too many digits.",
    AmountProblem.TOO_MANY_DECIMALS: "{text!r} has more than the {scale} decimal places that are counted here.",
    AmountProblem.OUT_OF_RANGE: "{text!r} is beyond what the house can count.",
    AmountProblem.NOT_POSITIVE: "{text!r} is not above zero.",
}
