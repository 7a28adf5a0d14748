"""One request, one statement: the database is asked once, whatever it answers."""

from typing import TYPE_CHECKING

import psycopg
import pytest

from api.calls import Route
from api.policies import databases
from tests.api import samples
from tests.api.people import Staff, fresh, staff

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Api, Caller

# A login asks for the salt, computes, and hands the outcome in.
EXCEPTIONS = {"/healthz": 0, "/metrics": 0, "/auth/login": 2}


@pytest.fixture
def database_url(session_database: databases.Database) -> str:
    """These tests only add rows, under people of their own: one database for all of them."""
    return session_database.api_url


async def counted(api: "Api", caller: "Caller", route: Route, **ids: str) -> tuple[int, int]:
    """The answer's status, and how many statements it took."""
    before = api.database.statements
    answer = await samples.ask(caller, route, **ids)
    return answer.status, api.database.statements - before


async def good(api: "Api", acme: Staff, route: Route) -> "Answer":
    """A request of the endpoint that succeeds."""
    body: dict[str, str] = {}
    stranger, member = acme["stranger"], acme["member"]
    if route.path.startswith("/auth/register"):
        body = {"email": f"{fresh('new')}@example.com"}
    elif route.path.startswith("/auth/login"):
        body = {"email": member.email}
    elif route.path.endswith("/members"):
        body = {"user_id": stranger.user_id}
    project = await acme.founder.project(acme.organisation_id)
    key = await acme.founder.post(f"/orgs/{acme.organisation_id}/api-keys", {"name": "ci"})
    before = api.database.statements
    answer = await samples.ask(
        acme.founder,
        route,
        body,
        organisation_id=acme.organisation_id,
        user_id=member.user_id,
        project_id=project,
        api_key_id=key.body["api_key_id"],
    )
    assert api.database.statements - before == EXCEPTIONS.get(route.path, 1)
    return answer


@samples.each()
async def test_request_that_succeeds_takes_one_statement(api: "Api", route: Route) -> None:
    acme = await staff(api, "member", "stranger")
    answer = await good(api, acme, route)
    assert answer.status in (200, 201, 204)


@samples.each()
async def test_request_reads_no_table_from_end_to_end(
    api: "Api", session_database: databases.Database, route: Route
) -> None:
    """Not even one that was small when the statement was planned: it grows, and the plan stays."""
    acme = await staff(api, "member", "stranger")
    with psycopg.connect(session_database.admin_url) as admin:
        admin.execute("analyze")
    before = await whole_reads(api, session_database)
    await good(api, acme, route)
    assert await whole_reads(api, session_database) == before


async def whole_reads(api: "Api", database: databases.Database) -> list[tuple[str, int]]:
    """Tables of more than one row, and how often they were read as a whole."""
    await api.database.fetch_value("select pg_stat_force_next_flush()::text")
    with psycopg.connect(database.admin_url) as admin:
        return admin.execute(
            "select relid::regclass::text, seq_scan from pg_stat_user_tables"
            " where relid not in ('auth.seal_key'::regclass, 'deploy.schema_version'::regclass)"
            " order by relid"
        ).fetchall()


@samples.each("/orgs/{organisation_id}")
async def test_request_refused_by_the_database_takes_one_statement(
    api: "Api", route: Route
) -> None:
    acme = await staff(api, "viewer", "stranger")
    ids = {"organisation_id": acme.organisation_id}
    assert await counted(api, acme["stranger"], route, **ids) == (404, 1)
    status, statements = await counted(api, acme["viewer"], route, **ids)
    assert (status in (200, 403, 404), statements) == (True, 1)


@samples.each(authenticated=True)
async def test_request_without_credential_takes_no_statement(api: "Api", route: Route) -> None:
    assert await counted(api, api, route) == (401, 0)


@samples.each("{organisation_id}", authenticated=True)
async def test_request_that_is_wrong_in_itself_takes_one_statement(
    api: "Api", route: Route
) -> None:
    acme = await staff(api)
    before = api.database.statements
    path = samples.path_of(route, organisation_id=acme.organisation_id)
    answer = await acme.founder.send(route.method, path + "?unknown=1")
    assert answer.status in (415, 422)
    assert api.database.statements == before + 1


async def test_request_of_no_endpoint_takes_no_statement(api: "Api") -> None:
    acme = await staff(api)
    before = api.database.statements
    assert (await acme.founder.get("/nowhere")).status == 404
    assert (await acme.founder.send("PUT", acme.path)).status == 405
    assert api.database.statements == before


def test_samples_are_those_of_the_endpoints_with_a_body() -> None:
    assert set(samples.BODIES) == {(r.method, r.path) for r in samples.ROUTES if r.body}
