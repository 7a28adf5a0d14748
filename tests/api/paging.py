"""Walks through pages, and many rows with one time, so that only their ids can order them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from api.policies.databases import Database
from tests.api.bodies import PAGE

if TYPE_CHECKING:
    from tests.api.conftest import Caller

SAME_TIME = "2026-01-02 03:04:05.678901+00"
BAD_PAGES = (
    {"limit": "0"},
    {"limit": "201"},
    {"limit": "-1"},
    {"limit": "x"},
    {"limit": "٣"},
    {"offset": "-1"},
    {"offset": "1.0"},
    {"page": "1"},
    {"cursor": ""},
    {"cursor": "WyJhIl0"},  # ["a"]
    {"cursor": "W1tb"},
    {"cursor": "!"},
    {"cursor": "A"},
)


def page_of(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The first page of a list that has no other, asked for without a parameter."""
    return {
        "items": items,
        "total": len(items),
        "total_is_exact": True,
        "limit": 50,
        "offset": 0,
        "next_cursor": None,
    }


async def follow(caller: "Caller", path: str, step: int, **query: str) -> list[dict[str, Any]]:
    """Every item of a list, from page to page as each says where the next one is."""
    found: list[dict[str, Any]] = []
    page = await caller.get(path, **query, limit=str(step))
    while True:
        assert (page.status, set(page.body)) == (200, PAGE)
        found += page.body["items"]
        if page.body["next_cursor"] is None:
            assert "Link" not in page.headers
            assert page.body["total"] == len(found)
            return found
        assert len(page.body["items"]) == step
        link = re.fullmatch(r'<(.*)>; rel="next"', page.headers["Link"])
        assert link is not None
        assert page.body["next_cursor"] in link[1]
        page = await caller.get(link[1])


async def walk(caller: "Caller", path: str, step: int, **query: str) -> list[dict[str, Any]]:
    """Every item of a list, `step` at a time; each page says the same total, limit, offset."""
    found: list[dict[str, Any]] = []
    while True:
        page = await caller.get(path, **query, limit=str(step), offset=str(len(found)))
        assert (page.status, set(page.body)) == (200, PAGE)
        assert (page.body["limit"], page.body["offset"]) == (step, len(found))
        if not page.body["items"]:
            assert page.body["total"] == len(found)
            return found
        found += page.body["items"]
        assert len(page.body["items"]) == min(step, page.body["total"] - page.body["offset"])


@contextmanager
def superuser(database: Database) -> Iterator["psycopg.Connection[Any]"]:
    """A connection that may do anything, in autocommit."""
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        yield connection


def without_indexes(database: Database) -> None:
    """Let the API sort: rows from an index come in the order of ids, asked for or not."""
    with superuser(database) as connection:
        for column in ("created_at", "updated_at", "name"):
            index = sql.Identifier("app", f"projects_{column}_idx")
            connection.execute(sql.SQL("drop index {}").format(index))


def many_projects(database: Database, organisation_id: str, count: int) -> None:
    """Projects of one name and one time, their ids in no order."""
    with superuser(database) as connection:
        connection.execute(
            "insert into app.projects (organisation_id, project_id, name, created_at, updated_at)"
            " select %s, gen_random_uuid(), 'Same', %s, %s from generate_series(1, %s)",
            [organisation_id, SAME_TIME, SAME_TIME, count],
        )


def many_organisations(database: Database, user_id: str, count: int) -> None:
    """Organisations of one name and one time, whose owner is this user."""
    with superuser(database) as connection:
        connection.execute(
            "with made as ("
            " insert into app.organisations (organisation_id, name, created_at, updated_at)"
            " select gen_random_uuid(), 'Same', %s, %s from generate_series(1, %s)"
            " returning organisation_id)"
            " insert into app.memberships (organisation_id, user_id, role)"
            " select organisation_id, %s, 'owner' from made",
            [SAME_TIME, SAME_TIME, count, user_id],
        )


def many_members(database: Database, organisation_id: str, count: int) -> None:
    """Members, all of one time."""
    with superuser(database) as connection:
        connection.execute(
            "with made as (insert into app.users (user_id, email)"
            " select gen_random_uuid(), gen_random_uuid() || '@example.com'"
            " from generate_series(1, %s)"
            " returning user_id)"
            " insert into app.memberships (organisation_id, user_id, role, created_at)"
            " select %s, user_id, 'viewer', %s from made",
            [count, organisation_id, SAME_TIME],
        )
