"""
Is this database as safe as the design says? `saas-api doctor`, and the check at the API's start.

Each query returns one line of text for each thing that is wrong, and nothing when all is well.
All of them run as the API's own role: what they read is open to every role.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, LiteralString

import psycopg

from api import definitions, files, migrate, urls
from api.settings import Settings

Level = Literal["ok", "warning", "failure"]

# The first releases without the known holes in row-level security, by major version.
PATCHED = {18: 7}

ROLE_FAULTS: LiteralString = """
with me as (
    select r.oid, r.rolname, r.rolsuper
    from pg_catalog.pg_roles as r
    where r.rolname in (session_user, current_user)
),
reach as (
    select distinct r.oid, r.rolname, r.rolsuper, r.rolbypassrls
    from me
    join pg_catalog.pg_roles as r
        on r.oid = me.oid
        or (not me.rolsuper and pg_catalog.pg_has_role(me.oid, r.oid, 'member'))
)
select pg_catalog.format('%s is, or can become, the superuser %I', session_user, reach.rolname)
from reach
where reach.rolsuper
union all
select pg_catalog.format(
    '%s is, or can become, %I, which has BYPASSRLS', session_user, reach.rolname
)
from reach
where reach.rolbypassrls and not reach.rolsuper
union all
select pg_catalog.format(
    '%s is, or can become, %I, which owns tables (%s)',
    session_user, reach.rolname, pg_catalog.min(c.oid::pg_catalog.regclass::text)
)
from reach
join pg_catalog.pg_class as c on c.relowner = reach.oid and c.relkind in ('r', 'p')
where not reach.rolsuper
group by reach.rolname
union all
select pg_catalog.format(
    'no trigger fires for %s, whose session_replication_role is %s',
    session_user, current_setting('session_replication_role')
)
where current_setting('session_replication_role') <> 'origin'
"""


@dataclass(frozen=True, slots=True)
class Check:
    """A rule, how bad its breach is, the query that finds breaches, and what to do then."""

    name: str
    level: Level
    query: LiteralString
    advice: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    name: str
    text: str

    def line(self) -> str:
        """As it is printed."""
        return f"{self.level:8} {self.name}" + (f": {self.text}" if self.text else "")


BOOTSTRAP = "run saas-api bootstrap"
MIGRATE = "run saas-api migrate"

CHECKS = (
    Check(
        "the API's role cannot step around the policies",
        "failure",
        ROLE_FAULTS,
        "let SAAS_API_DATABASE_URL name saas_api, and revoke what it was granted",
    ),
    Check(
        "the API connects as saas_api",
        "failure",
        """
        select pg_catalog.format('it connects as %s', session_user)
        where session_user <> 'saas_api' or current_user <> 'saas_api'
        """,
        "let SAAS_API_DATABASE_URL name saas_api",
    ),
    Check(
        "the six roles are there, with no attribute they do not need",
        "failure",
        """
        select pg_catalog.format('%s %s', expected.name, wrong.text)
        from (
            values
                ('saas_owner', false), ('saas_gate', false), ('saas_audit', false),
                ('saas_api', true), ('saas_migrator', true), ('saas_dba', false)
        ) as expected (name, can_login)
        left join pg_catalog.pg_roles as r on r.rolname = expected.name
        cross join lateral (
            values
                (r.oid is null, 'is missing'),
                (r.rolsuper, 'is a superuser'),
                (r.rolbypassrls, 'has BYPASSRLS'),
                (r.rolcreaterole, 'has CREATEROLE'),
                (r.rolcreatedb, 'has CREATEDB'),
                (r.rolreplication, 'has REPLICATION'),
                (r.rolcanlogin and not expected.can_login, 'may log in'),
                (not r.rolcanlogin and expected.can_login, 'may not log in')
        ) as wrong (found, text)
        where wrong.found
        """,
        BOOTSTRAP,
    ),
    Check(
        "only saas_migrator and saas_dba are members of anything, without inheriting",
        "failure",
        """
        select pg_catalog.format(
            '%s is member of %s%s%s', member.rolname, granted.rolname,
            case when m.inherit_option then ' and inherits' end,
            case when m.admin_option then ' and may grant it' end
        )
        from pg_catalog.pg_auth_members as m
        join pg_catalog.pg_roles as member on member.oid = m.member
        join pg_catalog.pg_roles as granted on granted.oid = m.roleid
        where
            member.rolname in ('saas_owner', 'saas_gate', 'saas_audit', 'saas_api')
            or (
                member.rolname = 'saas_dba'
                and (m.inherit_option or m.admin_option or granted.rolname <> 'saas_api')
            )
            or (
                member.rolname = 'saas_migrator'
                and (
                    m.inherit_option
                    or granted.rolname not in ('saas_owner', 'saas_gate', 'saas_audit')
                )
            )
        """,
        "revoke it",
    ),
    Check(
        "saas_migrator may become the owners",
        "failure",
        """
        select pg_catalog.format('it may not become %s', r.rolname)
        from pg_catalog.pg_roles as r
        where
            r.rolname in ('saas_owner', 'saas_gate', 'saas_audit')
            and not coalesce(
                pg_catalog.pg_has_role(pg_catalog.to_regrole('saas_migrator'), r.oid, 'set'), true
            )
        """,
        BOOTSTRAP,
    ),
    Check(
        "saas_api, saas_migrator and saas_dba own nothing",
        "failure",
        """
        select pg_catalog.format(
            '%s owns %s', r.rolname, pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
        )
        from pg_catalog.pg_shdepend as d
        join pg_catalog.pg_roles as r on r.oid = d.refobjid
        where
            d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
            and d.deptype = 'o'
            and r.rolname in ('saas_api', 'saas_migrator', 'saas_dba')
            and d.dbid in (
                0,
                (select b.oid from pg_catalog.pg_database as b where b.datname = current_database())
            )
        """,
        "reassign it to saas_owner",
    ),
    Check(
        "the API may create nothing",
        "failure",
        """
        select pg_catalog.format('it has %s on the database', p.name)
        from (values ('create'), ('temporary')) as p (name)
        where pg_catalog.has_database_privilege('saas_api', current_database(), p.name)
        union all
        select pg_catalog.format('it may create in the schema %I', n.nspname)
        from pg_catalog.pg_namespace as n
        where pg_catalog.has_schema_privilege('saas_api', n.oid, 'create')
        """,
        BOOTSTRAP,
    ),
    Check(
        "row-level security is enabled and forced on every table",
        "failure",
        """
        select pg_catalog.format('not so on %s', c.oid::pg_catalog.regclass)
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where
            c.relkind in ('r', 'p')
            and not (c.relrowsecurity and c.relforcerowsecurity)
            and n.nspname <> 'information_schema'
            and n.nspname not like 'pg\\_%'
        """,
        "alter table ... enable row level security, force row level security",
    ),
    Check(
        "tables belong to saas_owner",
        "failure",
        """
        select pg_catalog.format(
            '%s belongs to %s', c.oid::pg_catalog.regclass, pg_catalog.pg_get_userbyid(c.relowner)
        )
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where
            c.relkind in ('r', 'p')
            and pg_catalog.pg_get_userbyid(c.relowner) <> 'saas_owner'
            and n.nspname not in ('information_schema', 'guard')
            and n.nspname not like 'pg\\_%'
        """,
        "alter table ... owner to saas_owner",
    ),
    Check(
        "security definer functions are the gate's, the audit's and the guard's, search_path fixed",
        "failure",
        """
        select pg_catalog.format('%s is not', p.oid::pg_catalog.regprocedure)
        from pg_catalog.pg_proc as p
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
        join pg_catalog.pg_roles as owner on owner.oid = p.proowner
        where
            p.prosecdef
            and n.nspname <> 'information_schema'
            and n.nspname not like 'pg\\_%'
            and (
                (n.nspname, case when owner.rolsuper then 'superuser' else owner.rolname end)
                not in (('gate', 'saas_gate'), ('audit', 'saas_audit'), ('guard', 'superuser'))
                or not exists (
                    select
                    from pg_catalog.unnest(p.proconfig) as setting
                    where setting like 'search\\_path=%'
                )
            )
        """,
        "drop it, or " + MIGRATE,
    ),
    Check(
        "only saas_audit may write audit rows",
        "failure",
        """
        select pg_catalog.format(
            '%s has %s on %s',
            case when a.grantee = 0 then 'PUBLIC' else pg_catalog.pg_get_userbyid(a.grantee) end,
            a.privilege_type, c.oid::pg_catalog.regclass
        )
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        cross join lateral pg_catalog.aclexplode(c.relacl) as a
        where
            n.nspname = 'audit'
            and c.relkind in ('r', 'p')
            and a.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
            and a.grantee <> c.relowner
            and pg_catalog.pg_get_userbyid(a.grantee) <> 'saas_audit'
        """,
        MIGRATE,
    ),
    Check(
        "DDL that would leave a table open is refused",
        "warning",
        """
        select pg_catalog.format('the event trigger %s is missing or disabled', expected.name)
        from (values ('guard_commands'), ('guard_drops')) as expected (name)
        left join pg_catalog.pg_event_trigger as e
            on e.evtname = expected.name and e.evtenabled in ('O', 'A')
        where e.oid is null
        """,
        BOOTSTRAP + " as a superuser",
    ),
    Check(
        "one session of the API cannot end or block another's, nor fill what all share",
        "warning",
        """
        select pg_catalog.format('saas_api may call %s', pg_catalog.string_agg(
            p.oid::pg_catalog.regprocedure::text, ', ' order by p.proname
        ))
        from pg_catalog.pg_proc as p
        where
            p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
            and (
                p.proname in (
                    'pg_terminate_backend',
                    'pg_cancel_backend',
                    'pg_notify',
                    'pg_logical_emit_message',
                    'loread',
                    'lowrite'
                )
                or p.proname ~ '^(lo_|pg_advisory_|pg_try_advisory_)'
            )
            and pg_catalog.has_function_privilege('saas_api', p.oid, 'execute')
        having pg_catalog.count(*) > 0
        """,
        BOOTSTRAP + " as a superuser",
    ),
    Check(
        "only the equality of ids is leakproof",
        "warning",
        """
        select pg_catalog.format(
            'so is %s, the first of %s',
            pg_catalog.min(p.oid::pg_catalog.regprocedure::text),
            pg_catalog.count(*)
        )
        from pg_catalog.pg_proc as p
        where
            p.proleakproof
            and p.oid <> 'pg_catalog.uuid_eq(uuid, uuid)'::pg_catalog.regprocedure
        having pg_catalog.count(*) > 0
        """,
        BOOTSTRAP + " as a superuser",
    ),
)

# Name, value, and how to be rid of it: null where bootstrap sets it, '' where bootstrap resets it.
SETTINGS_QUERY: LiteralString = """
select
    pg_catalog.split_part(setting, '=', 1),
    pg_catalog.substr(setting, pg_catalog.strpos(setting, '=') + 1),
    case
        when s.setrole = 0 and s.setdatabase = 0 then 'alter role all reset it'
        when s.setrole = 0 then pg_catalog.format('alter database %I reset it', current_database())
        when s.setdatabase <> 0 then ''
    end
from pg_catalog.pg_db_role_setting as s
cross join lateral pg_catalog.unnest(s.setconfig) as setting
where
    s.setrole in (0, pg_catalog.to_regrole('saas_api'))
    and s.setdatabase in (
        0, (select b.oid from pg_catalog.pg_database as b where b.datname = current_database())
    )
"""


def examine(url: str, settings: Settings) -> Iterator[Finding]:
    """
    Check the database that the API's `url` leads to, rule by rule.

    Errors: Failure when it cannot be reached.
    """
    with urls.connect(url, name="SAAS_API_DATABASE_URL") as connection:
        yield _version(connection, settings)
        yield _encryption(connection, url, settings)
        for check in CHECKS:
            found = [row[0] for row in connection.execute(check.query)]
            yield from _report(check, found)
        yield from _report(
            Check("the settings of saas_api are those of bootstrap", "warning", "", ""),
            _settings(connection),
        )
        yield from _report(
            Check("all functions, views, triggers and policies are there", "failure", "", MIGRATE),
            [
                f"{what} ({path}) is missing"
                for path, what in definitions.missing(connection, files.tree())
            ],
        )
    yield from _report(
        Check(f"the schema is {migrate.expected_version()}", "failure", "", MIGRATE), _schema(url)
    )


def _schema(url: str) -> list[str]:
    """What the schema version is, if it is not this build's."""
    try:
        current = migrate.current_version(url)
    except migrate.Unreadable as error:
        return [str(error)]
    return [] if current == migrate.expected_version() else [f"it is {current or 'not there'}"]


def _report(check: Check, found: list[str]) -> Iterator[Finding]:
    if not found:
        yield Finding("ok", check.name, "")
    for text in found:
        advice = f"; {check.advice}" if check.advice else ""
        yield Finding(check.level, check.name, text + advice)


def _version(connection: psycopg.Connection, settings: Settings) -> Finding:
    major, minor = divmod(connection.info.server_version, 10000)
    name = f"PostgreSQL {major}.{minor} has the fixes of row-level security"
    least = max(major, min(PATCHED))
    oldest = PATCHED.get(least, 0)
    if (major, minor) >= (least, oldest):
        return Finding("ok", name, "")
    level: Level = "failure" if settings.production else "warning"
    return Finding(level, name, f"no; update the server to {least}.{oldest} or newer")


def _encryption(connection: psycopg.Connection, url: str, settings: Settings) -> Finding:
    name = "the way to the database is private"
    parts = urls.parse(url, name="SAAS_API_DATABASE_URL")
    host = connection.info.host
    if host.startswith("/") or host in {"localhost", "127.0.0.1", "::1"}:
        return Finding("ok", name, "")
    level: Level = "failure" if settings.production else "warning"
    if not connection.pgconn.ssl_in_use:
        return Finding(level, name, "no TLS; add sslmode=verify-full to SAAS_API_DATABASE_URL")
    if parts.get("sslmode") not in {"verify-full", "verify-ca"}:
        return Finding("warning", name, "the server is not verified; use sslmode=verify-full")
    return Finding("ok", name, "")


def _settings(connection: psycopg.Connection) -> list[str]:
    """What differs from the `alter role saas_api set` lines of sql/bootstrap.sql."""
    text = (files.tree().sql / "bootstrap.sql").read_text()
    lines = re.findall(r"^alter role saas_api set (\w+) = '?([^';]+)'?;", text, re.MULTILINE)
    expected = {name.lower(): value for name, value in lines}
    actual = [(n.lower(), value, cure) for n, value, cure in connection.execute(SETTINGS_QUERY)]
    unset = expected.keys() - {name for name, _, cure in actual if cure is None}
    return [
        f"{name} is not set instead of {expected[name]}; {BOOTSTRAP}" for name in sorted(unset)
    ] + [
        f"{name} is {value} instead of {expected.get(name, 'not set')}; {cure or BOOTSTRAP}"
        for name, value, cure in sorted(actual)
        if expected.get(name) != value
    ]
