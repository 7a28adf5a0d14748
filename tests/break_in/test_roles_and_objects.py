"""Becoming someone else, and making objects that lead others' functions astray."""

import pytest

from tests.break_in.attempts import ENTER, Attempt, attempt
from tests.break_in.stage import Stage

ROLES = [
    *(
        attempt(f"set role {role} is refused", f"set role {role}", refused="42501")
        for role in (
            "saas_owner",
            "saas_gate",
            "saas_audit",
            "saas_dba",
            "saas_migrator",
            "postgres",
        )
    ),
    attempt(
        "set session authorization is refused",
        "set session authorization saas_gate",
        refused="42501",
    ),
    attempt(
        "role by set_config is refused too",
        "select set_config('role', 'saas_gate', false)",
        refused="42501",
    ),
    attempt("saas_api takes no role", "grant saas_gate to saas_api", refused="42501"),
    attempt("saas_api makes no role", "create role mole in role saas_gate", refused="42501"),
    *(
        attempt(
            f"saas_api does not give itself {attribute}",
            f"alter role saas_api {attribute}",
            refused="42501",
        )
        for attribute in ("superuser", "bypassrls", "createrole", "replication", "createdb")
    ),
    attempt(
        "saas_api changes no other role's password",
        "alter role saas_migrator password 'x'",
        refused="42501",
    ),
    attempt(
        "saas_api changes no other role's settings",
        "alter role saas_gate set search_path = pg_temp",
        refused="42501",
    ),
    attempt(
        "saas_api changes no setting of every role",
        "alter role all set row_security = off",
        refused="42501",
    ),
    attempt(
        "owned objects do not change hands",
        "reassign owned by saas_owner to saas_api",
        refused="42501",
    ),
    attempt(
        "drop owned by saas_owner is refused",
        "drop owned by saas_owner",
        refused="42501",
    ),
    attempt(
        "drop owned by saas_api takes away no grant and no policy",
        "set client_min_messages = error",
        "drop owned by saas_api",
        "select has_schema_privilege('gate', 'usage'),"
        " has_table_privilege('app.projects', 'select')",
        answers=[(True, True)],
    ),
    attempt(
        "saas_api grants nothing it has",
        "grant select on app.projects to public",
        answers=[],
        told="no privileges were granted",
    ),
    attempt(
        "default privileges of the owner are not ours to alter",
        "alter default privileges for role saas_owner grant select on tables to saas_api",
        refused="42501",
    ),
]

OBJECTS = [
    attempt("no temporary table", "create temp table projects (x int)", refused="42501"),
    attempt("no temporary view", "create temp view projects as select 1", refused="42501"),
    attempt(
        "no function in pg_temp to lead a definer astray",
        "create function pg_temp.casefold(text) returns text language sql as 'select $1'",
        refused="42501",
    ),
    attempt("no select into pg_temp", "select 1 into temp x", refused="42501"),
    *(
        attempt(
            f"no table in schema {schema}",
            f"create table {schema}.lookalike (x int)",
            refused="42501",
        )
        for schema in ("app", "api", "ctx", "gate", "auth", "public")
    ),
    attempt("no schema", "create schema mole", refused="42501"),
    attempt(
        "no function that tells the rows it is shown",
        """
        create function api.tell(text) returns boolean language plpgsql cost 0.0000001 as
        'begin raise notice ''%%'', $1; return true; end'
        """,
        refused="42501",
    ),
    attempt(
        "no operator on text",
        "create operator api.=== (leftarg = text, rightarg = text, function = pg_catalog.texteq)",
        refused="42501",
    ),
    attempt("no cast", "create cast (text as integer) with inout", refused="42501"),
    attempt(
        "no aggregate",
        "create aggregate api.tell(text) (sfunc = pg_catalog.textcat, stype = text)",
        refused="42501",
    ),
    attempt("no type", "create type api.lookalike as (x int)", refused="42501"),
    attempt("no domain", "create domain api.lookalike as text", refused="42501"),
    attempt("no rule", "create rule r as on insert to app.projects do nothing", refused="42501"),
    attempt(
        "no trigger",
        "create trigger t before insert on app.projects for each row execute function app.touch()",
        refused="42501",
    ),
    attempt(
        "no event trigger",
        "create event trigger t on ddl_command_start execute function app.touch()",
        refused="42501",
    ),
    attempt("no policy", "create policy p on app.projects using (true)", refused="42501"),
    attempt(
        "no policy made wider",
        "alter policy tenant_isolation on app.projects using (true)",
        refused="42501",
    ),
    attempt(
        "no row-level security switched off",
        "alter table app.projects disable row level security",
        refused="42501",
    ),
    attempt(
        "no constraint dropped",
        "alter table app.projects drop constraint projects_organisation_id_fkey",
        refused="42501",
    ),
    attempt(
        "no trigger disabled", "alter table app.memberships disable trigger all", refused="42501"
    ),
    attempt(
        "no child table to inherit rows",
        "create table public.heir () inherits (app.projects)",
        refused="42501",
    ),
    attempt("no view replaced", "create or replace view api.users as select 1", refused="42501"),
    attempt(
        "no view without security_invoker",
        "alter view api.members reset (security_invoker)",
        refused="42501",
    ),
    attempt(
        "no definer's search_path changed",
        "alter function gate.enter(bytea, text, uuid, text) reset search_path",
        refused="42501",
    ),
    attempt(
        "no built-in comparison declared leakproof again",
        "alter function pg_catalog.text_lt(text, text) leakproof",
        refused="42501",
    ),
    attempt(
        "no statistics object",
        "create statistics s on name, status from app.projects",
        refused="42501",
    ),
    attempt("no comment", "comment on table app.projects is 'x'", refused="42501"),
    attempt("no publication", "create publication p for table app.projects", refused="42501"),
    attempt(
        "no code block in another language",
        "do language internal 'x'",
        refused="42501",
    ),
    attempt(
        "no function in an untrusted language",
        "create function api.f() returns text language internal as 'pg_read_file'",
        refused="42501",
    ),
    attempt(
        "no definer is led astray by a search_path of the caller's",
        "set search_path = app, auth, pg_temp",
        "begin",
        ENTER,
        "select current_setting('app.tenant_id') = %(own)s::text",
        answers=[(True,)],
    ),
]


GUARD = [
    attempt("the guard is not done without", "set event_triggers = off", refused="42501"),
    attempt(
        "the guard is not switched off",
        "alter event trigger guard_commands disable",
        refused="42501",
    ),
    attempt("the guard is not dropped", "drop schema guard cascade", refused="42501"),
    attempt(
        "nothing is noted for the guard",
        "insert into guard.pending values ('1', 0)",
        refused="42501",
    ),
    attempt("the guard's notes are not read", "select from guard.pending", refused="42501"),
    attempt(
        "the guard is not asked where it sees a fault",
        "select guard.faults('app.projects'::regclass, '1')",
        refused="42501",
    ),
    attempt(
        "the guard's definers are not called",
        "select guard.note_commands()",
        refused="42501",
    ),
]

IMPERSONATION = [
    attempt(
        "nobody is impersonated by the API",
        "select gate.impersonate('vera@vera.example', null, 'vera')",
        refused="42501",
    ),
    attempt(
        "nor by way of the DBA's functions",
        "select dba.impersonate('vera@vera.example')",
        refused="42501",
    ),
    attempt("nor by their inside", "select dba.become(null, 'owner', 'x', false)", refused="42501"),
    attempt("tenants are not listed", "select * from gate.tenants()", refused="42501"),
    attempt(
        "no row is found across tenants",
        "select dba.find_row('app.projects', '{}', 'x', null, null)",
        refused="42501",
    ),
    attempt(
        "an expression is evaluated with the attacker's own rights",
        "select dba.evaluate('(select count(*) from app.projects)', 'app.projects', '(,,,,,,,)')",
        refused="SA401",
    ),
    attempt(
        "an impersonation is not recorded by whom it never was",
        "select audit.record_impersonation(null, null, 'owner', 'x')",
        refused="42501",
    ),
    attempt(
        "who asks without a context is nobody",
        "select sealed from dba.whoami()",
        answers=[(False,)],
    ),
]


@pytest.mark.parametrize("attempt", IMPERSONATION, ids=lambda one: one.name)
def test_somebody_else_is_not_become(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


@pytest.mark.parametrize("attempt", GUARD, ids=lambda one: one.name)
def test_guard_is_not_led_astray(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


@pytest.mark.parametrize("attempt", ROLES, ids=lambda one: one.name)
def test_role_is_not_taken(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


@pytest.mark.parametrize("attempt", OBJECTS, ids=lambda one: one.name)
def test_object_is_not_made(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)
