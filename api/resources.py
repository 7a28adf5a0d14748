"""
What answers hold, said once: JSON Schema (2020-12) of each body, and the success of each route.

The bodies are built by PostgreSQL (sql/views/api), so nothing here is used to serve a request: the
description of the API is made from these, and the tests hold every answer they get to them.
A body may get more fields in a later version; those listed here are there in every answer.
"""

from dataclasses import dataclass
from typing import Any

from api.problems import CONTENT_TYPE, URN
from api.schemas import ACTIONS, PAGE, ROLE, STATUS, Schema

EXAMPLE_ID = "01a20717-52c0-7c3e-9b1d-3f6a5d0c9e42"
EXAMPLE_TIME = "2026-11-23T09:00:00.123456+00:00"


@dataclass(frozen=True, slots=True)
class Resource:
    """A body that the API sends: its name, its schema, its media type; `item`: what a page has."""

    name: str
    schema: Schema
    media_type: str = "application/json"
    item: "Resource | None" = None


@dataclass(frozen=True, slots=True)
class Success:
    """
    The good answer of a route. `key` is the field with the id of what was made, whose path is then
    in `Location`.
    """

    status: int
    resource: Resource | None = None
    key: str | None = None


NOTHING = Success(204)


def ok(resource: Resource) -> Success:
    """200 with a body."""
    return Success(200, resource)


def made(resource: Resource, key: str | None = None) -> Success:
    """201 with the body of what was made."""
    return Success(201, resource, key)


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return schema | {"type": [schema["type"], "null"]}


def _object(description: str, properties: dict[str, Schema], *, optional: str = "") -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name != optional],
    }


def _id(description: str) -> Schema:
    return {
        "type": "string",
        "format": "uuid",
        "description": description,
        "examples": [EXAMPLE_ID],
    }


def _time(description: str) -> Schema:
    return {
        "type": "string",
        "format": "date-time",
        "description": f"{description}; RFC 3339, UTC",
        "examples": [EXAMPLE_TIME],
    }


def _text(description: str, example: str, **keywords: Any) -> Schema:
    return {"type": "string", "description": description, "examples": [example], **keywords}


def _name(example: str) -> Schema:
    return _text("1 to 200 characters", example, minLength=1, maxLength=200)


def page(name: str, resource: Resource) -> Resource:
    """A page of a list."""
    numbers = {
        field: {key: schema[key] for key in ("type", "minimum", "maximum") if key in schema}
        for field, schema in PAGE.items()
        if schema["type"] == "integer"
    }
    properties: dict[str, Schema] = {
        "items": {
            "type": "array",
            "maxItems": PAGE["limit"]["maximum"],
            "items": {"$ref": f"#/components/schemas/{resource.name}"},
        },
        "total": {
            "type": "integer",
            "minimum": 0,
            "maximum": 10_000,
            "description": "how many there are on all pages, counted up to 10,000",
            "examples": [1],
        },
        "total_is_exact": {
            "type": "boolean",
            "description": "false: there are more than total",
            "examples": [True],
        },
        "limit": numbers["limit"] | {"description": "as asked for", "examples": [50]},
        "offset": numbers["offset"] | {"description": "as asked for", "examples": [0]},
        "next_cursor": nullable(
            _text(
                "where the next page begins, for the parameter cursor; null: nowhere", "WyJvcmdzIiw"
            )
        ),
    }
    return Resource(name, _object("A part of a list.", properties), item=resource)


_ORGANISATION_ID = _id("the organisation")
_USER = {
    "user_id": _id("the user"),
    "email": _text("as given at registration", "ada@example.com"),
    "display_name": nullable(_name("Ada Lovelace")) | {"description": "null: none given"},
    "created_at": _time("when the account was made"),
}

USER = Resource("User", _object("An account.", _USER))
ME = Resource(
    "Me",
    _object(
        "The caller.",
        _USER
        | {
            "memberships": {
                "type": "array",
                "description": "where the caller is a member, by name",
                "items": _object(
                    "A membership.",
                    {"organisation_id": _ORGANISATION_ID, "name": _name("Acme"), "role": ROLE},
                ),
            }
        },
    ),
)
ACCESS_TOKEN = Resource(
    "AccessToken",
    _object(
        "A session.",
        {
            "access_token": _text("sent as Authorization: Bearer", "header.claims.signature"),
            "token_type": {"type": "string", "const": "bearer"},
            "expires_in": {
                "type": "integer",
                "minimum": 1,
                "description": "the token's life in seconds",
                "examples": [900],
            },
        },
    ),
)
ORGANISATION = Resource(
    "Organisation",
    _object(
        "A tenant.",
        {
            "organisation_id": _ORGANISATION_ID,
            "name": _name("Acme"),
            "created_at": _time("when it was founded"),
            "updated_at": _time("when a value last changed"),
        },
    ),
)
ORGANISATION_PAGE = page("OrganisationPage", ORGANISATION)
MEMBER = Resource(
    "Member",
    _object(
        "A user in an organisation.",
        {
            "organisation_id": _ORGANISATION_ID,
            "user_id": _USER["user_id"],
            "email": _USER["email"],
            "display_name": _USER["display_name"],
            "role": ROLE,
            "created_at": _time("since when"),
            "updated_at": _time("when the role last changed"),
        },
    ),
)
MEMBER_PAGE = page("MemberPage", MEMBER)
PROJECT = Resource(
    "Project",
    _object(
        "A project of an organisation.",
        {
            "project_id": _id("the project"),
            "organisation_id": _ORGANISATION_ID,
            "name": _name("Apollo"),
            "description": nullable(_text("null: none", "To the Moon", maxLength=2000)),
            "status": STATUS,
            "created_at": _time("when it was made"),
            "updated_at": _time("when a value last changed"),
        },
    ),
)
PROJECT_PAGE = page("ProjectPage", PROJECT)

_API_KEY = {
    "api_key_id": _id("the API key"),
    "organisation_id": _ORGANISATION_ID,
    "name": _name("CI"),
    "prefix": _text("how the key begins", "saas_4fGh8kLm"),
    "created_at": _time("when it was made"),
    "created_by_user_id": _id("who made it"),
    "last_used_at": nullable(_time("of its last good request, to the minute; null: none yet")),
    "revoked_at": nullable(_time("null: it works")) | {"examples": [None]},
}
API_KEY = Resource("ApiKey", _object("An API key, without the key.", _API_KEY))
NEW_API_KEY = Resource(
    "NewApiKey",
    _object(
        "An API key that was just made.",
        _API_KEY
        | {
            "raw_key": _text(
                "the key, shown this once; not there when an Idempotency-Key is repeated",
                "saas_4fGh8kLm_" + "x" * 49,
                pattern="^saas_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}$",
            )
        },
        optional="raw_key",
    ),
)
API_KEY_PAGE = page("ApiKeyPage", API_KEY)

AUDIT_EVENT = Resource(
    "AuditEvent",
    _object(
        "Something that happened.",
        {
            "audit_event_id": _id("the event"),
            "organisation_id": _ORGANISATION_ID,
            "action": {
                "type": "string",
                "enum": ACTIONS,
                "description": "noun.verb in the past",
                "examples": ["project.created"],
            },
            "actor_type": {
                "type": "string",
                "enum": ["user", "api_key", "database_role", "anonymous"],
                "description": "what kind of actor it was",
                "examples": ["user"],
            },
            "actor_user_id": nullable(_id("null unless actor_type is user")),
            "actor_api_key_id": nullable(_id("null unless actor_type is api_key"))
            | {"examples": [None]},
            "target_type": _text("organisation, member, project, api_key or user", "project"),
            "target_id": nullable(_id("the target; of a member, the user")),
            "request_id": nullable(
                _text("X-Request-ID of the request; null: not by a request", "5f0c2a7e")
            ),
            "changes": {
                "type": "object",
                "description": "what changed, by field; nothing secret",
                "additionalProperties": _object("One field's change.", {"old": {}, "new": {}}),
                "examples": [{"name": {"old": None, "new": "Apollo"}}],
            },
            "occurred_at": _time("when it happened"),
        },
    ),
)
AUDIT_EVENT_PAGE = page("AuditEventPage", AUDIT_EVENT)

HEALTH = Resource(
    "Health",
    _object(
        "What is running.",
        {
            "status": {"type": "string", "const": "ok"},
            "name": _text("SAAS_API_APP_NAME", "multi-tenant-saas-api"),
            "version": _text("SAAS_API_APP_VERSION", "0.1.0"),
            "environment": _text("SAAS_API_ENVIRONMENT", "local"),
        },
    ),
)
READY = Resource(
    "Ready", _object("Send requests here.", {"status": {"type": "string", "const": "ready"}})
)
METRICS = Resource(
    "Metrics",
    {"type": "string", "description": "Prometheus's text exposition format"},
    media_type="text/plain",
)

PROBLEM = Resource(
    "Problem",
    _object(
        "What is wrong, as in RFC 9457.",
        {
            "type": _text(
                "what kind of problem it is", URN + "not-found", format="uri", pattern=f"^{URN}"
            ),
            "title": _text("the kind in words", "Not found"),
            "status": {
                "type": "integer",
                "minimum": 400,
                "maximum": 599,
                "description": "the answer's status",
                "examples": [404],
            },
            "detail": _text("more words", "There is no such resource for this caller."),
            "instance": _text("the request's id, as in X-Request-ID", "5f0c2a7e"),
            "errors": {
                "type": "array",
                "minItems": 1,
                "description": "the faults of single fields; with status 422 only",
                "items": _object(
                    "A fault of one field.",
                    {
                        "pointer": _text(
                            "where: an RFC 6901 pointer into the body, "
                            "or the name of a query parameter or a header",
                            "/name",
                        ),
                        "detail": _text("what is wrong there", "is required"),
                    },
                ),
            },
        },
        optional="errors",
    ),
    media_type=CONTENT_TYPE,
)
