"""Idempotency over HTTP: one effect, equal answers, whoever repeats, wherever, whenever."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from api.app import create_app
from api.calls import SERVICES
from api.policies import databases
from api.settings import Settings

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Api, Caller, HttpClient

HEADER = "Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Scene:
    """Ada, who owns Acme, and the superuser's connection."""

    api: "Api"
    ada: "Caller"
    acme: str
    admin: Any

    def path(self, endpoint: str) -> str:
        return endpoint.replace("{acme}", self.acme)

    async def count(self, table: str) -> int:
        return int(await self.admin.fetchval(f"select count(*) from {table}"))


@pytest.fixture
async def scene(api: "Api", database: databases.Database) -> Any:
    ada = await api.user("ada")
    admin = await asyncpg.connect(database.admin_url)
    yield Scene(api, ada, await ada.organisation(), admin)
    await admin.close()


async def post(caller: "Caller", path: str, body: Any, key: str = "k") -> "Answer":
    data = body if isinstance(body, str) else json.dumps(body)
    headers = {HEADER: key, "Content-Type": "application/json"}
    return await caller.send("POST", path, data=data, headers=headers)


def replayed(answer: "Answer") -> bool:
    assert answer.headers.get("Idempotency-Replayed") in (None, "true")
    return "Idempotency-Replayed" in answer.headers


PROJECTS = "/orgs/{acme}/projects"
ENDPOINTS = {
    "/orgs": "app.organisations",
    PROJECTS: "app.projects",
    "/orgs/{acme}/api-keys": "app.api_keys",
}
each_endpoint = pytest.mark.parametrize(("endpoint", "table"), ENDPOINTS.items(), ids=ENDPOINTS)


@each_endpoint
async def test_repetition_gets_the_answer_and_has_no_effect(
    scene: Scene, endpoint: str, table: str
) -> None:
    path, before = scene.path(endpoint), await scene.count(table)
    events = await scene.count("audit.events")
    first = await post(scene.ada, path, {"name": "New"})
    recorded = await scene.count("audit.events") - events
    again = [await post(scene.ada, path, {"name": "New"}) for _ in range(3)]
    assert (first.status, replayed(first)) == (201, False)
    first.body.pop("raw_key", None)
    for answer in again:
        assert (answer.status, replayed(answer)) == (201, True)
        assert answer.body == first.body
        assert answer.headers["Location"] == first.headers["Location"]
        assert answer.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert await scene.count(table) == before + 1
    assert await scene.count("audit.events") == events + recorded


@each_endpoint
async def test_equal_values_in_another_form_are_the_same_request(
    scene: Scene, endpoint: str, table: str
) -> None:
    path, before = scene.path(endpoint), await scene.count(table)
    assert not replayed(await post(scene.ada, path, '{"name":"Ada"}'))
    for form in ('{ "name" :\n"Ada" }', '{"name": "\\u0041\\u0064a"}', ' {"name":"Ada"}\t'):
        answer = await post(scene.ada, path, form)
        assert (answer.status, replayed(answer)) == (201, True), form
    assert await scene.count(table) == before + 1


async def test_members_in_another_order_are_the_same_request(scene: Scene) -> None:
    path = scene.path(PROJECTS)
    await post(scene.ada, path, '{"name": "x", "status": "active", "description": null}')
    again = await post(scene.ada, path, '{"description": null, "status": "active", "name": "x"}')
    assert replayed(again)


@each_endpoint
async def test_another_body_is_409_without_a_hash(scene: Scene, endpoint: str, table: str) -> None:
    path, before = scene.path(endpoint), await scene.count(table)
    first = await post(scene.ada, path, {"name": "New"})
    answer = await post(scene.ada, path, {"name": "Newer"})
    assert (answer.status, answer.problem) == (409, "idempotency-key-reused")
    assert set(answer.body) == {"type", "title", "status", "detail", "instance"}
    assert "New" not in json.dumps(answer.body)
    assert not [part for part in json.dumps(answer.body).split('"') if len(part) > 60]
    again = await post(scene.ada, path, {"name": "New"})
    assert (again.status, replayed(again)) == (201, True)
    assert again.headers["Location"] == first.headers["Location"]
    assert await scene.count(table) == before + 1


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "description": None},
        {"name": "x", "status": "active"},
        {"name": "x", "status": "archived"},
        {"name": "x "},
    ],
)
async def test_what_is_sent_counts_not_what_it_means(scene: Scene, body: dict[str, Any]) -> None:
    """A default spelt out, or a name that trims to the same, is another body."""
    await post(scene.ada, scene.path(PROJECTS), {"name": "x"})
    assert (await post(scene.ada, scene.path(PROJECTS), body)).status == 409


async def test_keys_are_each_principals_organisations_and_endpoints_own(scene: Scene) -> None:
    bob = await scene.api.user("bob")
    await scene.ada.add(scene.acme, bob, "admin")
    other = await scene.ada.organisation("Other")
    key = (await scene.ada.post(f"/orgs/{scene.acme}/api-keys", {"name": "k"})).body["raw_key"]
    machine = type(scene.ada)(scene.ada.client, key)
    answers = [
        await post(caller, path, {"name": name})
        for caller, path, name in (
            (scene.ada, scene.path(PROJECTS), "a"),
            (bob, scene.path(PROJECTS), "b"),
            (machine, scene.path(PROJECTS), "c"),
            (scene.ada, f"/orgs/{other}/projects", "d"),
            (scene.ada, f"/orgs/{scene.acme}/api-keys", "e"),
            (scene.ada, "/orgs", "f"),
        )
    ]
    assert [(answer.status, replayed(answer)) for answer in answers] == [(201, False)] * 6
    repeated = await post(machine, scene.path(PROJECTS), {"name": "c"})
    assert (repeated.body, replayed(repeated)) == (answers[2].body, True)


async def test_another_session_of_the_user_is_the_same_principal(scene: Scene) -> None:
    first = await post(scene.ada, scene.path(PROJECTS), {"name": "x"})
    token = (await scene.api.login(scene.ada.email)).body["access_token"]
    elsewhere = type(scene.ada)(scene.ada.client, token)
    again = await post(elsewhere, scene.path(PROJECTS), {"name": "x"})
    assert (replayed(again), again.body) == (True, first.body)


@each_endpoint
async def test_twenty_at_once_over_two_servers_have_one_effect_and_one_answer(
    scene: Scene,
    settings: Settings,
    aiohttp_client: Callable[..., Awaitable["HttpClient"]],
    endpoint: str,
    table: str,
) -> None:
    other = await aiohttp_client(create_app(settings))
    elsewhere = type(scene.ada)(other, scene.ada.token)
    path, before = scene.path(endpoint), await scene.count(table)
    answers = await asyncio.gather(
        *(post((scene.ada, elsewhere)[n % 2], path, {"name": "x"}) for n in range(20))
    )
    assert [answer.status for answer in answers] == [201] * 20
    assert sorted(replayed(answer) for answer in answers) == [False] + [True] * 19
    if endpoint.endswith("api-keys"):
        with_key = [answer for answer in answers if answer.body.pop("raw_key", None)]
        assert [replayed(answer) for answer in with_key] == [False]
    assert len({json.dumps(answer.body) for answer in answers}) == 1
    assert await scene.count(table) == before + 1


async def test_twenty_at_once_with_two_bodies_have_one_effect(scene: Scene) -> None:
    path, before = scene.path(PROJECTS), await scene.count("app.projects")
    answers = await asyncio.gather(
        *(post(scene.ada, path, {"name": f"x{n % 2}"}) for n in range(20))
    )
    statuses = [answer.status for answer in answers]
    assert sorted(statuses) == [201] * 10 + [409] * 10
    assert len({answer.body["name"] for answer in answers if answer.status == 201}) == 1
    assert await scene.count("app.projects") == before + 1


async def test_refused_request_frees_its_key(scene: Scene) -> None:
    bob = await scene.api.user("bob")
    await scene.ada.add(scene.acme, bob, "viewer")
    path = scene.path(PROJECTS)
    for body, status in (({}, 422), ("{", 400), ({"name": ""}, 422)):
        assert (await post(scene.ada, path, body)).status == status
    assert (await post(bob, path, {"name": "x"})).status == 403
    assert (await post(bob, "/orgs/no-uuid/projects", {"name": "x"})).status == 404
    assert await scene.count("app.idempotency_keys") == 0
    promoted = await scene.ada.patch(
        f"/orgs/{scene.acme}/members/{bob.user_id}", {"role": "member"}
    )
    assert promoted.status == 200
    for caller in (scene.ada, bob):
        answer = await post(caller, path, {"name": "other"})
        assert (answer.status, replayed(answer)) == (201, False)


async def test_claim_whose_server_process_dies_leaves_nothing(scene: Scene) -> None:
    """The work waits for a lock while its backend is ended: 503, and the key is free."""
    path = scene.path(PROJECTS)
    async with scene.admin.transaction():
        await scene.admin.execute("lock table app.projects in share mode")
        waiting = asyncio.create_task(post(scene.ada, path, {"name": "x"}))
        second = asyncio.create_task(post(scene.ada, path, {"name": "x"}))
        async with asyncio.timeout(4):
            while not (pid := await scene.admin.fetchval(WAITS_FOR_TABLE)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await scene.admin.execute("select pg_terminate_backend($1)", pid)
        ended, _ = await asyncio.wait({waiting, second}, return_when=asyncio.FIRST_COMPLETED)
        (died,) = [task.result() for task in ended]
        assert (died.status, died.problem) == (503, "unavailable")
        assert await scene.count("app.idempotency_keys") == 0
    answers = [await waiting, await second]
    assert sorted(answer.status for answer in answers) == [201, 503]
    (survivor,) = [answer for answer in answers if answer.status == 201]
    assert not replayed(survivor)
    again = await post(scene.ada, path, {"name": "x"})
    assert (replayed(again), again.body) == (True, survivor.body)
    assert await scene.count("app.projects") == 1


WAITS_FOR_TABLE = """
    select pid from pg_locks where relation = 'app.projects'::regclass and not granted limit 1
"""


async def test_transaction_that_dies_after_its_work_leaves_nothing(
    scene: Scene, database: databases.Database
) -> None:
    """All is done but the commit."""
    token = f"Bearer {scene.ada.token}"
    digest = scene.api.client.app[SERVICES].credentials.digest(token)
    connection = await asyncpg.connect(database.api_url)
    await connection.execute("begin")
    body = await connection.fetchval(
        "select body from api.create_project($1, 'r', $2, 'x', null, 'active', 'k', $3)",
        digest,
        scene.acme,
        '{"name": "x"}',
    )
    assert body is not None
    pid = connection.get_server_pid()
    await scene.admin.execute("select pg_terminate_backend($1)", pid)
    connection.terminate()
    answer = await post(scene.ada, scene.path(PROJECTS), {"name": "x"})
    assert (answer.status, replayed(answer)) == (201, False)
    assert await scene.count("app.projects") == 1


async def test_repetition_needs_the_rights_of_now(scene: Scene) -> None:
    bob = await scene.api.user("bob")
    await scene.ada.add(scene.acme, bob, "admin")
    paths = [scene.path(PROJECTS), scene.path("/orgs/{acme}/api-keys")]
    for path in paths:
        assert (await post(bob, path, {"name": "x"})).status == 201
    member = f"/orgs/{scene.acme}/members/{bob.user_id}"
    await scene.ada.patch(member, {"role": "viewer"})
    for path in paths:
        answer = await post(bob, path, {"name": "x"})
        assert (answer.status, replayed(answer)) == (403, False)
    await scene.ada.delete(member)
    for path in paths:
        assert (await post(bob, path, {"name": "x"})).status == 404
    await scene.ada.add(scene.acme, bob, "admin")
    for path in paths:
        assert replayed(await post(bob, path, {"name": "x"}))


async def test_repetition_needs_a_live_api_key(scene: Scene) -> None:
    made = (await scene.ada.post(f"/orgs/{scene.acme}/api-keys", {"name": "k"})).body
    machine = type(scene.ada)(scene.ada.client, made["raw_key"])
    path = scene.path(PROJECTS)
    assert (await post(machine, path, {"name": "x"})).status == 201
    assert replayed(await post(machine, path, {"name": "x"}))
    await scene.ada.delete(f"/orgs/{scene.acme}/api-keys/{made['api_key_id']}")
    assert (await post(machine, path, {"name": "x"})).status == 401


async def test_repeated_api_key_creation_shows_no_key_and_the_first_one_works(
    scene: Scene,
) -> None:
    path = scene.path("/orgs/{acme}/api-keys")
    first, again = [await post(scene.ada, path, {"name": "x"}) for _ in range(2)]
    assert "raw_key" in first.body
    assert "raw_key" not in again.body
    machine = type(scene.ada)(scene.ada.client, first.body["raw_key"])
    assert (await machine.get(scene.path(PROJECTS))).status == 200
    stored = await scene.admin.fetchval(
        "select string_agg(k::text, ' ') from app.idempotency_keys k"
    )
    assert first.body["raw_key"].split("_")[2] not in stored


async def test_repetition_answers_as_it_was_though_the_thing_has_changed(scene: Scene) -> None:
    path = scene.path(PROJECTS)
    first = await post(scene.ada, path, {"name": "x"})
    await scene.ada.patch(first.headers["Location"], {"name": "y"})
    await scene.ada.delete(first.headers["Location"])
    again = await post(scene.ada, path, {"name": "x"})
    assert (again.status, again.body, replayed(again)) == (201, first.body, True)
    assert (await scene.ada.get(first.headers["Location"])).status == 404


@pytest.mark.parametrize(
    "key", ["!", "~" * 255, 'a,b;c="d"', "00000000-0000-4000-8000-000000000000"]
)
async def test_key_of_visible_ascii_is_taken(scene: Scene, key: str) -> None:
    path = scene.path(PROJECTS)
    assert (await post(scene.ada, path, {"name": "x"}, key)).status == 201
    assert replayed(await post(scene.ada, path, {"name": "x"}, key))


@each_endpoint
@pytest.mark.parametrize("key", ["", "k" * 256, "a b", "a\tb", "é", "\u2028"])
async def test_bad_key_is_422(scene: Scene, endpoint: str, table: str, key: str) -> None:
    before = await scene.count(table)
    answer = await post(scene.ada, scene.path(endpoint), {"name": "x"}, key)
    assert (answer.status, answer.pointers) == (422, [HEADER])
    assert await scene.count(table) == before


async def test_key_given_twice_is_422(scene: Scene) -> None:
    headers = [(HEADER, "k"), (HEADER, "k"), ("Authorization", f"Bearer {scene.ada.token}")]
    async with scene.ada.client.post(
        scene.path(PROJECTS), json={"name": "x"}, headers=headers
    ) as response:
        assert response.status == 422


async def test_bad_key_without_a_credential_is_401(scene: Scene) -> None:
    assert (await post(scene.api, scene.path(PROJECTS), {"name": "x"}, "a b")).status == 401


async def test_key_elsewhere_is_not_looked_at(scene: Scene) -> None:
    bob = await scene.api.user("bob")
    path = f"/orgs/{scene.acme}/members"
    body = {"user_id": bob.user_id, "role": "viewer"}
    assert (await post(scene.ada, path, body, "a b")).status == 201
    assert (await post(scene.ada, path, body)).problem == "member-exists"
    assert await scene.count("app.idempotency_keys") == 0


async def test_key_expires_after_24_hours(scene: Scene) -> None:
    path = scene.path(PROJECTS)
    age = "update app.idempotency_keys set created_at = now() - $1::interval"
    first = await post(scene.ada, path, {"name": "x"})
    await scene.admin.execute(age.replace("$1::interval", "interval '23 hours 59 minutes'"))
    assert (await post(scene.ada, path, {"name": "x"})).body == first.body
    await scene.admin.execute(age.replace("$1::interval", "interval '24 hours'"))
    anew = await post(scene.ada, path, {"name": "y"})
    assert (anew.status, replayed(anew)) == (201, False)
    assert replayed(await post(scene.ada, path, {"name": "y"}))
    assert (await post(scene.ada, path, {"name": "x"})).status == 409
    assert await scene.count("app.projects") == 2


async def test_expired_key_claimed_at_once_by_twenty_has_one_effect(scene: Scene) -> None:
    path = scene.path(PROJECTS)
    await post(scene.ada, path, {"name": "x"})
    await scene.admin.execute(
        "update app.idempotency_keys set created_at = now() - interval '25 hours'"
    )
    answers = await asyncio.gather(*(post(scene.ada, path, {"name": "x"}) for _ in range(20)))
    assert sorted(replayed(answer) for answer in answers) == [False] + [True] * 19
    assert len({answer.body["project_id"] for answer in answers}) == 1
    assert await scene.count("app.projects") == 2


async def test_without_a_key_nothing_is_kept(scene: Scene) -> None:
    for _ in range(2):
        await scene.ada.project(scene.acme, "x")
    assert await scene.count("app.idempotency_keys") == 0
    assert await scene.count("app.projects") == 2
