"""
Logs as one JSON object a line on standard output: each request's, and everything that goes
through `logging`, gunicorn and asyncio included.

No line holds a path, a query, a header or a body. Of an exception a line holds its types and
where it came from, not its text, which could quote what a client sent.
"""

import json
import logging
import os
import sys
import time
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from aiohttp.http_exceptions import HttpProcessingError

REQUEST_FIELDS = ("request_id", "method", "route", "status", "duration_ms")


class JsonFormatter(logging.Formatter):
    """A record as a line with the fields of the contract, `logger`, `process` and `exception`."""

    def __init__(self, environment: str) -> None:
        super().__init__()
        self._environment = environment

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": timestamp(record.created),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "process": record.process,
        }
        line |= {name: getattr(record, name) for name in REQUEST_FIELDS if hasattr(record, name)}
        line["environment"] = self._environment
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe(record.exc_info[1])
        return json.dumps(line, default=str)


class RequestLog:
    """
    Writes a line for each request, cheaper than through `logging`.

    Made in the process that writes, since each line says which that is.
    """

    def __init__(self, *, level: str, environment: str) -> None:
        threshold = logging.getLevelNamesMapping()[level]
        self._info = threshold <= logging.INFO
        self._error = threshold <= logging.ERROR
        self._end = f',"environment":{json.dumps(environment)},"process":{os.getpid()}}}\n'
        self._second = -1
        self._prefix = ""

    def write(
        self, request_id: str, method: str, route: str | None, status: int, seconds: float
    ) -> None:
        """
        One line. `route` is the template of the path, None where no route matched; no argument
        holds a character that JSON would have to escape.
        """
        failed = status >= 500
        if not (self._error if failed else self._info):
            return
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        template = "null" if route is None else f'"{route}"'
        line = (
            f'{{"timestamp":"{self._prefix}{int((now - second) * 1000):03d}Z",'
            f'"level":"{"ERROR" if failed else "INFO"}","message":"request",'
            f'"request_id":"{request_id}","method":"{method}","route":{template},'
            f'"status":{status},"duration_ms":{seconds * 1000:.3f}{self._end}'
        )
        try:
            sys.stdout.write(line)
            sys.stdout.flush()
        except (OSError, ValueError):  # whoever read the log is gone; the client is not
            pass


def configure(*, level: str, environment: str) -> None:
    """Send everything that goes through `logging` to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(environment))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("aiohttp.server").addFilter(_demote_broken_http)
    logging.captureWarnings(True)


def _demote_broken_http(record: logging.LogRecord) -> bool:
    """What a client sent that is no HTTP is no error of ours: one short line, not a traceback."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.msg, record.args = "broken HTTP: %s", (type(record.exc_info[1]).__name__,)
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.exc_info = None
    return logging.getLogger().isEnabledFor(record.levelno)


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def describe(error: BaseException) -> list[dict[str, Any]]:
    """
    An exception and its causes, outermost first: type, and frames as "file:line in function".

    Of an OSError its text too (it names a file or an address), of a database error its SQLSTATE.
    """
    found: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(found) < 10:
        entry: dict[str, Any] = {
            "type": f"{type(current).__module__}.{type(current).__qualname__}",
            "frames": _frames(current.__traceback__),
        }
        if isinstance(current, OSError):
            entry["text"] = str(current)
        if sqlstate := getattr(current, "sqlstate", None):
            entry["sqlstate"] = sqlstate
        found.append(entry)
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return found


def _frames(start: TracebackType | None) -> list[str]:
    return [f"{f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(start)]
