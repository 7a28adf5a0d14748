"""The audit over HTTP: each action once and exactly, for owners and admins, nothing secret."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from api.calls import SERVICES
from api.policies import databases
from api.routes import routes
from api.settings import Settings
from tests.api.paging import follow

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Api, Caller

FIELDS = [
    "audit_event_id",
    "organisation_id",
    "action",
    "actor_type",
    "actor_user_id",
    "actor_api_key_id",
    "target_type",
    "target_id",
    "request_id",
    "changes",
    "occurred_at",
]
NIL = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def ada(api: "Api") -> "Caller":
    return await api.user("ada")


@pytest.fixture
async def acme(ada: "Caller") -> str:
    return await ada.organisation()


@pytest.fixture
async def admin(database: databases.Database) -> Any:
    """The superuser's connection, which sees what belongs to no organisation."""
    connection = await asyncpg.connect(database.admin_url)
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )
    yield connection
    await connection.close()


async def events(caller: "Caller", organisation_id: str, **query: str) -> list[dict[str, Any]]:
    """The organisation's events, oldest first."""
    answer = await caller.get(f"/orgs/{organisation_id}/audit-events", **query)
    assert answer.status == 200, answer
    assert answer.body["total"] == len(answer.body["items"])
    items: list[dict[str, Any]] = answer.body["items"][::-1]
    return items


def event(
    answer: "Answer",
    organisation_id: str,
    actor: tuple[str, str],
    action: str,
    target_id: str,
    **changes: list[Any],
) -> dict[str, Any]:
    """What a request that got `answer` must have recorded, but for id and time."""
    kind, actor_id = actor
    return {
        "organisation_id": organisation_id,
        "action": action,
        "actor_type": kind,
        "actor_user_id": actor_id if kind == "user" else None,
        "actor_api_key_id": actor_id if kind == "api_key" else None,
        "target_type": action.split(".")[0],
        "target_id": target_id,
        "request_id": answer.headers["X-Request-ID"],
        "changes": {name: {"old": old, "new": new} for name, (old, new) in changes.items()},
    }


def bare(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without id and time."""
    unsaid = ("audit_event_id", "occurred_at")
    return [{name: each[name] for name in each if name not in unsaid} for each in found]


async def test_each_action_is_recorded_once_and_exactly(api: "Api", ada: "Caller") -> None:
    bob = await api.user("bob")
    me = ("user", ada.user_id)
    founded = await ada.post("/orgs", {"name": "Acme"})
    org = founded.body["organisation_id"]
    expected = [
        event(founded, org, me, "organisation.created", org, name=[None, "Acme"]),
        event(founded, org, me, "member.added", ada.user_id, role=[None, "owner"]),
    ]
    renamed = await ada.patch(f"/orgs/{org}", {"name": "Acme 2"})
    expected.append(event(renamed, org, me, "organisation.updated", org, name=["Acme", "Acme 2"]))
    await ada.patch(f"/orgs/{org}", {"name": "Acme 2"})

    members = f"/orgs/{org}/members"
    done = await ada.post(members, {"email": bob.email, "role": "viewer"})
    expected.append(event(done, org, me, "member.added", bob.user_id, role=[None, "viewer"]))
    done = await ada.patch(f"{members}/{bob.user_id}", {"role": "member"})
    expected.append(event(done, org, me, "member.updated", bob.user_id, role=["viewer", "member"]))
    await ada.patch(f"{members}/{bob.user_id}", {"role": "member"})

    projects = f"/orgs/{org}/projects"
    his = ("user", bob.user_id)
    done = await bob.post(projects, {"name": "Apollo", "description": "moon"})
    apollo = done.body["project_id"]
    new = {"name": [None, "Apollo"], "description": [None, "moon"], "status": [None, "active"]}
    expected.append(event(done, org, his, "project.created", apollo, **new))
    done = await bob.patch(f"{projects}/{apollo}", {"description": None, "name": "Apollo"})
    change = {"description": ["moon", None]}
    expected.append(event(done, org, his, "project.updated", apollo, **change))
    await bob.patch(f"{projects}/{apollo}", {"name": "Apollo", "status": "active"})

    done = await ada.post(f"/orgs/{org}/api-keys", {"name": "CI"})
    key_id = done.body["api_key_id"]
    machine = type(ada)(ada.client, done.body["raw_key"])
    expected.append(event(done, org, me, "api_key.created", key_id, name=[None, "CI"]))
    its = ("api_key", key_id)
    done = await machine.patch(f"{projects}/{apollo}", {"status": "archived"})
    change = {"status": ["active", "archived"]}
    expected.append(event(done, org, its, "project.updated", apollo, **change))
    done = await machine.delete(f"{projects}/{apollo}")
    expected.append(event(done, org, its, "project.deleted", apollo))
    await machine.delete(f"{projects}/{apollo}")
    done = await ada.delete(f"/orgs/{org}/api-keys/{key_id}")
    expected.append(event(done, org, me, "api_key.revoked", key_id))
    await ada.delete(f"/orgs/{org}/api-keys/{key_id}")
    done = await bob.delete(f"{members}/{bob.user_id}")
    expected.append(event(done, org, his, "member.removed", bob.user_id, role=["member", None]))

    found = await events(ada, org)
    assert bare(found) == expected
    for each in found:
        assert list(each) == FIELDS
        at = datetime.fromisoformat(each["occurred_at"])
        assert at.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)


async def test_accounts_are_recorded_in_no_organisation(api: "Api", admin: Any) -> None:
    registered = await api.register("eve@example.com")
    logged_in = await api.login("EVE@example.com")
    wrong = await api.login("eve@example.com", "a wrong password")
    unknown = await api.login("nobody@example.com", "a wrong password")
    taken = await api.register("eve@example.com")
    assert [a.status for a in (registered, logged_in, wrong, unknown, taken)] == [
        *(201, 200, 401, 401, 409)
    ]
    user_id = registered.body["user_id"]
    rows = await admin.fetch(f"select {', '.join(FIELDS)} from audit.events order by occurred_at")
    found = bare([{k: str(v) if "_id" in k and v else v for k, v in r.items()} for r in rows])
    her = ("user", user_id)
    assert found == [
        event(registered, NIL, her, "user.registered", user_id),
        event(logged_in, NIL, her, "user.logged_in", user_id),
        event(wrong, NIL, ("anonymous", ""), "user.login_failed", user_id),
        {**event(unknown, NIL, ("anonymous", ""), "user.login_failed", ""), "target_id": None},
    ]


async def test_login_that_fails_at_once_many_times_is_recorded_each_time(
    api: "Api", admin: Any
) -> None:
    await api.register("eve@example.com")
    answers = await asyncio.gather(*(api.login("eve@example.com", "wrong") for _ in range(8)))
    assert [answer.status for answer in answers] == [401] * 8
    query = "select count(distinct request_id) from audit.events where action = 'user.login_failed'"
    assert await admin.fetchval(query) == 8


async def test_refused_request_is_no_event(api: "Api", ada: "Caller", acme: str) -> None:
    bob, eve = await api.user("bob"), await api.user("eve")
    await ada.add(acme, bob, "viewer")
    before = await events(ada, acme)
    refused = [
        await bob.post(f"/orgs/{acme}/projects", {"name": "x"}),
        await eve.post(f"/orgs/{acme}/projects", {"name": "x"}),
        await ada.post(f"/orgs/{acme}/projects", {"name": ""}),
        await ada.post(f"/orgs/{acme}/members", {"email": bob.email, "role": "admin"}),
        await ada.delete(f"/orgs/{acme}/members/{ada.user_id}"),
        await bob.post(f"/orgs/{acme}/api-keys", {"name": "x"}),
        await ada.delete(f"/orgs/{acme}/projects/x"),
    ]
    assert [answer.status for answer in refused] == [403, 404, 422, 409, 409, 403, 404]
    assert await events(ada, acme) == before


async def test_events_of_simultaneous_requests_are_all_there(ada: "Caller", acme: str) -> None:
    answers = await asyncio.gather(
        *(ada.post(f"/orgs/{acme}/projects", {"name": str(n)}) for n in range(20))
    )
    found = await events(ada, acme, action="project.created")
    assert {each["target_id"] for each in found} == {a.body["project_id"] for a in answers}
    assert {each["request_id"] for each in found} == {a.headers["X-Request-ID"] for a in answers}
    assert len(found) == 20


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("member", 403), ("viewer", 403)])
async def test_events_are_for_owners_and_admins(
    api: "Api", ada: "Caller", acme: str, role: str, status: int
) -> None:
    bob, eve = await api.user("bob"), await api.user("eve")
    await ada.add(acme, bob, role)
    assert (await bob.get(f"/orgs/{acme}/audit-events")).status == status
    assert (await eve.get(f"/orgs/{acme}/audit-events")).status == 404
    assert (await api.get(f"/orgs/{acme}/audit-events")).status == 401


async def test_events_of_another_organisation_are_not_there(
    api: "Api", ada: "Caller", acme: str
) -> None:
    bob = await api.user("bob")
    globex = await bob.organisation("Globex")
    project = await ada.project(acme)
    assert {each["organisation_id"] for each in await events(bob, globex)} == {globex}
    for query in ({"target_id": project}, {"actor_user_id": ada.user_id}, {"target_id": acme}):
        assert await events(bob, globex, **query) == []


async def test_no_event_is_written_by_http(ada: "Caller", acme: str) -> None:
    path = f"/orgs/{acme}/audit-events"
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await ada.send(method, path, json={})
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        assert (await ada.send(method, f"{path}/x", json={})).status == 404


async def aged(admin: Any, organisation_id: str, ada: "Caller") -> list[str]:
    """Three events, at midnight, noon and midnight again; their ids, oldest first."""
    rows = await admin.fetch(
        """
        insert into audit.events (
            organisation_id, occurred_at, action, actor_type, actor_user_id, target_type, target_id
        )
        select $1, at::timestamptz, 'project.updated', 'user', $2, 'project', $1
        from unnest(array['2020-01-01 00:00Z', '2020-01-01 12:00Z', '2020-01-02 00:00Z']) as at
        returning audit_event_id
        """,
        organisation_id,
        ada.user_id,
    )
    return [str(row[0]) for row in rows]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", [0, 1]),
        ("2020-01-01T00:00:00.000001Z", "2020-01-02T00:00:00.000001Z", [1, 2]),
        ("2020-01-01T12:00:00Z", "2020-01-01T12:00:00Z", []),
        ("2020-01-01T12:00:00Z", "2020-01-01T12:00:00.1Z", [1]),
        ("2020-01-01T13:00:00+01:00", "2020-01-01T23:30:00-00:30", [1]),
        ("2020-01-01t12:00:00z", "2020-01-03t00:00:00z", [1, 2]),
        ("2020-01-03T00:00:00Z", "2020-01-01T00:00:00Z", []),
    ],
)
async def test_since_is_inclusive_and_until_exclusive(
    ada: "Caller", acme: str, admin: Any, since: str, until: str, expected: list[int]
) -> None:
    ids = await aged(admin, acme, ada)
    found = await events(ada, acme, since=since, until=until)
    assert [each["audit_event_id"] for each in found] == [ids[n] for n in expected]


async def test_since_alone_and_until_alone(ada: "Caller", acme: str, admin: Any) -> None:
    ids = await aged(admin, acme, ada)
    assert len(await events(ada, acme, since="2020-01-01T12:00:00Z")) == 2 + 2
    found = await events(ada, acme, until="2020-01-01T12:00:00Z")
    assert [each["audit_event_id"] for each in found] == ids[:1]


async def test_filters_narrow_together(api: "Api", ada: "Caller", acme: str) -> None:
    bob = await api.user("bob")
    await ada.add(acme, bob, "member")
    hers, his = await ada.project(acme, "hers"), await bob.project(acme, "his")
    await ada.patch(f"/orgs/{acme}/projects/{his}", {"name": "ours"})

    async def actions(**query: str) -> list[str]:
        return [each["action"] for each in await events(ada, acme, **query)]

    assert await actions(target_id=his) == ["project.created", "project.updated"]
    assert await actions(target_id=his.upper()) == ["project.created", "project.updated"]
    assert await actions(target_id=his, actor_user_id=ada.user_id) == ["project.updated"]
    assert await actions(actor_user_id=bob.user_id) == ["project.created"]
    assert await actions(action="project.created", target_id=hers) == ["project.created"]
    assert await actions(action="project.deleted") == []
    assert await actions(action="member.added", actor_user_id=bob.user_id) == []
    assert await actions(actor_user_id=NIL) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("action", "project.burnt"),
        ("action", ""),
        ("action", "PROJECT.CREATED"),
        ("actor_user_id", "x"),
        ("actor_user_id", ""),
        ("target_id", "x"),
        ("since", "yesterday"),
        ("since", "2026-01-01"),
        ("since", "2026-01-01T00:00:00"),
        ("since", "2026-02-30T00:00:00Z"),
        ("until", "infinity"),
        ("until", "2026-01-01T25:00:00Z"),
        ("until", "0000-01-01T00:00:00Z"),
        ("limit", "0"),
        ("limit", "201"),
        ("offset", "-1"),
        ("actor", "x"),
    ],
)
async def test_bad_filter_is_422_by_name(ada: "Caller", acme: str, name: str, value: str) -> None:
    answer = await ada.get(f"/orgs/{acme}/audit-events", **{name: value})
    assert (answer.status, answer.pointers) == (422, [name])


async def test_pages_neither_repeat_nor_skip(ada: "Caller", acme: str, admin: Any) -> None:
    """Fifty events of one moment, and some of others."""
    await admin.execute(
        "insert into audit.events (organisation_id, action, actor_type, actor_database_role,"
        " target_type) select $1, 'project.updated', 'database_role', 'x', 'project'"
        " from generate_series(1, 50)",
        acme,
    )
    await ada.project(acme)
    seen: list[dict[str, Any]] = []
    for offset in range(0, 60, 7):
        page = await ada.get(f"/orgs/{acme}/audit-events", limit="7", offset=str(offset))
        assert (page.body["total"], page.body["limit"], page.body["offset"]) == (53, 7, offset)
        seen += page.body["items"]
    assert await follow(ada, f"/orgs/{acme}/audit-events", 7) == seen
    keys = [(each["occurred_at"], each["audit_event_id"]) for each in seen]
    assert len(set(keys)) == 53
    assert keys == sorted(keys, key=lambda k: (datetime.fromisoformat(k[0]), k[1]), reverse=True)
    assert seen[0]["action"] == "project.created"


async def test_no_event_of_a_whole_run_holds_a_secret(
    api: "Api", ada: "Caller", acme: str, admin: Any
) -> None:
    password = "a password like no other, 8c1f"
    await api.register("eve@example.com", password)
    token = (await api.login("eve@example.com", password)).body["access_token"]
    await api.login("eve@example.com", password + "!")
    made = await ada.post(f"/orgs/{acme}/api-keys", {"name": "CI"})
    key = made.body["raw_key"]
    machine = type(ada)(ada.client, key)
    await machine.project(acme)
    await ada.delete(f"/orgs/{acme}/api-keys/{made.body['api_key_id']}")
    bearer = f"Bearer {ada.token}"
    digest = api.client.app[SERVICES].credentials.digest(bearer).hex()
    hashes = await admin.fetch(
        "select encode(digest, 'hex'), encode(salt, 'hex') from auth.passwords"
    )
    text = await admin.fetchval("select string_agg(e::text, ' ') from audit.events as e")
    secrets = [password, token, key, key.split("_")[2], str(ada.token), digest]
    secrets += [value for row in hashes for value in row]
    assert [secret for secret in secrets if secret in text] == []


@pytest.mark.parametrize("left_behind", ["x", "-1", "1e9", "9" * 40])
async def test_text_left_in_the_metrics_setting_stops_no_request(
    ada: "Caller", acme: str, admin: Any, database: databases.Database, left_behind: str
) -> None:
    """A role may alter its own settings, so that an injection could reach every later session."""
    await admin.execute(
        f"alter role saas_api in database {database.name} set app.audit_events = '{left_behind}'"
    )
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where usename = 'saas_api' and datname = current_database()"
    )
    await asyncio.sleep(0.1)
    headers = {"Idempotency-Key": "k"}
    for name in ("a", "a"):
        answer = await ada.send(
            "POST", f"/orgs/{acme}/projects", json={"name": name}, headers=headers
        )
        assert answer.status == 201
    assert (await ada.patch(f"/orgs/{acme}", {"name": "Acme"})).status == 200


def test_every_action_of_the_contract_can_be_asked_for() -> None:
    (route,) = [r for r in routes(Settings()) if r.path.endswith("/audit-events")]
    assert route.query is not None
    assert set(route.query.shape.properties["action"]["enum"]) >= {
        *("user.registered", "user.logged_in", "user.login_failed"),
        *("organisation.created", "organisation.updated"),
        *("member.added", "member.updated", "member.removed"),
        *("project.created", "project.updated", "project.deleted"),
        *("api_key.created", "api_key.revoked"),
        "dba.impersonated",  # ours
    }
