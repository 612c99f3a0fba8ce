"""Structured logs, one JSON object a line, with nothing of what people sent (IN-10).

An exception is logged as its class and the place it was raised. Its message is left out: database
errors quote rows, parsers quote input.
"""

import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import orjson
import structlog


def place_of(error: BaseException) -> str:
    """Name the last place in our own code an exception passed: `module.py:line function`."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "-"
    last = next((f for f in reversed(frames) if "/app/" in f.filename), frames[-1])
    return f"{last.filename.rpartition('/app/')[2]}:{last.lineno} {last.name}"


def without_messages(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace `exc_info` by the exception's class, SQLSTATE and place."""
    error = entry.pop("exc_info", None)
    if error is True:
        error = sys.exception()
    elif isinstance(error, tuple):
        error = error[1]
    while isinstance(error, BaseExceptionGroup):  # tasks that ran together
        error = error.exceptions[0]
    if isinstance(error, BaseException):  # not the False that asyncio says for none
        entry["error"] = type(error).__name__
        entry["place"] = place_of(error)
        entry["sqlstate"] = getattr(error, "sqlstate", None)
    return entry


class _FromStandardLibrary(logging.Handler):
    """Pass what libraries log on: logger, level and template only, never the arguments. Of several
    lines the first: in the others asyncio says what a task raised.
    """

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        said = str(record.msg).partition("\n")[0][:200]
        log.log(record.levelno, said, exc_info=record.exc_info)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log what ends the process, or a thread of it."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger("tonghu").critical("uncaught", exc_info=error)


def _uncaught_in_thread(said: threading.ExceptHookArgs) -> None:
    if said.exc_value is not None:
        _uncaught(said.exc_type, said.exc_value, said.exc_traceback)


def _unraisable(said: Any) -> None:
    """Log what was raised where nobody can catch it: as something was thrown away."""
    structlog.get_logger("tonghu").error("unraisable", exc_info=said.exc_value)


def configure(least: int = logging.INFO) -> None:
    """Set logging up for this process. Call it once, where the process is put together. `least`:
    the level from which on something is logged.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_messages,
            structlog.processors.JSONRenderer(
                serializer=lambda entry, **_: orjson.dumps(entry, default=str)
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *_: structlog.BytesLogger(sys.stderr.buffer),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [h for h in root.handlers if not isinstance(h, _FromStandardLibrary)]
    root.addHandler(_FromStandardLibrary(logging.WARNING))
    sys.excepthook, threading.excepthook = _uncaught, _uncaught_in_thread
    sys.unraisablehook = _unraisable
