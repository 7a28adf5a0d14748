"""Bodies: what is read, what is refused, in which order, and where each fault is said to be."""

import asyncio
import dataclasses
import gzip
import io
import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest

from api import requests, schemas
from api.problems import RequestProblem
from api.requests import MAX_BODY_BYTES, MAX_ERRORS, fit
from api.routes import routes
from api.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema_rs import ValidationError

    from api.calls import Route
    from tests.api.conftest import Answer, Api

JSON = {"Content-Type": "application/json"}
GOOD = {"email": "ada@example.com", "password": "correct horse battery staple"}


async def post(offline: "Api", data: Any, path: str = "/auth/register", **headers: str) -> "Answer":
    return await offline.send("POST", path, data=data, headers=JSON | headers)


async def test_body_that_fits_gets_past_the_request(offline: "Api") -> None:
    assert (await offline.post("/auth/register", GOOD)).status == 503


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  \n",
        b"{",
        b"{'email': 1}",
        b'{"email": "a"',
        b'{"a": 1,}',
        b'{"email": NaN}',
        b'{"email": Infinity}',
        b'{"email": -Infinity}',
        b'{"email": 1e999}',
        b'{"email": ' + b"9" * 5000 + b"}",
        b'{"email": "a", "email": "b"}',
        b'{"x": {"a": 1, "a": 2}}',
        b'{"email": "\xff"}',
        b'{"email": "\xed\xa0\x80"}',
        b'{"email": "raw \x00 nul"}',
        b"\xef\xbb\xbf{}",
        '{"email": "utf-16"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"{} {}",
    ],
    ids=range(21),
)
async def test_body_malformed_is_400(offline: "Api", data: bytes) -> None:
    answer = await post(offline, data)
    assert (answer.status, answer.problem) == (400, "malformed-body")


@pytest.mark.parametrize("data", [b"[]", b"null", b"1", b'"text"', b"true"])
async def test_body_no_object_is_422(offline: "Api", data: bytes) -> None:
    answer = await post(offline, data)
    assert (answer.status, answer.pointers) == (422, [""])


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/jsonx",
        "application/json; charset=latin-1",
        "application/merge-patch+json",
        "",
        "nonsense",
    ],
)
async def test_body_other_media_type_is_415(offline: "Api", media_type: str) -> None:
    answer = await post(offline, json.dumps(GOOD), **{"Content-Type": media_type})
    assert (answer.status, answer.problem) == (415, "unsupported-media-type")


async def test_body_without_media_type_is_415(offline: "Api") -> None:
    answer = await offline.send(
        "POST", "/auth/login", data=b"{}", skip_auto_headers=["Content-Type"]
    )
    assert answer.status == 415


@pytest.mark.parametrize(
    "media_type",
    ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"'],
)
async def test_body_json_in_utf8_is_read(offline: "Api", media_type: str) -> None:
    answer = await post(offline, json.dumps(GOOD), **{"Content-Type": media_type})
    assert answer.status == 503


async def test_body_with_content_coding_is_415(offline: "Api") -> None:
    data = gzip.compress(json.dumps(GOOD).encode())
    assert (await post(offline, data, **{"Content-Encoding": "gzip"})).status == 415


def padded(size: int) -> bytes:
    """A body that does not fit its schema, of exactly this many bytes."""
    return b'{"x": "' + b"a" * (size - 9) + b'"}'


async def test_body_of_exactly_the_limit_is_read(offline: "Api") -> None:
    assert (await post(offline, io.BytesIO(padded(MAX_BODY_BYTES)))).status == 422


async def test_body_one_byte_over_is_413(offline: "Api") -> None:
    answer = await post(offline, io.BytesIO(padded(MAX_BODY_BYTES + 1)))
    assert (answer.status, answer.problem) == (413, "body-too-large")


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 422), (MAX_BODY_BYTES + 1, 413)])
async def test_body_in_chunks_has_the_same_limit(offline: "Api", size: int, status: int) -> None:
    async def chunks() -> Any:
        data = padded(size)
        for start in range(0, size, 65_536):
            yield data[start : start + 65_536]

    assert (await post(offline, chunks())).status == status


async def exchange(offline: "Api", *parts: bytes) -> bytes:
    """Send bytes, each part when something has come back for the last, and return what came."""
    server = offline.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    came = b""
    for part in parts:
        writer.write(part)
        came += await asyncio.wait_for(reader.read(65_536), 5)
    writer.close()
    return came


EXPECT = (
    b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\n"
    b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
)


async def test_body_expected_is_asked_for_when_it_is_read(offline: "Api") -> None:
    came = await exchange(offline, EXPECT % (b"/auth/login", b"application/json"), b"[]")
    assert came.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 422 ")


@pytest.mark.parametrize(
    ("path", "media_type", "status"),
    [
        (b"/orgs", b"application/json", b"401"),
        (b"/auth/login", b"text/plain", b"415"),
    ],
)
async def test_body_expected_is_not_asked_for_when_refused(
    offline: "Api", path: bytes, media_type: bytes, status: bytes
) -> None:
    came = await exchange(offline, EXPECT % (path, media_type))
    assert came.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("rest", [b"", b"zz\r\n"], ids=["missing", "broken"])
async def test_body_that_does_not_arrive_is_408(
    offline: "Api", monkeypatch: pytest.MonkeyPatch, rest: bytes
) -> None:
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.2)
    server = offline.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(
        b"POST /auth/login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"
    )
    await asyncio.sleep(0.05)
    writer.write(rest)
    came = await asyncio.wait_for(reader.read(65_536), 5)
    writer.transport.abort()
    assert came.split()[1] == b"408"


async def test_faults_are_listed_all_at_once(offline: "Api") -> None:
    answer = await offline.post(
        "/auth/register", {"password": "short", "display_name": 7, "a/b~c": 1, "d": 2}
    )
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert sorted(answer.pointers) == ["/a~1b~0c", "/d", "/display_name", "/email", "/password"]


def test_faults_of_the_bytes_are_listed_with_the_others() -> None:
    found = pointers(GOOD | {"password": "é" * 600, "x": 1}, schemas.registration(12))
    assert sorted(found) == ["/password", "/x"]


async def test_faults_repeat_no_value(offline: "Api") -> None:
    answer = await offline.post("/auth/register", {"email": "e" * 300, "password": "hush\x00"})
    assert "hush" not in str(answer.body)
    assert "eee" not in str(answer.body)


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "x\udfffy"])
async def test_unfit_characters_are_422_wherever_they_are(offline: "Api", text: str) -> None:
    answer = await post(offline, json.dumps(GOOD | {"display_name": text}))
    assert (answer.status, answer.pointers) == (422, ["/display_name"])
    answer = await post(offline, json.dumps(GOOD | {"more": [{"deep": text}]}))
    assert (answer.status, answer.pointers) == (422, ["/more"])
    answer = await post(offline, json.dumps(GOOD | {"more" + text: 1}))
    assert (answer.status, len(answer.pointers)) == (422, 1)


LARGE = {
    "unknown fields": {f"{number:x}": 1 for number in range(50_000)},
    "unknown fields with NUL": {f"{number:x}\0": 1 for number in range(50_000)},
    "values in an unknown field": {"a": [[]] * 50_000},
    "values with NUL in a field": {"email": ["\0"] * 50_000},
    "objects in a field": {"email": {f"{number:x}": {} for number in range(50_000)}},
}


@pytest.mark.parametrize("name", LARGE)
def test_faults_of_a_large_body_are_few_calls_and_little_to_validate(name: str) -> None:
    shown: list[dict[str, Any]] = []

    class Validator:
        is_valid = schemas.LOGIN.validator.is_valid

        def iter_errors(self, value: dict[str, Any]) -> "Iterator[ValidationError]":
            shown.append(value)
            return schemas.LOGIN.validator.iter_errors(value)

    shape = dataclasses.replace(schemas.LOGIN, validator=cast("Any", Validator()))
    calls: Counter[str] = Counter()
    sys.setprofile(lambda _frame, event, _argument: calls.update([event]))
    try:
        with pytest.raises(RequestProblem) as caught:
            fit(LARGE[name], shape)
    finally:
        sys.setprofile(None)
    assert calls["call"] + calls["c_call"] < 1_000
    assert all(len(value) <= MAX_ERRORS + 2 for value in shown)
    assert not any(value for each in shown for value in each.values())
    assert 2 <= len(caught.value.errors) <= MAX_ERRORS


@pytest.mark.parametrize("route", routes(Settings()), ids=lambda route: route.handler.__qualname__)
def test_no_field_takes_an_array_or_an_object(route: "Route") -> None:
    """The validator is not shown what they hold (`_plain`)."""
    shapes = [route.body, route.query and route.query.shape]
    fields = [field for shape in shapes if shape for field in shape.properties.values()]
    types = {str(field["type"]) for field in fields}
    assert types <= {"string", "integer", "['string', 'null']"}


async def test_surrogate_pair_is_one_character(offline: "Api") -> None:
    body = json.dumps(GOOD | {"display_name": "\U0001f600" * 200})
    assert "\\ud83d" in body
    assert (await post(offline, body)).status == 503


WHITE = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2028\u202f\u3000"


@pytest.mark.parametrize(
    "name", ["a", "é" * 200, f"{WHITE}a b{WHITE}", f"{WHITE * 50}{'n' * 200}{WHITE * 50}", "\ufeff"]
)
def test_name_that_fits_is_trimmed(name: str) -> None:
    assert fit({"name": name}, schemas.ORGANISATION_CREATE) == {"name": name.strip()}


@pytest.mark.parametrize(
    "name", ["", " ", WHITE, "a" * 201, f" {'a' * 201} ", "a\x00", None, 1, []]
)
def test_name_that_does_not_fit_is_refused(name: object) -> None:
    assert pointers({"name": name}, schemas.ORGANISATION_CREATE) == ["/name"]


def pointers(value: dict[str, Any], shape: schemas.Shape) -> list[str]:
    """Where the faults of a body are."""
    with pytest.raises(RequestProblem) as caught:
        fit(value, shape)
    return [error.pointer for error in caught.value.errors]


@pytest.mark.parametrize(
    "email", ["a@b.co", "o'neil+tag@mail.example.com", "jürgen@müller.example", f"{'l' * 64}@d.com"]
)
def test_email_that_fits_is_taken(email: str) -> None:
    assert fit({"email": email, "password": "p"}, schemas.LOGIN)["email"] == email


@pytest.mark.parametrize(
    "email",
    [
        "",
        "a",
        "a@",
        "@b.co",
        "a@b",
        "a@@b.co",
        "a b@c.de",
        " a@b.co",
        "a@b.co\n",
        "a@-b.co",
        "a@b..co",
        f"{'l' * 65}@d.com",
        "a@" + "b" * 250 + ".co",
        "a@" + ".".join(["b" * 60] * 5),
        None,
        3,
    ],
)
def test_email_that_does_not_fit_is_refused(email: object) -> None:
    assert pointers({"email": email, "password": "p"}, schemas.LOGIN) == ["/email"]


@pytest.mark.parametrize(
    ("password", "fits"),
    [
        ("a" * 11, False),
        ("a" * 12, True),
        ("é" * 12, True),
        ("a" * 1024, True),
        ("a" * 1025, False),
        ("é" * 512, True),
        ("é" * 513, False),
        ("\U0001f600" * 257, False),
    ],
)
def test_password_is_measured_in_characters_and_in_bytes(password: str, fits: bool) -> None:
    body, shape = {"email": "a@b.co", "password": password}, schemas.registration(12)
    if fits:
        assert fit(body, shape) == body
    else:
        assert pointers(body, shape) == ["/password"]


@pytest.mark.parametrize(
    ("shape", "body", "expected"),
    [
        (schemas.ORGANISATION_UPDATE, {}, [""]),
        (schemas.PROJECT_UPDATE, {}, [""]),
        (schemas.PROJECT_UPDATE, {"name": None}, ["/name"]),
        (schemas.PROJECT_UPDATE, {"status": "deleted"}, ["/status"]),
        (schemas.PROJECT_UPDATE, {"status": None}, ["/status"]),
        (schemas.PROJECT_UPDATE, {"project_id": "x"}, ["/project_id"]),
        (schemas.PROJECT_CREATE, {"name": "n", "description": "d" * 2001}, ["/description"]),
        (schemas.MEMBER_UPDATE, {"role": "king"}, ["/role"]),
        (schemas.MEMBER_UPDATE, {}, ["/role"]),
        (schemas.MEMBER_ADD, {"role": "viewer"}, [""]),
        (schemas.MEMBER_ADD, {"role": "viewer", "email": "a@b.co", "user_id": "x"}, [""]),
    ],
)
def test_shape_body_that_does_not_fit_is_refused(
    shape: schemas.Shape, body: dict[str, Any], expected: list[str]
) -> None:
    assert pointers(body, shape) == expected


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        (schemas.PROJECT_UPDATE, {"description": None}),
        (schemas.PROJECT_CREATE, {"name": "n", "description": "d" * 2000, "status": "archived"}),
        (schemas.MEMBER_ADD, {"role": "viewer", "email": "a@b.co"}),
        (schemas.MEMBER_ADD, {"role": "owner", "user_id": "no UUID: not there, so 404 later"}),
    ],
)
def test_shape_body_that_fits_is_taken(shape: schemas.Shape, body: dict[str, Any]) -> None:
    assert fit(dict(body), shape) == body


def test_fit_password_of_too_many_bytes_says_what_it_must_be() -> None:
    with pytest.raises(RequestProblem) as caught:
        fit({**GOOD, "password": "é" * 600}, schemas.registration(12))
    (fault,) = caught.value.errors
    assert (fault.pointer, fault.detail[:8]) == ("/password", "must be ")
