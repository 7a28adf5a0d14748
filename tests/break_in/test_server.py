"""The server behind the database: its files, its programs, its network, its log."""

import psycopg
import pytest

from tests.break_in.attempts import Attempt, attempt
from tests.break_in.stage import Stage

ATTEMPTS = [
    attempt("no file is read", "select pg_catalog.pg_read_file('PG_VERSION')", refused="42501"),
    attempt(
        "no binary file is read",
        "select pg_catalog.pg_read_binary_file('global/pg_filenode.map')",
        refused="42501",
    ),
    attempt("no folder is listed", "select pg_catalog.pg_ls_dir('.')", refused="42501"),
    attempt("no log is listed", "select pg_catalog.pg_ls_logdir()", refused="42501"),
    attempt(
        "no file is looked at", "select pg_catalog.pg_stat_file('PG_VERSION')", refused="42501"
    ),
    attempt(
        "pg_hba.conf is not shown",
        "select auth_method from pg_catalog.pg_hba_file_rules",
        refused="42501",
    ),
    attempt(
        "the settings' files are not shown",
        "select sourcefile from pg_catalog.pg_file_settings",
        refused="42501",
    ),
    attempt(
        "the place of the data is not shown",
        "select count(setting) from pg_catalog.pg_settings where name = 'data_directory'",
        answers=[(0,)],
    ),
    attempt("copy runs no program", "copy (select 1) to program 'true'", refused="42501"),
    attempt("copy writes no file", "copy (select 1) to '/tmp/x'", refused="42501"),
    attempt("copy reads no file", "copy app.projects from '/etc/hostname'", refused="42501"),
    *(
        attempt(f"no extension {name}", f"create extension {name} schema public", refused="42501")
        for name in ("dblink", "postgres_fdw", "file_fdw", "pageinspect", "pgstattuple", "hstore")
    ),
    attempt(
        "no foreign server",
        "create foreign data wrapper w",
        refused="42501",
    ),
    attempt("no library is loaded", "load 'auto_explain'", refused="42501"),
    attempt(
        "no library is loaded from the folder for everyone",
        "load '$libdir/plugins/../auto_explain'",
        refused="42501",
    ),
    attempt(
        "no library for the next session",
        "set session_preload_libraries = 'auto_explain'",
        refused="42501",
    ),
    attempt("the server's settings stay", "alter system set fsync = off", refused="42501"),
    attempt(
        "the database's settings stay",
        "do $$ begin execute format('alter database %%I reset all', current_database()); end $$",
        refused="42501",
    ),
    attempt(
        "the server reads no settings anew", "select pg_catalog.pg_reload_conf()", refused="42501"
    ),
    attempt("no checkpoint", "checkpoint", refused="42501"),
    attempt("no statement is logged", "set log_statement = 'all'", refused="42501"),
    attempt("no parameter is logged", "set log_min_duration_statement = 0", refused="42501"),
    attempt("no temporary file without end", "set temp_file_limit = -1", refused="42501"),
    *(
        attempt(f"no large object by {call}", f"select pg_catalog.{call}", refused="42501")
        for call in (
            "lo_create(0)",
            "lo_creat(-1)",
            "lo_from_bytea(0, 'x')",
            "lo_import('/etc/hostname')",
            "lo_export(1, '/tmp/x')",
            "lo_open(1, 131072)",
            "lo_get(1)",
            "lo_put(1, 0, 'x')",
            "lo_unlink(1)",
        )
    ),
    attempt(
        "no logical replication slot",
        "select pg_catalog.pg_create_logical_replication_slot('s', 'test_decoding')",
        refused="42501",
    ),
    attempt(
        "no changes are read out of a slot",
        "select pg_catalog.pg_logical_slot_peek_changes('s', null, null)",
        refused="42501",
    ),
    attempt(
        "no message in the log of changes",
        "select pg_catalog.pg_logical_emit_message(true, 'p', 'x')",
        refused="42501",
    ),
    attempt(
        "no replication origin",
        "select pg_catalog.pg_replication_origin_create('o')",
        refused="42501",
    ),
    attempt(
        "no subscription", "create subscription s connection '' publication p", refused="42501"
    ),
    attempt(
        "statistics are not reset",
        "select pg_catalog.pg_stat_reset()",
        refused="42501",
    ),
    attempt(
        "statistics are not made up",
        "select pg_catalog.pg_restore_relation_stats('schemaname', 'app', 'relname', 'projects',"
        " 'reltuples', '1'::real)",
        refused="42501",
    ),
    attempt(
        "a table is not analysed for its statistics",
        "analyze app.projects",
        answers=[],
        told="permission denied to analyze",
    ),
    attempt(
        "a table is not rewritten", "cluster app.projects using projects_pkey", refused="42501"
    ),
    attempt("an index is not rebuilt", "reindex table app.projects", refused="42501"),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda one: one.name)
def test_server_is_not_reached(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


def test_stream_of_changes_is_refused(stage: Stage) -> None:
    with (
        pytest.raises(
            psycopg.OperationalError,
            match=r"permission denied to start WAL|replication|login failed",
        ),
        psycopg.connect(stage.api_url, replication="database", autocommit=True) as stream,
    ):
        stream.execute("identify_system")  # a pooler asks the server only now


@pytest.mark.parametrize("role", ["saas_owner", "saas_gate", "saas_audit", "saas_dba"])
def test_login_as_another_role_is_refused(stage: Stage, role: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"not permitted to log in|SASL auth"):
        psycopg.connect(stage.api_url, user=role).close()


def test_role_at_the_start_of_a_session_is_refused(stage: Stage) -> None:
    with pytest.raises(
        psycopg.OperationalError, match=r"permission denied to set role|unsupported startup"
    ):
        psycopg.connect(stage.api_url, options="-c role=saas_gate").close()
