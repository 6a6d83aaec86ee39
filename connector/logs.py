"""Log lines: one pipeline for our own and the libraries' lines, with every secret masked.

Everything goes to standard error; standard output belongs to what a command prints.
"""

from __future__ import annotations

import logging
import re
import sys
import uuid
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.contextvars import bind_contextvars, get_contextvars, merge_contextvars, unbind_contextvars
from structlog.types import EventDict, Processor, WrappedLogger

MASK = "***"

_SECRET_NAME = re.compile(
    r"(?:token|secret|passw(?:or)?d|passphrase|authorization|api[_-]?key|private[_-]?key|encryption[_-]?key"
    # What is merely told about a secret, such as token_expires_at, is none.
    r"|cookie|code[_-]?verifier|signature)(?!.*[_-](?:id|kind|type|at|count)$)",
    re.IGNORECASE,
)
_ASSIGNED = (
    r"(?:access|refresh|id)_token|client_secret|code_verifier|api[_-]?key|password|secret|token|signature"
)
_SECRET_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){1,4}"), MASK),
    # What Whop and other services give out: ws_…, whop_at_…, apik_…, sk_live_… and their kin.
    (re.compile(r"\b(?:ws_|whsec_|whop_[ar]t_|apik_|sk_|rk_)[A-Za-z0-9_-]{8,}"), MASK),
    # The code of an OAuth callback; a short one is a status.
    (re.compile(r"(?<![A-Za-z_])code=[^&\s\"'<>]{8,}", re.IGNORECASE), f"code={MASK}"),
    # name=value of a query or a form, "name": "value" of JSON, 'name': 'value' of a Python dict.
    (re.compile(rf"(?<![A-Za-z])({_ASSIGNED})=[^&\s\"'<>]+", re.IGNORECASE), rf"\1={MASK}"),
    (
        re.compile(rf"""(\\?["'](?:{_ASSIGNED})\\?["']\s*:\s*\\?["'])[^"'\\]+""", re.IGNORECASE),
        rf"\1{MASK}",
    ),
    (re.compile(r"(://[^\s:/@]*):[^\s/@]+@"), rf"\1:{MASK}@"),
)
#: These log lines of their own for every request, or addresses with their queries, below these levels.
_QUIET = {
    "urllib3": logging.INFO,
    "sqlalchemy": logging.WARNING,
    "alembic": logging.INFO,
    "authlib": logging.INFO,
    # Each job and each look at the migrations in several lines: our own say what was done.
    "rq.worker": logging.WARNING,
    "rq.queue": logging.WARNING,
    "alembic.runtime.migration": logging.WARNING,
}
#: These set up handlers of their own, past which our pipeline would not be asked.
_HANDLED_ELSEWHERE = ("gunicorn.error", "gunicorn.access", "werkzeug", "rq", "rq.worker", "alembic")


class _Handler(logging.StreamHandler[TextIO]):
    """Marks our own handler, so that a second ``configure`` replaces it and no other."""


def configure(level: str, fmt: str, stream: TextIO | None = None) -> None:
    """Set the pipeline up; ``level`` and ``fmt`` as LOG_LEVEL and LOG_FORMAT. Callable again."""
    stream = stream or sys.stderr
    human = fmt == "human" or (fmt == "auto" and stream.isatty())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    _take_over(_handler(stream, human=human), logging.getLevelNamesMapping()[level.upper()])


def new_correlation_id() -> str:
    """An id that ties together the lines of one request, one job and the calls they make."""
    return uuid.uuid4().hex


def bind_correlation(correlation_id: str) -> None:
    """Put the id on every line of this thread from now on."""
    bind_contextvars(correlation_id=correlation_id)


def unbind_correlation() -> None:
    unbind_contextvars("correlation_id")


def current_correlation_id() -> str | None:
    found = get_contextvars().get("correlation_id")
    return found if isinstance(found, str) else None


def scrub(text: str) -> str:
    """The text with everything that looks like a secret masked."""
    for pattern, mask in _SECRET_TEXT:
        text = pattern.sub(mask, text)
    return text


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The processor: masks by name and by look, at every depth, tracebacks included."""
    return {name: value if name.startswith("_") else _masked(name, value) for name, value in event.items()}


def _masked(name: object, value: object) -> object:
    # A number or a truth value is not a secret: tokens_left=5 stays readable.
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(name, str) and _SECRET_NAME.search(name):
        return MASK
    return _scrubbed(value)


def _scrubbed(value: object) -> object:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {str(name): _masked(name, inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(None, inner) for inner in value]
    # Anything else would be rendered by its repr later, past this point.
    return scrub(value.decode(errors="replace") if isinstance(value, bytes) else str(value))


def _shared() -> list[Processor]:
    return [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]


def _handler(stream: TextIO, *, human: bool) -> _Handler:
    # The plain traceback: the pretty one prints local variables, and those hold secrets.
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if human
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *_shared()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    return handler


def _take_over(handler: _Handler, level: int) -> None:
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _HANDLED_ELSEWHERE:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, least))
