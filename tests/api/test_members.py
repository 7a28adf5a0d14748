"""Members: who may add, change and remove whom, and that an owner is always left."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from api.app import create_app
from api.policies import databases
from api.settings import Settings
from tests.api.bodies import MEMBER, PAGE, fits, is_empty, is_made_at
from tests.api.paging import BAD_PAGES, follow, many_members, walk
from tests.api.people import ROLES, Staff, fresh, person, staff
from tests.api.samples import NOWHERE

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Api, Caller, HttpClient

MakeClient = Callable[..., Awaitable["HttpClient"]]
LAST_OFFSET = str(2**63 - 1)

as_each_role = pytest.mark.parametrize("actor", ROLES)
of_each_role = pytest.mark.parametrize("target", ROLES)


@pytest.fixture
def database_url(session_database: databases.Database) -> str:
    """These tests only add rows, under people of their own: one database for all of them."""
    return session_database.api_url


async def roles_of(acme: Staff) -> dict[str, str]:
    """Who is a member as what, by user id, as its founder sees it."""
    page = (await acme.founder.get(f"{acme.path}/members", limit="200")).body
    return {each["user_id"]: each["role"] for each in page["items"]}


def path_of(acme: Staff, member: "Caller") -> str:
    """Where a member is."""
    return f"{acme.path}/members/{member.user_id}"


async def hire(api: "Api", acme: Staff, role: str) -> "Caller":
    """One more member."""
    someone = await person(api, "someone")
    await acme.founder.add(acme.organisation_id, someone, role)
    return someone


def may_manage(actor: str, *roles: str) -> bool:
    """The contract's table: owners manage everybody, admins everybody but owners."""
    return actor == "owner" or (actor == "admin" and "owner" not in roles)


def refuses(answer: "Answer", status: int, problem: str) -> bool:
    """This problem."""
    return (answer.status, answer.problem) == (status, problem)


# Add


@pytest.mark.parametrize("role", ROLES)
async def test_add_by_user_id_answers_the_member_and_where(api: "Api", role: str) -> None:
    acme = await staff(api, "stranger")
    bob = acme["stranger"]
    body = {"user_id": bob.user_id, "role": role}
    answer = await acme.founder.post(f"{acme.path}/members", body)
    assert is_made_at(answer, path_of(acme, bob), MEMBER)
    assert answer.body["created_at"] == answer.body["updated_at"]
    assert answer.body | {"created_at": 0, "updated_at": 0} == {
        "organisation_id": acme.organisation_id,
        "user_id": bob.user_id,
        "email": bob.email,
        "display_name": None,
        "role": role,
        "created_at": 0,
        "updated_at": 0,
    }
    assert (await bob.get(acme.path)).status == 200


@pytest.mark.parametrize("how", [str, str.upper, str.title])
async def test_add_by_email_in_any_case_answers_the_member(
    api: "Api", how: Callable[[str], str]
) -> None:
    acme = await staff(api, "stranger")
    bob = acme["stranger"]
    body = {"email": how(bob.email), "role": "member"}
    answer = await acme.founder.post(f"{acme.path}/members", body)
    assert is_made_at(answer, path_of(acme, bob), MEMBER)
    assert (answer.body["user_id"], answer.body["email"]) == (bob.user_id, bob.email)


@as_each_role
@of_each_role
async def test_add_is_for_admins_and_of_owners_for_owners(
    api: "Api", actor: str, target: str
) -> None:
    acme = await staff(api, actor, "stranger")
    before = await roles_of(acme)
    bob = acme["stranger"]
    for body in ({"user_id": bob.user_id}, {"email": bob.email}):
        answer = await acme[actor].post(f"{acme.path}/members", body | {"role": target})
        if may_manage(actor, target):
            assert answer.status == 201
            assert await roles_of(acme) == before | {bob.user_id: target}
            assert (await acme.founder.delete(path_of(acme, bob))).status == 204
        else:
            assert refuses(answer, 403, "forbidden")
            assert await roles_of(acme) == before
            assert (await bob.get(acme.path)).status == 404


@pytest.mark.parametrize(
    "whom",
    [
        {"user_id": NOWHERE},
        {"user_id": "no UUID"},
        {"user_id": ""},
        {"email": "nobody-has-this@example.com"},
    ],
    ids=["id", "no-uuid", "empty", "email"],
)
async def test_add_of_somebody_without_an_account_is_404(api: "Api", whom: dict[str, str]) -> None:
    acme = await staff(api)
    answer = await acme.founder.post(f"{acme.path}/members", whom | {"role": "viewer"})
    assert refuses(answer, 404, "not-found")


@as_each_role
async def test_add_of_nobody_by_a_low_role_is_403(api: "Api", actor: str) -> None:
    acme = await staff(api, actor)
    answer = await acme[actor].post(f"{acme.path}/members", {"user_id": NOWHERE, "role": "viewer"})
    assert answer.status == (404 if may_manage(actor) else 403)


@of_each_role
async def test_add_of_a_member_is_409_and_changes_nothing(api: "Api", target: str) -> None:
    acme = await staff(api, target)
    before = await roles_of(acme)
    for role in ROLES:
        for whom in ({"email": acme[target].email.upper()}, {"user_id": acme[target].user_id}):
            answer = await acme.founder.post(f"{acme.path}/members", whom | {"role": role})
            assert refuses(answer, 409, "member-exists")
    assert await roles_of(acme) == before


async def test_add_at_the_same_moment_makes_one_member(api: "Api") -> None:
    acme = await staff(api, "stranger")
    bob = acme["stranger"]
    whom = [{"email": bob.email}, {"user_id": bob.user_id}] * 4
    answers = await asyncio.gather(
        *(acme.founder.post(f"{acme.path}/members", each | {"role": "viewer"}) for each in whom)
    )
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert len(await roles_of(acme)) == 2


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"role": "viewer"}, [""]),
        ({"role": "viewer", "email": "a@b.co", "user_id": NOWHERE}, [""]),
        ({"email": "a@b.co"}, ["/role"]),
        ({"user_id": NOWHERE, "role": "king"}, ["/role"]),
        ({"user_id": NOWHERE, "role": "Owner"}, ["/role"]),
        ({"user_id": NOWHERE, "role": "api_key"}, ["/role"]),
        ({"user_id": 7, "role": "viewer"}, ["/user_id"]),
        ({"email": "no email", "role": "viewer"}, ["/email"]),
        ({"user_id": NOWHERE, "role": "viewer", "name": "n"}, ["/name"]),
    ],
)
async def test_add_that_does_not_fit_is_422(
    api: "Api", body: dict[str, Any], pointers: list[str]
) -> None:
    acme = await staff(api)
    answer = await acme.founder.post(f"{acme.path}/members", body)
    assert (answer.status, answer.pointers) == (422, pointers)


# List


@as_each_role
async def test_list_is_for_admins_and_owners(api: "Api", actor: str) -> None:
    acme = await staff(api, actor)
    answer = await acme[actor].get(f"{acme.path}/members")
    if may_manage(actor):
        assert (answer.status, set(answer.body)) == (200, PAGE)
        assert all(fits(each, MEMBER) for each in answer.body["items"])
        assert [each["user_id"] for each in answer.body["items"]] == [
            acme[actor].user_id,
            acme.founder.user_id,
        ]
        assert (answer.body["total"], answer.body["limit"], answer.body["offset"]) == (2, 50, 0)
    else:
        assert refuses(answer, 403, "forbidden")


async def test_list_shows_50_unless_asked_and_200_at_most(
    api: "Api", session_database: databases.Database
) -> None:
    acme = await staff(api)
    many_members(session_database, acme.organisation_id, 204)
    for query, count in (({}, 50), ({"limit": "1"}, 1), ({"limit": "200"}, 200)):
        page = (await acme.founder.get(f"{acme.path}/members", **query)).body
        assert (len(page["items"]), page["limit"], page["total"]) == (count, count, 205)
    for offset, count in (("200", 5), ("205", 0), (LAST_OFFSET, 0)):
        page = (await acme.founder.get(f"{acme.path}/members", offset=offset, limit="200")).body
        assert (len(page["items"]), page["offset"], page["total"]) == (count, int(offset), 205)


@pytest.mark.parametrize("step", [1, 4, 30])
async def test_list_of_one_time_neither_repeats_nor_skips(
    api: "Api", session_database: databases.Database, step: int
) -> None:
    acme = await staff(api)
    many_members(session_database, acme.organisation_id, 24)
    members = await walk(acme.founder, f"{acme.path}/members", step)
    assert await follow(acme.founder, f"{acme.path}/members", step) == members
    ids = [each["user_id"] for each in members]
    assert len(set(ids)) == 25
    assert ids[0] == acme.founder.user_id
    assert ids[1:] == sorted(ids[1:], reverse=True)


@pytest.mark.parametrize("query", BAD_PAGES, ids=str)
async def test_list_bad_query_is_422(api: "Api", query: dict[str, str]) -> None:
    acme = await staff(api)
    answer = await acme.founder.get(f"{acme.path}/members", **query)
    assert (answer.status, answer.pointers) == (422, list(query))


# Change


@as_each_role
@of_each_role
@pytest.mark.parametrize("role", ROLES)
async def test_update_is_for_admins_and_of_owners_for_owners(
    api: "Api", actor: str, target: str, role: str
) -> None:
    acme = await staff(api, actor)
    bob = await hire(api, acme, target)
    before = await roles_of(acme)
    answer = await acme[actor].patch(path_of(acme, bob), {"role": role})
    if may_manage(actor, target, role):
        assert answer.status == 200
        assert fits(answer.body, MEMBER)
        assert (answer.body["user_id"], answer.body["role"]) == (bob.user_id, role)
        assert await roles_of(acme) == before | {bob.user_id: role}
    else:
        assert refuses(answer, 403, "forbidden")
        assert await roles_of(acme) == before


@as_each_role
@pytest.mark.parametrize("role", ROLES)
async def test_update_of_oneself_is_as_of_any_other(api: "Api", actor: str, role: str) -> None:
    acme = await staff(api, actor)
    answer = await acme[actor].patch(path_of(acme, acme[actor]), {"role": role})
    assert answer.status == (200 if may_manage(actor, actor, role) else 403)


async def test_update_moves_updated_at_only_with_the_role(api: "Api") -> None:
    acme = await staff(api, "viewer")
    path = path_of(acme, acme["viewer"])
    first = (await acme.founder.patch(path, {"role": "viewer"})).body
    assert first["updated_at"] == first["created_at"]
    second = (await acme.founder.patch(path, {"role": "member"})).body
    assert second["updated_at"] > first["updated_at"]
    assert second == first | {"role": "member", "updated_at": second["updated_at"]}
    assert (await acme.founder.patch(path, {"role": "member"})).body == second


async def test_update_takes_effect_on_the_very_next_request(api: "Api") -> None:
    acme = await staff(api, "viewer")
    viewer, project = acme["viewer"], {"name": "Apollo"}

    async def statuses() -> tuple[int, int, int]:
        wrote = await viewer.post(f"{acme.path}/projects", project)
        renamed = await viewer.patch(acme.path, {"name": "Acme"})
        listed = await viewer.get(f"{acme.path}/members")
        return wrote.status, renamed.status, listed.status

    assert await statuses() == (403, 403, 403)
    for role, expected in (
        ("member", (201, 403, 403)),
        ("admin", (201, 200, 200)),
        ("owner", (201, 200, 200)),
        ("viewer", (403, 403, 403)),
    ):
        change = await acme.founder.patch(path_of(acme, viewer), {"role": role})
        assert change.status == 200
        assert await statuses() == expected


@as_each_role
@pytest.mark.parametrize("user_id", [NOWHERE, "no-uuid"])
async def test_update_of_no_member_is_404_for_those_who_may_change(
    api: "Api", actor: str, user_id: str
) -> None:
    acme = await staff(api, actor)
    for method, options in (("PATCH", {"json": {"role": "viewer"}}), ("DELETE", {})):
        answer = await acme[actor].send(method, f"{acme.path}/members/{user_id}", **options)
        assert answer.status == (404 if may_manage(actor) else 403)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/role"]),
        ({"role": None}, ["/role"]),
        ({"role": "king"}, ["/role"]),
        ({"role": "viewer", "email": "a@b.co"}, ["/email"]),
    ],
)
async def test_update_that_does_not_fit_is_422(
    api: "Api", body: dict[str, Any], pointers: list[str]
) -> None:
    acme = await staff(api, "viewer")
    answer = await acme.founder.patch(path_of(acme, acme["viewer"]), body)
    assert (answer.status, answer.pointers) == (422, pointers)


# Remove


@as_each_role
@of_each_role
async def test_remove_is_for_admins_and_of_owners_for_owners(
    api: "Api", actor: str, target: str
) -> None:
    acme = await staff(api, actor)
    bob = await hire(api, acme, target)
    before = await roles_of(acme)
    answer = await acme[actor].delete(path_of(acme, bob))
    if may_manage(actor, target):
        assert is_empty(answer)
        del before[bob.user_id]
        assert (await acme[actor].delete(path_of(acme, bob))).status == 404
    else:
        assert refuses(answer, 403, "forbidden")
    assert await roles_of(acme) == before


@as_each_role
@pytest.mark.parametrize("how", [str, str.upper])
async def test_remove_of_oneself_is_for_every_role(
    api: "Api", actor: str, how: Callable[[str], str]
) -> None:
    acme = await staff(api, actor)
    left = await acme[actor].delete(f"{acme.path}/members/{how(acme[actor].user_id)}")
    assert is_empty(left)
    assert (await acme[actor].get(acme.path)).status == 404
    assert await roles_of(acme) == {acme.founder.user_id: "owner"}


async def test_remove_ends_every_right_on_the_very_next_request(api: "Api") -> None:
    acme = await staff(api, "admin")
    admin = acme["admin"]
    assert (await admin.get(acme.path)).status == 200
    project = await admin.project(acme.organisation_id)
    assert (await acme.founder.delete(path_of(acme, admin))).status == 204
    for path in ("", "/members", "/projects", f"/projects/{project}"):
        assert refuses(await admin.get(acme.path + path), 404, "not-found")
    assert (await admin.get("/orgs")).body["total"] == 0
    assert (await admin.get("/me")).status == 200


async def test_remove_then_add_again_starts_anew(api: "Api") -> None:
    acme = await staff(api, "admin")
    admin = acme["admin"]
    assert (await acme.founder.delete(path_of(acme, admin))).status == 204
    await acme.founder.add(acme.organisation_id, admin, "viewer")
    assert (await admin.get(acme.path)).status == 200
    assert (await admin.get(f"{acme.path}/members")).status == 403


async def test_remove_in_one_organisation_leaves_the_others(api: "Api") -> None:
    acme, apex = await staff(api, "viewer"), await staff(api)
    viewer = acme["viewer"]
    await apex.founder.add(apex.organisation_id, viewer, "viewer")
    assert (await acme.founder.delete(path_of(acme, viewer))).status == 204
    assert (await viewer.get(apex.path)).status == 200


# The last owner


@pytest.mark.parametrize("role", ["admin", "member", "viewer"])
async def test_last_owner_cannot_be_downgraded(api: "Api", role: str) -> None:
    acme = await staff(api, "admin")
    answer = await acme.founder.patch(path_of(acme, acme.founder), {"role": role})
    assert refuses(answer, 409, "last-owner")
    assert (await roles_of(acme))[acme.founder.user_id] == "owner"


async def test_last_owner_cannot_leave(api: "Api") -> None:
    acme = await staff(api, "admin", "member")
    assert refuses(await acme.founder.delete(path_of(acme, acme.founder)), 409, "last-owner")
    assert (await acme.founder.get(acme.path)).status == 200


async def test_last_owner_may_be_made_owner_again(api: "Api") -> None:
    acme = await staff(api)
    answer = await acme.founder.patch(path_of(acme, acme.founder), {"role": "owner"})
    assert (answer.status, answer.body["role"]) == (200, "owner")


async def test_last_owner_may_leave_once_there_is_another(api: "Api") -> None:
    acme = await staff(api, "admin")
    heir = acme["admin"]
    assert (await acme.founder.patch(path_of(acme, heir), {"role": "owner"})).status == 200
    assert (await acme.founder.delete(path_of(acme, acme.founder))).status == 204
    assert refuses(await heir.delete(path_of(acme, heir)), 409, "last-owner")


async def test_last_owner_of_another_organisation_does_not_count(api: "Api") -> None:
    acme, apex = await staff(api), await staff(api)
    await apex.founder.add(apex.organisation_id, acme.founder, "owner")
    assert refuses(await acme.founder.delete(path_of(acme, acme.founder)), 409, "last-owner")


Deed = Callable[[Staff, "Caller", "Caller"], Coroutine[Any, Any, "Answer"]]


async def remove(acme: Staff, actor: "Caller", other: "Caller") -> "Answer":
    return await actor.delete(path_of(acme, other))


async def downgrade(acme: Staff, actor: "Caller", other: "Caller") -> "Answer":
    return await actor.patch(path_of(acme, other), {"role": "viewer"})


async def leave(acme: Staff, actor: "Caller", _other: "Caller") -> "Answer":
    return await actor.delete(path_of(acme, actor))


async def step_down(acme: Staff, actor: "Caller", _other: "Caller") -> "Answer":
    return await actor.patch(path_of(acme, actor), {"role": "member"})


DEEDS = pytest.mark.parametrize(
    ("first", "second"),
    [
        (remove, remove),
        (downgrade, downgrade),
        (remove, downgrade),
        (leave, leave),
        (step_down, step_down),
        (leave, step_down),
        (leave, remove),
    ],
    ids=lambda deed: str(deed.__name__),
)


async def two_owners(api: "Api", other: "Api") -> tuple[Staff, "Caller", "Caller"]:
    """An organisation with two owners, each of whom talks to an application of their own."""
    from dataclasses import replace

    acme = await staff(api, "owner")
    return acme, acme.founder, replace(acme["owner"], client=other.client)


async def owners(database: databases.Database, acme: Staff) -> int:
    """How many are left, whoever may still look."""
    connection = await asyncpg.connect(database.admin_url)
    count = await connection.fetchval(
        "select count(*) from app.memberships where organisation_id = $1 and role = 'owner'",
        acme.organisation_id,
    )
    await connection.close()
    return int(count)


@DEEDS
@pytest.mark.parametrize("applications", [1, 2])
async def test_last_owner_stays_when_two_owners_race(
    api: "Api",
    settings: Settings,
    aiohttp_client: MakeClient,
    session_database: databases.Database,
    first: Deed,
    second: Deed,
    applications: int,
) -> None:
    """Both wait for the organisation's row, which is held until both have got as far."""
    other = api
    if applications == 2:
        other = type(api)(await aiohttp_client(create_app(settings)))
    acme, ada, bob = await two_owners(api, other)
    connection = await asyncpg.connect(session_database.admin_url)
    async with connection.transaction():
        await connection.execute(
            "select from app.organisations where organisation_id = $1 for update",
            acme.organisation_id,
        )
        deeds = [
            asyncio.create_task(first(acme, ada, bob)),
            asyncio.create_task(second(acme, bob, ada)),
        ]
        await until_waiting(connection, 2)
    await connection.close()
    statuses = sorted([(await deed).status for deed in deeds])
    done = 204 if first in (remove, leave) else 200
    also = 204 if second in (remove, leave) else 200
    if (first, second) == (leave, remove):  # both take away the same owner
        assert statuses == [204, 404]
    else:
        assert statuses in ([done, 409], [also, 409])
    assert await owners(session_database, acme) == 1


async def until_waiting(connection: Any, count: int) -> None:
    """Wait until so many backends of this database wait for a lock."""
    async with asyncio.timeout(5):
        while True:
            # Within one transaction the activity would be seen as it was at first.
            await connection.execute("select pg_stat_clear_snapshot()")
            waiting = await connection.fetchval(
                "select count(*) from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'"
            )
            if waiting >= count:
                return
            await asyncio.sleep(0.01)


async def test_last_owner_stays_over_many_rounds(
    api: "Api",
    settings: Settings,
    aiohttp_client: MakeClient,
    session_database: databases.Database,
) -> None:
    other = type(api)(await aiohttp_client(create_app(settings)))
    _, ada, bob = await two_owners(api, other)
    outcomes: set[tuple[int, int]] = set()
    for turn in range(40):
        acme = Staff(await ada.organisation(), ada, {})
        await ada.add(acme.organisation_id, bob, "owner")
        pair = [remove(acme, ada, bob), remove(acme, bob, ada)]
        answers = await asyncio.gather(*(pair if turn % 2 else reversed(pair)))
        statuses = sorted(answer.status for answer in answers)
        outcomes.add((statuses[0], statuses[1]))
        assert await owners(session_database, acme) == 1
    # 404: the other's request was over before this one was looked at.
    assert outcomes <= {(204, 409), (204, 404)}


async def test_race_of_an_admins_removal_and_a_promotion_spares_the_owner(
    api: "Api", session_database: databases.Database
) -> None:
    """The admin's request found a member, and meets an owner when its turn comes."""
    acme = await staff(api, "admin")
    bob = await hire(api, acme, "member")
    connection = await asyncpg.connect(session_database.admin_url)
    async with connection.transaction():
        await connection.execute(
            "update app.memberships set role = 'owner' where organisation_id = $1 and user_id = $2",
            acme.organisation_id,
            bob.user_id,
        )
        removal = asyncio.create_task(acme["admin"].delete(path_of(acme, bob)))
        change = asyncio.create_task(acme["admin"].patch(path_of(acme, bob), {"role": "viewer"}))
        await until_waiting(connection, 2)
    await connection.close()
    assert ((await removal).status, (await change).status) == (403, 403)
    assert (await roles_of(acme))[bob.user_id] == "owner"


async def test_member_display_name_and_email_are_as_registered(api: "Api") -> None:
    acme = await staff(api)
    email = f"{fresh('Zoë')}@Example.com"
    registered = await api.register(email, display_name="Zoë \U0001f600")
    body = {"user_id": registered.body["user_id"], "role": "member"}
    added = (await acme.founder.post(f"{acme.path}/members", body)).body
    assert (added["email"], added["display_name"]) == (email, "Zoë \U0001f600")
    assert added in (await acme.founder.get(f"{acme.path}/members")).body["items"]
