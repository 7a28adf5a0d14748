"""The description: valid OpenAPI 3.1, every route and nothing else, and true."""

import inspect
import json
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api import cli, docs_pages, openapi, problems, server
from api.app import create_app
from api.calls import Route
from api.failure import Failure
from api.requests import fit
from api.routes import routes
from api.settings import Settings
from tests.api.conformance import Description

if TYPE_CHECKING:
    from tests.api.conftest import Api, Caller, HttpClient

SETTINGS = Settings(database_url="postgresql://saas_api@127.0.0.1:1/nowhere")
DOCUMENT = openapi.document(SETTINGS)
TABLE = routes(SETTINGS)
PATHS = ["/openapi.json", "/docs", "/redoc"]


def operations() -> Iterator[dict[str, Any]]:
    for item in DOCUMENT["paths"].values():
        yield from item.values()


def schemas(thing: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document that could be a schema."""
    if isinstance(thing, dict):
        yield thing
        for each in thing.values():
            yield from schemas(each)
    elif isinstance(thing, list):
        for each in thing:
            yield from schemas(each)


def test_document_is_valid_openapi_3_1() -> None:
    document = json.loads(openapi.dump(SETTINGS))
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_document_has_every_route_and_no_other() -> None:
    described = {
        (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert described == {(route.method, route.path) for route in TABLE}
    assert len(described) == len(TABLE)


def test_document_has_every_route_that_is_served() -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in create_app(SETTINGS).router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert served == {(route.method, route.path) for route in TABLE}


def test_operations_have_a_name_a_tag_and_words_of_their_own() -> None:
    ids = Counter(operation["operationId"] for operation in operations())
    assert set(ids.values()) == {1}
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for operation in operations():
        assert operation["summary"], operation
        assert set(operation["tags"]) <= tags
    assert tags == {tag for operation in operations() for tag in operation["tags"]}


@pytest.mark.parametrize("route", TABLE, ids=openapi.operation_id)
def test_operation_is_named_after_its_sql_function(route: Route) -> None:
    functions = re.findall(r"sql/functions/api/(\w+)\.sql", inspect.getdoc(route.handler) or "")
    assert not functions or openapi.operation_id(route) in {*functions, "readyz"}


@pytest.mark.parametrize("route", TABLE, ids=openapi.operation_id)
def test_operation_has_every_error_of_the_docstring(route: Route) -> None:
    errors = re.search(r"^Errors: (.*?)^(?=\w+:|\Z)", doc(route), re.DOTALL | re.MULTILINE)
    said = {int(status) for status in re.findall(r"\b[45]\d\d\b", errors[1] if errors else "")}
    assert said <= {kind.status for kind in openapi.refusals(route)}


def doc(route: Route) -> str:
    return (inspect.getdoc(route.handler) or "") + "\n"


@pytest.mark.parametrize("route", [r for r in TABLE if r.body], ids=openapi.operation_id)
def test_request_is_described_by_the_schema_that_checks_it(route: Route) -> None:
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    content = operation["requestBody"]["content"]["application/json"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    assert route.body is not None
    assert DOCUMENT["components"]["schemas"][name] == route.body.schema
    fit(dict(content["example"]), route.body)


@pytest.mark.parametrize("route", [r for r in TABLE if r.query], ids=openapi.operation_id)
def test_query_is_described_by_the_schemas_that_check_it(route: Route) -> None:
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    described = {p["name"]: p["schema"] for p in operation["parameters"] if p.get("in") == "query"}
    assert route.query is not None
    assert described == route.query.shape.properties


def test_examples_fit_their_schemas() -> None:
    description = Description(SETTINGS)
    components = DOCUMENT["components"]
    for schema in components["schemas"].values():
        description.validate(schema, openapi.example(schema))
    for response in components["responses"].values():
        for content in response["content"].values():
            for example in content["examples"].values():
                description.validate(content["schema"], example["value"])
    for schema in schemas(DOCUMENT):
        if isinstance(schema.get("examples"), list):
            for example in schema["examples"]:
                description.validate(schema, example)


def test_patterns_are_portable() -> None:
    """No escape that another dialect than Python's or Rust's would not know."""
    patterns = {s["pattern"] for s in schemas(DOCUMENT) if isinstance(s.get("pattern"), str)}
    assert len(patterns) > 4
    for pattern in patterns:
        escapes = set(re.findall(r"\\(.)", pattern))
        assert escapes <= set("xurnt.[]\\-dw"), pattern
        assert "(?" not in pattern.replace("(?:", ""), pattern


def test_components_are_all_used() -> None:
    text = json.dumps(DOCUMENT)
    for group in ("schemas", "responses", "parameters", "headers"):
        for name in DOCUMENT["components"][group]:
            # What no operation answers, but every path does.
            if name != "MethodNotAllowed":
                assert f'"#/components/{group}/{name}"' in text, name


def test_links_lead_to_operations_with_all_they_need() -> None:
    by_id = {operation["operationId"]: operation for operation in operations()}
    links = [
        link
        for operation in operations()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert len(links) > 10
    for link in links:
        needed = {
            parameter["$ref"].rpartition("/")[2]
            for parameter in by_id[link["operationId"]]["parameters"]
            if "$ref" in parameter
        } - {"X-Request-ID", "Idempotency-Key"}
        assert set(link["parameters"]) == needed


def test_problems_are_all_examples() -> None:
    examples = {
        name
        for response in DOCUMENT["components"]["responses"].values()
        for content in response["content"].values()
        for name in content["examples"]
    }
    assert {kind.name for route in TABLE for kind in openapi.refusals(route)} <= examples


def test_settings_show_in_the_document() -> None:
    settings = Settings(app_name="name", app_version="9.8.7", password_min_length=33)
    document = openapi.document(settings)
    assert (document["info"]["title"], document["info"]["version"]) == ("name", "9.8.7")
    password = document["components"]["schemas"]["Register"]["properties"]["password"]
    assert password["minLength"] == 33


async def test_every_operation_answers_as_described(api: "Api") -> None:
    """`Caller.send` holds each answer to the description; here every good one comes up."""
    seen: set[tuple[str | None, int]] = set()

    async def send(
        caller: "Caller", method: str, path: str, body: object = None, **headers: str
    ) -> Any:
        answer = await caller.send(
            method, path, headers=headers, **({} if body is None else {"json": body})
        )
        seen.add((caller.described(method, path, answer), answer.status))
        return answer.body

    ada, bob = await api.user("ada"), await api.user("bob")
    for path in ("/healthz", "/readyz"):
        await send(api, "GET", path)
    await send(ada, "GET", "/me")
    eve = {"email": "eve@example.com", "password": "correct horse battery"}
    await send(api, "POST", "/auth/register", eve)
    await send(api, "POST", "/auth/login", eve)
    acme = (await send(ada, "POST", "/orgs", {"name": "Acme"}))["organisation_id"]
    await send(ada, "GET", "/orgs")
    await send(ada, "GET", f"/orgs/{acme}")
    await send(ada, "PATCH", f"/orgs/{acme}", {"name": "Acme Ltd"})
    members = f"/orgs/{acme}/members"
    await send(ada, "POST", members, {"user_id": bob.user_id, "role": "viewer"})
    await send(ada, "PATCH", f"{members}/{bob.user_id}", {"role": "member"})
    await send(ada, "GET", members)
    await send(ada, "GET", "/me")
    projects = f"/orgs/{acme}/projects"
    new = {"name": "Apollo", "description": None}
    project_id = (await send(bob, "POST", projects, new))["project_id"]
    await send(ada, "GET", projects)
    await send(ada, "GET", f"{projects}/{project_id}")
    await send(ada, "PATCH", f"{projects}/{project_id}", {"description": "To the Moon"})
    await send(ada, "DELETE", f"{projects}/{project_id}")
    keys = f"/orgs/{acme}/api-keys"
    for _ in range(2):  # the second answer is the first one's, without the key
        key = await send(ada, "POST", keys, {"name": "CI"}, **{"Idempotency-Key": "1"})
    await send(ada, "DELETE", f"{keys}/{key['api_key_id']}")
    await send(ada, "GET", keys)
    await send(ada, "DELETE", f"{members}/{bob.user_id}")
    await send(ada, "GET", f"/orgs/{acme}/audit-events")
    async with api.client.get("/metrics") as response:
        seen.add((described(api, "/metrics", response, await response.text()), response.status))

    assert seen == {(openapi.operation_id(route), route.success.status) for route in TABLE}


def described(api: "Api", path: str, response: Any, body: object) -> str | None:
    return Description(Settings()).check("GET", path, response.status, response.headers, body)


def test_conformance_catches_what_is_not_described() -> None:
    """The checker itself: a field too many, one too few, a status, a kind of problem."""
    description = Description(SETTINGS)
    headers = {"Content-Type": "application/json", "X-Request-ID": "a"}
    good = {"status": "ok", "name": "n", "version": "v", "environment": "e"}
    assert description.check("GET", "/healthz", 200, headers, good) == "healthz"
    problem = problems.body(problems.Problem(problems.CONFLICT), "a")
    for status, sent, body in [
        (200, headers, good | {"more": 1}),
        (200, headers, {"status": "ok"}),
        (200, headers | {"Content-Type": "text/html"}, good),
        (200, {"Content-Type": "application/json"}, good),
        (418, headers, good),
    ]:
        with pytest.raises(AssertionError):
            description.check("GET", "/healthz", status, sent, body)
    with pytest.raises(AssertionError, match="not described as conflict"):
        description.check(
            "POST",
            "/orgs",
            409,
            headers | {"Content-Type": "application/problem+json"},
            problem,
        )


@pytest.mark.parametrize("path", [*PATHS, "/docs/swagger-ui.css", "/docs/", "/redoc/"])
async def test_pages_are_not_there_by_default(offline: "Api", path: str) -> None:
    answer = await offline.get(path)
    nowhere = await offline.get("/nowhere")
    assert (answer.status, answer.problem) == (404, "not-found")
    assert answer.body | {"instance": ""} == nowhere.body | {"instance": ""}


@pytest.fixture
async def enabled(aiohttp_client: Callable[..., Awaitable["HttpClient"]]) -> "HttpClient":
    return await aiohttp_client(
        create_app(Settings(database_url=SETTINGS.database_url, docs_enabled=True))
    )


async def test_document_is_served_when_enabled(enabled: "HttpClient") -> None:
    async with enabled.get("/openapi.json") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert await response.json() == json.loads(openapi.dump(SETTINGS))
    async with enabled.post("/openapi.json") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_page_is_served_with_a_policy_that_forbids_other_origins(
    enabled: "HttpClient", path: str
) -> None:
    async with enabled.get(path) as response:
        page = await response.text()
        assert (response.status, response.content_type) == (200, "text/html")
        policy = response.headers["Content-Security-Policy"]
    directives = dict(each.split(" ", 1) for each in policy.split("; "))
    assert directives["default-src"] == directives["frame-ancestors"] == "'none'"
    assert not re.search(r"https?:|\*|unsafe-eval", policy)
    assert "unsafe-inline" not in directives["script-src"]
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)
    for source in re.findall(r'(?:src|href)="([^"]+)"', page):
        if source != "data:,":
            async with enabled.get("/" + source) as response:
                assert response.status == 200
                assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_redoc_loads_no_logo_from_elsewhere(enabled: "HttpClient") -> None:
    assert (
        docs_pages.REDOC_LOGO
        in (docs_pages.assets() / "redoc/bundles/redoc.standalone.js").read_bytes()
    )
    async with enabled.get("/redoc/redoc.standalone.js") as response:
        assert docs_pages.REDOC_LOGO not in await response.read()


def test_serve_without_the_package_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs_pages, "PACKAGE", "no_such_package")
    with pytest.raises(Failure, match=r"^SAAS_API_DOCS_ENABLED: .*drf-spectacular-sidecar"):
        server.serve(Settings(database_url=SETTINGS.database_url, docs_enabled=True))


def test_package_is_never_imported() -> None:
    docs_pages.contents(SETTINGS)
    assert not {"django", docs_pages.PACKAGE} & sys.modules.keys()


def test_command_openapi_prints_the_document(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["openapi"]) == 0
    assert json.loads(capsys.readouterr().out)["paths"].keys() == DOCUMENT["paths"].keys()
    assert list(tmp_path.iterdir()) == []
