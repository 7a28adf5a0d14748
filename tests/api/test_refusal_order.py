"""401 first, then what is wrong with the request in itself, then what the database says."""

from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from api.policies import databases

if TYPE_CHECKING:
    from tests.api.conftest import Api

JSON = {"Content-Type": "application/json"}
NOWHERE = "/orgs/01890000-0000-7000-8000-000000000001/projects"
BAD_REQUESTS: list[tuple[int, str, dict[str, Any]]] = [
    (400, NOWHERE, {"data": b"{", "headers": JSON}),
    (413, NOWHERE, {"data": b" " * 1_048_577, "headers": JSON | {"Expect": "100-continue"}}),
    (415, NOWHERE, {"data": b"{}", "headers": {"Content-Type": "text/plain"}}),
    (415, NOWHERE + "?unknown=1", {"data": b"{}", "headers": {"Content-Type": "text/plain"}}),
    (400, NOWHERE + "?unknown=1", {"data": b"{", "headers": JSON | {"Idempotency-Key": ""}}),
    (422, NOWHERE, {"json": {}}),
    (422, NOWHERE + "?unknown=1", {"json": {"name": "n"}}),
]
by_status = pytest.mark.parametrize(("status", "path", "options"), BAD_REQUESTS)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client warns of large bodies in one piece."""
    monkeypatch.setattr("aiohttp.payload.TOO_LARGE_BYTES_BODY", 2**24)


@by_status
async def test_bad_request_without_credential_is_401_without_a_statement(
    api: "Api", status: int, path: str, options: dict[str, Any]
) -> None:
    answer = await api.send("POST", path, **options)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert api.database.statements == 0


@by_status
async def test_bad_request_with_a_dead_session_is_401(
    api: "Api", database: databases.Database, status: int, path: str, options: dict[str, Any]
) -> None:
    ada = await api.user("ada")
    await end_sessions(database)
    answer = await ada.send("POST", path, **options)
    assert (answer.status, answer.problem) == (401, "unauthorised")


@by_status
async def test_bad_request_of_a_live_caller_is_said_before_the_organisation_is_looked_for(
    api: "Api", status: int, path: str, options: dict[str, Any]
) -> None:
    ada = await api.user("ada")
    assert (await ada.send("POST", path, **options)).status == status


async def test_good_request_of_a_live_caller_is_404_for_an_organisation_not_theirs(
    api: "Api",
) -> None:
    ada, bob = await api.user("ada"), await api.user("bob")
    acme = await ada.organisation()
    bodies = []
    for path in (NOWHERE, f"/orgs/{acme}/projects", "/orgs/no-uuid/projects", "/nowhere"):
        answer = await bob.post(path, {"name": "n"})
        assert (answer.status, answer.problem) == (404, "not-found")
        bodies.append({**answer.body, "instance": ""})
    assert all(body == bodies[0] for body in bodies)


async def test_role_too_low_is_403_before_404_for_the_rest(api: "Api") -> None:
    ada, bob = await api.user("ada"), await api.user("bob")
    acme = await ada.organisation()
    await ada.add(acme, bob, "viewer")
    answer = await bob.delete(f"/orgs/{acme}/projects/no-uuid")
    assert (answer.status, answer.problem) == (403, "forbidden")
    answer = await ada.delete(f"/orgs/{acme}/projects/no-uuid")
    assert (answer.status, answer.problem) == (404, "not-found")


async def test_good_request_is_one_statement(api: "Api") -> None:
    ada = await api.user("ada")
    acme = await ada.organisation()
    project = await ada.project(acme)
    for path in ("/me", "/orgs", f"/orgs/{acme}", f"/orgs/{acme}/projects/{project}"):
        before = api.database.statements
        assert (await ada.get(path)).status == 200
        assert api.database.statements == before + 1


async def test_dead_session_is_401_though_its_token_was_verified(
    api: "Api", database: databases.Database
) -> None:
    ada = await api.user("ada")
    assert (await ada.get("/me")).status == 200
    await end_sessions(database)
    assert (await ada.get("/me")).status == 401


async def end_sessions(database: databases.Database) -> None:
    """What a logout everywhere would do."""
    connection = await asyncpg.connect(database.admin_url)
    await connection.execute("delete from auth.credentials")
    await connection.close()
