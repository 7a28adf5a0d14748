"""The stage: a victim's tenant full of canaries, an attacker with a tenant, and a judge."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from psycopg import sql

from tests.break_in.attempts import Attempt, Connection, Facts, make

CANARY = "canary-5e7d"
"""In every text of the victim's, and nowhere else."""

OUR_TABLES = """
    select c.oid::regclass::text
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname in ('app', 'auth', 'audit', 'deploy', 'guard')
    order by 1
"""

CATALOGUE = {
    "relations": """
        select c.oid, c.relname, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity
        from pg_catalog.pg_class as c where c.oid >= 16384 and c.relkind <> 't'
    """,
    "functions": """
        select p.oid, p.proowner, p.proacl, p.prosrc from pg_catalog.pg_proc as p
        where p.oid >= 16384 or p.proleakproof
    """,
    "columns": """
        select a.attrelid, a.attname, a.attacl from pg_catalog.pg_attribute as a
        where a.attrelid >= 16384
    """,
    "roles": """
        select r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolconfig, m.member
        from pg_catalog.pg_roles as r
        left join pg_catalog.pg_auth_members as m
            -- But for what other tests of the run make, since roles are the server's.
            on m.roleid = r.oid and m.member <> all (
                select o.oid from pg_catalog.pg_roles as o where o.rolname = 'explaining_dba'
            )
        where r.rolname ~ '^saas_'
    """,
    "policies": "select p.* from pg_catalog.pg_policy as p",
    "triggers": "select t.oid, t.tgenabled from pg_catalog.pg_trigger as t",
    "schemas": "select n.* from pg_catalog.pg_namespace as n where n.nspname !~ '^pg_t'",
    "default privileges": "select d.* from pg_catalog.pg_default_acl as d",
    "extensions": "select e.oid from pg_catalog.pg_extension as e",
    "event triggers": "select e.oid, e.evtenabled from pg_catalog.pg_event_trigger as e",
    "large objects": "select l.oid from pg_catalog.pg_largeobject_metadata as l",
    "casts and operators": """
        select c.oid from pg_catalog.pg_cast as c where c.oid >= 16384
        union all select o.oid from pg_catalog.pg_operator as o where o.oid >= 16384
    """,
}


# The victim's first event, and the moment before it: both in one partition, since to leave one out
# is to answer nothing about its rows.
SINCE = """
    select min(occurred_at)::text, (min(occurred_at) - interval '1 microsecond')::text
    from audit.events where organisation_id = %s
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """
    `judge` is the superuser's connection: sees all, and revokes credentials;
    `facts` are what the attacker may know and use, `secrets` what they must never be shown;
    `seen` is the fingerprint after the last attempt.
    """

    api_url: str
    judge: Connection
    facts: Facts
    secrets: tuple[str, ...]
    seen: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection as the API has it, in autocommit."""
        with contextlib.closing(psycopg.connect(self.api_url, autocommit=True)) as connection:
            yield connection
            if not connection.closed:  # a pooler keeps the session, for the next attempt
                connection.rollback()
                connection.execute("discard all")

    def fingerprint(self) -> dict[str, str]:
        """A digest of every row of every table of ours, and of what the catalogue says of them."""
        tables = [name for (name,) in self.judge.execute(OUR_TABLES)]
        queries = {name: f"select t.* from {name} as t" for name in tables} | CATALOGUE
        digests = " union all ".join(
            f"select '{name}', md5(string_agg(t::text, '' order by t::text)) from ({query}) as t"
            for name, query in queries.items()
        )
        return dict(self.judge.execute(sql.SQL(digests)).fetchall())

    def withstands(self, attempt: Attempt) -> None:
        """Make the attempt; it ends as it says, shows no secret, and leaves all as it was."""
        with self.connect() as connection:
            seen = make(connection, attempt.statements, self.facts)
        self.assert_nothing_learnt(seen.text)
        self.assert_unchanged()
        assert seen.sqlstate == attempt.refused, seen.text
        assert attempt.told in seen.text
        if attempt.answers is not None:
            assert seen.rows == attempt.answers

    def assert_unchanged(self) -> None:
        """Every row and every right is as it was after the attempt before this one."""
        before = dict(self.seen)
        self.seen.update(self.fingerprint())
        assert self.seen == before

    def assert_nothing_learnt(self, text: str) -> None:
        """No secret is in what the attacker was shown, in either case or as hex."""
        shown = text.lower()
        assert [secret for secret in self.secrets if secret.lower() in shown] == []


def digest(secret: str) -> bytes:
    """The SHA-256 a credential is known by."""
    return hashlib.sha256(secret.encode()).digest()


def build(api_url: str, judge: Connection) -> Stage:
    """Fill a fresh database by the API's own functions, but for the bulk of rows."""
    with contextlib.closing(psycopg.connect(api_url, autocommit=True)) as api:
        judge.execute("set role saas_owner")
        judge.execute("select audit.prepare_partitions(1)")
        judge.execute("reset role")
        vera = _person(api, f"{CANARY}-vera@victim.example", "vera")
        mallory = _person(api, "mallory@attacker.example", "mallory")
        former = _person(api, "former@attacker.example", "former")
        victim = _organisation(api, "vera", f"{CANARY} Ltd", f"{CANARY} plan")
        own = _organisation(api, "mallory", "Mallory Ltd", "my plan")
        victim_key = _key(api, "vera", "victim-key", victim)
        own_key = _key(api, "mallory", "own-key", own)
        judge.execute(
            "insert into auth.credentials (digest, user_id, expires_at)"
            " values (%s, %s, now() - interval '1 second')",
            [digest("vera-expired"), vera],
        )
        # Enough rows that the planner has statistics of them, names in a known order.
        judge.execute(
            "insert into app.projects (organisation_id, name, description)"
            " select %s, %s || lpad(i::text, 4, '0'), %s from generate_series(1, 400) as i",
            [victim, f"{CANARY} ", f"{CANARY} text"],
        )
        judge.execute("update app.api_key_uses set last_used_at = now() + interval '1 day'")
        judge.execute("vacuum analyze")
        row = judge.execute(SINCE, [victim]).fetchone()
        assert row is not None
        since, before = row
        facts: dict[str, object] = {
            "mallory": digest("mallory"),
            "mallory_id": mallory,
            "own": own,
            "own_project": _one(
                judge, "select project_id from app.projects where name = 'my plan'"
            ),
            "own_key": digest("own-key"),
            "former": digest("former"),
            "former_id": former,
            "vera": digest("vera"),
            "vera_id": vera,
            "vera_email": f"{CANARY}-vera@victim.example",
            "vera_expired": digest("vera-expired"),
            "victim": victim,
            "victim_key": digest("victim-key"),
            "victim_key_id": victim_key,
            "own_key_id": own_key,
            "victim_event": _one(
                judge,
                "select audit_event_id from audit.events where organisation_id = %s"
                " and action = 'organisation.created'",
                victim,
            ),
            "victim_since": since,
            "before_victim": before,
            "victim_project": _one(
                judge, "select project_id from app.projects where name = %s", f"{CANARY} plan"
            ),
            "nobody": UUID(int=0),
            "output": b"wrong",
            "salt": b"0123456789abcdef",
        }
        secrets = (CANARY, *_hidden(judge, victim))
    stage = Stage(api_url, judge, facts, secrets)
    stage.seen.update(stage.fingerprint())
    return stage


def _person(api: Connection, email: str, secret: str) -> UUID:
    """An account with a session whose secret is `secret`; the password's output is, too."""
    user_id = _one(
        api,
        "select gate.register(%s, %s, %s, 'm=65536,t=3,p=4', %s, 'stage')",
        email,
        f"{CANARY} Vera" if secret == "vera" else secret,
        digest("salt " + secret)[:16],
        secret.encode(),
    )
    api.execute(
        "select api.login(%s, %s, %s, 3600, 'stage')", [email, secret.encode(), digest(secret)]
    )
    return user_id


def _organisation(api: Connection, owner: str, name: str, project: str) -> UUID:
    """An organisation with one project."""
    organisation_id = _one(
        api,
        "select body ->> 'organisation_id'"
        " from api.create_organisation(%s, 'stage', %s, null, null)",
        digest(owner),
        name,
    )
    api.execute(
        "select api.create_project(%s, 'stage', %s, %s, %s, 'active', null, null)",
        [digest(owner), organisation_id, project, project],
    )
    return UUID(str(organisation_id))


def _key(api: Connection, owner: str, secret: str, organisation_id: UUID) -> UUID:
    """An API key, made with an idempotency key of the same name."""
    return _one(
        api,
        "select body ->> 'api_key_id'"
        " from api.create_api_key(%s, 'stage', %s, %s, 'saas_00000000', %s, %s, '{}')",
        digest(owner),
        organisation_id,
        f"{CANARY} key" if owner == "vera" else secret,
        digest(secret),
        secret,
    )


def _hidden(judge: Connection, victim: UUID) -> tuple[str, ...]:
    """Secrets as text: the seal's key, what is in schema auth, and ids the attacker never knew."""
    rows = judge.execute(
        "select encode(inner_key, 'hex') from auth.seal_key"
        " union all select encode(outer_key, 'hex') from auth.seal_key"
        " union all select encode(digest, 'hex') from auth.passwords"
        " union all select encode(digest, 'hex') from auth.credentials"
        " union all select project_id::text from app.projects"
        " where organisation_id = %s and name ~ '0001$'"
        " union all select audit_event_id::text from audit.events"
        " where organisation_id = %s and action = 'api_key.created'",
        [victim, victim],
    )
    return tuple(str(text) for (text,) in rows)


def _one(connection: Connection, query: str, *arguments: object) -> UUID:
    row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return row[0] if isinstance(row[0], UUID) else UUID(str(row[0]))
