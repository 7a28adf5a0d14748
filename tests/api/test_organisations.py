"""Organisations: found, list, read, rename."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from api.policies import databases
from tests.api.bodies import ORGANISATION, PAGE, fits, is_made_at
from tests.api.paging import BAD_PAGES, follow, many_organisations, page_of, walk
from tests.api.people import ROLES, person, staff

if TYPE_CHECKING:
    from tests.api.conftest import Api, Caller

LAST_OFFSET = str(2**63 - 1)

NAMES = pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" \t\n\u00a0Acme\u3000Ltd\r\n\u2028 ", "Acme\u3000Ltd"),
        ("\U0001f600" * 200, "\U0001f600" * 200),
        ("\t" * 300 + "é" * 200 + "\n" * 300, "é" * 200),
        ("a\tb\nc", "a\tb\nc"),
        ("'; drop table app.organisations; --", "'; drop table app.organisations; --"),
        ("\u200b", "\u200b"),
    ],
    ids=["trimmed", "astral", "trimmed-to-200", "white-inside", "sql", "no-white-space"],
)
BAD_NAMES = pytest.mark.parametrize(
    "name", ["", " ", "\t\n", "\u3000", "n" * 201, "\U0001f600" * 201, "a\x00", None, 7]
)


@pytest.fixture
def database_url(session_database: databases.Database) -> str:
    """These tests only add rows, under people of their own: one database for all of them."""
    return session_database.api_url


async def names(caller: "Caller") -> list[str]:
    """Those of the caller's organisations, as listed."""
    return [each["name"] for each in (await caller.get("/orgs")).body["items"]]


# Found


async def test_create_answers_the_organisation_and_where_it_is(api: "Api") -> None:
    ada = await person(api, "ada")
    answer = await ada.post("/orgs", {"name": "Acme"})
    assert is_made_at(answer, f"/orgs/{answer.body['organisation_id']}", ORGANISATION)
    assert answer.body["name"] == "Acme"
    assert answer.body["created_at"] == answer.body["updated_at"]
    found = await ada.get(answer.headers["Location"])
    assert (found.status, found.body) == (200, answer.body)


async def test_create_makes_the_creator_its_only_member_and_owner(api: "Api") -> None:
    ada = await person(api, "ada")
    acme = await ada.organisation()
    members = (await ada.get(f"/orgs/{acme}/members")).body
    assert [(each["user_id"], each["role"]) for each in members["items"]] == [
        (ada.user_id, "owner")
    ]


@NAMES
async def test_create_name_is_kept_as_trimmed(api: "Api", given: str, kept: str) -> None:
    ada = await person(api, "ada")
    answer = await ada.post("/orgs", {"name": given})
    assert (answer.status, answer.body["name"]) == (201, kept)


@BAD_NAMES
async def test_create_bad_name_is_422(api: "Api", name: Any) -> None:
    ada = await person(api, "ada")
    answer = await ada.post("/orgs", {"name": name})
    assert (answer.status, answer.problem, answer.pointers) == (422, "invalid-request", ["/name"])
    assert await names(ada) == []


async def test_create_name_need_not_be_unique(api: "Api") -> None:
    ada = await person(api, "ada")
    assert await ada.organisation("Acme") != await ada.organisation("Acme")


async def test_create_at_the_same_moment_makes_each(api: "Api") -> None:
    ada = await person(api, "ada")
    ids = await asyncio.gather(*(ada.organisation(f"Acme {n}") for n in range(10)))
    assert len(set(ids)) == 10
    assert (await ada.get("/orgs")).body["total"] == 10


# List


async def test_list_without_any_is_an_empty_page(api: "Api") -> None:
    ada = await person(api, "ada")
    answer = await ada.get("/orgs")
    assert answer.status == 200
    assert answer.body == page_of([])


async def test_list_items_are_organisations_newest_first(api: "Api") -> None:
    ada = await person(api, "ada")
    for name in ("first", "second", "third"):
        await ada.organisation(name)
    page = (await ada.get("/orgs")).body
    assert set(page) == PAGE
    assert all(fits(each, ORGANISATION) for each in page["items"])
    assert [each["name"] for each in page["items"]] == ["third", "second", "first"]


async def test_list_has_only_the_callers(api: "Api") -> None:
    acme = await staff(api, "viewer", "stranger")
    await acme["stranger"].organisation("Elsewhere")
    assert await names(acme["viewer"]) == await names(acme.founder) == ["Acme"]
    assert await names(acme["stranger"]) == ["Elsewhere"]


async def test_list_shows_50_unless_asked_and_200_at_most(
    api: "Api", session_database: databases.Database
) -> None:
    ada = await person(api, "ada")
    many_organisations(session_database, ada.user_id, 205)
    for query, count in (({}, 50), ({"limit": "1"}, 1), ({"limit": "200"}, 200)):
        page = (await ada.get("/orgs", **query)).body
        assert (len(page["items"]), page["limit"], page["total"]) == (count, count, 205)
    for offset, count in (("200", 5), ("205", 0), (LAST_OFFSET, 0)):
        page = (await ada.get("/orgs", offset=offset, limit="200")).body
        assert (len(page["items"]), page["offset"], page["total"]) == (count, int(offset), 205)


@pytest.mark.parametrize("step", [1, 4, 25])
async def test_list_of_one_time_neither_repeats_nor_skips(
    api: "Api", session_database: databases.Database, step: int
) -> None:
    ada = await person(api, "ada")
    many_organisations(session_database, ada.user_id, 24)
    organisations = await walk(ada, "/orgs", step)
    assert await follow(ada, "/orgs", step) == organisations
    ids = [each["organisation_id"] for each in organisations]
    assert len(set(ids)) == 24
    assert ids == sorted(ids, reverse=True)


@pytest.mark.parametrize("query", BAD_PAGES, ids=str)
async def test_list_bad_query_is_422(api: "Api", query: dict[str, str]) -> None:
    ada = await person(api, "ada")
    answer = await ada.get("/orgs", **query)
    assert (answer.status, answer.pointers) == (422, list(query))


# Read


@pytest.mark.parametrize("role", ROLES)
async def test_get_is_for_every_member(api: "Api", role: str) -> None:
    acme = await staff(api, role)
    answer = await acme[role].get(acme.path)
    assert answer.status == 200
    assert fits(answer.body, ORGANISATION)
    assert answer.body["organisation_id"] == acme.organisation_id


async def test_get_id_in_upper_case_is_the_same(api: "Api") -> None:
    ada = await person(api, "ada")
    acme = await ada.organisation()
    assert (await ada.get(f"/orgs/{acme.upper()}")).body["organisation_id"] == acme


# Rename


@pytest.mark.parametrize("role", ROLES)
async def test_update_is_for_admins_and_owners(api: "Api", role: str) -> None:
    acme = await staff(api, role)
    answer = await acme[role].patch(acme.path, {"name": "Apex"})
    allowed = role in ("owner", "admin")
    if allowed:
        assert (answer.status, answer.body["name"]) == (200, "Apex")
        assert fits(answer.body, ORGANISATION)
    else:
        assert (answer.status, answer.problem) == (403, "forbidden")
    assert await names(acme.founder) == ["Apex" if allowed else "Acme"]


@NAMES
async def test_update_name_is_kept_as_trimmed(api: "Api", given: str, kept: str) -> None:
    ada = await person(api, "ada")
    acme = await ada.organisation()
    answer = await ada.patch(f"/orgs/{acme}", {"name": given})
    assert (answer.status, answer.body["name"]) == (200, kept)


async def test_update_moves_updated_at_and_nothing_else(api: "Api") -> None:
    ada = await person(api, "ada")
    acme = (await ada.post("/orgs", {"name": "Acme"})).body
    path = f"/orgs/{acme['organisation_id']}"
    renamed = (await ada.patch(path, {"name": "Apex"})).body
    assert renamed["updated_at"] > acme["updated_at"]
    assert renamed == acme | {"name": "Apex", "updated_at": renamed["updated_at"]}
    assert (await ada.get(path)).body == renamed


@pytest.mark.parametrize("name", ["Acme", "  Acme\n"])
async def test_update_to_the_same_name_leaves_updated_at(api: "Api", name: str) -> None:
    ada = await person(api, "ada")
    acme = (await ada.post("/orgs", {"name": "Acme"})).body
    answer = await ada.patch(f"/orgs/{acme['organisation_id']}", {"name": name})
    assert (answer.status, answer.body) == (200, acme)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, [""]),
        ({"name": None}, ["/name"]),
        ({"name": " "}, ["/name"]),
        ({"name": "n", "organisation_id": "x"}, ["/organisation_id"]),
        ({"created_at": "2026-01-01T00:00:00Z"}, ["/created_at"]),
        ([], [""]),
        ("name", [""]),
    ],
)
async def test_update_that_does_not_fit_is_422(
    api: "Api", body: object, pointers: list[str]
) -> None:
    ada = await person(api, "ada")
    acme = await ada.organisation()
    answer = await ada.patch(f"/orgs/{acme}", body)
    assert (answer.status, answer.pointers) == (422, pointers)
    assert await names(ada) == ["Acme"]


# Removed, by hand: no endpoint does


async def test_organisation_that_a_superuser_removes_goes_with_its_key_and_without_its_people(
    api: "Api", session_database: databases.Database
) -> None:
    ada = await person(api, "ada")
    acme, globex = await ada.organisation("Acme"), await ada.organisation("Globex")
    await ada.project(acme)
    made = await ada.post(f"/orgs/{acme}/api-keys", {"name": "CI"})
    key = replace(ada, token=made.body["raw_key"])
    assert (await key.get(f"/orgs/{acme}/projects")).status == 200
    with psycopg.connect(session_database.admin_url) as connection:
        connection.execute("delete from app.organisations where organisation_id = %s", [acme])
    assert (await key.get(f"/orgs/{acme}/projects")).status == 401
    assert (await ada.get(f"/orgs/{acme}")).status == 404
    assert await names(ada) == ["Globex"]
    assert (await ada.get(f"/orgs/{globex}")).status == 200
