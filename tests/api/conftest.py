"""
The API over real sockets against a fresh database.

`client` is aiohttp's test client of one application; `api` is the same with verbs that read like a
story: `ada = await api.user("ada")`, `acme = await ada.organisation("Acme")`,
`await ada.add(acme, bob, "viewer")`, `(await bob.get(f"/orgs/{acme}")).status == 200`.
Each answer it gets is held to the API's description.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from api import passwords
from api.app import create_app
from api.calls import SERVICES
from api.database import Database
from api.policies import databases
from api.settings import Settings
from tests.api.conformance import description

PASSWORD = "correct horse battery staple"

HttpClient = TestClient[web.Request, web.Application]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that has been read: `body` is its JSON, else its text, None where it has none."""

    status: int
    headers: Any
    body: Any

    @property
    def problem(self) -> str:
        """The stem of a problem's type, for example "not-found"."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        assert self.body["status"] == self.status
        assert self.body["instance"] == self.headers["X-Request-ID"]
        return str(self.body["type"]).removeprefix("urn:saas-api:problem:")

    @property
    def pointers(self) -> list[str]:
        """Where the faults of a 422 are."""
        return [error["pointer"] for error in self.body["errors"]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who sends requests, with a bearer token or without."""

    client: HttpClient
    token: str | None = None
    user_id: str = ""
    email: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, method: str, path: str, **options: Any) -> Answer:
        """One request; `options` are aiohttp's."""
        headers = {**self.headers, **options.pop("headers", {})}
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        async with self.client.request(method, path, headers=headers, **options) as response:
            body: Any = await response.text() or None
            if body and response.content_type.endswith("json"):
                body = await response.json(content_type=None)
            answer = Answer(response.status, response.headers, body)
        self.described(method, path, answer)
        return answer

    def described(self, method: str, path: str, answer: Answer) -> str | None:
        """Hold an answer to the API's description, and return its operation's id, if it has one."""
        settings = self.client.app[SERVICES].settings
        return description(settings.password_min_length).check(
            method, path.partition("?")[0], answer.status, answer.headers, answer.body
        )

    async def get(self, path: str, **query: str) -> Answer:
        """GET, with query parameters."""
        return await self.send("GET", path, params=query)

    async def post(self, path: str, body: object) -> Answer:
        """POST of a JSON body."""
        return await self.send("POST", path, json=body)

    async def patch(self, path: str, body: object) -> Answer:
        """PATCH with a JSON body."""
        return await self.send("PATCH", path, json=body)

    async def delete(self, path: str) -> Answer:
        """DELETE."""
        return await self.send("DELETE", path)

    async def organisation(self, name: str = "Acme") -> str:
        """Create an organisation that the caller owns, and return its id."""
        answer = await self.post("/orgs", {"name": name})
        assert answer.status == 201, answer
        return str(answer.body["organisation_id"])

    async def add(self, organisation_id: str, member: "Caller", role: str) -> None:
        """Make somebody a member."""
        path = f"/orgs/{organisation_id}/members"
        answer = await self.post(path, {"user_id": member.user_id, "role": role})
        assert answer.status == 201, answer

    async def project(self, organisation_id: str, name: str = "Apollo", **fields: object) -> str:
        """Create a project, and return its id."""
        answer = await self.post(f"/orgs/{organisation_id}/projects", {"name": name, **fields})
        assert answer.status == 201, answer
        return str(answer.body["project_id"])


@dataclass(frozen=True, slots=True)
class Api(Caller):
    """The API for a caller without a credential, and the way to become one with."""

    @property
    def database(self) -> Database:
        """The application's pool, whose `statements` counts what was sent."""
        return self.client.app[SERVICES].database

    async def register(self, email: str, password: str = PASSWORD, **fields: object) -> Answer:
        """POST /auth/register."""
        return await self.post("/auth/register", {"email": email, "password": password, **fields})

    async def login(self, email: str, password: str = PASSWORD) -> Answer:
        """POST /auth/login."""
        return await self.post("/auth/login", {"email": email, "password": password})

    async def user(self, name: str) -> Caller:
        """Register and log in as name@example.com."""
        email = f"{name}@example.com"
        registered, logged_in = await self.register(email), await self.login(email)
        assert (registered.status, logged_in.status) == (201, 200), (registered, logged_in)
        return Caller(
            self.client, logged_in.body["access_token"], registered.body["user_id"], email
        )


@pytest.fixture
def database_url(database: databases.Database) -> str:
    """The URL of the API's own role in a fresh, migrated database."""
    return str(database.api_url)


@pytest.fixture
def settings(database_url: str) -> Settings:
    """The settings of the application under test; override it for others."""
    return Settings(database_url=database_url)


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id at its least cost: what it costs is not what these tests are about."""
    monkeypatch.setattr(passwords, "DEFAULT", passwords.Parameters(8, 1, 1))


@pytest.fixture(autouse=True)
def never_a_500(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test makes the server fail, but for those of what is an "unexpected_exception"."""
    yield
    if "unexpected_exception" not in request.node.name:
        failures = [r for r in caplog.get_records("call") if r.name == "api.app" and r.exc_info]
        assert not failures, [(r.getMessage(), r.exc_info) for r in failures]


@pytest.fixture
async def client(
    settings: Settings, aiohttp_client: Callable[..., Awaitable[HttpClient]]
) -> HttpClient:
    """A client of a server that listens on a real socket."""
    return await aiohttp_client(create_app(settings))


@pytest.fixture
def api(client: HttpClient) -> Api:
    """A caller without a credential."""
    return Api(client)


@pytest.fixture
async def offline(aiohttp_client: Callable[..., Awaitable[HttpClient]]) -> Api:
    """The API without a database: enough for what is refused before, and 503 for the rest."""
    url = "postgresql://saas_api@127.0.0.1:1/nowhere"
    return Api(await aiohttp_client(create_app(Settings(database_url=url))))
