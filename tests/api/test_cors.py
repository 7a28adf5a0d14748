"""Cross-origin resource sharing: for the origins of the settings, and for no others."""

from typing import TYPE_CHECKING

import pytest

from api.app import create_app
from api.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.api.conftest import Api, HttpClient

ORIGIN = "https://app.example.com"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Origin": ORIGIN}


@pytest.fixture
async def shared(
    request: pytest.FixtureRequest,
    offline: "Api",
    aiohttp_client: "Callable[..., Awaitable[HttpClient]]",
) -> "Api":
    """The API with origins set: one, or those of the test's parameter."""
    origins = getattr(request, "param", (ORIGIN,))
    url = "postgresql://saas_api@127.0.0.1:1/nowhere"
    app = create_app(Settings(database_url=url, cors_origins=origins))
    return type(offline)(await aiohttp_client(app))


async def test_preflight_of_a_known_origin_is_allowed(shared: "Api") -> None:
    asked = "authorization,content-type,idempotency-key,x-request-id"
    headers = PREFLIGHT | {"Access-Control-Request-Headers": asked}
    answer = await shared.send("OPTIONS", "/orgs", headers=headers)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(",")
    assert set(asked.split(",")) <= set(allowed)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/orgs/x/projects/y", 401),
        ("GET", "/me", 401),
        ("GET", "/healthz", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/me", 405),
        ("OPTIONS", "/nowhere", 404),
    ],
)
async def test_answer_to_a_known_origin_is_shared_errors_too(
    shared: "Api", method: str, path: str, status: int
) -> None:
    answer = await shared.send(method, path, headers={"Origin": ORIGIN})
    headers = answer.headers
    assert answer.status == status
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Vary"] == "Origin"
    exposed = set(headers["Access-Control-Expose-Headers"].split(","))
    assert exposed == {"X-Request-ID", "Idempotency-Replayed", "Retry-After", "Location", "Link"}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ORIGIN + ".evil.example"])
async def test_other_origin_gets_nothing(shared: "Api", origin: str) -> None:
    answer = await shared.send("GET", "/healthz", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    answer = await shared.send("GET", "/nowhere", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "refused",
    [
        {"Origin": "https://evil.example"},
        {"Access-Control-Request-Method": "PUT"},
        {"Access-Control-Request-Headers": "x-other"},
    ],
)
async def test_preflight_of_what_is_not_shared_is_403(
    shared: "Api", refused: dict[str, str]
) -> None:
    answer = await shared.send("OPTIONS", "/orgs", headers=PREFLIGHT | refused)
    assert (answer.status, answer.problem) == (403, "forbidden")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "credential" not in answer.body["detail"]


@pytest.mark.parametrize("name", PREFLIGHT)
async def test_options_that_is_no_preflight_is_405(shared: "Api", name: str) -> None:
    headers = {each: value for each, value in PREFLIGHT.items() if each != name}
    answer = await shared.send("OPTIONS", "/orgs", headers=headers)
    assert (answer.status, answer.problem) == (405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET,HEAD,POST"


@pytest.mark.parametrize("shared", [("*",)], indirect=True)
async def test_any_origin_is_never_with_credentials(shared: "Api") -> None:
    headers = (await shared.send("GET", "/healthz", headers={"Origin": ORIGIN})).headers
    assert headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)
    assert "Access-Control-Allow-Credentials" not in headers


async def test_without_origins_a_preflight_is_405(offline: "Api") -> None:
    answer = await offline.send("OPTIONS", "/orgs", headers=PREFLIGHT)
    assert (answer.status, answer.problem) == (405, "method-not-allowed")
