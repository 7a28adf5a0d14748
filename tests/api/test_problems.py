"""Which problem each error of the database, and of the server, becomes."""

import json
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from aiohttp import web

from api import problems
from api.database import PoolExhausted


def database_error(sqlstate: str, constraint: str | None = None) -> Any:
    """An error as the driver makes it from the server's message."""
    fields = {"C": sqlstate, "M": "secret detail", "D": "Key (email)=(a@b.c)", "n": constraint}
    return asyncpg.PostgresError.new({k: v for k, v in fields.items() if v is not None})


@pytest.mark.parametrize(
    ("sqlstate", "constraint", "status", "name"),
    [
        ("SA401", None, 401, "unauthorised"),
        ("SA403", None, 403, "forbidden"),
        ("42501", None, 403, "forbidden"),
        ("SA404", None, 404, "not-found"),
        ("SA409", "memberships_last_owner", 409, "last-owner"),
        ("SA409", "memberships_pkey", 409, "member-exists"),
        ("23505", "memberships_pkey", 409, "member-exists"),
        ("23505", "users_email_key", 409, "email-taken"),
        ("23505", "another_key", 409, "conflict"),
        ("23514", "projects_name_not_blank", 422, "invalid-request"),
        ("22P02", None, 422, "invalid-request"),
        ("08006", None, 503, "unavailable"),
        ("25001", None, 503, "unavailable"),
        ("25006", None, 503, "unavailable"),
        ("40001", None, 503, "unavailable"),
        ("40P01", None, 503, "unavailable"),
        ("53300", None, 503, "unavailable"),
        ("55P03", None, 503, "unavailable"),
        ("57014", None, 503, "unavailable"),
        ("57P01", None, 503, "unavailable"),
        ("42883", None, 500, "internal-error"),
        ("XX000", None, 500, "internal-error"),
    ],
)
def test_from_exception_sqlstate_has_its_problem(
    sqlstate: str, constraint: str | None, status: int, name: str
) -> None:
    kind = problems.from_exception(database_error(sqlstate, constraint)).kind
    assert (kind.status, kind.name) == (status, name)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PoolExhausted("x"), 503),
        (web.HTTPNotFound(), 404),
        (web.HTTPMethodNotAllowed("PUT", ["GET"]), 405),
        (web.HTTPRequestEntityTooLarge(1), 413),
        (ValueError("secret detail"), 500),
    ],
)
def test_from_exception_of_the_server_has_its_problem(error: Exception, status: int) -> None:
    assert problems.from_exception(error).kind.status == status


def test_response_holds_nothing_of_the_error() -> None:
    problem = problems.from_exception(database_error("23505", "users_email_key"))
    response = problems.response(problem, "id-1")
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == {
        "type": "urn:saas-api:problem:email-taken",
        "title": "Email taken",
        "status": 409,
        "detail": "A user with this email exists already.",
        "instance": "id-1",
    }
    assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (problems.UNAUTHORISED, "WWW-Authenticate", "Bearer"),
        (problems.UNAVAILABLE, "Retry-After", "1"),
    ],
)
def test_response_has_the_headers_of_its_status(kind: problems.Kind, name: str, value: str) -> None:
    assert problems.response(problems.Problem(kind), "i").headers[name] == value
