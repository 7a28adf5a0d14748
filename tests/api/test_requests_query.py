"""Query parameters: plain digits, known names, each once; the pointer is the parameter's name."""

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import make_mocked_request

from api import schemas
from api.problems import RequestProblem
from api.requests import read_query

if TYPE_CHECKING:
    from tests.api.conftest import Api

DEFAULTS = {
    "limit": 50,
    "offset": 0,
    "cursor": None,
    "status": None,
    "name": None,
    "sort_by": "created_at",
    "sort_direction": "desc",
}


NEWEST = "projects by created_at desc"
BY_NAME = "projects by name asc"
TIME = "2026-01-02 03:04:05.678901+00"
ID = "01890000-0000-7000-8000-000000000001"


def cursor(*place: object, encoding: str = "utf-8") -> str:
    """As sql/functions/api/cursor.sql writes it."""
    return base64.urlsafe_b64encode(json.dumps(place).encode(encoding)).decode().rstrip("=")


def read(query: str) -> dict[str, object]:
    request = make_mocked_request("GET", f"/projects{query}")
    return dict(read_query(request, schemas.PROJECTS_QUERY))


@pytest.mark.parametrize("query", ["", "?", "?&"])
def test_query_empty_gives_the_defaults(query: str) -> None:
    assert read(query) == DEFAULTS


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?limit=1", {"limit": 1}),
        ("?limit=200&offset=9223372036854775807", {"limit": 200, "offset": 2**63 - 1}),
        ("?limit=007", {"limit": 7}),
        ("?status=archived&sort_by=name&sort_direction=asc", {"status": "archived"}),
        ("?name=%C3%89co%25_", {"name": "Éco%_"}),
        ("?name=a+b", {"name": "a b"}),
        ("?name=%EF%BF%BD", {"name": "\ufffd"}),
        ("?name=", {"name": ""}),
        ("?name=12", {"name": "12"}),
    ],
)
def test_query_that_fits_is_read(query: str, expected: dict[str, object]) -> None:
    assert expected.items() <= read(query).items()


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ("?limit=0", ["limit"]),
        ("?limit=201", ["limit"]),
        ("?limit=", ["limit"]),
        ("?limit", ["limit"]),
        ("?limit=%2B5", ["limit"]),
        ("?limit=+5", ["limit"]),
        ("?limit=5.0", ["limit"]),
        ("?limit=1e1", ["limit"]),
        ("?limit=%D9%A3", ["limit"]),
        ("?limit=%C2%B2", ["limit"]),
        ("?limit=" + "1" * 5000, ["limit"]),
        ("?offset=-1", ["offset"]),
        ("?offset=9223372036854775808", ["offset"]),
        ("?offset=99999999999999999999", ["offset"]),
        ("?status=ACTIVE", ["status"]),
        ("?sort_by=id", ["sort_by"]),
        ("?sort_direction=up", ["sort_direction"]),
        ("?name=" + "n" * 201, ["name"]),
        ("?name=a%00", ["name"]),
        ("?limit=1&limit=1", ["limit"]),
        ("?cursor=1", ["cursor"]),
        ("?Limit=1", ["Limit"]),
        ("?limit=x&offset=y&z=1", ["limit", "offset", "z"]),
        ("?limit=0&cursor=A", ["limit", "cursor"]),
        ("?limit=0&name=a%00&z=1", ["limit", "name", "z"]),
        ("?name=%ff", ["name"]),
        ("?name=%C3", ["name"]),
        ("?name=%ED%A0%80", ["name"]),
    ],
)
def test_query_that_does_not_fit_names_the_parameter(query: str, pointers: list[str]) -> None:
    with pytest.raises(RequestProblem) as caught:
        read(query)
    assert caught.value.kind.status == 422
    assert [error.pointer for error in caught.value.errors] == pointers


def test_query_cursor_is_read_as_a_place_in_the_list() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    assert read(f"?cursor={cursor(NEWEST, TIME, ID)}")["cursor"] == (moment, ID)
    by_name = f"?sort_by=name&sort_direction=asc&cursor={cursor(BY_NAME, TIME, ID)}"
    assert read(by_name)["cursor"] == (TIME, ID)


@pytest.mark.parametrize(
    "text",
    [
        cursor(TIME, ID),
        cursor(BY_NAME, TIME, ID),
        cursor("projects by created_at asc", TIME, ID),
        cursor("members", TIME, ID),
        cursor([NEWEST], TIME, ID),
        cursor(NEWEST, TIME, ID, ID),
        cursor(NEWEST, TIME),
        cursor(NEWEST, 1, ID),
        cursor(NEWEST, None, ID),
        cursor(NEWEST, "soon", ID),
        cursor(NEWEST, "9999-12-31 23:59:59-23", ID),
        cursor(NEWEST, TIME + "\0", ID),
        cursor(NEWEST, TIME, 1),
        cursor(NEWEST, TIME, "1"),
        cursor(NEWEST, TIME, ID, encoding="utf-16"),
        base64.urlsafe_b64encode(json.dumps({NEWEST: 1, TIME: 2, ID: 3}).encode()).decode(),
        cursor(NEWEST, TIME, ID)[:-2],
        "A",
    ],
)
def test_query_cursor_of_another_list_or_of_none_is_422(text: str) -> None:
    with pytest.raises(RequestProblem) as caught:
        read(f"?cursor={text.rstrip('=')}")
    assert [error.pointer for error in caught.value.errors] == ["cursor"]


async def test_query_where_none_is_known_is_422(offline: "Api") -> None:
    body = {"email": "a@example.com", "password": "p"}
    answer = await offline.send("POST", "/auth/login?x=1", json=body)
    assert (answer.status, answer.pointers) == (422, ["x"])


async def test_query_of_health_is_not_looked_at(offline: "Api") -> None:
    assert (await offline.get("/healthz", probe="1")).status == 200


async def test_query_in_raw_bytes_is_no_500(offline: "Api") -> None:
    from tests.api.test_requests_body import exchange

    head = b"POST /auth/login?x=%%ff%b HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
    body = b'{"email": "a@example.com", "password": "p"}'
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    for raw in (b"", b"\xff\xfe"):
        came = await exchange(offline, head % raw + length + body)
        assert came.split()[1] in (b"400", b"422")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T09:00:00Z", "2026-11-23T09:00:00+00:00"),
        ("2026-11-23t09:00:00.5z", "2026-11-23T09:00:00.500000+00:00"),
        ("2026-11-23T09:00:00%2B23:59", "2026-11-22T09:01:00+00:00"),
        ("2026-11-26T23:14:11.854414+00:00", "2026-11-26T23:14:11.854414+00:00"),
        ("2026-11-23T09:00:00+23:59", "2026-11-22T09:01:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("0001-01-01T00:00:00%2B01:00", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59-01:00", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_query_time_is_read_as_rfc_3339_has_it(text: str, expected: str) -> None:
    request = make_mocked_request("GET", f"/audit-events?since={text}")
    assert read_query(request, schemas.AUDIT_EVENTS_QUERY)["since"].isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01",
        "2026-01-01+00:00:00Z",
        "2026-01-01T00:00:00Z+",
        "now",
        "",
        "1e9",
    ],
)
def test_query_time_that_is_none_is_422(text: str) -> None:
    request = make_mocked_request("GET", f"/audit-events?since={text}")
    with pytest.raises(RequestProblem) as caught:
        read_query(request, schemas.AUDIT_EVENTS_QUERY)
    assert [error.pointer for error in caught.value.errors] == ["since"]


async def test_query_since_is_inclusive_and_until_exclusive(api: "Api") -> None:
    ada = await api.user("ada")
    path = f"/orgs/{await ada.organisation()}/audit-events"
    everything = (await ada.get(path)).body
    first = everything["items"][-1]["occurred_at"]
    assert (await ada.get(path, since=first)).body["total"] == everything["total"]
    assert (await ada.get(path, until=first)).body["total"] == 0
