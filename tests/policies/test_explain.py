"""dba.explain_access is right: what it says of a row is what happens to who tries."""

from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from api.policies import matrix
from api.policies.databases import Database

PEOPLE = ("owner", "admin", "member", "viewer", "stranger")
ACTORS = (*PEOPLE, "api_key")
ROWS = (
    "select (t.*)::text, t.ctid::text, to_jsonb((t.*))::text from {} as t order by t.ctid limit 6"
)
VERDICTS = """
select verb, result, compared from dba.explain_access(%s::regclass, %s, %s, %s)
where step = 'verdict'
"""
DBA = "explaining_dba"
# Tables with what ours do not have: a rule of its own for each verb, no row-level security, names
# that are words of SQL, and an update that no policy lets begin.
TOMORROW = """
create table app.gadgets (
    organisation_id uuid not null, gadget_id uuid not null default uuidv7(), size integer,
    primary key (organisation_id, gadget_id)
);
alter table app.gadgets enable row level security, force row level security;
grant select, insert, update, delete on app.gadgets to saas_api;
create policy tenant_isolation on app.gadgets as restrictive for all to public
using (organisation_id = (select ctx.tenant_id()));
create policy see on app.gadgets for select to public using (size > 1);
create policy add on app.gadgets for insert to public with check (size in (1, 2));
create policy alter_3 on app.gadgets for update to public using (size > 0) with check (size = 3);
create policy remove on app.gadgets for delete to public using (size <> 3);
create table app.open_gadgets (like app.gadgets including all);
grant select, insert, update, delete on app.open_gadgets to saas_api;
create policy nobody on app.open_gadgets as restrictive for all to public using (false);
insert into app.gadgets (organisation_id, size)
select tests.organisation('Acme'), s.size from unnest(array[1, 2, 3, 4, null]) as s (size);
insert into app.open_gadgets (organisation_id, size)
values (tests.organisation('Acme'), 1), (tests.organisation('Globex'), 1);
create table app.notes (
    organisation_id uuid not null, note_id uuid not null default uuidv7(), t text,
    "select" integer, "Sel" integer, "user" text, "a ""b.+" integer, notes integer,
    primary key (organisation_id, note_id)
);
alter table app.notes enable row level security, force row level security;
grant select, insert, update, delete on app.notes to saas_api;
create policy words on app.notes for all to public
using ("select" = "Sel" and "user" <> 'saas_api' and "a ""b.+" > 0 and t <> 'y' and notes > 0);
insert into app.notes (organisation_id, t, "select", "Sel", "user", "a ""b.+", notes)
select tests.organisation('Acme'), w.t, 1, w.sel, w.who, 1, 1
from (
    values ('x', 1, 'ada'), ('y', 1, 'ada'), ('x', 2, 'ada'), ('x', 1, 'saas_api')
) as w (t, sel, who);
create table app.unopened (like app.gadgets including all);
alter table app.unopened enable row level security, force row level security;
grant select, insert, update, delete on app.unopened to saas_api;
create policy see on app.unopened for select to saas_api using (true);
create policy alter_any on app.unopened for update to saas_api with check (true);
create policy add_all on app.unopened for insert to saas_api with check (true);
create policy wall on app.unopened as restrictive for delete to saas_api using (true);
insert into app.unopened (organisation_id, size) values (tests.organisation('Acme'), 1);
create table app.unbegun (like app.unopened including all);
alter table app.unbegun enable row level security, force row level security;
grant select, insert, update, delete on app.unbegun to saas_api;
create policy none_at_all on app.unbegun for update to saas_api;
create policy all_added on app.unbegun for all to saas_api with check (true);
insert into app.unbegun (organisation_id, size) values (tests.organisation('Acme'), 1);
"""


@pytest.fixture
def connection(pgtap_database: Database) -> Iterator[psycopg.Connection]:
    """A superuser's, on a database with two tenants and rows of each table that has some."""
    with psycopg.connect(pgtap_database.admin_url, autocommit=True) as found:
        found.execute("set client_min_messages = error")
        for tenant in ("Acme", "Globex"):
            found.execute("select tests.new_tenant(%s)", [tenant])
            found.execute("select tests.new_project('Apollo', %s)", [tenant])
            for actor in ("owner", "viewer"):
                found.execute(
                    "insert into app.idempotency_keys"
                    " (organisation_id, principal_id, endpoint, idempotency_key, request)"
                    " values (tests.organisation(%s), tests.user_id(%s, %s), 'e', 'k', '{}')",
                    [tenant, actor, tenant],
                )
        found.execute("set event_triggers = off")  # the guard refuses app.open_gadgets
        found.execute(TOMORROW)
        yield found


@pytest.fixture(params=["superuser", "saas_dba"])
def asking(
    request: pytest.FixtureRequest, pgtap_database: Database, connection: psycopg.Connection
) -> Iterator[psycopg.Connection]:
    """Who asks: a superuser, or a login role that is no more than a member of saas_dba."""
    if request.param == "superuser":
        yield connection
        return
    name = sql.Identifier(pgtap_database.name)
    connection.execute(f"create role {DBA} login in role saas_dba".encode())
    try:
        connection.execute(sql.SQL("grant connect on database {} to " + DBA).format(name))
        with psycopg.connect(pgtap_database.url(DBA), autocommit=True) as found:
            yield found
    finally:
        connection.execute(f"drop owned by {DBA}".encode())
        connection.execute(f"drop role {DBA}".encode())


def key(connection: psycopg.Connection, table: str, row: str) -> str:
    """The row's primary key as JSON."""
    found = connection.execute(
        "select jsonb_object_agg(a.attname, %s::jsonb -> a.attname::text)::text"
        " from pg_index as i join pg_attribute as a on a.attrelid = i.indrelid"
        " and a.attnum = any(i.indkey) where i.indrelid = %s::regclass and i.indisprimary",
        [row, table],
    ).fetchone()
    assert found is not None
    return str(found[0])


def named(asking: psycopg.Connection, table: str) -> bool:
    """Whether who asks can name the table at all: schema auth is closed to a DBA."""
    query = "select has_schema_privilege(%s, 'usage')"
    return asking.execute(query, [table.split(".")[0]]).fetchone() == (True,)


def granted(connection: psycopg.Connection, table: str, verb: str) -> list[str]:
    """The columns that the API may write."""
    return [
        name
        for (name,) in connection.execute(
            "select a.attname from pg_attribute as a where a.attrelid = %s::regclass"
            " and a.attnum > 0 and has_column_privilege('saas_api', a.attrelid, a.attnum, %s)",
            [table, verb],
        )
    ]


def happens(
    connection: psycopg.Connection, table: str, verb: str, actor: str, row: tuple[str, str]
) -> bool:
    """Whether the actor really can, as a request would: a constraint is no policy's business."""
    text, place = row
    name = sql.Identifier(*table.split("."))
    there = sql.SQL(" where ctid = {}::tid").format(place)
    written = granted(connection, table, verb) if verb in ("insert", "update") else []
    columns = sql.SQL(", ").join(map(sql.Identifier, written))
    match verb:
        case "select":
            statement = sql.SQL("select from {}").format(name) + there
        case "delete":
            statement = sql.SQL("delete from {}").format(name) + there
        case "update" if written:
            statement = sql.SQL("update {0} set ({1}) = row({1})").format(name, columns) + there
        case "insert" if written:
            statement = sql.SQL(
                "insert into {0} ({1}) select {1} from (select ({2}::{0}).*)"
            ).format(name, columns, text)
        case _:
            return False
    with connection.transaction(force_rollback=True):
        matrix.become(connection, actor)
        try:
            return connection.execute(statement).rowcount == 1
        except psycopg.errors.InsufficientPrivilege:
            return False
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith(matrix.PASSED):
                raise
            return True


def test_verdict_of_every_table_and_verb_agrees_with_what_happens(
    connection: psycopg.Connection, asking: psycopg.Connection
) -> None:
    tables = [
        name for (name,) in connection.execute(matrix.TABLES).fetchall() if named(asking, name)
    ]
    seen: Counter[tuple[str, bool]] = Counter()
    wrong, unknown = [], set()
    for table in tables:
        rows = connection.execute(
            sql.SQL(ROWS).format(sql.Identifier(*table.split(".")))
        ).fetchall()
        for text, place, row in rows if table != "auth.seal_key" else []:
            for actor in ACTORS:
                organisation = None if actor == "stranger" else "Acme"
                who = f"{actor}@acme.example" if actor in PEOPLE else actor
                with asking.transaction(force_rollback=True):
                    verdicts = asking.execute(
                        VERDICTS, [table, key(connection, table, row), who, organisation]
                    ).fetchall()
                assert [verb for verb, _, _ in verdicts] == list(matrix.VERBS)
                for verb, verdict, sentence in verdicts:
                    really = happens(connection, table, verb, actor, (text, place))
                    if verdict is None:
                        unknown.add(text)
                        continue
                    seen[verb, really] += 1
                    if verdict != really:
                        wrong.append(f"{actor}, {verb} {table} {row}: {sentence}")
    # Of a row that nobody sees a superuser alone can tell.
    assert bool(unknown) == (asking is not connection)
    assert not wrong, "\n".join(wrong)
    assert all(seen[verb, False] > 50 for verb in matrix.VERBS)
    assert all(seen[verb, True] > 10 for verb in matrix.VERBS)
