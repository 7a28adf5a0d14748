"""Projects: create, list, read, change, delete."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from api.app import create_app
from api.policies import databases
from api.settings import Settings
from tests.api.bodies import PAGE, PROJECT, anonymous, fits, is_empty, is_made_at
from tests.api.paging import (
    BAD_PAGES,
    follow,
    many_projects,
    page_of,
    superuser,
    walk,
    without_indexes,
)
from tests.api.people import ROLES, Staff, staff
from tests.api.samples import NOWHERE

if TYPE_CHECKING:
    from tests.api.conftest import Api, HttpClient

MakeClient = Callable[..., Awaitable["HttpClient"]]
LAST_OFFSET = str(2**63 - 1)
WRITERS = ("owner", "admin", "member")

as_each_role = pytest.mark.parametrize("role", ROLES)


@pytest.fixture
def database_url(session_database: databases.Database) -> str:
    """These tests only add rows, under people of their own: one database for all of them."""
    return session_database.api_url


@pytest.fixture
async def acme(api: "Api") -> Staff:
    """An organisation with its founder."""
    return await staff(api)


async def create(acme: Staff, name: str = "Apollo", **fields: Any) -> dict[str, Any]:
    """A new project's body."""
    answer = await acme.founder.post(f"{acme.path}/projects", {"name": name, **fields})
    assert answer.status == 201
    body: dict[str, Any] = answer.body
    return body


async def names(acme: Staff, **query: str) -> list[str]:
    """Those of a page of projects, in its order."""
    answer = await acme.founder.get(f"{acme.path}/projects", **query)
    assert answer.status == 200
    return [each["name"] for each in answer.body["items"]]


def path_of(acme: Staff, project: dict[str, Any]) -> str:
    """Where a project is."""
    return f"{acme.path}/projects/{project['project_id']}"


# Create


@as_each_role
async def test_create_is_for_members_and_above(api: "Api", role: str) -> None:
    acme = await staff(api, role)
    answer = await acme[role].post(f"{acme.path}/projects", {"name": "Apollo"})
    if role in WRITERS:
        assert is_made_at(answer, path_of(acme, answer.body), PROJECT)
    else:
        assert (answer.status, answer.problem) == (403, "forbidden")
    assert await names(acme) == (["Apollo"] if role in WRITERS else [])


async def test_create_with_a_name_alone_has_the_defaults(acme: Staff) -> None:
    project = await create(acme)
    assert project | {"project_id": 0, "created_at": 0, "updated_at": 0} == {
        "project_id": 0,
        "organisation_id": acme.organisation_id,
        "name": "Apollo",
        "description": None,
        "status": "active",
        "created_at": 0,
        "updated_at": 0,
    }
    assert project["created_at"] == project["updated_at"]
    assert (await acme.founder.get(path_of(acme, project))).body == project


@pytest.mark.parametrize("status", ["active", "archived"])
@pytest.mark.parametrize("description", [None, "", " as it is \n", "\U0001f600" * 2000])
async def test_create_keeps_what_was_given(
    acme: Staff, status: str, description: str | None
) -> None:
    project = await create(acme, status=status, description=description)
    assert (project["status"], project["description"]) == (status, description)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("\t\n Apollo \u00a011\r\n\u3000", "Apollo \u00a011"),
        ("\U0001f680" * 200, "\U0001f680" * 200),
        ("\n" + "ß" * 200 + "\t", "ß" * 200),
        ("a\tb\nc", "a\tb\nc"),
        ('{"a": "\\u0041"}', '{"a": "\\u0041"}'),
    ],
    ids=["trimmed", "astral", "trimmed-to-200", "white-inside", "json"],
)
async def test_name_is_kept_as_trimmed(acme: Staff, given: str, kept: str) -> None:
    project = await create(acme, given)
    assert project["name"] == kept
    changed = await acme.founder.patch(path_of(acme, project), {"name": f" {given} "})
    assert (changed.status, changed.body) == (200, project)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/name"]),
        ({"name": "\t\n"}, ["/name"]),
        ({"name": "\U0001f680" * 201}, ["/name"]),
        ({"name": None}, ["/name"]),
        ({"name": "n", "description": "d" * 2001}, ["/description"]),
        ({"name": "n", "description": 7}, ["/description"]),
        ({"name": "n", "description": "\x00"}, ["/description"]),
        ({"name": "n", "status": "deleted"}, ["/status"]),
        ({"name": "n", "status": None}, ["/status"]),
        ({"name": "n", "organisation_id": NOWHERE}, ["/organisation_id"]),
        ({"name": "n", "deleted_at": None}, ["/deleted_at"]),
        ([], [""]),
    ],
)
async def test_create_that_does_not_fit_is_422(
    acme: Staff, body: object, pointers: list[str]
) -> None:
    answer = await acme.founder.post(f"{acme.path}/projects", body)
    assert (answer.status, answer.problem, answer.pointers) == (422, "invalid-request", pointers)
    assert await names(acme) == []


async def test_create_at_the_same_moment_makes_each(acme: Staff) -> None:
    made = await asyncio.gather(*(create(acme) for _ in range(12)))
    assert len({project["project_id"] for project in made}) == 12
    assert (await acme.founder.get(f"{acme.path}/projects")).body["total"] == 12


# List


@as_each_role
async def test_list_is_for_every_member(api: "Api", role: str) -> None:
    acme = await staff(api, role)
    project = await create(acme)
    answer = await acme[role].get(f"{acme.path}/projects")
    assert (answer.status, set(answer.body)) == (200, PAGE)
    assert answer.body == page_of([project])


async def test_list_without_any_is_an_empty_page(acme: Staff) -> None:
    answer = await acme.founder.get(f"{acme.path}/projects")
    assert answer.body == page_of([])


async def test_list_shows_50_unless_asked_and_200_at_most(
    acme: Staff, session_database: databases.Database
) -> None:
    many_projects(session_database, acme.organisation_id, 205)
    path = f"{acme.path}/projects"
    for query, count in (({}, 50), ({"limit": "1"}, 1), ({"limit": "200"}, 200)):
        page = (await acme.founder.get(path, **query)).body
        assert (len(page["items"]), page["limit"], page["total"]) == (count, count, 205)
    for offset, count in (("200", 5), ("205", 0), (LAST_OFFSET, 0)):
        page = (await acme.founder.get(path, offset=offset, limit="200")).body
        assert (len(page["items"]), page["offset"], page["total"]) == (count, int(offset), 205)


@pytest.mark.parametrize("sort_by", ["created_at", "updated_at", "name"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_list_of_one_time_and_name_neither_repeats_nor_skips(
    acme: Staff, session_database: databases.Database, sort_by: str, direction: str
) -> None:
    many_projects(session_database, acme.organisation_id, 23)
    order = {"sort_by": sort_by, "sort_direction": direction}
    items = await walk(acme.founder, f"{acme.path}/projects", 5, **order)
    ids = [each["project_id"] for each in items]
    assert len(set(ids)) == 23
    assert ids == sorted(ids, reverse=direction == "desc")
    assert await follow(acme.founder, f"{acme.path}/projects", 5, **order) == items


async def test_list_that_is_written_to_meanwhile_goes_on_where_it_was(acme: Staff) -> None:
    made = [await acme.founder.project(acme.organisation_id, name=str(n)) for n in range(4)]
    first = await acme.founder.get(f"{acme.path}/projects", limit="2")
    await acme.founder.project(acme.organisation_id, name="newer")
    await acme.founder.delete(f"{acme.path}/projects/{made[3]}")
    second = await acme.founder.get(
        f"{acme.path}/projects", limit="2", cursor=first.body["next_cursor"]
    )
    names = [each["name"] for each in first.body["items"] + second.body["items"]]
    assert names == ["3", "2", "1", "0"]
    assert (second.body["total"], second.body["next_cursor"]) == (4, None)


async def test_list_takes_no_cursor_of_another_order_or_list(acme: Staff) -> None:
    for name in ("one", "two"):
        await acme.founder.project(acme.organisation_id, name=name)
        await acme.founder.post(f"{acme.path}/api-keys", {"name": name})
    path = f"{acme.path}/projects"
    cursor = (await acme.founder.get(path, limit="1")).body["next_cursor"]
    assert (await acme.founder.get(path, cursor=cursor)).status == 200
    for order in ({"sort_by": "name"}, {"sort_direction": "asc"}):
        answer = await acme.founder.get(path, cursor=cursor, **order)
        assert (answer.status, answer.pointers) == (422, ["cursor"])
    for other in ("members", "api-keys", "audit-events"):
        answer = await acme.founder.get(f"{acme.path}/{other}", cursor=cursor)
        assert (answer.status, answer.pointers) == (422, ["cursor"])
    keys = await acme.founder.get(f"{acme.path}/api-keys", limit="1")
    answer = await acme.founder.get(path, cursor=keys.body["next_cursor"])
    assert (answer.status, answer.pointers) == (422, ["cursor"])


async def test_list_keeps_its_filters_in_the_link_to_its_next_page(acme: Staff) -> None:
    for name in ("École & Co", "école 2", "Looms"):
        await acme.founder.project(acme.organisation_id, name=name)
    found = await follow(acme.founder, f"{acme.path}/projects", 1, name="ÉCOLE", sort_by="name")
    assert [each["name"] for each in found] == ["école 2", "École & Co"]


async def test_list_counts_no_further_than_ten_thousand(
    acme: Staff, session_database: databases.Database
) -> None:
    many_projects(session_database, acme.organisation_id, 10_000)
    path = f"{acme.path}/projects"
    page = (await acme.founder.get(path, limit="1")).body
    assert (page["total"], page["total_is_exact"]) == (10_000, True)
    await acme.founder.project(acme.organisation_id, name="one more")
    for query in ({}, {"status": "active"}):
        page = (await acme.founder.get(path, limit="1", **query)).body
        assert (page["total"], page["total_is_exact"]) == (10_000, False)
    page = (await acme.founder.get(path, offset="10000")).body
    assert (len(page["items"]), page["next_cursor"]) == (1, None)


async def test_list_of_one_time_and_name_is_in_order_without_an_index_too(
    aiohttp_client: MakeClient, database: databases.Database
) -> None:
    from tests.api.conftest import Api

    without_indexes(database)
    api = Api(await aiohttp_client(create_app(Settings(database_url=database.api_url))))
    acme = await staff(api)
    many_projects(database, acme.organisation_id, 23)
    for sort_by in ("created_at", "updated_at", "name"):
        for direction in ("asc", "desc"):
            order = {"sort_by": sort_by, "sort_direction": direction}
            items = await walk(acme.founder, f"{acme.path}/projects", 5, **order)
            ids = [each["project_id"] for each in items]
            assert len(set(ids)) == 23
            assert ids == sorted(ids, reverse=direction == "desc")


async def test_list_goes_on_in_pages_where_some_are_deleted_and_filtered(
    acme: Staff, session_database: databases.Database
) -> None:
    many_projects(session_database, acme.organisation_id, 24)
    with superuser(session_database) as connection:
        ids = connection.execute(
            "select project_id::text from app.projects where organisation_id = %s order by 1",
            [acme.organisation_id],
        ).fetchall()
        deleted, archived = [row[0] for row in ids[::3]], [row[0] for row in ids[1::3]]
        connection.execute(
            "update app.projects set deleted_at = now() where project_id = any(%s::uuid[])",
            [deleted],
        )
        connection.execute(
            "update app.projects set status = 'archived' where project_id = any(%s::uuid[])",
            [archived],
        )
    items = await walk(acme.founder, f"{acme.path}/projects", 3, status="archived", name="same")
    assert sorted(each["project_id"] for each in items) == archived


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "third second first"),
        ({"sort_by": "created_at"}, "third second first"),
        ({"sort_direction": "asc"}, "first second third"),
        ({"sort_by": "created_at", "sort_direction": "asc"}, "first second third"),
        ({"sort_by": "updated_at"}, "first third second"),
        ({"sort_by": "updated_at", "sort_direction": "asc"}, "second third first"),
        ({"sort_by": "name"}, "third second first"),
        ({"sort_by": "name", "sort_direction": "asc"}, "first second third"),
        ({"sort_by": "name", "sort_direction": "desc", "limit": "1", "offset": "1"}, "second"),
    ],
    ids=str,
)
async def test_list_is_in_the_order_asked_for(
    acme: Staff, query: dict[str, str], expected: str
) -> None:
    first, _, _ = [await create(acme, name) for name in ("first", "second", "third")]
    await acme.founder.patch(path_of(acme, first), {"description": "touched"})
    assert " ".join(await names(acme, **query)) == expected


async def test_list_names_are_in_order_of_code_points(acme: Staff) -> None:
    given = ["b", "B", "a", "é", "\U0001f600", "10", "9", "\uffee"]
    for name in given:
        await create(acme, name)
    assert await names(acme, sort_by="name", sort_direction="asc") == sorted(given)
    assert await names(acme, sort_by="name") == sorted(given, reverse=True)


async def test_list_by_status_has_those_alone(acme: Staff) -> None:
    for name, status in (("one", "active"), ("two", "archived"), ("three", "active")):
        await create(acme, name, status=status)
    assert await names(acme, status="active") == ["three", "one"]
    assert await names(acme, status="archived") == ["two"]
    page = (await acme.founder.get(f"{acme.path}/projects", status="active", limit="1")).body
    assert (len(page["items"]), page["total"]) == (1, 2)


FOUND = [
    ("ÉCO", "école"),
    ("école", "LA GRANDE ÉCOLE"),
    ("STRASSE", "Straße"),
    ("straße", "HAUPTSTRASSE"),
    ("σίσυφοσ", "ΣΊΣΥΦΟΣ"),
    ("ς", "ΣΟΦΟΣ"),
    ("ЛЮД", "люди"),
    ("%", "100%"),
    ("_", "snake_case"),
    ("\\", "back\\slash"),
    ("0% o", "100% OFF"),
    (" ", "two words"),
    ("\U00010400", "\U00010428"),
    ("", "anything"),
    ("demo", "Demo"),
]


@pytest.mark.parametrize(("part", "name"), FOUND)
async def test_list_by_name_finds_a_part_in_any_case(acme: Staff, part: str, name: str) -> None:
    await create(acme, name)
    assert await names(acme, name=part) == [name]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("%", "100"),
        ("_", "snake"),
        ("a%c", "abc"),
        ("a_c", "abc"),
        ("\\%", "%"),
        ("demo.", "demo1"),
        ("^d", "demo"),
        ("demo ", "demo"),
        ("eco", "école"),
    ],
)
async def test_list_by_name_takes_no_character_for_another(
    acme: Staff, part: str, name: str
) -> None:
    await create(acme, name)
    answer = await acme.founder.get(f"{acme.path}/projects", name=part)
    assert (answer.status, answer.body["items"], answer.body["total"]) == (200, [], 0)


async def test_list_by_name_and_status_has_what_fits_both(acme: Staff) -> None:
    for name, status in (("demo 1", "active"), ("Demo 2", "archived"), ("other", "archived")):
        await create(acme, name, status=status)
    assert await names(acme, name="DEMO", status="archived") == ["Demo 2"]
    assert await names(acme, name="DEMO", sort_by="name", sort_direction="asc") == [
        "Demo 2",
        "demo 1",
    ]


@pytest.mark.parametrize(
    "query",
    [
        *BAD_PAGES,
        {"status": "deleted"},
        {"sort_by": "project_id"},
        {"sort_by": "name desc"},
        {"sort_direction": "DESC"},
        {"name": "n" * 201},
        {"name": "\x00"},
    ],
    ids=str,
)
async def test_list_bad_query_is_422(acme: Staff, query: dict[str, str]) -> None:
    answer = await acme.founder.get(f"{acme.path}/projects", **query)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert answer.pointers == list(query)


# Read


@as_each_role
async def test_get_is_for_every_member(api: "Api", role: str) -> None:
    acme = await staff(api, role)
    project = await create(acme, description="To the moon")
    answer = await acme[role].get(path_of(acme, project))
    assert (answer.status, answer.body) == (200, project)
    assert fits(answer.body, PROJECT)


async def test_get_id_in_upper_case_is_the_same(acme: Staff) -> None:
    project = await create(acme)
    path = f"{acme.path}/projects/{project['project_id'].upper()}"
    assert (await acme.founder.get(path)).body == project


# Change


@as_each_role
async def test_update_is_for_members_and_above(api: "Api", role: str) -> None:
    acme = await staff(api, role)
    project = await create(acme)
    answer = await acme[role].patch(path_of(acme, project), {"name": "Artemis"})
    if role in WRITERS:
        assert (answer.status, answer.body["name"]) == (200, "Artemis")
        assert fits(answer.body, PROJECT)
    else:
        assert (answer.status, answer.problem) == (403, "forbidden")
    assert await names(acme) == ["Artemis" if role in WRITERS else "Apollo"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Artemis"},
        {"description": "Back to the moon"},
        {"description": None},
        {"description": ""},
        {"status": "archived"},
        {"name": "Artemis", "status": "archived"},
        {"name": "Artemis", "description": None, "status": "archived"},
    ],
    ids=str,
)
async def test_update_changes_the_fields_given_and_no_other(
    acme: Staff, change: dict[str, Any]
) -> None:
    project = await create(acme, description="To the moon")
    answer = await acme.founder.patch(path_of(acme, project), change)
    assert answer.status == 200
    assert answer.body == project | change | {"updated_at": answer.body["updated_at"]}
    assert answer.body["updated_at"] > project["updated_at"]
    assert (await acme.founder.get(path_of(acme, project))).body == answer.body


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Apollo"},
        {"name": "\tApollo\n"},
        {"description": None},
        {"status": "active"},
        {"name": "Apollo", "description": None, "status": "active"},
    ],
    ids=str,
)
async def test_update_that_changes_nothing_leaves_updated_at(
    acme: Staff, change: dict[str, Any]
) -> None:
    project = await create(acme)
    answer = await acme.founder.patch(path_of(acme, project), change)
    assert (answer.status, answer.body) == (200, project)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, [""]),
        ({"name": None}, ["/name"]),
        ({"name": "\u3000"}, ["/name"]),
        ({"status": None}, ["/status"]),
        ({"description": "d" * 2001}, ["/description"]),
        ({"project_id": NOWHERE}, ["/project_id"]),
        ({"organisation_id": NOWHERE, "name": "n"}, ["/organisation_id"]),
        ({"created_at": "2026-01-01T00:00:00Z"}, ["/created_at"]),
        ({"deleted_at": None}, ["/deleted_at"]),
        (["name"], [""]),
    ],
)
async def test_update_that_does_not_fit_is_422(
    acme: Staff, body: object, pointers: list[str]
) -> None:
    project = await create(acme)
    answer = await acme.founder.patch(path_of(acme, project), body)
    assert (answer.status, answer.pointers) == (422, pointers)
    assert (await acme.founder.get(path_of(acme, project))).body == project


async def test_update_of_different_fields_at_once_keeps_both(acme: Staff) -> None:
    project = await create(acme)
    path = path_of(acme, project)
    answers = await asyncio.gather(
        acme.founder.patch(path, {"name": "Artemis"}),
        acme.founder.patch(path, {"description": "d"}),
        acme.founder.patch(path, {"status": "archived"}),
    )
    assert [answer.status for answer in answers] == [200] * 3
    body = (await acme.founder.get(path)).body
    assert (body["name"], body["description"], body["status"]) == ("Artemis", "d", "archived")


# Delete


@as_each_role
async def test_delete_is_for_members_and_above(api: "Api", role: str) -> None:
    acme = await staff(api, role)
    project = await create(acme)
    answer = await acme[role].delete(path_of(acme, project))
    if role in WRITERS:
        assert is_empty(answer)
    else:
        assert (answer.status, answer.problem) == (403, "forbidden")
    assert await names(acme) == ([] if role in WRITERS else ["Apollo"])


async def test_delete_hides_the_project_everywhere_and_keeps_its_row(
    acme: Staff, session_database: databases.Database
) -> None:
    project, other = await create(acme, "Apollo"), await create(acme, "Gemini")
    path = path_of(acme, project)
    assert (await acme.founder.delete(path)).status == 204
    never = anonymous(await acme.founder.get(f"{acme.path}/projects/{NOWHERE}"))
    for answer in (
        await acme.founder.get(path),
        await acme.founder.patch(path, {"name": "Artemis"}),
        await acme.founder.delete(path),
    ):
        assert anonymous(answer) == never
    for query in ({}, {"name": "Apollo"}, {"status": "active"}, {"sort_by": "name"}):
        page = (await acme.founder.get(f"{acme.path}/projects", **query)).body
        expected = [] if "name" in query else [other]
        assert (page["items"], page["total"]) == (expected, len(expected))
    with superuser(session_database) as connection:
        row = connection.execute(
            "select name, deleted_at is not null from app.projects where project_id = %s",
            [project["project_id"]],
        ).fetchone()
    assert row == ("Apollo", True)


async def test_delete_at_the_same_moment_is_done_once(acme: Staff) -> None:
    path = path_of(acme, await create(acme))
    answers = await asyncio.gather(*(acme.founder.delete(path) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [204] + [404] * 5


async def test_delete_and_update_at_the_same_moment_leave_it_deleted(acme: Staff) -> None:
    for _ in range(5):
        path = path_of(acme, await create(acme))
        changed, deleted = await asyncio.gather(
            acme.founder.patch(path, {"name": "Artemis"}), acme.founder.delete(path)
        )
        assert deleted.status == 204
        assert changed.status in (200, 404)
        assert (await acme.founder.get(path)).status == 404
