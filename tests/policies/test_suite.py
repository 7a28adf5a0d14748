"""`saas-api policies test`: its verdicts, its reports, and that nothing is left behind."""

import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import pytest
from psycopg import sql

from api import cli, embedded, files, urls
from api.failure import Failure
from api.policies import suite
from api.policies.databases import Database, Server
from tests.break_in import stage

GOOD = """\
begin;
select plan(3);
select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Apollo', 'Acme');
select tests.new_project('Gemini', 'Globex');
select tests.as('viewer');
select results_eq(
    'select name from app.projects', array['Apollo'], 'a viewer reads what is Acme''s'
);
select tests.age('2 hours');
select is(
    (select created_at from app.projects where name = 'Apollo'),
    now() - interval '2 hours',
    'an aged project was created two hours ago'
);
select throws_ok(
    $$ select tests.as('viewer') $$, 'SA401', null, 'a session of an hour is over by then'
);
select * from finish();
rollback;
"""
BAD = """\
begin;
select plan(4);
select is(1, 2, 'one is <two> & ' || chr(1));
select todo('one day', 1);
select is(1, 2, 'one is two');
select skip('not here', 1);
select pass('all is well');
select * from finish();
rollback;
"""
BROKEN = "begin;\nselect plan(1);\nselect pass('so far');\nselect 1 / 0;\nrollback;\n"
# What stage.build leaves out of real use, under names that the suite's own scenes have, too.
IN_USE = """
select api.register(p.name || '@example.com', p.name, sha256('salt'), 'm=8,t=1,p=1', 'right', 'r')
from unnest(array['ada', 'bob']) as p (name);
select api.login(p.name || '@example.com', 'right', sha256(p.name::bytea), 900, 'r')
from unnest(array['ada', 'bob']) as p (name);
select api.login('bob@example.com', 'wrong', sha256('x'), 900, 'r') from generate_series(1, 11);
select api.login('nobody@example.com', 'wrong', sha256('x'), 900, 'r');
select o.replayed, set_config('use.acme', o.body ->> 'organisation_id', false)
from
    generate_series(1, 2),
    lateral api.create_organisation(sha256('ada'), 'r', 'Acme', 'k', '{"name": "Acme"}') as o;
select api.update_organisation(sha256('ada'), 'r', :acme, n.changes)
from unnest(array['{"name": "A"}', '{"name": "Acme"}']::jsonb[]) as n (changes);
select
    api.add_member(sha256('ada'), 'r', :acme, 'bob@example.com', null, 'viewer'),
    api.update_member(sha256('ada'), 'r', :acme, b.user_id, 'admin'),
    api.remove_member(sha256('ada'), 'r', :acme, b.user_id),
    api.add_member(sha256('ada'), 'r', :acme, null, b.user_id, 'member')
from (select (api.get_me(sha256('bob'), 'r') ->> 'user_id')::uuid) as b (user_id);
select
    set_config('use.project', p.body ->> 'project_id', false),
    api.update_project(
        sha256('ada'), 'r', :acme, (p.body ->> 'project_id')::uuid, '{"name": "Gemini"}'
    )
from api.create_project(sha256('bob'), 'r', :acme, 'Apollo', null, 'active', 'k', '{}') as p;
select api.delete_project(sha256('ada'), 'r', :acme, current_setting('use.project')::uuid);
select api.create_project(sha256('bob'), 'r', :acme, 'Apollo', null, 'active', null, '{}');
select set_config('use.key', k.body ->> 'api_key_id', false)
from
    unnest(array['used', 'revoked']) as n (name),
    lateral api.create_api_key(
        sha256('ada'), 'r', :acme, n.name, 'saas_00000000', sha256(n.name::bytea), n.name,
        '{}'
    ) as k;
select api.create_project(sha256('used'), 'r', :acme, 'Mir', null, 'active', 'k', '{}');
select api.revoke_api_key(sha256('ada'), 'r', :acme, current_setting('use.key')::uuid);
""".replace(":acme", "current_setting('use.acme')::uuid")
# What time does: months ahead, past and dropped, sessions and keys that have expired.
IN_TIME = """
set role saas_owner;
select audit.add_partition(
    'events_2020_01', $$ for values from ('2020-01-01Z') to ('2020-02-01Z') $$, 'Old.'
);
select audit.drop_partitions(0);
select audit.add_partition(
    'events_2021_01', $$ for values from ('2021-01-01Z') to ('2021-02-01Z') $$, 'Old.'
);
select audit.prepare_partitions(12);
reset role;
insert into audit.events
    (organisation_id, occurred_at, action, actor_type, actor_database_role, target_type)
select o.organisation_id, t.at, 'project.created', 'database_role', 'x', 'project'
from app.organisations as o, unnest(array['2021-01-15Z', '2022-01-01Z']::timestamptz[]) as t (at);
insert into app.idempotency_keys
    (organisation_id, principal_id, endpoint, idempotency_key, request, created_at)
select m.organisation_id, m.user_id, 'e', 'old', '{}', '2020-01-01Z' from app.memberships as m;
insert into auth.credentials (digest, user_id, expires_at)
select sha256(u.email::bytea), u.user_id, '2020-01-01Z' from app.users as u;
select dba.impersonate_role('viewer', 'Acme', false);
"""
LEFT = """
select
    (select count(*) from pg_catalog.pg_proc where proname = 'throws_ok'),
    to_regnamespace('tests') is not null,
    (select count(*) from app.organisations),
    (select count(*) from auth.credentials)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file that is good, one that is bad and one that is broken."""
    for name, text in (("good", GOOD), ("bad", BAD), ("broken", BROKEN)):
        (tmp_path / f"{name}.sql").write_text(text)
    return tmp_path


def left(database: Database) -> object:
    with psycopg.connect(database.admin_url) as connection:
        return connection.execute(LEFT).fetchone()


def test_database_without_pgtap_is_lent_it_and_keeps_nothing(
    database: Database, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert left(database) == (0, False, 0, 0)
    paths = [str(folder / "good.sql"), str(files.pgtap_tests() / "policies/projects.sql")]
    assert cli.main(["policies", "test", "--url", database.admin_url, *paths]) == 0
    assert left(database) == (0, False, 0, 0)
    good, shipped, total = capsys.readouterr().out.splitlines()
    assert good.startswith(f"ok      {folder / 'good.sql'}  3 tests, ")
    assert shipped.startswith("ok      policies/projects.sql  125 tests, ")
    assert total.startswith("2 files, 0 of them not ok; 128 tests, 0 failed; ")


def test_database_with_rows_of_its_own_is_tested_and_keeps_them(
    database: Database, folder: Path
) -> None:
    with psycopg.connect(database.admin_url) as connection:
        connection.execute("insert into app.organisations (name) values ('Initech')")
        connection.commit()
        query = "select xmin, created_at from app.organisations"
        before = connection.execute(query).fetchall()
        connection.commit()
        arguments = ["policies", "test", "--url", database.admin_url, str(folder / "good.sql")]
        assert cli.main(arguments) == 0
        assert connection.execute(query).fetchall() == before


@pytest.mark.direct
def test_shipped_suite_passes_on_a_database_in_use_and_leaves_it_as_it_was(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as judge:
        in_use = stage.build(database.api_url, judge)
        with psycopg.connect(database.api_url, autocommit=True) as api:
            for statement in filter(str.strip, IN_USE.split(";\n")):
                api.execute(statement.encode())
        judge.execute(IN_TIME.encode())
        in_use.seen.update(in_use.fingerprint())
        status = cli.main(["policies", "test", "--url", database.admin_url])
        said = capsys.readouterr().out
        in_use.assert_unchanged()
    assert status == 0, "\n".join(x for x in said.splitlines() if not x.startswith("ok "))


@pytest.mark.parametrize("avoided", ["indexscan", "seqscan"])
def test_shipped_suite_does_not_hang_on_the_planners_choice(
    database: Database, capsys: pytest.CaptureFixture[str], avoided: str
) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
        query = sql.SQL("alter database {} set {} = off")
        for scan in {avoided, avoided.replace("index", "bitmap")}:
            connection.execute(
                query.format(sql.Identifier(database.name), sql.Identifier(f"enable_{scan}"))
            )
    status = cli.main(["policies", "test", "--url", database.admin_url])
    said = capsys.readouterr().out
    assert status == 0, "\n".join(x for x in said.splitlines() if not x.startswith("ok "))


def test_aged_rows_are_those_that_the_file_has_written(database: Database) -> None:
    with psycopg.connect(database.admin_url) as connection:
        connection.execute("insert into app.organisations (name) values ('Initech')")
        connection.commit()
        connection.execute(suite.prelude(database.admin_url).encode())
        connection.execute("select tests.new_tenant(); select tests.age('1 day')")
        query = (
            "select name from app.organisations where created_at = now() - interval '1 day'"
            " union all select s.setting from pg_catalog.pg_settings as s"
            " where s.name = 'session_replication_role'"
        )
        assert connection.execute(query).fetchall() == [("Acme",), ("origin",)]
        connection.rollback()


def test_reports_name_what_failed(
    pgtap_database: Database, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = folder / "junit.xml"
    arguments = ["policies", "test", "--url", pgtap_database.admin_url, "--junit", str(target)]
    assert cli.main([*arguments, str(folder)]) == 1
    said = capsys.readouterr().out
    assert "        not ok 1 - one is <two> & \x01\n        # Failed test 1" in said
    assert "        #         have: 1\n        #         want: 2\n" in said
    assert "broken.sql:4: ERROR:  division by zero" in said
    assert "one is two" not in said
    assert "3 files, 2 of them not ok; 8 tests, 1 failed; " in said

    root = ElementTree.fromstring(target.read_text())
    assert root.tag == "testsuites"
    counts = ("tests", "failures", "errors", "skipped")
    assert [root.get(each) for each in counts] == ["9", "1", "1", "2"]
    for each in root:
        inside = [len(each.findall(f"testcase{path}")) for path in ("", "/failure", "/error")]
        assert inside == [int(each.get(name, "")) for name in counts[:3]]
        assert len(each.findall("testcase/skipped")) == int(each.get("skipped", ""))
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "one is <two> & \N{REPLACEMENT CHARACTER}"
    assert "have: 1" in str(failure.text)
    error = root.find(".//error")
    assert error is not None
    assert "division by zero" in str(error.text)


def test_scratch_database_is_the_default(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["policies", "test", str(folder / "good.sql")]) == 0
    assert "1 files, 0 of them not ok; 3 tests" in capsys.readouterr().out


def test_role_that_is_no_superuser_is_refused(database: Database) -> None:
    with pytest.raises(Failure, match="needs a superuser"):
        suite.prelude(database.migration_url)


def test_database_that_is_not_ours_is_refused(postgres: Server) -> None:
    with pytest.raises(Failure, match="no schema gate: run saas-api migrate"):
        suite.prelude(postgres.url("postgres", "postgres"))


def test_schema_of_somebody_elses_is_left_alone(
    database: Database,
) -> None:
    with psycopg.connect(database.admin_url) as connection:
        connection.execute("create schema tests")
    with pytest.raises(Failure, match="a schema tests of somebody else's"):
        suite.prelude(database.admin_url)


def test_nothing_to_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"no \.sql file there"):
        suite.find([tmp_path])
    with pytest.raises(Failure, match="no file or folder"):
        suite.find([tmp_path / "missing.sql"])


@pytest.mark.parametrize("name", ["good", "bad", "broken"])
@pytest.mark.skipif(not shutil.which("prove"), reason="no prove: Perl has it")
def test_pg_prove_gives_the_same_verdict(pgtap_database: Database, folder: Path, name: str) -> None:
    path = folder / f"{name}.sql"
    # What pg_prove is, where it is missing: psql, under prove.
    psql = f"{embedded.program('psql')} -XqAt -v ON_ERROR_STOP=1 -f"
    parts = urls.parse(pgtap_database.admin_url, name="the URL")
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
    proven = subprocess.run(
        ["pg_prove", "-q", path] if shutil.which("pg_prove") else ["prove", "-qe", psql, path],
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("PG")},
            **{names[key]: str(value) for key, value in parts.items() if key in names},
            "PGPASSWORD": str(parts.get("password", "")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = next(suite.run([path], pgtap_database.admin_url))
    assert outcome.is_ok == (proven.returncode == 0) == (name == "good"), proven
    assert "Tests: " in proven.stdout or name == "good", proven
