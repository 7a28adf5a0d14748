"""The victim's rows from a context of the attacker's own: reading, writing, moving, copying."""

import pytest

from tests.break_in.attempts import ENTER, Attempt, attempt
from tests.break_in.stage import Stage

MINE = ("begin", ENTER)

READS = [
    *(
        attempt(
            f"{table} shows only the organisation entered",
            *MINE,
            f"select count(*) from {table} where organisation_id <> %(own)s",
            answers=[(0,)],
        )
        for table in (
            "app.projects",
            "app.organisations",
            "app.memberships",
            "api.projects",
            "api.organisations",
            "api.members",
        )
    ),
    attempt(
        "users shows only the members of the organisation entered",
        *MINE,
        "select count(*) from api.users where user_id <> %(mallory_id)s",
        answers=[(0,)],
    ),
    attempt(
        "a row is not found by its physical place",
        *MINE,
        "select count(*), count(xmin), count(tableoid) from app.projects"
        " where ctid >= '(0,1)' and ctid < '(1,0)' and organisation_id <> %(own)s",
        answers=[(0, 0, 0)],
    ),
    attempt(
        "a sample of the table has no row of another tenant",
        *MINE,
        "select count(*) from app.projects tablesample system (100)",
        answers=[(1,)],
    ),
    attempt(
        "a sampled row is not outside the wall because the table is only named as the parent",
        *MINE,
        "select count(*) from only app.projects",
        answers=[(1,)],
    ),
    attempt(
        "whole rows as text and as JSON are one's own",
        *MINE,
        "select array_agg(p.*::text)::text ~ 'canary', json_agg(p)::text ~ 'canary'"
        " from app.projects as p where p.* is not distinct from p.*",
        answers=[(False, False)],
    ),
    attempt(
        "ts_stat reads as its caller",
        "select pg_catalog.ts_stat('select to_tsvector(name) from app.projects')",
        refused="SA401",
    ),
    attempt(
        "row_security off is an error, not a way round",
        "set row_security = off",
        "select name from app.projects",
        refused="42501",
    ),
    attempt(
        "row_security off inside a context is an error, too",
        *MINE,
        "set local row_security = off",
        "select name from app.projects",
        refused="42501",
    ),
    attempt(
        "row_security off for a definer is an error, not a way round",
        "set row_security = off",
        "select gate.enter(%(mallory)s, 'r', %(victim)s, 'projects.read')",
        refused="42501",
    ),
    attempt("copy to the client without a context", "copy app.projects to stdout", refused="SA401"),
    attempt(
        "copy of a query to the client without a context",
        "copy (select email from app.users) to stdout",
        refused="SA401",
    ),
    attempt(
        "a recursive query climbs over no wall",
        *MINE,
        """
        with recursive climb as (
            select organisation_id, user_id, 1 as depth from app.memberships
            union
            select m.organisation_id, m.user_id, c.depth + 1
            from climb as c join app.memberships as m using (user_id) where c.depth < 50
        )
        select count(distinct organisation_id) from climb
        """,
        answers=[(1,)],
    ),
    attempt(
        "a cursor held over the transaction holds one's own rows",
        *MINE,
        "declare held cursor with hold for select name from app.projects",
        "commit",
        "begin",
        "select gate.enter_user(%(mallory)s, 'r')",
        "select set_config('app.tenant_id', %(victim)s::text, true)",
        "fetch all from held",
        answers=[("my plan",)],
    ),
    attempt(
        "a cursor held over the transaction is filled while the context stands",
        "begin",
        "declare held cursor with hold for select name from app.projects",
        "commit",
        refused="SA401",
    ),
    attempt(
        "a cursor opened in a context stops at a changed tenant before it has asked whose it is",
        *MINE,
        "declare early cursor for select name from app.projects",
        "select set_config('app.tenant_id', %(victim)s::text, true)",
        "fetch all from early",
        refused="SA401",
    ),
    attempt(
        "a statement prepared in one context asks anew in the next",
        *MINE,
        "prepare mine as select name from app.projects",
        "set local plan_cache_mode = force_generic_plan",
        "execute mine",
        "commit",
        "begin",
        "select gate.enter_user(%(former)s, 'r')",
        "execute mine",
        answers=[],
    ),
    attempt(
        "a statement prepared in a context does not run without one",
        *MINE,
        "prepare mine as select name from app.projects",
        "execute mine",
        "commit",
        "execute mine",
        refused="SA401",
    ),
    attempt(
        "a view that joins users and members adds nobody",
        *MINE,
        "select count(*) from api.members as m full join api.users as u using (user_id)",
        answers=[(1,)],
    ),
    attempt(
        "an API key reads no organisation, member or user",
        "begin",
        "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.read')",
        "select count(*) from app.organisations, app.memberships, app.users",
        answers=[(0,)],
    ),
]

WRITES = [
    attempt(
        "a project cannot be put into another organisation",
        *MINE,
        "insert into app.projects (organisation_id, name) values (%(victim)s, 'x')",
        refused="42501",
    ),
    attempt(
        "nor through the view",
        *MINE,
        "insert into api.projects (organisation_id, name) values (%(victim)s, 'x') returning *",
        refused="42501",
    ),
    attempt(
        "nor as the second of two rows",
        *MINE,
        "insert into app.projects (organisation_id, name) values (%(own)s, 'x'), (%(victim)s, 'x')",
        refused="42501",
    ),
    attempt(
        "nor by copy",
        "copy app.projects (organisation_id, name) from stdin",
        refused="0A000",
    ),
    attempt(
        "a member cannot be put into another organisation",
        *MINE,
        "insert into app.memberships (organisation_id, user_id, role)"
        " values (%(victim)s, %(mallory_id)s, 'owner')",
        refused="42501",
    ),
    attempt(
        "no organisation is made without its owner",
        *MINE,
        "insert into app.organisations (organisation_id, name) values (%(nobody)s, 'x')",
        refused="42501",
    ),
    attempt(
        "no id of a project is chosen",
        *MINE,
        "insert into app.projects (organisation_id, project_id, name)"
        " values (%(own)s, %(victim_project)s, 'x')",
        refused="42501",
    ),
    attempt(
        "a project does not move to another tenant",
        *MINE,
        "update app.projects set organisation_id = %(victim)s",
        refused="42501",
    ),
    attempt(
        "another's project does not move to one's own tenant",
        *MINE,
        "update app.projects set organisation_id = %(own)s where project_id = %(victim_project)s",
        refused="42501",
    ),
    attempt(
        "another's project is not changed, nor returned",
        *MINE,
        "update app.projects set name = 'x' where project_id = %(victim_project)s returning *",
        answers=[],
    ),
    attempt(
        "nor with the old row returned",
        *MINE,
        "update api.projects set name = 'x' where organisation_id = %(victim)s"
        " returning old.name, new.name",
        answers=[],
    ),
    attempt(
        "nor with the role of another API key's organisation",
        "begin",
        "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.write')",
        "update app.projects set name = 'x' where organisation_id <> %(own)s returning name",
        answers=[],
    ),
    attempt(
        "another organisation is not renamed",
        *MINE,
        "update app.organisations set name = 'x' where organisation_id = %(victim)s returning name",
        answers=[],
    ),
    attempt(
        "another's member gets no other role",
        *MINE,
        "update app.memberships set role = 'viewer' where user_id = %(vera_id)s returning *",
        answers=[],
    ),
    attempt(
        "another's member is not removed by the gate",
        *MINE,
        "select gate.remove_member(%(vera_id)s)",
        answers=[(False,)],
    ),
    attempt(
        "a user is not changed",
        *MINE,
        "update app.users set email = 'x@attacker.example'",
        refused="42501",
    ),
    attempt("no row is deleted", *MINE, "delete from app.projects", refused="42501"),
    attempt("no member is deleted by hand", *MINE, "delete from app.memberships", refused="42501"),
    *(
        attempt(f"{table} is not truncated", f"truncate {table} cascade", refused="42501")
        for table in ("app.projects", "app.organisations", "auth.credentials")
    ),
    *(
        attempt(
            f"no row is written to {table} by hand",
            f"insert into {table} default values",
            refused="42501",
        )
        for table in ("auth.passwords", "auth.credentials", "auth.seal_key", "auth.login_slots")
    ),
    attempt(
        "no user is made by hand", "insert into app.users (email) values ('x@y')", refused="42501"
    ),
    attempt(
        "the schema's version is not forged",
        "update deploy.schema_version set version = 'x'",
        refused="42501",
    ),
    attempt(
        "a merge matches no row of another tenant",
        *MINE,
        """
        merge into app.projects as p
        using (values (%(victim_project)s)) as v (project_id) on p.project_id = v.project_id
        when matched then update set name = 'x'
        when not matched by source and p.organisation_id <> %(own)s then update set name = 'y'
        returning p.name
        """,
        answers=[],
    ),
    attempt(
        "triggers are not switched off by the role of a replica",
        "set session_replication_role = replica",
        refused="42501",
    ),
    attempt(
        "constraints are not put off past the wall",
        *MINE,
        "set constraints all deferred",
        "insert into app.projects (organisation_id, name) values (%(victim)s, 'x')",
        refused="42501",
    ),
    attempt(
        "a transaction is not left for later in two phases",
        *MINE,
        "prepare transaction 'later'",
        refused="55000",
    ),
]


@pytest.mark.parametrize("attempt", READS, ids=lambda one: one.name)
def test_row_is_not_read(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


@pytest.mark.parametrize("attempt", WRITES, ids=lambda one: one.name)
def test_row_is_not_written(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)
