"""Structured logs: one event a line, JSON for machines or columns for people, with secrets taken out.

Everything goes one way: our own events, and what uvicorn, Alembic and other libraries say through the standard
library's logging. The last step before a line is rendered is the redaction, so that it sees exception texts too. A
secret is recognised by its name (`SECRET_NAMES`) or, inside text, by its form (`SECRET_FORMS`).
"""

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import Literal, Protocol

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["console", "json"]


class Stream(Protocol):
    """Where lines go: a text stream, or what passes for one."""

    def write(self, text: str, /) -> int:
        """Take some text."""
        ...

    def flush(self) -> None:
        """Let it go."""
        ...

    def isatty(self) -> bool:
        """Whether people watch."""
        ...


REDACTED = "[redacted]"
MAX_DEPTH = 8
"""Values nested deeper than this are left out of a line."""

SECRET_NAMES = re.compile(
    r"passw(or)?d|passphrase|secret|token|authorization|credential|cookie|api[_-]?key|private[_-]?key|signature|otp|mnemonic",
    re.IGNORECASE,
)
SECRET_FORMS = (
    # The password of an address; it may hold an @ that somebody forgot to escape, so it ends at the last one.
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/]+(?=@)", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE), rf"\1 {REDACTED}"),
    (
        re.compile(
            r"""((?:passw(?:or)?d|secret|token|api[_-]?key)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s&,;}\]"']+)""",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
)

LIBRARY_LEVELS = {
    "alembic.runtime.plugins": logging.WARNING,
    "asyncio": logging.WARNING,
    "procrastinate": logging.WARNING,
    "uvicorn.error": logging.WARNING,
    # It reports each failed connection on several lines; whoever wanted the connection says so on one.
    "psycopg.pool": logging.ERROR,
}
"""Least level of libraries that have much to say to their own developers."""


def configure(
    level: str, log_format: Literal["auto", "console", "json"], *, process: str, stream: Stream | None = None
) -> Format:
    """Set up logging for this process, once, before its first event. Returns the format that ``auto`` came to.

    Args:
        level: least level that is logged.
        log_format: ``auto`` writes for people where the stream is a terminal.
        process: name of the process, for JSON lines. On a terminal the supervisor puts it in front.
        stream: where lines go; standard error when left out.
    """
    out = stream or sys.stderr
    chosen = resolved_format(log_format, out)
    shared = _shared_processors(process, chosen)
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, _renderer(chosen, out)],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name, least in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(least)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    return chosen


def resolved_format(log_format: Literal["auto", "console", "json"], stream: Stream) -> Format:
    """What ``auto`` means for this stream."""
    if log_format == "auto":
        return "console" if stream.isatty() else "json"
    return log_format


def has_colours(stream: Stream) -> bool:
    """Whether to colour what is written there: terminals, unless NO_COLOR is set; others when FORCE_COLOR is."""
    if os.environ.get("NO_COLOR"):
        return False
    return stream.isatty() or bool(os.environ.get("FORCE_COLOR"))


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Structlog's processor: take secrets out of every value of an event."""
    return {name: _redacted_value(str(name), value, MAX_DEPTH) for name, value in event.items()}


def redacted_text(text: str) -> str:
    """Take out of a text whatever has the form of a secret."""
    for form, instead in SECRET_FORMS:
        text = form.sub(instead, text)
    return text


def _redacted_value(name: str, value: object, depth: int) -> object:
    if SECRET_NAMES.search(name):
        return REDACTED
    return _redacted(value, depth)


def _redacted(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == 0:
        return "..."
    if isinstance(value, Mapping):
        return {str(name): _redacted_value(str(name), each, depth - 1) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(each, depth - 1) for each in value]
    # Anything else would be rendered as its text anyway; so it is now, where its secrets can be seen.
    return redacted_text(value if isinstance(value, str) else repr(value))


def _shared_processors(process: str, chosen: Format) -> list[Processor]:
    def with_process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    for_people = chosen == "console"
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if for_people else "iso", utc=not for_people),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        *([] if for_people else [with_process]),
    ]


def _renderer(chosen: Format, out: Stream) -> Processor:
    if chosen == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    # Exceptions have become text by now, redacted like the rest.
    return structlog.dev.ConsoleRenderer(colors=has_colours(out), exception_formatter=structlog.dev.plain_traceback)
