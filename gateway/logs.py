"""The log: structlog for ours and for the libraries', one format, on standard error, never with a field value.

An exception is logged as its type and place. Its message is left out, for nobody can know what a library put into it.
"""

from __future__ import annotations

import logging
import sys
import traceback
from contextvars import ContextVar
from typing import Final, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The id of the request that is being answered, for every line of the log that it causes."""

TRACE_ID: Final[ContextVar[str | None]] = ContextVar("trace_id", default=None)
"""The id of its trace (W3C Trace Context, 32 hexadecimal digits), where requests are traced."""


OURS: Final = ("gateway", "connectors", "policies", "schema")
"""Whose lines are logged from any level on. What libraries have to say below a warning is for whoever works on them:
there drivers log statements with their parameters, and clients addresses with the companies in them.
"""


def configure_logging(form: Literal["json", "console"], level: str) -> None:
    """Sets up the log of this process. `level` is the least level logged, in lower case; of libraries' lines it is a
    warning at the least.
    """
    common: list[Processor] = [
        name_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        outline_exception,
    ]
    rendering: list[Processor] = (
        [structlog.processors.JSONRenderer()]
        if form == "json"
        else [escape_message, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    least = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(max(least, logging.WARNING))
    for name in OURS:
        logging.getLogger(name).setLevel(least)
    logging.captureWarnings(capture=True)


def name_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor that adds the ids of the request and of its trace, unless the line names one itself."""
    request_id, trace_id = REQUEST_ID.get(), TRACE_ID.get()
    if trace_id is not None:
        event = {"trace_id": trace_id, **event}
    return event if request_id is None else {"request_id": request_id, **event}


def escape_message(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor for texts that are not quoted: a library's message forges no line, and moves no cursor."""
    message = str(event["event"])
    if not message.isprintable():
        event["event"] = message.encode("unicode_escape").decode()
    return event


def outline_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor that puts `outline` in the place of an exception."""
    info = event.pop("exc_info", None)
    fault = info[1] if isinstance(info, tuple) else sys.exception() if info is True else info
    if isinstance(fault, BaseException):
        event["fault"] = outline(fault)
    return event


def outline(fault: BaseException) -> list[str]:
    """What happened and where, without what was in it: one text for the exception, its cause, and each of a group."""
    places = (
        f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}"
        for frame, line in reversed(list(traceback.walk_tb(fault.__traceback__)))
    )
    texts = [" < ".join((type(fault).__name__, *places))]
    within = fault.exceptions if isinstance(fault, BaseExceptionGroup) else ()
    for inner in (*within, fault.__cause__):
        if inner is not None:
            texts += outline(inner)
    return texts
