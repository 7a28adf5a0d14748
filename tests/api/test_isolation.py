"""Tenants over HTTP: what is another's is not there, and nothing tells it from what never was."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from api.app import create_app
from api.calls import Route
from api.policies import databases
from api.settings import Settings
from tests.api import samples
from tests.api.bodies import anonymous
from tests.api.paging import superuser
from tests.api.people import ROLES, Staff, person, staff

if TYPE_CHECKING:
    from tests.api.conftest import Api, HttpClient

MakeClient = Callable[..., Awaitable["HttpClient"]]
NO_IDS = ("no-uuid", "0", "00000000-0000-0000-0000-000000000000", "%00", "é", "'", "n" * 2000)


@pytest.fixture
def database_url(session_database: databases.Database) -> str:
    """These tests only add rows, under people of their own: one database for all of them."""
    return session_database.api_url


def rows_of(database: databases.Database, *organisations: str) -> list[Any]:
    """Everything there is of these organisations."""
    found: list[Any] = []
    with superuser(database) as connection:
        for table in ("organisations", "memberships", "projects"):
            query = f"select t::text from app.{table} as t where organisation_id = any(%s::uuid[])"
            rows = connection.execute(query.encode(), [list(organisations)])
            found += sorted(row[0] for row in rows)
    return found


@samples.each("/orgs/{organisation_id}")
async def test_organisation_of_others_answers_like_none(
    api: "Api", session_database: databases.Database, route: Route
) -> None:
    acme = await staff(api, "member", "stranger")
    project = await acme.founder.project(acme.organisation_id)
    before = rows_of(session_database, acme.organisation_id)
    stranger = acme["stranger"]
    ids = {"user_id": acme["member"].user_id, "project_id": project}
    others = await samples.ask(stranger, route, organisation_id=acme.organisation_id, **ids)
    assert (others.status, others.problem) == (404, "not-found")
    for nothing in (samples.NOWHERE, str(uuid.uuid4()), *NO_IDS):
        answer = await samples.ask(stranger, route, organisation_id=nothing, **ids)
        assert anonymous(answer) == anonymous(others)
    assert rows_of(session_database, acme.organisation_id) == before


@samples.each("{project_id}")
@pytest.mark.parametrize("role", ["owner", "viewer"])
async def test_project_of_others_answers_like_none(
    api: "Api", session_database: databases.Database, route: Route, role: str
) -> None:
    acme, apex = await staff(api, role), await staff(api)
    deleted = await acme.founder.project(acme.organisation_id)
    await acme.founder.delete(f"{acme.path}/projects/{deleted}")
    second = await acme.founder.organisation()
    theirs = await apex.founder.project(apex.organisation_id)
    mine_elsewhere = await acme.founder.project(second)
    before = rows_of(session_database, acme.organisation_id, apex.organisation_id, second)
    expected = 404 if role == "owner" or route.method == "GET" else 403
    first = None
    for project_id in (theirs, deleted, mine_elsewhere, samples.NOWHERE, *NO_IDS):
        answer = await samples.ask(
            acme[role], route, organisation_id=acme.organisation_id, project_id=project_id
        )
        first = first or answer
        assert answer.status == expected
        assert anonymous(answer) == anonymous(first)
    after = rows_of(session_database, acme.organisation_id, apex.organisation_id, second)
    assert after == before


@samples.each("{user_id}")
async def test_user_who_is_no_member_answers_like_none(
    api: "Api", session_database: databases.Database, route: Route
) -> None:
    acme, apex = await staff(api, "admin", "stranger"), await staff(api)
    before = rows_of(session_database, acme.organisation_id, apex.organisation_id)
    for caller in (acme.founder, acme["admin"]):
        nobody = await samples.ask(caller, route, organisation_id=acme.organisation_id)
        assert (nobody.status, nobody.problem) == (404, "not-found")
        for user_id in (acme["stranger"].user_id, apex.founder.user_id, *NO_IDS):
            answer = await samples.ask(
                caller, route, organisation_id=acme.organisation_id, user_id=user_id
            )
            assert anonymous(answer) == anonymous(nobody)
    assert rows_of(session_database, acme.organisation_id, apex.organisation_id) == before


async def test_every_404_has_one_body_whatever_is_missing(api: "Api") -> None:
    acme = await staff(api, "stranger")
    member = {"role": "viewer"}
    answers = [
        await acme.founder.get("/nowhere"),
        await acme.founder.get(f"/orgs/{samples.NOWHERE}"),
        await acme["stranger"].get(acme.path),
        await acme.founder.get(f"{acme.path}/projects/{samples.NOWHERE}"),
        await acme.founder.delete(f"{acme.path}/members/{samples.NOWHERE}"),
        await acme.founder.post(f"{acme.path}/members", member | {"user_id": samples.NOWHERE}),
        await acme.founder.post(f"{acme.path}/members", member | {"email": "no@example.com"}),
    ]
    first = anonymous(answers[0])
    assert first[0] == 404
    assert set(first[1]) == {"type", "title", "status", "detail", "instance"}
    assert all(anonymous(answer) == first for answer in answers)


@pytest.mark.parametrize("role", ROLES)
async def test_role_in_one_organisation_is_none_in_another(api: "Api", role: str) -> None:
    acme, apex = await staff(api), await staff(api)
    await acme.founder.add(acme.organisation_id, apex.founder, role)
    visitor = apex.founder  # owner of apex, something else in acme
    assert (await visitor.patch(apex.path, {"name": "Apex"})).status == 200
    renamed = await visitor.patch(acme.path, {"name": "Acme"})
    assert renamed.status == (200 if role in ("owner", "admin") else 403)
    assert (await acme.founder.get(apex.path)).status == 404


async def test_lists_and_counts_are_of_one_organisation(api: "Api") -> None:
    acme, apex = await staff(api, "viewer"), await staff(api)
    for tenant, count in ((acme, 2), (apex, 3)):
        for _ in range(count):
            await tenant.founder.project(tenant.organisation_id, "Secret of one tenant")
    for tenant, count, members in ((acme, 2, 2), (apex, 3, 1)):
        page = (await tenant.founder.get(f"{tenant.path}/projects", name="secret")).body
        assert (page["total"], len(page["items"])) == (count, count)
        assert {each["organisation_id"] for each in page["items"]} == {tenant.organisation_id}
        assert (await tenant.founder.get(f"{tenant.path}/members")).body["total"] == members


async def test_names_and_projects_alike_do_not_meet(api: "Api") -> None:
    """Nothing is unique across tenants, so that nothing can be found out by colliding."""
    acme, apex = await staff(api), await staff(api)
    for tenant in (acme, apex):
        answer = await tenant.founder.post(f"{tenant.path}/projects", {"name": "Apollo"})
        assert answer.status == 201


async def test_tenants_at_once_on_two_connections_see_their_own(
    settings: Settings, aiohttp_client: MakeClient
) -> None:
    from tests.api.conftest import Api

    api = Api(await aiohttp_client(create_app(replace(settings, database_pool_size=2))))
    tenants = [await tenant_with_its_name_on_everything(api) for _ in range(8)]

    async def look(tenant: Staff, path: str) -> None:
        answer = await tenant.founder.get(path)
        assert answer.status == 200
        said = str(answer.body)
        assert tenant.organisation_id in said
        assert not any(o.organisation_id in said for o in tenants if o is not tenant)

    paths = ("/me", "/orgs", "{}", "{}/members", "{}/projects")
    turns = [(tenant, path) for _ in range(4) for path in paths for tenant in tenants]
    await asyncio.gather(*(look(tenant, path.format(tenant.path)) for tenant, path in turns))
    # And each other's, between successes of its owner on the same connections.
    refused = await asyncio.gather(
        *(one.founder.get(other.path) for one in tenants for other in tenants)
    )
    assert [answer.status for answer in refused].count(200) == len(tenants)
    assert {answer.status for answer in refused} == {200, 404}


async def tenant_with_its_name_on_everything(api: "Api") -> Staff:
    """An organisation with a project."""
    founder = await person(api, "founder")
    tenant = Staff(await founder.organisation(), founder, {})
    await founder.project(tenant.organisation_id)
    return tenant
