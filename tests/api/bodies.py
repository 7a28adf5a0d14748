"""What the bodies of answers hold, exactly, and how two answers are compared."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.api.conftest import Answer

USER = {"user_id", "email", "display_name", "created_at"}
ORGANISATION = {"organisation_id", "name", "created_at", "updated_at"}
MEMBER = USER | {"organisation_id", "role", "updated_at"}
PROJECT = ORGANISATION | {"project_id", "description", "status"}
PAGE = {"items", "total", "total_is_exact", "limit", "offset", "next_cursor"}

RFC3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|\+00:00)")


def is_uuid7(text: object) -> bool:
    """A UUID of version 7, in its canonical form."""
    return isinstance(text, str) and str(uuid.UUID(text)) == text and uuid.UUID(text).version == 7


def is_recent(text: object) -> bool:
    """RFC 3339 in UTC, and less than a minute ago."""
    if not isinstance(text, str) or RFC3339_UTC.fullmatch(text) is None:
        return False
    return abs(datetime.now(UTC) - datetime.fromisoformat(text)) < timedelta(minutes=1)


def fits(body: dict[str, Any], fields: set[str]) -> bool:
    """These fields and no others; ids are UUIDs of version 7, times are of now."""
    ids = all(is_uuid7(value) for name, value in body.items() if name.endswith("_id"))
    times = all(is_recent(value) for name, value in body.items() if name.endswith("_at"))
    return set(body) == fields and ids and times


def is_made_at(answer: "Answer", location: str, fields: set[str]) -> bool:
    """A 201 whose body fits, and whose Location is this path."""
    json = answer.headers["Content-Type"].startswith("application/json")
    made = answer.status == 201 and answer.headers["Location"] == location
    return made and json and fits(answer.body, fields)


def is_empty(answer: "Answer") -> bool:
    """A 204."""
    return answer.status == 204 and answer.body is None and "Content-Type" not in answer.headers


def anonymous(answer: "Answer") -> tuple[int, dict[str, Any], dict[str, str]]:
    """All of a problem that a client sees, but for what names the request and the time."""
    assert answer.problem
    headers = {name.lower(): value for name, value in answer.headers.items()}
    for name in ("x-request-id", "date"):
        del headers[name]
    # The id of a request is as long as any other's, so that lengths compare too.
    return answer.status, {**answer.body, "instance": ""}, headers
