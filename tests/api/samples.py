"""A good request for every endpoint, so that a test may ask the same of all of them."""

from typing import TYPE_CHECKING, Any

import pytest

from api.calls import Route
from api.routes import routes
from api.settings import Settings

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Caller

ROUTES = routes(Settings())
NOWHERE = "01890000-0000-7000-8000-000000000001"  # a UUID of version 7 that nothing has
LOGIN = {"email": "nobody@example.com", "password": "correct horse battery staple"}

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/auth/register"): LOGIN,
    ("POST", "/auth/login"): LOGIN,
    ("POST", "/orgs"): {"name": "Acme"},
    ("PATCH", "/orgs/{organisation_id}"): {"name": "Renamed"},
    ("POST", "/orgs/{organisation_id}/members"): {"user_id": NOWHERE, "role": "viewer"},
    ("PATCH", "/orgs/{organisation_id}/members/{user_id}"): {"role": "viewer"},
    ("POST", "/orgs/{organisation_id}/projects"): {"name": "Apollo"},
    ("POST", "/orgs/{organisation_id}/api-keys"): {"name": "ci"},
    ("PATCH", "/orgs/{organisation_id}/projects/{project_id}"): {"status": "archived"},
}


def each(*parts: str, authenticated: bool | None = None) -> pytest.MarkDecorator:
    """Parametrise `route` by the endpoints whose path has all these parts."""
    chosen = [
        route
        for route in ROUTES
        if all(part in route.path for part in parts)
        and authenticated in (None, route.authenticated)
    ]
    return pytest.mark.parametrize("route", chosen, ids=[f"{r.method} {r.path}" for r in chosen])


def path_of(route: Route, **ids: str) -> str:
    """The endpoint's path with these ids, NOWHERE for the others."""
    names = ("organisation_id", "user_id", "project_id", "api_key_id")
    return route.path.format(**dict.fromkeys(names, NOWHERE) | ids)


async def ask(
    caller: "Caller", route: Route, body: dict[str, Any] | None = None, /, **ids: str
) -> "Answer":
    """A good request of the endpoint; `body` is in place of some of the sample's fields."""
    options = {"json": BODIES[route.method, route.path] | (body or {})} if route.body else {}
    return await caller.send(route.method, path_of(route, **ids), **options)
