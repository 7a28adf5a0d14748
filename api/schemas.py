"""
What requests may hold, said once: JSON Schema (2020-12) of each body and each query parameter.

Requests are validated by these objects, and a description of the API is made from them. Each
field's `description` is also what a client reads when the field does not fit. Two annotations go
beyond the standard: `x-trimmed` (white space around the value is taken off; the pattern allows
for it) and `x-max-bytes` (a limit in UTF-8 bytes besides the one in characters).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

Schema = dict[str, Any]

# What str.strip() takes off, written out: each dialect of regular expressions has its own \s.
WHITE = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
NO_NUL = r"^[^\x00]*$"
# A label of a domain: letters, digits and all beyond ASCII but white space, hyphens inside. (Said
# by what it does not hold: the dialects write the last character of Unicode in different ways.)
OUTER = (
    r"\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x60\x7b-\xa0"
    r"\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
)
LABEL = rf"[^\x2d{OUTER}](?:[^{OUTER}]{{0,61}}[^\x2d{OUTER}])?"

NAME: Schema = {
    "type": "string",
    "pattern": rf"^[{WHITE}]*[^\x00{WHITE}](?:[^\x00]{{0,198}}[^\x00{WHITE}])?[{WHITE}]*$",
    "x-trimmed": True,
    "description": "1 to 200 characters, white space around them not counted, without NUL",
    "examples": ["Apollo"],
}
EMAIL: Schema = {
    "type": "string",
    "maxLength": 254,
    "pattern": (rf'^[^\x00-\x20\x7f-\xa0"(),:;<>@\[\\\]{WHITE}]{{1,64}}@(?:{LABEL}\.)+{LABEL}$'),
    "description": "an email address of at most 254 characters",
    "examples": ["ada@example.com"],
}
PASSWORD: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 1024,
    "pattern": NO_NUL,
    "x-max-bytes": 1024,
    "description": "at most 1,024 bytes, without NUL",
    "examples": ["correct horse battery staple"],
}
DESCRIPTION: Schema = {
    "type": ["string", "null"],
    "maxLength": 2000,
    "pattern": NO_NUL,
    "description": "at most 2,000 characters without NUL, or null",
    "examples": ["To the Moon"],
}
STATUS: Schema = {
    "type": "string",
    "enum": ["active", "archived"],
    "description": "active or archived",
    "examples": ["active"],
}
ROLE: Schema = {
    "type": "string",
    "enum": ["owner", "admin", "member", "viewer"],
    "description": "owner, admin, member or viewer",
    "examples": ["member"],
}
# Any string: an id that is none is an id that is not there, 404 and not 422.
USER_ID: Schema = {
    "type": "string",
    "pattern": NO_NUL,
    "description": "the id of a user",
    "examples": ["01a20717-52c0-7c3e-9b1d-3f6a5d0c9e42"],
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema of an object, compiled; `trimmed` and `bounded` are its annotated fields."""

    schema: Schema
    validator: jsonschema_rs.Draft202012Validator
    trimmed: tuple[str, ...]
    bounded: Mapping[str, int]

    @property
    def properties(self) -> dict[str, Schema]:
        """The schemas of the fields, by name."""
        found: dict[str, Schema] = self.schema["properties"]
        return found


def shape(
    properties: dict[str, Schema], *, required: tuple[str, ...] = (), **keywords: object
) -> Shape:
    """Compile the schema of an object with these fields and no others."""
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        **keywords,
    }
    return Shape(
        schema=schema,
        validator=jsonschema_rs.Draft202012Validator(schema),
        trimmed=tuple(name for name, each in properties.items() if each.get("x-trimmed")),
        bounded={
            name: each["x-max-bytes"] for name, each in properties.items() if "x-max-bytes" in each
        },
    )


def registration(password_min_length: int) -> Shape:
    """The body of POST /auth/register: the shortest password is a setting."""
    password = PASSWORD | {
        "minLength": password_min_length,
        "description": (
            f"at least {password_min_length} characters and at most 1,024 bytes, without NUL"
        ),
    }
    display_name = NAME | {
        "type": ["string", "null"],
        "description": NAME["description"] + ", or null",
        "examples": ["Ada Lovelace"],
    }
    return shape(
        {"email": EMAIL, "password": password, "display_name": display_name},
        required=("email", "password"),
    )


LOGIN = shape({"email": EMAIL, "password": PASSWORD}, required=("email", "password"))
ORGANISATION_CREATE = shape({"name": NAME | {"examples": ["Acme"]}}, required=("name",))
ORGANISATION_UPDATE = shape({"name": NAME | {"examples": ["Acme"]}}, minProperties=1)
MEMBER_ADD = shape(
    {"email": EMAIL, "user_id": USER_ID, "role": ROLE},
    required=("role",),
    oneOf=[{"required": ["email"]}, {"required": ["user_id"]}],
)
MEMBER_UPDATE = shape({"role": ROLE}, required=("role",))
API_KEY_CREATE = shape({"name": NAME | {"examples": ["CI"]}}, required=("name",))
PROJECT_CREATE = shape(
    {"name": NAME, "description": DESCRIPTION, "status": STATUS | {"default": "active"}},
    required=("name",),
)
PROJECT_UPDATE = shape(
    {"name": NAME, "description": DESCRIPTION, "status": STATUS}, minProperties=1
)

# Query parameters. An integer is plain ASCII digits.
PAGE: dict[str, Schema] = {
    "limit": {
        "type": "integer",
        "minimum": 1,
        "maximum": 200,
        "default": 50,
        "description": "a whole number from 1 to 200, in digits",
    },
    "offset": {
        "type": "integer",
        "minimum": 0,
        "maximum": 2**63 - 1,
        "default": 0,
        "description": "a whole number from 0, in digits",
    },
    "cursor": {
        "type": "string",
        "maxLength": 2048,
        "pattern": "^[A-Za-z0-9_-]+$",
        "description": "the next_cursor of a page of this list in this order",
    },
}


@dataclass(frozen=True, slots=True)
class Query:
    """
    The query parameters of an endpoint: their shape, their defaults, and which are times.

    `list_name` is what a cursor says first: the list, and in braces the parameters of its order.
    """

    shape: Shape
    defaults: dict[str, Any] = field(default_factory=dict)
    times: frozenset[str] = frozenset()
    list_name: str = ""


def query(properties: dict[str, Schema], *, list_name: str = "") -> Query:
    """Compile query parameters, none of them required."""
    return Query(
        shape=shape(properties),
        defaults={name: each.get("default") for name, each in properties.items()},
        times=frozenset(n for n, each in properties.items() if each.get("format") == "date-time"),
        list_name=list_name,
    )


NO_QUERY = query({})
ORGANISATIONS_QUERY = query(PAGE, list_name="orgs")
MEMBERS_QUERY = query(PAGE, list_name="members")
API_KEYS_QUERY = query(PAGE, list_name="api-keys")
PROJECTS_QUERY = query(
    PAGE
    | {
        "status": STATUS,
        "name": {
            "type": "string",
            "maxLength": 200,
            "pattern": NO_NUL,
            "description": "at most 200 characters, without NUL",
        },
        "sort_by": {
            "type": "string",
            "enum": ["created_at", "updated_at", "name"],
            "default": "created_at",
            "description": "created_at, updated_at or name",
        },
        "sort_direction": {
            "type": "string",
            "enum": ["asc", "desc"],
            "default": "desc",
            "description": "asc or desc",
        },
    },
    list_name="projects by {sort_by} {sort_direction}",
)

ID: Schema = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$",
    "description": "a UUID",
}
TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": (
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
        r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$"
    ),
    "description": "a time as in RFC 3339, such as 2026-11-23T09:00:00Z",
}
ACTIONS = [
    "user.registered",
    "user.logged_in",
    "user.login_failed",
    "organisation.created",
    "organisation.updated",
    "member.added",
    "member.updated",
    "member.removed",
    "project.created",
    "project.updated",
    "project.deleted",
    "api_key.created",
    "api_key.revoked",
    "dba.impersonated",
]
AUDIT_EVENTS_QUERY = query(
    PAGE
    | {
        "action": {
            "type": "string",
            "enum": ACTIONS,
            "description": (
                "an action such as project.created; those of user. are in no organisation"
            ),
        },
        "actor_user_id": ID,
        "target_id": ID,
        "since": TIME,
        "until": TIME,
    },
    list_name="audit-events",
)
