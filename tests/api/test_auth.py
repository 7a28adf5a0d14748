"""Accounts: registration, login, the throttle, and what a token is worth."""

import asyncio
import base64
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import argon2
import asyncpg  # type: ignore[import-untyped]
import jwt
import pytest

from api import passwords
from api.app import create_app
from api.calls import Route
from api.policies import databases
from api.problems import Problem
from api.settings import Settings
from tests.api import samples
from tests.api.bodies import USER, anonymous, fits, is_recent
from tests.api.people import fresh, person

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Api, Caller, HttpClient

RIGHT = "correct horse battery staple"
WRONG = "battery horse staple correct"
MakeClient = Callable[..., Awaitable["HttpClient"]]


@pytest.fixture
def database_url(session_database: databases.Database) -> str:
    """These tests only add accounts, each under a fresh email: one database for all of them."""
    return session_database.api_url


def email(name: str = "ada") -> str:
    """An email that nobody has."""
    return f"{fresh(name)}@example.com"


async def account(api: "Api", name: str = "ada") -> str:
    """The email of somebody registered, who never logged in."""
    address = email(name)
    assert (await api.register(address)).status == 201
    return address


async def fail(api: "Api", address: str, times: int) -> None:
    """Failed logins, one after another."""
    for _ in range(times):
        assert (await api.login(address, WRONG)).status == 401


def statuses(answers: "list[Answer]") -> list[int]:
    """The statuses, in order of size."""
    return sorted(answer.status for answer in answers)


async def age_failures(database: databases.Database, seconds: float, only: int = 10) -> None:
    """Let the last 15 minutes' failures have happened earlier; `only` so many for each email."""
    connection = await asyncpg.connect(database.admin_url)
    await connection.execute(
        "update auth.login_slots set failed_at = failed_at - make_interval(secs => $1)"
        " where slot <= $2 and failed_at > now() - interval '15 minutes'",
        seconds,
        only,
    )
    await connection.close()


# Registration


async def test_register_answers_the_public_user(api: "Api") -> None:
    address = email("Ada.Lovelace")
    answer = await api.register(address, display_name="Ada")
    assert answer.status == 201
    assert answer.headers["Content-Type"].startswith("application/json")
    assert fits(answer.body, USER)
    assert (answer.body["email"], answer.body["display_name"]) == (address, "Ada")


@pytest.mark.parametrize("fields", [{}, {"display_name": None}])
async def test_register_without_display_name_has_null(api: "Api", fields: dict[str, Any]) -> None:
    answer = await api.register(email(), **fields)
    assert (answer.status, answer.body["display_name"]) == (201, None)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" \t\n\u00a0Ada\u3000Lovelace\r\n ", "Ada\u3000Lovelace"),
        ("\U0001f600" * 200, "\U0001f600" * 200),
        ("\t" + "é" * 200 + "\n", "é" * 200),
    ],
    ids=["trimmed", "astral", "trimmed-to-200"],
)
async def test_register_display_name_is_kept_as_trimmed(api: "Api", given: str, kept: str) -> None:
    answer = await api.register(email(), display_name=given)
    assert (answer.status, answer.body["display_name"]) == (201, kept)


async def test_register_same_email_in_other_case_is_409(api: "Api") -> None:
    address = f"jürgen.{fresh('straße')}@example.com"
    assert (await api.register(address)).status == 201
    for other in (address, address.upper(), address.title()):
        answer = await api.register(other, WRONG)
        assert (answer.status, answer.problem) == (409, "email-taken")
    assert (await api.login(address, WRONG)).status == 401


async def test_register_at_the_same_moment_makes_one_user(
    api: "Api", settings: Settings, aiohttp_client: MakeClient
) -> None:
    other = type(api)(await aiohttp_client(create_app(settings)))
    address = email()
    answers = await asyncio.gather(
        *(where.register(how(address)) for where in (api, other) for how in (str.upper, str) * 3)
    )
    assert statuses(answers) == [201] + [409] * 11


@pytest.mark.parametrize("white", ["\u3000", "\u2003", "\u2028", "\u1680"])
@pytest.mark.parametrize("where", ["a{}b@example.com", "ab@exam{}ple.com"])
async def test_register_email_with_white_space_beyond_ascii_names_the_field(
    api: "Api", where: str, white: str
) -> None:
    answer = await api.register(where.format(white))
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert answer.pointers == ["/email"]


@pytest.mark.parametrize(("length", "status"), [(19, 422), (20, 201)])
async def test_register_password_is_as_long_as_the_setting_says(
    settings: Settings, aiohttp_client: MakeClient, length: int, status: int
) -> None:
    from dataclasses import replace

    from tests.api.conftest import Api

    strict = Api(await aiohttp_client(create_app(replace(settings, password_min_length=20))))
    answer = await strict.register(email(), "p" * length)
    assert answer.status == status
    if status == 422:
        assert answer.pointers == ["/password"]
        assert "20" in answer.body["errors"][0]["detail"]


@pytest.mark.parametrize("password", ["p" * 12, " " * 12, "é" * 512, "\U0001f511" * 256])
async def test_register_then_login_password_is_taken_as_it_is(api: "Api", password: str) -> None:
    address = email()
    assert (await api.register(address, password)).status == 201
    assert (await api.login(address, password)).status == 200
    assert (await api.login(address, "!" + password[1:])).status == 401


# Login


async def test_login_answers_a_bearer_token_and_nothing_else(
    api: "Api", settings: Settings
) -> None:
    address = email()
    user_id = (await api.register(address)).body["user_id"]
    answer = await api.login(address)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert set(answer.body) == {"access_token", "token_type", "expires_in"}
    assert (answer.body["token_type"], answer.body["expires_in"]) == ("bearer", 900)
    claims = jwt.decode(
        answer.body["access_token"],
        settings.jwt_secret,
        algorithms=["HS256"],
        issuer=settings.jwt_issuer,
    )
    assert set(claims) == {"iss", "sub", "sid", "iat", "exp", "jti"}
    assert claims["sub"] == user_id
    assert claims["exp"] - claims["iat"] == 900
    assert abs(claims["iat"] - time.time()) < 60
    assert len(base64.urlsafe_b64decode(claims["sid"] + "=")) == 32


async def test_login_email_in_other_case_is_the_same_user(api: "Api") -> None:
    address = f"jürgen.{fresh('straße')}@example.com"
    assert (await api.register(address)).status == 201
    assert (await api.login(address.upper())).status == 200


async def test_login_twice_opens_two_sessions(api: "Api", settings: Settings) -> None:
    address = await account(api)
    tokens = [(await api.login(address)).body["access_token"] for _ in range(2)]
    options: Any = {"verify_signature": False}
    first, second = (jwt.decode(token, options=options) for token in tokens)
    assert first["sid"] != second["sid"]
    assert first["jti"] != second["jti"]
    for token in tokens:
        answer = await api.send("GET", "/me", headers={"Authorization": f"bEARER {token}"})
        assert answer.status == 200


async def test_login_unknown_email_and_wrong_password_answer_alike(api: "Api") -> None:
    known = anonymous(await api.login(await account(api), WRONG))
    unknown = anonymous(await api.login(email(), WRONG))
    assert known == unknown
    assert known[0] == 401
    assert known[2]["www-authenticate"] == "Bearer"


async def test_login_unknown_email_and_wrong_password_cost_alike(
    api: "Api", monkeypatch: pytest.MonkeyPatch
) -> None:
    spent: list[tuple[bytes, passwords.Parameters]] = []
    compute = passwords.output

    def output(password: str, salt: bytes, parameters: passwords.Parameters) -> bytes:
        spent.append((salt, parameters))
        return compute(password, salt, parameters)

    monkeypatch.setattr(passwords, "output", output)
    known, unknown = await account(api), email()
    spent.clear()
    for address in (known, known, unknown, unknown, email()):
        before = api.database.statements
        assert (await api.login(address, WRONG)).status == 401
        assert api.database.statements == before + 2
    salts = [salt for salt, _ in spent]
    assert {parameters for _, parameters in spent} == {passwords.DEFAULT}
    assert {len(salt) for salt in salts} == {passwords.SALT_BYTES}
    assert salts[0] == salts[1]
    assert salts[2] == salts[3]  # a salt that changed would say that nobody is there
    assert len(set(salts)) == 3


@pytest.mark.parametrize(
    "parameters",
    [
        "m=1,t=1,p=1",
        "m=8,t=0,p=1",
        "m=8,t=1,p=0",
        "m=8,t=1,p=2",
        "m=8,t=17,p=1",
        "m=136,t=1,p=17",
        "m=1048577,t=1,p=1",
        "m=65537,t=16,p=4",
        "m=99999999,t=9999,p=255",
        "argon2id",
    ],
)
def test_parameters_that_no_login_may_cost_are_503(parameters: str) -> None:
    with pytest.raises(Problem) as caught:
        passwords.Parameters.parse(parameters)
    assert caught.value.kind.status == 503


@pytest.mark.parametrize("parameters", ["m=65536,t=3,p=4", "m=1048576,t=1,p=16", "m=8,t=16,p=1"])
def test_parameters_that_a_login_may_cost_are_read(parameters: str) -> None:
    assert str(passwords.Parameters.parse(parameters)) == parameters


async def test_login_whose_hash_fails_is_503(api: "Api", monkeypatch: pytest.MonkeyPatch) -> None:
    """As when there is no memory for it."""
    address = await account(api)

    def fail(*_arguments: object) -> bytes:
        raise argon2.exceptions.HashingError("Memory allocation error")

    monkeypatch.setattr(passwords, "output", fail)
    answer = await api.login(address, RIGHT)
    assert (answer.status, answer.problem) == (503, "overloaded")


async def test_login_right_ones_at_once_all_succeed(
    api: "Api", monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_all_passwords(api, monkeypatch)
    address = await account(api)
    answers = await asyncio.gather(*(api.login(address) for _ in range(20)))
    assert statuses(answers) == [200] * 20
    assert len({answer.body["access_token"] for answer in answers}) == 20
    # None of them counts as a failure.
    await fail(api, address, 10)


# The throttle


def wait_for_all_passwords(api: "Api", monkeypatch: pytest.MonkeyPatch) -> None:
    """However few cores there are: the bound on waiting passwords is another test's."""
    from api.calls import SERVICES

    monkeypatch.setattr(api.client.app[SERVICES].passwords, "_limit", 1000)


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
async def test_throttle_ten_failures_refuses_the_right_password_too(
    api: "Api", known: bool
) -> None:
    address = await account(api) if known else email()
    await fail(api, address, 10)
    for password in (WRONG, RIGHT):
        answer = await api.login(address, password)
        assert (answer.status, answer.problem) == (429, "too-many-logins")
        assert 880 <= int(answer.headers["Retry-After"]) <= 900
        assert answer.headers["Retry-After"].isdigit()


async def test_throttle_known_and_unknown_email_answer_alike(api: "Api") -> None:
    answers = []
    for address in (await account(api), email()):
        await fail(api, address, 10)
        status, body, headers = anonymous(await api.login(address))
        answers.append((status, body, headers | {"retry-after": ""}))
    assert answers[0] == answers[1]


async def test_throttle_nine_failures_refuses_nothing(api: "Api") -> None:
    address = await account(api)
    await fail(api, address, 9)
    assert (await api.login(address)).status == 200


async def test_throttle_success_between_takes_no_failure_back(api: "Api") -> None:
    address = await account(api)
    await fail(api, address, 9)
    assert (await api.login(address)).status == 200
    await fail(api, address, 1)
    assert (await api.login(address)).status == 429


async def test_throttle_is_of_one_email_in_any_case(api: "Api") -> None:
    address, other = await account(api), await account(api)
    await fail(api, address.upper(), 5)
    await fail(api, address.title(), 5)
    assert (await api.login(address)).status == 429
    assert (await api.login(other)).status == 200
    assert (await api.login(email(), WRONG)).status == 401


async def test_throttle_leaves_sessions_alone(api: "Api") -> None:
    ada = await person(api, "ada")
    await fail(api, ada.email, 10)
    assert (await ada.get("/me")).status == 200


async def test_throttle_refuses_without_computing(
    api: "Api", monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await account(api)
    await fail(api, address, 10)
    monkeypatch.setattr(passwords, "output", None)
    before = api.database.statements
    assert (await api.login(address)).status == 429
    assert api.database.statements == before + 1


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("applications", [1, 2])
async def test_throttle_counts_simultaneous_failures(
    api: "Api",
    settings: Settings,
    aiohttp_client: MakeClient,
    monkeypatch: pytest.MonkeyPatch,
    known: bool,
    applications: int,
) -> None:
    apis = [api]
    if applications == 2:
        apis.append(type(api)(await aiohttp_client(create_app(settings))))
    for one in apis:
        wait_for_all_passwords(one, monkeypatch)
    address = await account(api) if known else email()
    answers = await asyncio.gather(
        *(apis[n % applications].login(address, WRONG) for n in range(20))
    )
    assert statuses(answers) == [401] * 10 + [429] * 10
    assert all(int(a.headers["Retry-After"]) > 0 for a in answers if a.status == 429)


async def test_throttle_says_when_the_first_failure_is_forgotten(
    api: "Api", session_database: databases.Database
) -> None:
    address = await account(api)
    await fail(api, address, 10)
    await age_failures(session_database, 14 * 60)
    retry_after = int((await api.login(address)).headers["Retry-After"])
    assert 40 <= retry_after <= 60
    # What was refused is no failure: it does not put the end off.
    assert int((await api.login(address)).headers["Retry-After"]) <= retry_after
    await age_failures(session_database, retry_after)
    assert (await api.login(address)).status == 200


async def test_throttle_forgets_each_failure_on_its_own(
    api: "Api", session_database: databases.Database
) -> None:
    address = await account(api)
    await fail(api, address, 10)
    await age_failures(session_database, 15 * 60, only=2)
    await fail(api, address, 2)
    assert (await api.login(address)).status == 429


async def test_throttle_of_an_unknown_email_outlives_its_registration(api: "Api") -> None:
    address = email()
    await fail(api, address, 10)
    assert (await api.register(address)).status == 201
    assert (await api.login(address)).status == 429


# What a token is worth


def forged(token: str, settings: Settings, how: str) -> str:
    """A token like a good one, but for one thing."""
    options: Any = {"verify_signature": False}
    claims = jwt.decode(token, options=options)
    secret, algorithm = settings.jwt_secret, "HS256"
    match how:
        case "other secret":
            secret = "another secret of more than thirty-two bytes"
        case "other issuer":
            claims["iss"] = "another"
        case "other algorithm":
            secret, algorithm = settings.jwt_secret * 2, "HS512"
        case "expired":
            claims |= {"iat": claims["iat"] - 901, "exp": claims["exp"] - 901}
        case "other session":
            claims["sid"] = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()
        case "no session":
            del claims["sid"]
        case "no algorithm":
            return jwt.encode(claims, None, algorithm="none")
        case "no signature":
            return token.rpartition(".")[0] + "."
        case "other claims":
            head, _, signature = token.split(".")
            body = json.dumps(claims | {"sub": samples.NOWHERE}).encode()
            return f"{head}.{base64.urlsafe_b64encode(body).rstrip(b'=').decode()}.{signature}"
        case _:
            raise ValueError(how)
    return jwt.encode(claims, secret, algorithm=algorithm)


@pytest.mark.parametrize(
    "how",
    [
        "other secret",
        "other issuer",
        "other algorithm",
        "expired",
        "other session",
        "no session",
        "no algorithm",
        "no signature",
        "other claims",
    ],
)
async def test_token_forged_is_401(api: "Api", settings: Settings, how: str) -> None:
    ada = await person(api, "ada")
    assert (await ada.get("/me")).status == 200
    bad = forged(str(ada.token), settings, how)
    answer = await api.send("GET", "/me", headers={"Authorization": f"Bearer {bad}"})
    assert (answer.status, answer.problem) == (401, "unauthorised")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@samples.each(authenticated=True)
async def test_credential_missing_is_401_everywhere(offline: "Api", route: Route) -> None:
    answer = await samples.ask(offline, route)
    assert (answer.status, answer.problem) == (401, "unauthorised")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_session_expired_is_401_everywhere(
    api: "Api", session_database: databases.Database
) -> None:
    ada = await person(api, "ada")
    acme = await ada.organisation()
    connection = await asyncpg.connect(session_database.admin_url)
    await connection.execute(
        "update auth.credentials set expires_at = now() where user_id = $1", ada.user_id
    )
    await connection.close()
    for route in (route for route in samples.ROUTES if route.authenticated):
        answer = await samples.ask(ada, route, organisation_id=acme, user_id=ada.user_id)
        assert (route, answer.status) == (route, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_session_lives_as_long_as_its_token(
    settings: Settings, aiohttp_client: MakeClient, session_database: databases.Database
) -> None:
    from dataclasses import replace

    from tests.api.conftest import Api

    short = Api(await aiohttp_client(create_app(replace(settings, access_token_ttl_seconds=1))))
    ada = await person(short, "ada")
    assert (await ada.get("/me")).status == 200
    await asyncio.sleep(1.1)
    assert (await ada.get("/me")).status == 401
    connection = await asyncpg.connect(session_database.admin_url)
    expired = await connection.fetchval(
        "select expires_at < now() from auth.credentials where user_id = $1", ada.user_id
    )
    await connection.close()
    assert expired


# Nothing secret


async def test_secrets_of_a_whole_run_are_in_no_answer_and_no_log_line(
    api: "Api",
    session_database: databases.Database,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    seen, ada = await a_whole_run(api)
    secrets = await secrets_of(session_database, ada)
    # The test server's own access log is none of the API's, which turns it off.
    records = [r.getMessage() for r in caplog.records if r.name != "aiohttp.access"]
    logged = capsys.readouterr().out + "\n".join(records)
    assert logged.count('"message":"request"') > 30
    for name, secret in secrets.items():
        assert secret not in logged, name
        assert secret not in seen, name
    assert ada.email not in logged


async def a_whole_run(api: "Api") -> "tuple[str, Caller]":
    """Every endpoint, good and refused; returns all that was answered, but for the tokens."""
    ada, bob = await person(api, "ada"), await person(api, "bob")
    acme = await ada.organisation()
    apollo = await ada.project(acme)
    answers = [
        await api.register(ada.email),
        await api.register(email(), RIGHT + "\x00"),
        await api.login(ada.email, WRONG),
        await api.login(email(), WRONG),
        await api.send("POST", "/auth/login", data=RIGHT.encode()),
        await api.send("GET", "/me", headers={"Authorization": f"Basic {ada.token}"}),
        await api.send("GET", "/me", headers={"Authorization": f"Bearer {ada.token}x"}),
        await api.get("/me", token=str(ada.token)),
        await ada.get("/me", token=str(ada.token)),
        await ada.get(f"/{ada.token}"),
        await ada.post("/orgs", {"name": "n", str(ada.token): 1}),
        await ada.get(f"/orgs/{ada.token}"),
    ]
    answers[-2].body["errors"].clear()  # a pointer names the field that was sent
    for caller in (bob, ada):
        for route in samples.ROUTES:
            ids = {"organisation_id": acme, "project_id": apollo, "user_id": bob.user_id}
            answers.append(await samples.ask(caller, route, **ids))
    return "\n".join(f"{answer.headers} {answer.body}" for answer in answers), ada


async def secrets_of(database: databases.Database, ada: "Caller") -> dict[str, str]:
    """Everything of ada's that must not be said, in each form that it might be said in."""
    options: Any = {"verify_signature": False}
    connection = await asyncpg.connect(database.admin_url)
    salt, digest, parameters, session = await connection.fetchrow(
        "select p.salt, p.digest, p.parameters, c.digest from auth.passwords as p"
        " join auth.credentials as c using (user_id) where user_id = $1",
        ada.user_id,
    )
    keys = await connection.fetchrow("select inner_key, outer_key from auth.seal_key")
    await connection.close()
    output = passwords.output(RIGHT, salt, passwords.Parameters.parse(parameters))
    sid = jwt.decode(str(ada.token), options=options)["sid"]
    raw = {
        "salt": salt,
        "digest": digest,
        "output": output,
        "session": session,
        "sid": base64.urlsafe_b64decode(sid + "="),
        "inner key": keys[0],
        "outer key": keys[1],
    }
    said = {"password": RIGHT, "wrong password": WRONG, "token": str(ada.token), "sid": sid}
    for name, value in raw.items():
        said[f"{name}, hex"] = value.hex()
        said[f"{name}, base64"] = base64.b64encode(value).decode().rstrip("=")
        said[f"{name}, repr"] = repr(value)[2:-1]
    return said


async def test_user_of_registration_is_the_one_of_me(api: "Api") -> None:
    registered = await api.register(email(), display_name="Ada")
    logged_in = await api.login(registered.body["email"])
    token = logged_in.body["access_token"]
    me = await api.send("GET", "/me", headers={"Authorization": f"Bearer {token}"})
    assert me.body == {**registered.body, "memberships": []}
    assert is_recent(me.body["created_at"])
