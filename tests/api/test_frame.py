"""What surrounds every request: its id, its headers, methods and paths that are not there."""

import re
from typing import TYPE_CHECKING

import pytest

from api.calls import created
from api.policies import databases

if TYPE_CHECKING:
    from tests.api.conftest import Api


@pytest.mark.parametrize("given", ["a", "A-Z.a_z-09", "x" * 128])
async def test_request_id_of_the_client_is_taken(offline: "Api", given: str) -> None:
    for path in ("/healthz", "/me", "/nowhere"):
        answer = await offline.send("GET", path, headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "é", "a/b", 'a"', "a;b"])
async def test_request_id_that_is_bad_is_replaced(offline: "Api", given: str) -> None:
    answer = await offline.send("GET", "/me", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])
    assert answer.problem == "unauthorised"


async def test_request_id_made_twice_differs(offline: "Api") -> None:
    ids = {(await offline.get("/healthz")).headers["X-Request-ID"] for _ in range(10)}
    assert len(ids) == 10


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/me", "/nowhere"])
async def test_headers_of_every_answer_are_there(offline: "Api", path: str) -> None:
    headers = (await offline.get(path)).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "saas-api"
    assert "Access-Control-Allow-Origin" not in headers


async def test_healthz_says_who_it_is_without_a_database(offline: "Api") -> None:
    answer = await offline.get("/healthz")
    assert answer.status == 200
    assert answer.body["status"] == "ok"
    assert set(answer.body) == {"status", "name", "version", "environment"}


async def test_readyz_with_the_database_is_200(api: "Api") -> None:
    assert (await api.get("/readyz")).status == 200


async def test_readyz_without_the_database_is_503(offline: "Api") -> None:
    answer = await offline.get("/readyz")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_readyz_with_another_schema_is_503(api: "Api", database: databases.Database) -> None:
    import asyncpg  # type: ignore[import-untyped]

    connection = await asyncpg.connect(database.admin_url)
    await connection.execute("update deploy.schema_version set version = 'another'")
    await connection.close()
    answer = await api.get("/readyz")
    assert (answer.status, answer.problem) == (503, "not-ready")


@pytest.mark.parametrize("path", ["/", "/nowhere", "/orgs/", "/ME", "/orgs/a/b/c/d", "/healthz/"])
async def test_path_that_is_not_there_is_404(offline: "Api", path: str) -> None:
    answer = await offline.get(path)
    assert (answer.status, answer.problem) == (404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/me", {"GET", "HEAD"}),
        ("OPTIONS", "/me", {"GET", "HEAD"}),
        ("GET", "/auth/login", {"POST"}),
        ("DELETE", "/orgs", {"GET", "HEAD", "POST"}),
        ("PUT", "/orgs/x/projects/y", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("TRACE", "/orgs/x/members/y", {"PATCH", "DELETE"}),
    ],
)
async def test_method_that_is_not_offered_is_405(
    offline: "Api", method: str, path: str, allow: set[str]
) -> None:
    answer = await offline.send(method, path)
    assert (answer.status, answer.problem) == (405, "method-not-allowed")
    assert set(answer.headers["Allow"].split(",")) == allow


async def test_head_is_get_without_the_body(offline: "Api") -> None:
    get, head = await offline.get("/healthz"), await offline.send("HEAD", "/healthz")
    assert (head.status, head.body) == (200, None)
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


async def test_database_away_is_503_and_never_500(offline: "Api") -> None:
    answer = await offline.login("ada@example.com")
    assert (answer.status, answer.problem) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("secret"), RecursionError()])
async def test_unexpected_exception_is_500_that_says_nothing(
    offline: "Api", monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_header: str | None) -> bytes:
        raise error

    monkeypatch.setattr("api.credentials.Credentials.digest", lambda _self, header: fail(header))
    answer = await offline.get("/me")
    assert (answer.status, answer.problem) == (500, "internal-error")
    assert "secret" not in str(answer.body)


async def test_passwords_past_the_queue_are_503(
    api: "Api", monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.calls import SERVICES

    monkeypatch.setattr(api.client.app[SERVICES].passwords, "_limit", 0)
    answer = await api.register("ada@example.com")
    assert (answer.status, answer.problem) == (503, "overloaded")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("name", ["project_id", '\\"project_id\\":\\"x'])
def test_location_of_a_row_named_after_its_id_holds_the_id(name: str) -> None:
    body = f'{{"name": "{name}", "project_id": "7"}}'.encode()
    assert created(body, "/projects", key="project_id").headers["Location"] == "/projects/7"
