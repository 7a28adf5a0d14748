"""
Every error a client can meet, as RFC 9457 problem+json, and the one table that leads there
from PostgreSQL's SQLSTATEs and constraint names.

A `Kind` is what a problem is; `Problem` is the exception that carries it. The text of a database
error never reaches the client, so an answer tells no more than its kind does.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg  # type: ignore[import-untyped]
from aiohttp import web

URN = "urn:saas-api:problem:"
CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: the stem of its URN, its status, and the words for it."""

    name: str
    status: int
    title: str
    detail: str


MALFORMED = Kind("malformed-body", 400, "Malformed body", "The body is not well-formed JSON.")
UNAUTHORISED = Kind(
    "unauthorised", 401, "Unauthorised", "A valid credential is required: Authorization: Bearer."
)
FORBIDDEN = Kind("forbidden", 403, "Forbidden", "The credential does not permit this.")
NOT_FOUND = Kind("not-found", 404, "Not found", "There is no such resource for this caller.")
METHOD_NOT_ALLOWED = Kind(
    "method-not-allowed", 405, "Method not allowed", "See the Allow header for what is offered."
)
TOO_SLOW = Kind("body-too-slow", 408, "Body too slow", "The body did not arrive in time.")
CONFLICT = Kind("conflict", 409, "Conflict", "The request conflicts with what is there.")
EMAIL_TAKEN = Kind("email-taken", 409, "Email taken", "A user with this email exists already.")
LAST_OWNER = Kind("last-owner", 409, "Last owner", "An organisation keeps at least one owner.")
KEY_REUSED = Kind(
    "idempotency-key-reused",
    409,
    "Idempotency key reused",
    "This Idempotency-Key was used with another body.",
)
MEMBER_EXISTS = Kind("member-exists", 409, "Member exists", "The user is a member already.")
TOO_LARGE = Kind("body-too-large", 413, "Body too large", "A body has at most 1048576 bytes.")
UNSUPPORTED = Kind(
    "unsupported-media-type",
    415,
    "Unsupported media type",
    "The body must be application/json in UTF-8, without a content coding.",
)
INVALID = Kind("invalid-request", 422, "Invalid request", "The request does not fit; see errors.")
THROTTLED = Kind(
    "too-many-logins", 429, "Too many logins", "Too many failed logins for this email; wait."
)
INTERNAL = Kind("internal-error", 500, "Internal error", "The server failed; see its logs.")
UNAVAILABLE = Kind(
    "unavailable", 503, "Service unavailable", "The database cannot answer now; try again."
)
NOT_READY = Kind(
    "not-ready", 503, "Not ready", "The process is stopping, or its database is not as expected."
)
OVERLOADED = Kind(
    "overloaded", 503, "Service unavailable", "Too much is under way at once; try again."
)

HEADERS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"WWW-Authenticate": "Bearer"},
    503: {"Retry-After": "1"},
}

# The rules of the database, by the name of the constraint that states each.
CONSTRAINTS: Final[Mapping[str, Kind]] = {
    "users_email_key": EMAIL_TAKEN,
    "idempotency_keys_pkey": KEY_REUSED,
    "memberships_pkey": MEMBER_EXISTS,
    "memberships_last_owner": LAST_OWNER,
}

SQLSTATES: Final[Mapping[str, Kind]] = {
    "SA401": UNAUTHORISED,
    "SA403": FORBIDDEN,
    "SA404": NOT_FOUND,
    "SA409": CONFLICT,
    "23505": CONFLICT,  # unique_violation of a constraint without a kind of its own
    "42501": FORBIDDEN,  # insufficient_privilege: a policy refused the row
    "55P03": UNAVAILABLE,  # lock_not_available
}

SQLSTATE_CLASSES: Final[Mapping[str, Kind]] = {
    "08": UNAVAILABLE,  # connection exceptions
    "22": INVALID,  # data exceptions: input that passed the schemas and should not have
    "23": INVALID,  # integrity constraints, likewise
    "25": UNAVAILABLE,  # invalid transaction state: a standby, a failover, a setting of the server
    "40": UNAVAILABLE,  # serialisation failures and deadlocks
    "53": UNAVAILABLE,  # insufficient resources
    "57": UNAVAILABLE,  # operator intervention: statement timeout, shutdown
}

ALREADY_PROBLEMS: Final[Mapping[int, Kind]] = {
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    413: TOO_LARGE,
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of a request: an RFC 6901 pointer into the body or a parameter's name, and why."""

    pointer: str
    detail: str


class Problem(Exception):
    """An answer that is an error: its kind, the faults of single fields, and more headers."""

    def __init__(
        self,
        kind: Kind,
        *,
        detail: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind.name)
        self.kind = kind
        self.detail = detail or kind.detail
        self.errors = errors
        self.headers = headers or {}


class RequestProblem(Problem):
    """What is wrong with the request in itself (4xx), which only a live caller is told."""


class Unavailable(Exception):
    """The database cannot serve the statement now: 503, with Retry-After."""


def from_database(error: asyncpg.PostgresError) -> Problem:
    """The problem an error of the database means; INTERNAL where the table knows none."""
    sqlstate = error.sqlstate or ""
    kind: Kind | None = None
    if sqlstate == "SA409" or sqlstate.startswith("23"):
        kind = CONSTRAINTS.get(getattr(error, "constraint_name", None) or "")
    kind = kind or SQLSTATES.get(sqlstate) or SQLSTATE_CLASSES.get(sqlstate[:2], INTERNAL)
    return Problem(kind)


def from_exception(error: Exception) -> Problem:
    """The problem that answers any exception of a handler."""
    match error:
        case Problem():
            return error
        case asyncpg.PostgresError():
            return from_database(error)
        case Unavailable():
            return Problem(UNAVAILABLE)
        case web.HTTPException() if error.status in ALREADY_PROBLEMS:
            allow = error.headers.get("Allow")
            return Problem(
                ALREADY_PROBLEMS[error.status], headers={"Allow": allow} if allow else None
            )
        case _:
            return Problem(INTERNAL)


def body(problem: Problem, request_id: str) -> dict[str, object]:
    """
    The body that tells of a problem: {"type": URN, "title": str, "status": int, "detail": str,
    "instance": the request id}, and for single fields "errors": [{"pointer": str, "detail": str}].
    """
    kind = problem.kind
    members: dict[str, object] = {
        "type": URN + kind.name,
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "instance": request_id,
    }
    if problem.errors:
        members["errors"] = [{"pointer": e.pointer, "detail": e.detail} for e in problem.errors]
    return members


def response(problem: Problem, request_id: str) -> web.Response:
    """The answer to a problem."""
    kind = problem.kind
    return web.Response(
        status=kind.status,
        body=json.dumps(body(problem, request_id)).encode(),
        content_type=CONTENT_TYPE,
        headers={**HEADERS.get(kind.status, {}), **problem.headers},
    )
