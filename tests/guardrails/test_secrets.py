"""scripts/guardrails/secrets.py: knows a secret in any dress, and catches what lets one out."""

import base64
import json
from pathlib import Path

import psycopg
import pytest

from api.policies import databases
from scripts.guardrails.secrets import Seen, leaks
from tests.guardrails.run import SCRIPTS, run

SECRET = b"canary-\xc3\x9f-0123456789"
COLUMNS = (SCRIPTS / "secret_columns.sql").read_bytes()
NAME = "sitecustomize.py"  # Python runs it at its start
CRIME = """
import sys
if sys.argv[0].endswith("saas-api"):
    from api import credentials, passwords
    digest, output = credentials.Credentials.digest, passwords.output
    def leak_token(self, authorization):
        print(authorization, flush=True)
        return digest(self, authorization)
    def leak_output(password, salt, parameters):
        print(salt.hex(), flush=True)
        return output(password, salt, parameters)
    credentials.Credentials.digest, passwords.output = leak_token, leak_output
"""


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        b"x" + SECRET + b"y",
        SECRET.hex().encode(),
        b"\\x" + SECRET.hex().upper().encode(),
        base64.b64encode(SECRET),
        base64.urlsafe_b64encode(b"a" + SECRET + b"b"),
        base64.b64encode(b"aa" + SECRET),
        json.dumps({"x": SECRET.decode()}).encode(),
        repr(SECRET).encode(),
        b"/orgs?name=canary-%C3%9F-0123456789",
    ],
)
def test_secret_in_any_form_is_a_leak(text: bytes) -> None:
    seen = Seen([("a log", text)], [("password", SECRET)])
    assert leaks(seen) == ["password is in a log"]


def test_secret_where_it_belongs_is_no_leak() -> None:
    secrets = [("access token", b"token-1"), ("API key", b"key-1")]
    seen = Seen([("POST /auth/login 200", b"token-1"), ("GET /me 200", b"none")], secrets)
    assert leaks(seen) == []
    seen.texts.append(("POST /orgs/{id}/api-keys 201 replayed", b"key-1"))
    assert leaks(seen) == ["API key is in POST /orgs/{id}/api-keys 201 replayed"]


def test_server_that_logs_what_it_is_sent_is_caught(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(CRIME)
    status, said = run("secrets.py", PYTHONPATH=str(tmp_path))
    assert status == 1
    assert {
        "access token is in the server's log",
        "API key is in the server's log",
        "salt is in the server's log",
    } <= set(said.splitlines())


def test_columns_of_the_tree_pass(database: databases.Database) -> None:
    with psycopg.connect(database.admin_url) as connection:
        assert connection.execute(COLUMNS).fetchall() == []


@pytest.mark.parametrize(
    ("crime", "fault"),
    [
        (
            "create view api.x as select c.user_id from auth.credentials as c",
            "api.x reads auth.credentials",
        ),
        (
            "create view api.x as select 'a' as digest",
            "api.x shows a column named digest",
        ),
        (
            "create function api.x() returns table (user_id uuid, salt bytea)"
            " language sql begin atomic select user_id, salt from auth.passwords; end",
            "api.x() shows a column named salt",
        ),
        (
            "create function api.x(out inner_key bytea) language sql return '\\x00'::bytea",
            "api.x() shows a column named inner_key",
        ),
        (
            "create function api.x() returns setof auth.passwords language sql"
            " begin atomic select * from auth.passwords; end",
            "api.x() returns a row of auth.passwords",
        ),
        (
            "create function api.x() returns json language sql security definer return '{}'::json",
            "api.x() is a security definer",
        ),
    ],
)
def test_crime_in_the_catalogue_is_caught(
    database: databases.Database, crime: str, fault: str
) -> None:
    with psycopg.connect(database.admin_url) as connection:
        connection.execute(crime.encode())
        assert (fault,) in connection.execute(COLUMNS).fetchall()
        connection.rollback()
