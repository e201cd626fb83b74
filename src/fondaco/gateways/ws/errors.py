"""What goes wrong with a message of the stream, as the frame that says so.

The engine's refusals, and everything else that the HTTP API would answer with a problem, have the code and the sentence
here that they have there.
"""

from msgspec import UNSET

from fondaco.engine.port import OverloadedError
from fondaco.gateways.rest.problems import RefusalProblem, translate
from fondaco.gateways.ws.messages import Error, RequestId, StreamError


def error_frame(request_id: RequestId, error: Exception) -> Error:
    """The frame for an error. One that nobody foresaw is logged and told without details."""
    if isinstance(error, StreamError):
        return Error(request_id, error.code, error.message)
    problem = translate(error).problem
    seq = problem.seq if isinstance(problem, RefusalProblem) and problem.seq else UNSET
    retry_after_s = error.retry_after_s if isinstance(error, OverloadedError) else UNSET
    return Error(request_id, problem.code, problem.detail, seq, retry_after_s)
