"""API keys: none is made for another tenant, none in secret, none that was revoked works again."""

import pytest

from tests.break_in.attempts import Attempt, attempt, make
from tests.break_in.stage import Stage

WRITE = "select gate.enter(%(mallory)s, 'r', %(own)s, 'api_keys.write')"
MINE = ("begin", WRITE)
NEW = (
    "insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)"
    " values (%(own)s, 'new', 'saas_00000000', %(mallory_id)s)"
)
REVOKE = "update app.api_keys set revoked_at = now() where api_key_id = %(own_key_id)s"

ATTEMPTS = [
    attempt(
        "no key is made in another organisation",
        *MINE,
        "insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)"
        " values (%(victim)s, 'x', 'saas_00000000', %(mallory_id)s)",
        refused="42501",
    ),
    attempt(
        "no key is made in another's name",
        *MINE,
        "insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)"
        " values (%(own)s, 'x', 'saas_00000000', %(vera_id)s)",
        refused="42501",
    ),
    attempt(
        "no key is made under an id of one's choice",
        *MINE,
        "insert into app.api_keys (organisation_id, api_key_id, name, prefix, created_by_user_id)"
        " values (%(own)s, %(victim_key_id)s, 'x', 'saas_00000000', %(mallory_id)s)",
        refused="42501",
    ),
    attempt(
        "another's key is not made live under a digest of one's own",
        *MINE,
        "select gate.store_api_key(%(victim_key_id)s, sha256('mine'))",
        refused="SA403",
    ),
    attempt(
        "no key works that is in no list",
        *MINE,
        "select gate.store_api_key(uuidv7(), sha256('mine'))",
        refused="SA403",
    ),
    attempt(
        "a live key gets no second secret",
        *MINE,
        "select gate.store_api_key(%(own_key_id)s, sha256('mine'))",
        refused="SA403",
    ),
    attempt(
        "a new key gets no second secret",
        *MINE,
        NEW,
        "select gate.store_api_key(api_key_id, sha256('one')) from app.api_keys where name = 'new'",
        "select gate.store_api_key(api_key_id, sha256('two')) from app.api_keys where name = 'new'",
        refused="23505",
    ),
    attempt(
        "a key that was revoked is not made live again",
        *MINE,
        NEW,
        "update app.api_keys set revoked_at = now() where name = 'new'",
        "select gate.store_api_key(api_key_id, sha256('one')) from app.api_keys where name = 'new'",
        refused="SA403",
    ),
    attempt(
        "a key is not made live without a context",
        "select gate.store_api_key(%(own_key_id)s, sha256('mine'))",
        refused="SA401",
    ),
    attempt(
        "a key makes no other key live",
        "begin",
        "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.write')",
        "select gate.store_api_key(%(own_key_id)s, sha256('mine'))",
        refused="SA403",
    ),
    attempt(
        "a revoked key is not brought back",
        *MINE,
        REVOKE,
        "update app.api_keys set revoked_at = null returning name",
        answers=[],
    ),
    attempt(
        "a live key is not revoked for a time to come",
        *MINE,
        "update app.api_keys set revoked_at = now() + interval '1 day'",
        refused="42501",
    ),
    attempt(
        "a revocation is not moved to another time",
        *MINE,
        REVOKE,
        "update app.api_keys set revoked_at = '2000-01-01' returning name",
        answers=[],
    ),
    attempt(
        "a key that was revoked does not enter",
        *MINE,
        REVOKE,
        "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.read')",
        refused="SA401",
    ),
    attempt(
        "another's key is not revoked",
        *MINE,
        "update app.api_keys set revoked_at = now() where api_key_id = %(victim_key_id)s"
        " returning name",
        answers=[],
    ),
    attempt(
        "another's key is not revoked by the API",
        "select api.revoke_api_key(%(mallory)s, 'r', %(own)s, %(victim_key_id)s)",
        refused="SA404",
    ),
    attempt(
        "another's keys are not listed",
        "select api.list_api_keys(%(mallory)s, 'r', %(victim)s, 50, 0)",
        refused="SA404",
    ),
    attempt(
        "another's keys are not read",
        *MINE,
        "select count(*) from app.api_keys where organisation_id = %(victim)s",
        answers=[(0,)],
    ),
    attempt(
        "nor when they were used",
        *MINE,
        "select count(*) from app.api_key_uses where organisation_id = %(victim)s",
        answers=[(0,)],
    ),
    *(
        attempt(
            f"{column} of a key stays",
            *MINE,
            f"update app.api_keys set {column} = {column}",
            refused="42501",
        )
        for column in ("organisation_id", "api_key_id", "name", "prefix", "created_by_user_id")
    ),
    attempt("no key is deleted", *MINE, "delete from app.api_keys", refused="42501"),
    attempt(
        "no use is made up",
        *MINE,
        "update app.api_key_uses set last_used_at = now()",
        refused="42501",
    ),
    attempt(
        "a use is not noted by hand",
        *MINE,
        "select gate.note_api_key_use(%(victim)s, %(victim_key_id)s)",
        refused="42501",
    ),
    attempt(
        "the trigger that revokes is not called by hand",
        "select gate.revoke_api_key()",
        refused="42501",
    ),
    attempt(
        "a key reads no key",
        "begin",
        "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.read')",
        "select (select count(*) from app.api_keys), (select count(*) from app.api_key_uses)",
        answers=[(0, 0)],
    ),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda one: one.name)
def test_api_keys_hold(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


def test_key_held_in_an_open_transaction_does_not_keep_it_from_being_revoked(stage: Stage) -> None:
    """The thief has entered, noted a use, and waits; the owner revokes at once all the same."""
    stage.judge.execute("update app.api_key_uses set last_used_at = null")
    with stage.connect() as thief, stage.connect() as owner:
        entry = "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.read')"
        make(thief, ("begin", entry, "select from app.projects for update"), stage.facts)
        owner.execute("set statement_timeout = '800ms'")
        revoke = "select api.revoke_api_key(%(mallory)s, 'r', %(own)s, %(own_key_id)s)"
        revoked = make(owner, ("begin", revoke), stage.facts)
        # The limit: what was entered before stays open until its transaction ends.
        still = make(thief, ("select name from app.projects",), stage.facts)
        owner.execute("rollback")
        thief.execute("rollback")
    assert revoked.sqlstate is None, revoked.text
    assert still.rows == [("my plan",)]
    stage.judge.execute("update app.api_key_uses set last_used_at = now() + interval '1 day'")
    stage.seen.update(stage.fingerprint())


def test_key_revoked_while_it_is_in_use_is_refused_at_its_next_entry(stage: Stage) -> None:
    entry = "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.read')"
    with stage.connect() as user:
        make(user, ("begin", entry), stage.facts)
        with stage.judge.transaction(force_rollback=True):
            # Uncommitted, a revocation keeps no use waiting.
            stage.judge.execute(REVOKE, stage.facts)
            user.execute("set local statement_timeout = '800ms'")
            waited = make(user, (entry,), stage.facts)
        user.execute("rollback")
    assert waited.sqlstate is None, waited.text
    stage.assert_unchanged()
