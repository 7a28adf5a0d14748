"""Reading what no client may: the seal's key, hashes, credentials, what other sessions send."""

import pytest

from tests.break_in.attempts import ENTER, Attempt, attempt, make
from tests.break_in.stage import CANARY, Stage

ATTEMPTS = [
    *(
        attempt(f"auth.{table} cannot be read", f"table auth.{table}", refused="42501")
        for table in ("seal_key", "passwords", "credentials", "login_slots")
    ),
    attempt(
        "schema auth stays shut inside a context too",
        "begin",
        ENTER,
        "select inner_key from auth.seal_key",
        refused="42501",
    ),
    attempt(
        "the seal cannot be asked for",
        "select gate.current_seal('', '', '', '', '', '', '')",
        refused="42501",
    ),
    attempt(
        "a context of one's choice cannot be sealed",
        "select gate.seal('', '', %(vera_id)s, null, %(victim)s, 'owner', 'r')",
        refused="42501",
    ),
    attempt(
        "the slots of a login cannot be asked for",
        "select gate.login_retry_after(%(vera_email)s)",
        refused="42501",
    ),
    attempt(
        "a slot of a login cannot be taken without a login",
        "select gate.take_login_slot(%(vera_email)s)",
        refused="42501",
    ),
    attempt("the permissions' view is the gate's", "table ctx.permission", refused="42501"),
    attempt("so is what it is made from", "select ctx.permissions()", refused="42501"),
    attempt("migrations are not shown", "table deploy.migrations", refused="42501"),
    attempt("the password of a role is not shown", "table pg_catalog.pg_authid", refused="42501"),
    attempt("pg_shadow is not shown", "table pg_catalog.pg_shadow", refused="42501"),
    attempt(
        "raw statistics are not shown",
        "select stavalues1 from pg_catalog.pg_statistic",
        refused="42501",
    ),
    attempt(
        "pg_stats shows no column under row-level security",
        "select count(*) from pg_catalog.pg_stats where schemaname in ('app', 'auth')",
        answers=[(0,)],
    ),
    attempt(
        "pg_stats shows no column with row_security off either",
        "set row_security = off",
        "select most_common_vals, histogram_bounds from pg_catalog.pg_stats"
        " where schemaname = 'app'",
        answers=[],
    ),
    attempt(
        "large objects' contents are not shown",
        "table pg_catalog.pg_largeobject",
        refused="42501",
    ),
    attempt(
        "no function's body holds a secret",
        "select prosrc from pg_catalog.pg_proc where pronamespace = 'gate'::regnamespace"
        " and prosrc ~ '[0-9a-f]{32}'",
        answers=[],
    ),
    attempt(
        "the write-ahead log cannot be inspected",
        "select pg_catalog.pg_walfile_name_offset(pg_catalog.pg_switch_wal())",
        refused="42501",
    ),
    attempt(
        "a salt is made up for an email that nobody has, the same at each asking",
        """
        select count(distinct salt) from (
            select salt from gate.login_challenge('nobody@nowhere.example', 'm=8,t=1,p=1')
            union all
            select salt from gate.login_challenge('NOBODY@nowhere.example', 'm=16,t=1,p=1')
        ) as two
        """,
        answers=[(1,)],
    ),
    attempt(
        "the plans of the gate's queries, printed as notices, hold no secret",
        "set client_min_messages = log",
        "set debug_print_parse = on",
        "set debug_print_rewritten = on",
        "set debug_print_plan = on",
        "begin",
        ENTER,
        "select gate.find_user('nobody@nowhere.example')",
        answers=[(None,)],
    ),
    attempt(
        "names in a definer's body cannot be made to mean columns instead of variables",
        ENTER,
        "set plpgsql.variable_conflict = use_column",
        refused="42501",
    ),
    attempt(
        "a taken email is refused without the row that has it",
        """
        select gate.register(
            upper(%(vera_email)s), null, %(salt)s, 'm=8,t=1,p=1', 'x', 'r'
        )
        """,
        refused="23505",
    ),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda one: one.name)
def test_secret_stays_secret(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


SPIES = [
    attempt(
        "pg_stat_activity shows the statements of another session, not its parameters",
        "select query, application_name from pg_catalog.pg_stat_activity",
        answers=[],
    ),
    attempt(
        "pg_stat_get_activity shows no parameter of another session",
        "select * from pg_catalog.pg_stat_get_activity(null)",
        answers=[],
    ),
    attempt(
        "pg_prepared_statements shows none of another session",
        "select statement from pg_catalog.pg_prepared_statements",
        answers=[],
    ),
    attempt(
        "pg_cursors shows none of another session",
        "select statement from pg_catalog.pg_cursors",
        answers=[],
    ),
    attempt(
        "pg_settings shows no setting of another session",
        "select setting from pg_catalog.pg_settings where name ~ '^app'",
        answers=[],
    ),
    attempt(
        "pg_locks shows no key of a row",
        "select relation, virtualtransaction, objid from pg_catalog.pg_locks",
        answers=[],
    ),
    attempt(
        "memory contexts of another session cannot be asked for",
        "select pg_catalog.pg_log_backend_memory_contexts(pid) from pg_catalog.pg_stat_activity",
        refused="42501",
    ),
]


@pytest.mark.parametrize("attempt", SPIES, ids=lambda one: one.name)
def test_session_of_another_is_not_overheard(stage: Stage, attempt: Attempt) -> None:
    """The victim is in the middle of a request, sent as the API sends it: with parameters."""
    with stage.connect() as victim, stage.connect() as spy:
        victim.execute("begin")
        victim.execute(
            "select api.create_project(%s, 'r', %s, %s, null, 'active', null, null)",
            [stage.facts["vera"], stage.facts["victim"], f"{CANARY} typed"],
            prepare=True,
        )
        victim.execute("declare c cursor for select name from app.projects")
        seen = make(spy, attempt.statements, stage.facts)
        victim.execute("rollback")
    assert seen.sqlstate == attempt.refused, seen.text
    stage.assert_nothing_learnt(seen.text)
