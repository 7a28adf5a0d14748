"""
The description of the API as OpenAPI 3.1, made from what serves it.

Requests come from the schemas that check them (api/schemas.py), answers from api/resources.py, the
words from the handlers' docstrings, errors from api/problems.py; which of them belong to an
operation follows from its `Route`. Nothing is said here that one of those says already.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from api import calls, problems, requests
from api.calls import Route
from api.problems import HEADERS, FieldError, Kind, Problem
from api.resources import PROBLEM, Resource, Success
from api.routes import routes
from api.schemas import Schema, Shape
from api.settings import Settings

JSON = "application/json"
REQUEST_ID = str(calls.REQUEST_ID_HEADER)
REPLAYED = str(calls.REPLAYED_HEADER)
IDEMPOTENCY_KEY = str(requests.IDEMPOTENCY_KEY_HEADER)
EXAMPLE_REQUEST_ID = "5f0c2a7e"
PARAMETER = re.compile(r"\{(\w+)\}")
SECTION = re.compile(r"^(?:Body|Query|Returns|Errors|Source):", re.MULTILINE)
STATUS_WORDS = {200: "OK", 201: "Created", 204: "Done; there is no body"}

INTRODUCTION = """
Organisations, their members and their projects, kept apart by PostgreSQL itself.

- **Credential**: `Authorization: Bearer …` with an access token from `POST /auth/login`, or with an
  API key, which works on the project endpoints of its own organisation only.
- **Errors** are `application/problem+json` (RFC 9457); `instance` is the request's id, as in
  `X-Request-ID`. Every fault of the body, or else of the query, is listed at once.
- **Refusals come in this order**: 401; then what is wrong with the request in itself; then 404 for
  the organisation; then 403 for the role; then 404 for the rest. What the caller may not see is
  not there: 404, one and the same.
- A method that a path does not offer is 405 with `Allow`; `HEAD` works wherever `GET` does.
- Unknown fields and query parameters are refused. An id that is no UUID is an id that is not there.
- **The next page** is where `Link` says, or at the same URL with `cursor` and without `offset`,
  which beside a cursor skips rows after it.
"""

HEADER_WORDS: dict[str, Schema] = {
    REQUEST_ID: {
        "description": "The request's id: the client's if it was a good one, else a new one.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        "required": True,
    },
    REPLAYED: {
        "description": "There when the answer is the one this Idempotency-Key got before.",
        "schema": {"type": "string", "const": "true"},
    },
    "Location": {
        "description": "The path of what was made.",
        "schema": {"type": "string", "format": "uri-reference"},
        "required": True,
    },
    "Link": {
        "description": 'Where the next page is, with rel="next"; not on the last page.',
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "How many seconds to wait.",
        "schema": {"type": "integer", "minimum": 0},
        "required": True,
    },
    "WWW-Authenticate": {
        "description": "The scheme that is asked for.",
        "schema": {"type": "string", "const": "Bearer"},
        "required": True,
    },
    "Allow": {
        "description": "The methods that the path offers.",
        "schema": {"type": "string"},
        "required": True,
    },
}


def document(settings: Settings) -> dict[str, Any]:
    """The description of the API as these settings make it."""
    table = routes(settings)
    kinds = [problems.METHOD_NOT_ALLOWED, *(kind for route in table for kind in refusals(route))]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": settings.app_name,
            "version": settings.app_version,
            "description": INTRODUCTION.strip(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "where this description came from"}],
        "tags": _tags(table),
        "paths": {
            path: {route.method.lower(): _operation(route, table) for route in group}
            for path, group in groupby(
                sorted(table, key=lambda route: _order(table, route)), lambda route: route.path
            )
        },
        "components": {
            "schemas": _schemas(table),
            "responses": {
                _responses_name(group): _problem_response(group)
                for route in table
                for group in _by_status(refusals(route))
            }
            | {_responses_name([kinds[0]]): _problem_response([kinds[0]])},
            "parameters": _parameters(table),
            "headers": HEADER_WORDS,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token from POST /auth/login, or an API key.",
                }
            },
        },
    }


def dump(settings: Settings) -> bytes:
    """The description as JSON."""
    return json.dumps(document(settings), indent=2, ensure_ascii=False).encode()


def operation_id(route: Route) -> str:
    """A name for the operation, which is also that of its SQL function: create_project."""
    verb, noun = route.handler.__name__, _module(route)
    match verb:
        case "list_page":
            return f"list_{noun}"
        case "get" | "create" | "update" | "delete" | "add" | "remove" | "revoke":
            return f"{verb}_{noun if route.path == '/' + noun else noun.removesuffix('s')}"
        case _:
            return verb


def refusals(route: Route) -> list[Kind]:
    """Every problem that a well-behaved client may meet on a route, by status."""
    kinds: list[Kind] = list(route.refuses)
    if route.body is not None:
        kinds += [problems.MALFORMED, problems.TOO_SLOW, problems.TOO_LARGE]
        kinds += [problems.UNSUPPORTED, problems.OVERLOADED]
    if route.body is not None or route.query is not None:
        kinds.append(problems.INVALID)
    if route.authenticated:
        kinds += [problems.UNAUTHORISED, problems.FORBIDDEN]
    if PARAMETER.search(route.path):
        kinds.append(problems.NOT_FOUND)
    if route.idempotent:
        kinds.append(problems.KEY_REUSED)
    if route.authenticated or route.body is not None:
        kinds.append(problems.UNAVAILABLE)
    return sorted(dict.fromkeys(kinds), key=lambda kind: (kind.status, kind.name))


def example(schema: Schema) -> Any:
    """A value that fits, put together from the examples of the fields."""
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if schema["type"] == "array":
        return [example(schema["items"])] if "$ref" not in schema["items"] else []
    alternatives = schema.get("oneOf", [])
    left_out = {name for each in alternatives[1:] for name in each["required"]}
    return {
        name: example(each) for name, each in schema["properties"].items() if name not in left_out
    }


def _order(table: tuple[Route, ...], route: Route) -> int:
    """Where the path is first named."""
    return next(index for index, each in enumerate(table) if each.path == route.path)


def _module(route: Route) -> str:
    return route.handler.__module__.rpartition(".")[2]


def _tag(route: Route) -> str:
    return _module(route).replace("_", "-")


def _tags(table: Iterable[Route]) -> list[dict[str, str]]:
    """A tag for each module of handlers, in the words its docstring begins with."""
    words = {
        _tag(route): inspect.getdoc(sys.modules[route.handler.__module__]) or "" for route in table
    }
    return [
        {"name": name, "description": re.split(r"[:.]", text, maxsplit=1)[0] + "."}
        for name, text in words.items()
    ]


def _operation(route: Route, table: tuple[Route, ...]) -> dict[str, Any]:
    text = SECTION.split(inspect.getdoc(route.handler) or "", maxsplit=1)[0]
    words = " ".join(text.split())
    summary = re.split(r"[.:;] ", words.rstrip("."), maxsplit=1)[0]
    operation: dict[str, Any] = {
        "operationId": operation_id(route),
        "tags": [_tag(route)],
        "summary": summary,
        **({"description": words} if len(words) > len(summary) + 1 else {}),
        "parameters": [
            *({"$ref": f"#/components/parameters/{name}"} for name in _path_ids(route.path)),
            *_query(route),
            *_header_parameters(route),
        ],
        "responses": {
            str(route.success.status): _success(route, table),
            **{
                str(group[0].status): {"$ref": f"#/components/responses/{_responses_name(group)}"}
                for group in _by_status(refusals(route))
            },
        },
        "security": [{"bearer": []}] if route.authenticated else [],
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"$ref": f"#/components/schemas/{_body_name(route)}"},
                    "example": example(route.body.schema),
                }
            },
        }
    return operation


def _path_ids(path: str) -> list[str]:
    return PARAMETER.findall(path)


def _query(route: Route) -> list[dict[str, Any]]:
    shape: Shape | None = route.query.shape if route.query is not None else None
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema["description"],
            "schema": schema,
        }
        for name, schema in (shape.properties.items() if shape is not None else ())
    ]


def _header_parameters(route: Route) -> list[dict[str, str]]:
    names = [REQUEST_ID, *([IDEMPOTENCY_KEY] if route.idempotent else [])]
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _parameters(table: Iterable[Route]) -> dict[str, Any]:
    """The parameters that several operations share."""
    names = dict.fromkeys(name for route in table for name in _path_ids(route.path))
    return {
        name: {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"The id of the {name.removesuffix('_id').replace('_', ' ')}.",
            "schema": {"type": "string", "format": "uuid"},
        }
        for name in names
    } | {
        REQUEST_ID: {
            "name": REQUEST_ID,
            "in": "header",
            "required": False,
            "description": (
                "The client's own id for the request: 1 to 128 of A-Z a-z 0-9 . _ -; "
                "anything else is replaced."
            ),
            "schema": {"type": "string"},
        },
        IDEMPOTENCY_KEY: {
            "name": IDEMPOTENCY_KEY,
            "in": "header",
            "required": False,
            "description": (
                "Repeat a request with the same key and the same body within 24 hours, and get "
                "the same answer without a second effect."
            ),
            "schema": {"type": "string", "pattern": f"^{requests.IDEMPOTENCY_KEY.pattern}$"},
        },
    }


def _schemas(table: Iterable[Route]) -> dict[str, Schema]:
    """What requests hold, by operation; then what answers hold, by noun."""
    bodies = {_body_name(route): route.body.schema for route in table if route.body is not None}
    answers: dict[str, Schema] = {}
    for route in table:
        resource = route.success.resource
        if resource is not None and resource.media_type == JSON:
            for each in (resource.item, resource):
                if each is not None:
                    answers[each.name] = each.schema
    return bodies | answers | {PROBLEM.name: PROBLEM.schema}


def _body_name(route: Route) -> str:
    return _camel(operation_id(route))


def _camel(name: str) -> str:
    return "".join(part.title() for part in re.split("[_-]", name))


def _headers(*names: str) -> dict[str, dict[str, str]]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _success(route: Route, table: Iterable[Route]) -> dict[str, Any]:
    success = route.success
    response: dict[str, Any] = {
        "description": STATUS_WORDS[success.status],
        "headers": _headers(
            REQUEST_ID,
            *(["Location"] if success.key else []),
            *(["Link"] if success.resource is not None and success.resource.item else []),
            *([REPLAYED] if route.idempotent else []),
        ),
    }
    if success.resource is not None:
        response["content"] = {success.resource.media_type: _content(success.resource)}
    if links := _links(route, success, table):
        response["links"] = links
    return response


def _content(resource: Resource) -> dict[str, Any]:
    if resource.media_type != JSON:
        return {"schema": resource.schema}
    return {"schema": {"$ref": f"#/components/schemas/{resource.name}"}}


def _links(route: Route, success: Success, table: Iterable[Route]) -> dict[str, Any]:
    """From what was made to every operation on it and directly below it."""
    if success.key is None:
        return {}
    known = {name: f"$request.path.{name}" for name in _path_ids(route.path)}
    known[success.key] = f"$response.body#/{success.key}"
    item = f"{route.path}/{{{success.key}}}"
    return {
        operation_id(other): {
            "operationId": operation_id(other),
            "parameters": {name: known[name] for name in _path_ids(other.path)},
        }
        for other in table
        if other.path.startswith(item) and set(_path_ids(other.path)) <= set(known)
    }


def _by_status(kinds: list[Kind]) -> list[list[Kind]]:
    return [list(group) for _, group in groupby(kinds, lambda kind: kind.status)]


def _responses_name(kinds: list[Kind]) -> str:
    return "Or".join(_camel(kind.name) for kind in kinds)


def _problem_response(kinds: list[Kind]) -> dict[str, Any]:
    """The answer to problems of one status, with each as an example."""
    status = kinds[0].status
    names = [*HEADERS.get(status, {})]
    if problems.METHOD_NOT_ALLOWED in kinds:
        names.append("Allow")
    if problems.THROTTLED in kinds:
        names.append("Retry-After")
    return {
        "description": " ".join(dict.fromkeys(f"{kind.title}: {kind.detail}" for kind in kinds)),
        "headers": _headers(REQUEST_ID, *names),
        "content": {
            PROBLEM.media_type: {
                "schema": {"$ref": f"#/components/schemas/{PROBLEM.name}"},
                "examples": {
                    kind.name: {
                        "summary": kind.title,
                        "value": problems.body(_example_problem(kind), EXAMPLE_REQUEST_ID),
                    }
                    for kind in kinds
                },
            }
        },
    }


def _example_problem(kind: Kind) -> Problem:
    faults = example(PROBLEM.schema["properties"]["errors"]) if kind is problems.INVALID else []
    return Problem(kind, errors=[FieldError(**fault) for fault in faults])
