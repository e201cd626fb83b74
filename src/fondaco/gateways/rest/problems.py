"""Errors at the HTTP edge: RFC 9457 problem documents with a stable code and a sentence that helps.

Every error of the house leaves as ``application/problem+json``: unknown paths, wrong methods, bad input, a database
that is away, and our own bugs, whose details stay in the log. Clients decide by ``code``; people read ``detail``.
docs/errors.md lists every code; a test fails when one is missing.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from msgspec import UNSET, UnsetType

from fondaco.core.refusals import SENTENCES, Refusal
from fondaco.domains.trading.api import BadAmountError, NotYoursError, RefusedError, TradingError
from fondaco.engine.port import OutcomeUnknownError, OverloadedError
from fondaco.engine.reading import NotThereYetError
from fondaco.gateways.asgi import Scope, Send
from fondaco.gateways.rest.refusals import status_of
from fondaco.infra.bus.port import BusUnavailableError
from fondaco.infra.database import DatabaseUnavailableError

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 1
"""What a 503 tells the client to wait."""

log = structlog.get_logger()


class Kind(NamedTuple):
    """One kind of problem: its status, its title, and the sentence that docs/errors.md explains it with."""

    status: int
    title: str
    help: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "bad_request": Kind(400, "Bad request", "The request is malformed; `detail` says how."),
        "missing_parameter": Kind(400, "Parameter missing", "Add the query parameter that `detail` names."),
        "repeated_parameter": Kind(400, "Parameter repeated", "Give each query parameter once."),
        "too_many_parameters": Kind(
            400, "Too many parameters", "Leave out the parameters that the endpoint does not list."
        ),
        "unknown_symbol": Kind(400, "Unknown symbol", "`GET /api/v1/symbols` lists the symbols of this house."),
        "unknown_timeframe": Kind(400, "Unknown timeframe", "Use one of 1m, 2m, 5m, 10m, 15m, 1h, 4h, 1d, 1w."),
        "unknown_source": Kind(
            400, "Unknown source", "Use one of binance, replay, simulated, house, house_demo, or leave it out."
        ),
        "bad_limit": Kind(400, "Bad limit", "Give a whole number within the range that `detail` names."),
        "bad_time": Kind(400, "Bad time", "Give whole Unix seconds, or ISO-8601 such as 2024-08-09T00:00:00Z."),
        "bad_range": Kind(400, "Empty range", "`from` must be before `to`."),
        "bad_id": Kind(400, "Bad id", "Give an id: a whole number of at most 19 digits."),
        "bad_flag": Kind(400, "Bad flag", "Give `true` or `false`."),
        "bad_cursor": Kind(400, "Bad cursor", "Give the `next` of a page of this very list, or leave it out to begin."),
        "bad_word": Kind(400, "Bad word", "Give one of the words that `detail` lists."),
        "bad_email": Kind(400, "Bad address", "Give one e-mail address of at most 254 characters."),
        "bad_json": Kind(400, "Bad JSON", "Send one JSON object as the body."),
        "bad_body": Kind(
            400, "Bad body", "`detail` names the field. Amounts are text, not numbers; unknown fields are refused."
        ),
        "bad_amount": Kind(400, "Bad amount", 'Give a plain decimal as text, such as "0.015"; `detail` says more.'),
        "bad_world": Kind(400, "Bad world", "Give `trading`, `demo` or `external`."),
        "bad_idempotency_key": Kind(
            400, "Bad idempotency key", "Give one `Idempotency-Key` of 1 to 60 visible ASCII characters."
        ),
        "not_signed_in": Kind(401, "Not signed in", "Send `Authorization: Bearer` with a token."),
        "unknown_token": Kind(401, "Unknown token", "Check the token: it stands for nobody, or is not let in here."),
        "no_account": Kind(401, "No account", "Open an account first, or name one of yours as `account_id`."),
        "user_not_active": Kind(403, "User not active", "The user was suspended, banned or disabled; ask an operator."),
        "operators_only": Kind(403, "Operators only", "Only an administrator of the house may do this."),
        "not_yours": Kind(403, "Not yours", "Operators look after accounts; only their owners trade with them."),
        "origin_not_allowed": Kind(
            403, "Origin not allowed", "Add the page's host name to the setting `serve.allowed_hosts`."
        ),
        "not_found": Kind(404, "Not found", "Check the path; `/schema` lists every endpoint."),
        "terminal_not_built": Kind(
            404, "Terminal not built", "Build the terminal with `./dev up`, or install Fondaco from a wheel."
        ),
        "method_not_allowed": Kind(405, "Method not allowed", "The header `Allow` lists the methods of this path."),
        "alert_acknowledged": Kind(
            409, "Already acknowledged", "Nothing is left to do: `detail` says who has seen it."
        ),
        "body_too_large": Kind(413, "Body too large", "Send a shorter body; `detail` names the limit."),
        "host_not_allowed": Kind(
            421, "Host not allowed", "Use a host name of the setting `serve.allowed_hosts`, or add yours to it."
        ),
        "internal_error": Kind(500, "Internal error", "A bug on our side; the server's log has the details."),
        "database_unavailable": Kind(503, "Database unavailable", "Try again after the seconds in `Retry-After`."),
        "bus_unavailable": Kind(503, "Bus unavailable", "Try again after the seconds in `Retry-After`."),
        "feed_unavailable": Kind(503, "No feed yet", "The house is still choosing its feed; try again in a moment."),
        "engine_away": Kind(
            503, "Engine away", "The engine is being started or replaced; nothing was done. Try again in a moment."
        ),
        "not_there_yet": Kind(
            503, "Not there yet", "What is read has not come to `after_seq` in time; read again in a moment."
        ),
        "queue_full": Kind(503, "Queue full", "More is asked than the engine can do; nothing was done. Try again."),
        "follower_behind": Kind(
            503, "Tables behind", "The tables are too far behind the engine; nothing was done. Try again."
        ),
        "outcome_unknown": Kind(
            503,
            "Outcome unknown",
            "It may have been done. Send it again with the same `Idempotency-Key` to learn that.",
        ),
        "not_ready": Kind(503, "Not ready", "`parts` says which part is down; the house reconnects by itself."),
    }
)


class Problem(msgspec.Struct, frozen=True):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str


class RefusalProblem(Problem, frozen=True):
    """What the engine refused: its `code` is one of docs/refusals.md.

    `seq` is the number of the refused command, 0 when the house knew before the engine was asked; `duplicate` says that
    the same command was refused before. Where margin was short, `required` and `available` say how much.
    """

    seq: int
    duplicate: bool
    required: str | UnsetType = UNSET
    available: str | UnsetType = UNSET


class ProblemError(Exception):
    """Raise it to answer with a problem.

    Args:
        code: one of `KINDS`.
        detail: a sentence for this very case.
        headers: further response headers.
    """

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.problem = problem(code, detail)
        self.headers = _with_retry(self.problem, headers or {})


class RefusalProblemError(ProblemError):
    """Raise it to answer with a refusal of the engine, where it has another status than it mostly has."""

    def __init__(self, error: RefusedError, status: int | None = None) -> None:
        Exception.__init__(self, str(error))
        self.problem = refusal_problem(error, status)
        self.headers = _with_retry(self.problem, {})


def problem(code: str, detail: str) -> Problem:
    """Make a problem document."""
    kind = KINDS[code]
    return Problem(f"urn:fondaco:problem:{code}", kind.title, kind.status, detail, code)


def refusal_problem(error: RefusedError, status: int | None = None) -> RefusalProblem:
    """Make the problem document of a refusal, with the status that it mostly has or another."""
    code = error.refusal.value
    kind, title = f"urn:fondaco:refusal:{code}", code.replace("_", " ").capitalize()
    status = status or status_of(error.refusal)
    made = RefusalProblem(kind, title, status, str(error), code, error.seq, error.is_duplicate)
    if error.required is None or error.available is None:
        return made
    return msgspec.structs.replace(made, required=error.required, available=error.available)


def _with_retry(made: Problem, headers: Mapping[str, str]) -> dict[str, str]:
    if made.status != 503:  # noqa: PLR2004 - the status is its own name
        return dict(headers)
    return {"retry-after": str(RETRY_AFTER_S), **headers}


def translate(error: Exception) -> ProblemError:
    """What an error is called at the edge. Anything unforeseen is logged and answered without details."""
    match error:
        case ProblemError():
            return error
        case DatabaseUnavailableError():
            return ProblemError("database_unavailable", "The database cannot be reached now; stored data will be back.")
        case BusUnavailableError():
            return ProblemError("bus_unavailable", "The bus cannot be reached now.")
        case NotThereYetError():
            return ProblemError("not_there_yet", str(error))
        case TradingError():
            return _of_trading(error)
        case OverloadedError():
            return ProblemError(error.why.value, str(error), {"retry-after": str(error.retry_after_s)})
        case OutcomeUnknownError():
            return ProblemError("outcome_unknown", str(error))
        case HTTPException(status_code=status) if status < 500:  # noqa: PLR2004 - the client errors end there
            return _of_framework(error)
    log.error("http.internal_error", exc_info=error)
    return ProblemError("internal_error", "Something went wrong on our side. The log of the server says what.")


def _of_trading(error: TradingError) -> ProblemError:
    match error:
        case RefusedError():
            return RefusalProblemError(error)
        case BadAmountError():
            return ProblemError("bad_amount", str(error))
        case NotYoursError():
            return ProblemError("not_yours", str(error))
        case _:
            return ProblemError("operators_only", str(error))


def _of_framework(error: HTTPException) -> ProblemError:
    if error.status_code == 404:  # noqa: PLR2004 - these statuses are their own names
        return ProblemError("not_found", "There is nothing at this path.")
    if error.status_code == 405:  # noqa: PLR2004 - the same
        allow = (error.headers or {}).get("allow", "GET").replace("GET", "GET, HEAD")
        return ProblemError("method_not_allowed", f"This path answers {allow} only.", {"allow": allow})
    if error.status_code == 413:  # noqa: PLR2004 - the same
        return ProblemError("body_too_large", "The body of the request is too large.")
    return ProblemError("bad_request", error.detail)


def answer(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's exception handler."""
    translated = translate(error)
    return Response(
        msgspec.json.encode(translated.problem),
        status_code=translated.problem.status,
        media_type=PROBLEM_JSON,
        headers=translated.headers,
    )


async def send_problem(scope: Scope, send: Send, error: ProblemError) -> None:
    """Answer a plain ASGI request with a problem; a WebSocket handshake is refused with it."""
    body = msgspec.json.encode(error.problem)
    headers = [(b"content-type", PROBLEM_JSON.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in error.headers.items()]
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    await send({"type": f"{kind}.start", "status": error.problem.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body, "more_body": False})


def documented(*codes: str) -> dict[int, ResponseSpec]:
    """The OpenAPI responses of an endpoint that may answer with these codes."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {status: _response(each) for status, each in by_status.items()}


def refusals(*examples: Refusal) -> dict[int, ResponseSpec]:
    """The OpenAPI responses of an endpoint whose command the engine may refuse, with an example for each status."""
    by_status: dict[int, list[Refusal]] = {}
    for refusal in examples:
        by_status.setdefault(status_of(refusal), []).append(refusal)
    return {status: _refused(each) for status, each in by_status.items()}


def documented_as(status: int, codes: Sequence[str], refused: Sequence[Refusal]) -> dict[int, ResponseSpec]:
    """The OpenAPI response of an endpoint that answers problems and refusals alike with one status."""
    spec, engines = (
        _response(codes),
        [(each, refusal_problem(RefusedError(each, _EXAMPLE_SEQ), status)) for each in refused],
    )
    spec.description += ", or why the engine refused, such as " + ", ".join(f"`{each.value}`" for each in refused)
    spec.examples = [
        *(spec.examples or ()),
        *(Example(summary=SENTENCES[each], value=msgspec.to_builtins(made)) for each, made in engines),
    ]
    return {status: spec}


def _refused(examples: Sequence[Refusal]) -> ResponseSpec:
    made = [RefusedError(each, _EXAMPLE_SEQ) for each in examples]
    return ResponseSpec(
        data_container=RefusalProblem,
        generate_examples=False,
        description="Refused; `code` is one of docs/refusals.md, such as "
        + ", ".join(f"`{each.value}`" for each in examples),
        media_type=PROBLEM_JSON,
        examples=[
            Example(summary=SENTENCES[each.refusal], value=msgspec.to_builtins(refusal_problem(each))) for each in made
        ],
    )


_EXAMPLE_SEQ = 4711


def _response(codes: Sequence[str]) -> ResponseSpec:
    kinds = [KINDS[code] for code in codes]
    return ResponseSpec(
        data_container=Problem,
        generate_examples=False,
        description="; ".join(f"`{code}`: {kind.title.lower()}" for code, kind in zip(codes, kinds, strict=True)),
        media_type=PROBLEM_JSON,
        examples=[
            Example(summary=kind.title, value=msgspec.to_builtins(problem(code, kind.help)))
            for code, kind in zip(codes, kinds, strict=True)
        ],
    )
