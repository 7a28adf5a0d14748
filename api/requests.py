"""
From what a client sent to values that fit their schema, or to the problem that says why not.

A body is strict JSON: UTF-8, no member twice, no NaN, no number out of range. The faults of the
fields are listed at once, MAX_ERRORS at most. No detail repeats a value that was sent.
"""

import asyncio
import base64
import binascii
import contextlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from jsonschema_rs import ValidationError, ValidationErrorKind
from multidict import istr

from api.problems import (
    INVALID,
    MALFORMED,
    OVERLOADED,
    TOO_LARGE,
    TOO_SLOW,
    UNSUPPORTED,
    FieldError,
    Problem,
    RequestProblem,
)
from api.schemas import Query, Shape

MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 30.0
SMALL_BODY_BYTES = 32 * 1024  # more than any body that fits needs
MAX_ERRORS = 100
BIGINT_DIGITS = 19
IDEMPOTENCY_KEY_HEADER = istr("Idempotency-Key")
IDEMPOTENCY_KEY = re.compile("[!-~]{1,255}")
NIL_UUID = "00000000-0000-0000-0000-000000000000"
UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)
LAST_INSTANT = datetime.max.replace(tzinfo=UTC)
UNFIT_CHARACTERS = re.compile("[\x00\ud800-\udfff]")
UNFIT_DETAIL = "must not hold NUL or half a surrogate pair"

RAW_BODY = web.RequestKey("raw_body", bytes)

# Of bodies under way those that are large, in this process: never waited for, so of no event loop.
_LARGE_BODIES = asyncio.Semaphore(64)

Pointer = Callable[[str], str]


def identifier(text: str) -> str:
    """A UUID, or the nil UUID (which is never there) for what is none."""
    return text if UUID.fullmatch(text) else NIL_UUID


async def read_body(request: web.Request, shape: Shape) -> dict[str, Any]:
    """
    The request's body as `shape` has it, names trimmed.

    Errors: RequestProblem 415, 413, 400 and 422, in this order.
    """
    _check_media_type(request)
    body = await _read(request)
    return fit(parse(body), shape)


def read_query(request: web.Request, query: Query) -> Mapping[str, Any]:
    """
    The query's parameters, with the default (or None) of each that is not given. A time is a
    datetime in UTC; a cursor is the key in the list's order, and the id, of the row it names.

    Errors: RequestProblem 422 whose pointers are the names of the parameters.
    """
    if not request.rel_url.raw_query_string:
        return query.defaults
    errors: list[FieldError] = []
    given: dict[str, Any] = {}
    for name, text in request.query.items():
        if name in given:
            errors.append(FieldError(name, "given more than once"))
        if "\ufffd" in text and not _is_utf8(request.rel_url.raw_query_string):
            errors.append(FieldError(name, "must be UTF-8"))
        if _is_integer(query.shape, name):
            given[name] = _number(text)
        elif name in query.times:
            given[name] = text.replace(" ", "+")  # what a query makes of the sign of +00:00
        else:
            given[name] = text
    errors += _faults(given, query.shape, str)
    for name in given.keys() & (query.times | {"cursor"}) - {error.pointer for error in errors}:
        try:
            given[name] = _place(query, given) if name == "cursor" else _instant(given[name])
        except ValueError:
            errors.append(_misfit(name, query.shape, str))
    if errors:
        raise _invalid(errors)
    return query.defaults | given


def read_idempotency_key(request: web.Request) -> str | None:
    """
    The request's Idempotency-Key, if it has one.

    Errors: RequestProblem 422 unless it is one header of 1 to 255 visible ASCII characters.
    """
    match request.headers.getall(IDEMPOTENCY_KEY_HEADER, []):
        case []:
            return None
        case [key] if IDEMPOTENCY_KEY.fullmatch(key):
            return key
        case _:
            detail = "must be given once, with 1 to 255 visible ASCII characters"
            raise _invalid([FieldError(IDEMPOTENCY_KEY_HEADER, detail)])


def parse(body: bytes) -> Any:
    """Parse strict JSON. Errors: RequestProblem 400."""
    if not body.strip():
        raise _malformed("The body is empty.")
    try:
        return _DECODER.decode(body.decode())
    except UnicodeDecodeError:
        raise _malformed("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise _malformed(
            f"The body is not well-formed JSON at line {error.lineno}, column {error.colno}."
        ) from None
    except ValueError:  # more digits than Python reads
        raise _malformed("A number is out of range.") from None
    except RecursionError:
        raise _malformed("The body is nested too deeply.") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _malformed("An object has two members of one name.")
    return members


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _malformed("A number is out of range.")
    return number


def _constant(_name: str) -> Any:
    raise _malformed("NaN and Infinity are not JSON.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=_float, parse_constant=_constant
)


def _check_media_type(request: web.Request) -> None:
    headers = request.headers
    if headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise RequestProblem(UNSUPPORTED)
    given = headers.get(hdrs.CONTENT_TYPE)
    if given != "application/json" and (
        given is None
        or request.content_type != "application/json"
        or (request.charset or "utf-8").lower() not in ("utf-8", "utf8")
    ):
        raise RequestProblem(UNSUPPORTED)


async def _read(request: web.Request) -> bytes:
    """The body, of which never more than the limit (and one piece from the network) is kept."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise RequestProblem(TOO_LARGE)
    expects = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    if expects and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    try:
        if request.content.is_eof():  # it is here already, as most are
            body = request.content.read_nowait()
        else:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _collect(request)
    except TimeoutError:
        raise RequestProblem(TOO_SLOW) from None
    except (web.RequestPayloadError, HttpProcessingError):
        raise _malformed("The body did not arrive whole.") from None
    if len(body) > MAX_BODY_BYTES:
        raise RequestProblem(TOO_LARGE)
    request[RAW_BODY] = body
    return body


async def _collect(request: web.Request) -> bytes:
    """The body as it arrives: only so many large ones at once, whatever number of clients."""
    body = bytearray()
    async with contextlib.AsyncExitStack() as held:
        while piece := await request.content.readany():
            if len(body) <= SMALL_BODY_BYTES < len(body) + len(piece):
                if _LARGE_BODIES.locked():
                    raise Problem(OVERLOADED, detail="Too many large bodies at once; try again.")
                await held.enter_async_context(_LARGE_BODIES)
            body += piece
            if len(body) > MAX_BODY_BYTES:
                raise RequestProblem(TOO_LARGE)
    return bytes(body)


def fit(value: Any, shape: Shape) -> dict[str, Any]:
    """The object, trimmed, if it fits; else its faults."""
    if not isinstance(value, dict):
        raise _invalid([FieldError("", "the body must be a JSON object")])
    errors = _faults(value, shape, _pointer)
    for name, limit in shape.bounded.items():
        text = value.get(name)
        if isinstance(text, str) and len(text.encode(errors="replace")) > limit:
            errors.append(_misfit(name, shape, _pointer))
    if errors:
        raise _invalid(errors)
    for name in shape.trimmed:
        if isinstance(text := value.get(name), str):
            value[name] = text.strip()
    return value


def _faults(given: dict[str, Any], shape: Shape, pointer: Pointer) -> list[FieldError]:
    """
    What the schema finds wrong, in the order of the fields. To explain is dear, so of what no
    field takes no more is explained than is told.
    """
    try:
        if shape.validator.is_valid(given):
            return []
    except UnicodeEncodeError:  # half a surrogate pair, in a value or in a name
        pass
    properties = shape.properties
    known = {name: _plain(given[name]) for name in properties if name in given}
    unknown = (UNFIT_CHARACTERS.sub("\ufffd", name) for name in given if name not in properties)
    errors = shape.validator.iter_errors(known | dict.fromkeys(islice(unknown, MAX_ERRORS)))
    return [fault for error in errors for fault in _explain(error, shape, pointer)]


def _plain(value: Any) -> Any:
    """The value without what is in it, if it holds others; with NUL for each half of a pair."""
    match value:
        case str():
            return UNFIT_CHARACTERS.sub("\x00", value)
        case list() | dict():
            return type(value)()
        case _:
            return value


def _explain(error: ValidationError, shape: Shape, pointer: Pointer) -> Iterable[FieldError]:
    """One fault of the schema in words; several where fields are unknown."""
    match error.kind:
        case ValidationErrorKind.Required(property=name):
            yield FieldError(pointer(name), "is required")
        case ValidationErrorKind.AdditionalProperties(unexpected=names):
            for name in names:
                yield FieldError(pointer(name), "is not known here")
        case ValidationErrorKind.OneOfNotValid() | ValidationErrorKind.OneOfMultipleValid():
            names = [each["required"][0] for each in shape.schema["oneOf"]]
            yield FieldError("", f"exactly one of {' and '.join(names)} is required")
        case ValidationErrorKind.MinProperties():
            yield FieldError("", f"at least one of {', '.join(shape.properties)} is required")
        case _:
            name = str(error.instance_path[0])
            if isinstance(error.instance, str) and "\x00" in error.instance:
                yield FieldError(pointer(name), UNFIT_DETAIL)
            else:
                yield _misfit(name, shape, pointer)


def _misfit(name: str, shape: Shape, pointer: Pointer) -> FieldError:
    return FieldError(pointer(name), f"must be {shape.properties[name]['description']}")


def _pointer(name: str) -> str:
    """RFC 6901. That to a query parameter is its name."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _is_integer(shape: Shape, name: str) -> bool:
    return name in shape.properties and shape.properties[name]["type"] == "integer"


def _is_utf8(raw_query: str) -> bool:
    """Whether what is percent-encoded is: else it comes out as U+FFFD."""
    try:
        unquote_to_bytes(raw_query).decode()
    except UnicodeError:  # bytes that are not percent-encoded are no text to begin with
        return False
    return True


def _number(text: str) -> int | str:
    """The integer, or the text for the schema to refuse."""
    if text.isascii() and text.isdigit() and len(text) <= BIGINT_DIGITS:
        return int(text)
    return text


def _instant(text: str) -> datetime:
    """
    The time that RFC 3339 writes as `text`, in UTC; what lies beyond Python's years is their end.

    Errors: ValueError for a day or an hour that does not exist.
    """
    text = text.upper()
    leap = text[17:19] == "60"  # PostgreSQL, too, takes it for the second after
    moment = datetime.fromisoformat(f"{text[:17]}59{text[19:]}" if leap else text)
    try:
        return moment.astimezone(UTC) + timedelta(seconds=leap)
    except OverflowError:
        return FIRST_INSTANT if moment.year == 1 else LAST_INSTANT


def _place(query: Query, given: dict[str, Any]) -> tuple[datetime | str, str]:
    """
    The key and the id in the cursor (sql/functions/api/cursor.sql).

    Errors: ValueError; also for a cursor of another list, or of this one in another order.
    """
    cursor = given["cursor"]
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True).decode())
    except (binascii.Error, UnicodeDecodeError, RecursionError) as error:
        raise ValueError from error
    match place:
        case [name, str(key), str(row_id)] if (
            name == query.list_name.format_map(query.defaults | given)
            and UUID.fullmatch(row_id)
            and UNFIT_CHARACTERS.search(key) is None
        ):
            return (key if given.get("sort_by") == "name" else _moment(key)), row_id
        case _:
            raise ValueError


def _moment(key: str) -> datetime:
    """The time that PostgreSQL wrote as `key`. Errors: ValueError."""
    try:
        return datetime.fromisoformat(key).astimezone(UTC)
    except OverflowError as error:
        raise ValueError from error


def _malformed(detail: str) -> RequestProblem:
    return RequestProblem(MALFORMED, detail=detail)


def _invalid(errors: list[FieldError]) -> RequestProblem:
    return RequestProblem(INVALID, errors=list(dict.fromkeys(errors))[:MAX_ERRORS])
