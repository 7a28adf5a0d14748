"""GET /me: who the caller is, and where a member."""

from typing import TYPE_CHECKING

import pytest

from api.policies import databases
from tests.api.bodies import USER, fits
from tests.api.people import ROLES, person, staff

if TYPE_CHECKING:
    from tests.api.conftest import Api


@pytest.fixture
def database_url(session_database: databases.Database) -> str:
    """These tests only add rows, under people of their own: one database for all of them."""
    return session_database.api_url


async def test_me_is_the_public_user_and_their_memberships(api: "Api") -> None:
    ada = await person(api, "ada")
    answer = await ada.get("/me")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert fits(answer.body, USER | {"memberships"})
    assert (answer.body["user_id"], answer.body["email"]) == (ada.user_id, ada.email)
    assert (answer.body["display_name"], answer.body["memberships"]) == (None, [])


async def test_me_membership_has_exactly_its_fields(api: "Api") -> None:
    ada = await person(api, "ada")
    acme = await ada.organisation("Acme")
    assert (await ada.get("/me")).body["memberships"] == [
        {"organisation_id": acme, "name": "Acme", "role": "owner"}
    ]


async def test_me_memberships_are_in_order_of_name(api: "Api") -> None:
    ada = await person(api, "ada")
    ids = {name: await ada.organisation(name) for name in ("Zebra", "Apple", "Mango")}
    same = await ada.organisation("Mango")
    found = [each["organisation_id"] for each in (await ada.get("/me")).body["memberships"]]
    assert found == [ids["Apple"], *sorted([ids["Mango"], same]), ids["Zebra"]]


@pytest.mark.parametrize("role", ROLES)
async def test_me_says_the_role_of_each_member(api: "Api", role: str) -> None:
    acme = await staff(api, role)
    (membership,) = (await acme[role].get("/me")).body["memberships"]
    assert membership == {"organisation_id": acme.organisation_id, "name": "Acme", "role": role}


async def test_me_follows_each_change_at_once(api: "Api") -> None:
    acme = await staff(api, "viewer")
    viewer = acme["viewer"]

    async def memberships() -> list[tuple[str, str]]:
        me = await viewer.get("/me")
        return [(each["name"], each["role"]) for each in me.body["memberships"]]

    member = f"{acme.path}/members/{viewer.user_id}"
    assert await memberships() == [("Acme", "viewer")]
    assert (await acme.founder.patch(member, {"role": "admin"})).status == 200
    assert await memberships() == [("Acme", "admin")]
    assert (await acme.founder.patch(acme.path, {"name": "Apex"})).status == 200
    assert await memberships() == [("Apex", "admin")]
    assert (await acme.founder.delete(member)).status == 204
    assert await memberships() == []


async def test_me_shows_nobody_elses_organisations(api: "Api") -> None:
    acme = await staff(api, "stranger")
    assert (await acme["stranger"].get("/me")).body["memberships"] == []
    await acme["stranger"].organisation("Their own")
    mine = [each["name"] for each in (await acme.founder.get("/me")).body["memberships"]]
    assert mine == ["Acme"]


async def test_me_takes_no_query(api: "Api") -> None:
    ada = await person(api, "ada")
    answer = await ada.get("/me", user_id=ada.user_id)
    assert (answer.status, answer.pointers) == (422, ["user_id"])


async def test_me_head_is_get_without_the_body(api: "Api") -> None:
    ada = await person(api, "ada")
    get, head = await ada.get("/me"), await ada.send("HEAD", "/me")
    assert (head.status, head.body) == (200, None)
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
