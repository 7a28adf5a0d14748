"""API keys over HTTP: shown once, recognisable, good for projects alone, revoked at once."""

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from api import credentials
from api.credentials import API_KEY, new_api_key
from api.policies import databases
from tests.api.paging import follow

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Api, Caller

FIELDS = [
    "api_key_id",
    "organisation_id",
    "name",
    "prefix",
    "created_at",
    "created_by_user_id",
    "last_used_at",
    "revoked_at",
]


@pytest.fixture
async def ada(api: "Api") -> "Caller":
    return await api.user("ada")


@pytest.fixture
async def acme(ada: "Caller") -> str:
    return await ada.organisation()


async def make(caller: "Caller", organisation_id: str, name: str = "CI") -> "Answer":
    answer = await caller.post(f"/orgs/{organisation_id}/api-keys", {"name": name})
    assert answer.status == 201, answer
    return answer


async def bearer(caller: "Caller", organisation_id: str, name: str = "CI") -> "Caller":
    """A new API key of the organisation, as somebody who sends requests."""
    made = await make(caller, organisation_id, name)
    return type(caller)(caller.client, made.body["raw_key"], made.body["api_key_id"])


async def test_create_shows_the_raw_key_this_once(ada: "Caller", acme: str) -> None:
    made = await make(ada, acme, "  CI  ")
    assert list(made.body) == [*FIELDS, "raw_key"]
    assert made.body["name"] == "CI"
    assert made.body["created_by_user_id"] == ada.user_id
    assert made.body["last_used_at"] is made.body["revoked_at"] is None
    assert made.headers["Location"] == f"/orgs/{acme}/api-keys/{made.body['api_key_id']}"
    assert made.headers["Cache-Control"] == "no-store"
    listed = await ada.get(f"/orgs/{acme}/api-keys")
    raw = made.body.pop("raw_key")
    assert listed.body["items"] == [made.body]
    assert raw.startswith(made.body["prefix"] + "_")
    assert raw.removeprefix(made.body["prefix"]) not in json.dumps(listed.body)


async def test_create_stores_no_more_than_the_digest(
    ada: "Caller", acme: str, database: databases.Database
) -> None:
    raw = (await make(ada, acme)).body["raw_key"]
    connection = await asyncpg.connect(database.admin_url)
    tables = await connection.fetch(
        "select oid::regclass::text as name from pg_class"
        " where relkind = 'r' and relnamespace::regnamespace::text in ('app', 'auth', 'audit')"
    )
    secret = raw.split("_")[2]
    for table in tables:
        rows = await connection.fetchval(f"select string_agg(t::text, ' ') from {table['name']} t")
        assert secret not in (rows or "")
    found = await connection.fetchval(
        "select count(*) from auth.credentials where digest = sha256($1)", raw.encode()
    )
    await connection.close()
    assert found == 1


def test_new_key_has_the_documented_form() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/api-keys.md").read_text()
    documented = re.search(r"```regex\n(.+)\n```", page)
    assert documented is not None
    assert documented[1] == rf"\b{API_KEY.pattern}\b"
    keys = [new_api_key() for _ in range(200)]
    for key in keys:
        assert re.search(documented[1], f'KEY="{key.raw}"')
        assert credentials.is_api_key(key.raw)
        assert re.fullmatch("saas_[0-9A-Za-z]{8}", key.prefix)
        assert len(key.digest) == 32
    assert len({key.raw for key in keys} | {key.prefix for key in keys}) == 400


def test_new_key_holds_256_random_bits_past_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def all_set(bits: int) -> int:
        asked.append(bits)
        return int(2**bits - 1)

    monkeypatch.setattr("secrets.randbits", all_set)
    assert new_api_key().raw.split("_")[2][:43] == credentials._base62(2**256 - 1, 43)
    assert asked == [256]
    assert 62**42 < 2**256 < 62**43


def typos(raw: str) -> list[str]:
    """The key with one character changed, two exchanged, one lost, one added, in each place."""
    found = []
    for place in range(5, len(raw)):
        other = "A" if raw[place] != "A" else "B"
        found += [
            raw[:place] + other + raw[place + 1 :],
            raw[:place] + raw[place + 1 :],
            raw[:place] + other + raw[place:],
        ]
        if raw[place - 1] != raw[place]:
            found.append(raw[: place - 1] + raw[place] + raw[place - 1] + raw[place + 1 :])
    return [*found, raw.lower(), raw.upper(), raw + " x", raw[:-6] + "000000"]


async def test_typo_is_refused_without_the_database(api: "Api", ada: "Caller", acme: str) -> None:
    key = await bearer(ada, acme)
    assert key.token is not None
    wrong = typos(key.token)
    assert not [typo for typo in wrong if credentials.is_api_key(typo)]
    before = api.database.statements
    for typo in wrong[::17]:
        answer = await api.send(
            "GET", f"/orgs/{acme}/projects", headers={"Authorization": f"Bearer {typo}"}
        )
        assert (answer.status, answer.problem) == (401, "unauthorised")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert api.database.statements == before


async def test_well_formed_key_that_nobody_has_is_401(api: "Api", acme: str) -> None:
    headers = {"Authorization": f"Bearer {new_api_key().raw}"}
    for path in (f"/orgs/{acme}/projects", "/me", "/orgs", f"/orgs/{acme}"):
        assert (await api.send("GET", path, headers=headers)).status == 401


async def test_key_serves_every_project_endpoint(ada: "Caller", acme: str) -> None:
    key = await bearer(ada, acme)
    path = f"/orgs/{acme}/projects"
    project_id = await key.project(acme, "Apollo", description="moon")
    assert (await key.get(path)).body["total"] == 1
    assert (await key.get(f"{path}/{project_id}")).body["description"] == "moon"
    assert (await key.patch(f"{path}/{project_id}", {"name": "Gemini"})).body["name"] == "Gemini"
    assert (await key.delete(f"{path}/{project_id}")).status == 204
    assert (await key.get(f"{path}/{project_id}")).status == 404


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
async def test_key_scheme_is_matched_without_regard_to_case(
    ada: "Caller", acme: str, scheme: str
) -> None:
    key = await bearer(ada, acme)
    headers = {"Authorization": f"{scheme} {key.token}"}
    assert (await key.send("GET", f"/orgs/{acme}/projects", headers=headers)).status == 200


ELSEWHERE: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "", None),
    ("PATCH", "", {"name": "x"}),
    ("GET", "/members", None),
    ("POST", "/members", {"email": "x@example.com", "role": "viewer"}),
    ("PATCH", "/members/x", {"role": "viewer"}),
    ("DELETE", "/members/x", None),
    ("POST", "/api-keys", {"name": "x"}),
    ("GET", "/api-keys", None),
    ("DELETE", "/api-keys/x", None),
    ("GET", "/audit-events", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ELSEWHERE)
async def test_key_elsewhere_is_403_at_home_and_404_abroad(
    api: "Api", ada: "Caller", acme: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    key, bob = await bearer(ada, acme), await api.user("bob")
    globex = await bob.organisation("Globex")
    home = await key.send(method, f"/orgs/{acme}{path}", json=body)
    assert (home.status, home.problem) == (403, "forbidden")
    abroad = await key.send(method, f"/orgs/{globex}{path}", json=body)
    nowhere = await key.send(method, f"/orgs/no-uuid{path}", json=body)
    assert abroad.status == nowhere.status == 404
    assert {**abroad.body, "instance": ""} == {**nowhere.body, "instance": ""}


async def test_key_is_no_user_and_sees_no_other_organisation(
    api: "Api", ada: "Caller", acme: str
) -> None:
    key = await bearer(ada, acme)
    other = await ada.organisation("Other")
    for method, path, body in (
        ("GET", "/me", None),
        ("GET", "/orgs", None),
        ("POST", "/orgs", {"name": "x"}),
    ):
        assert (await key.send(method, path, json=body)).status == 403
    for path in ("", "/x"):
        assert (await key.get(f"/orgs/{other}/projects{path}")).status == 404
    assert (await key.post(f"/orgs/{other}/projects", {"name": "x"})).status == 404


@pytest.mark.parametrize("role", ["admin", "member", "viewer"])
async def test_keys_are_managed_by_owners_and_admins(
    api: "Api", ada: "Caller", acme: str, role: str
) -> None:
    bob, eve = await api.user("bob"), await api.user("eve")
    await ada.add(acme, bob, role)
    key_id = (await make(ada, acme)).body["api_key_id"]
    path = f"/orgs/{acme}/api-keys"
    for caller, expected in (
        (bob, [201, 200, 204] if role == "admin" else [403, 403, 403]),
        (eve, [404, 404, 404]),
    ):
        answers = [
            await caller.post(path, {"name": "x"}),
            await caller.get(path),
            await caller.delete(f"{path}/{key_id}"),
        ]
        assert [answer.status for answer in answers] == expected


async def test_revoke_is_at_once_and_twice_is_204_and_one_event(ada: "Caller", acme: str) -> None:
    key, other = await bearer(ada, acme), await bearer(ada, acme, "other")
    path = f"/orgs/{acme}/api-keys/{key.user_id}"
    assert (await key.get(f"/orgs/{acme}/projects")).status == 200
    assert (await ada.delete(path)).status == 204
    assert (await key.get(f"/orgs/{acme}/projects")).status == 401
    first = (await ada.get(f"/orgs/{acme}/api-keys")).body["items"]
    assert (await ada.delete(path)).status == 204
    listed = await ada.get(f"/orgs/{acme}/api-keys")
    assert listed.body["items"] == first
    assert [item["revoked_at"] is None for item in listed.body["items"]] == [True, False]
    assert (await other.get(f"/orgs/{acme}/projects")).status == 200
    events = await ada.get(f"/orgs/{acme}/audit-events", action="api_key.revoked")
    assert [event["target_id"] for event in events.body["items"]] == [key.user_id]


async def test_revoke_is_refused_alike_for_what_is_not_there_and_what_is_anothers(
    api: "Api", ada: "Caller", acme: str
) -> None:
    bob = await api.user("bob")
    globex = await bob.organisation("Globex")
    key = await bearer(ada, acme)
    bodies = []
    for key_id in (key.user_id, "01890000-0000-7000-8000-000000000001", "no-uuid"):
        answer = await bob.delete(f"/orgs/{globex}/api-keys/{key_id}")
        assert answer.status == 404
        bodies.append({**answer.body, "instance": ""})
    assert bodies[0] == bodies[1] == bodies[2]
    assert (await key.get(f"/orgs/{acme}/projects")).status == 200


async def test_last_use_is_recorded_at_most_once_a_minute(
    ada: "Caller", acme: str, database: databases.Database
) -> None:
    key = await bearer(ada, acme)

    async def last_used() -> Any:
        return (await ada.get(f"/orgs/{acme}/api-keys")).body["items"][0]["last_used_at"]

    assert await last_used() is None
    assert (await key.get("/me")).status == 403
    assert (await key.get(f"/orgs/{acme}")).status == 403
    assert await last_used() is None, "what is refused is no use"
    await key.get(f"/orgs/{acme}/projects")
    first = await last_used()
    assert first is not None
    await asyncio.gather(*(key.get(f"/orgs/{acme}/projects") for _ in range(20)))
    assert await last_used() == first
    connection = await asyncpg.connect(database.admin_url)
    await connection.execute("update app.api_key_uses set last_used_at = now() - interval '61 s'")
    await connection.close()
    await key.get(f"/orgs/{acme}/projects")
    assert await last_used() > first


async def test_last_use_that_another_holds_keeps_no_request_waiting(
    ada: "Caller", acme: str, database: databases.Database
) -> None:
    key = await bearer(ada, acme)
    connection = await asyncpg.connect(database.admin_url)
    async with connection.transaction():
        await connection.execute("select from app.api_key_uses for update")
        async with asyncio.timeout(2):
            answers = await asyncio.gather(*(key.get(f"/orgs/{acme}/projects") for _ in range(5)))
            assert [answer.status for answer in answers] == [200] * 5
            assert (await ada.delete(f"/orgs/{acme}/api-keys/{key.user_id}")).status == 204
    await connection.close()


async def test_key_outlives_its_makers_membership(api: "Api", ada: "Caller", acme: str) -> None:
    """It is the organisation's, not the maker's: a deployment does not stop when someone leaves."""
    bob = await api.user("bob")
    await ada.add(acme, bob, "admin")
    key = await bearer(bob, acme)
    assert (await ada.delete(f"/orgs/{acme}/members/{bob.user_id}")).status == 204
    assert (await bob.get(f"/orgs/{acme}/projects")).status == 404
    assert (await key.get(f"/orgs/{acme}/projects")).status == 200
    assert (await ada.get(f"/orgs/{acme}/api-keys")).body["items"][0]["created_by_user_id"] == (
        bob.user_id
    )


async def test_list_is_paged_newest_first(ada: "Caller", acme: str) -> None:
    made = [(await make(ada, acme, str(number))).body["api_key_id"] for number in range(5)]
    seen = []
    for offset in range(0, 6, 2):
        page = await ada.get(f"/orgs/{acme}/api-keys", limit="2", offset=str(offset))
        assert (page.body["total"], page.body["limit"], page.body["offset"]) == (5, 2, offset)
        seen += [item["api_key_id"] for item in page.body["items"]]
    assert seen == made[::-1]
    followed = await follow(ada, f"/orgs/{acme}/api-keys", 2)
    assert [item["api_key_id"] for item in followed] == seen


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": " "}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": 1}, "/name"),
        ({"name": "x", "raw_key": "y"}, "/raw_key"),
    ],
)
async def test_create_with_a_bad_body_is_422(
    ada: "Caller", acme: str, body: dict[str, Any], pointer: str
) -> None:
    answer = await ada.post(f"/orgs/{acme}/api-keys", body)
    assert (answer.status, answer.pointers) == (422, [pointer])
    assert (await ada.get(f"/orgs/{acme}/api-keys")).body["total"] == 0


async def test_logs_hold_no_key(
    ada: "Caller", acme: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    key = await bearer(ada, acme)
    assert key.token is not None
    secret = key.token.split("_")[2]
    await key.get(f"/orgs/{acme}/projects")
    await key.get(f"/orgs/{acme}/projects/{key.token}")
    said = capsys.readouterr()
    assert secret not in said.out + said.err + caplog.text
