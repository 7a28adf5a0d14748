"""Idempotency keys: nobody reads, takes, poisons or holds up what another principal has sent."""

import pytest

from tests.break_in.attempts import ENTER, Attempt, attempt, make
from tests.break_in.stage import Stage

MINE = ("begin", ENTER)
ENDPOINT = "'POST /orgs/{organisation_id}/api-keys'"
CLAIM = (
    "insert into app.idempotency_keys"
    " (organisation_id, principal_id, endpoint, idempotency_key, request)"
)
PROJECT = (
    "select replayed from api.create_project("
    "{who}, 'r', {where}, 'x', null, 'active', 'shared', '{{\"name\": \"x\"}}')"
)

ATTEMPTS = [
    attempt(
        "no row without a context", "select count(*) from app.idempotency_keys", refused="SA401"
    ),
    attempt(
        "another's rows are not read",
        *MINE,
        "select count(*), count(*) filter (where principal_id = %(mallory_id)s)"
        " from app.idempotency_keys",
        answers=[(1, 1)],
    ),
    attempt(
        "an API key does not read its maker's",
        "begin",
        "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.write')",
        "select count(*) from app.idempotency_keys",
        answers=[(0,)],
    ),
    attempt(
        "who has entered no organisation reads those of none",
        "begin",
        "select gate.enter_user(%(mallory)s, 'r')",
        "select count(*) from app.idempotency_keys",
        answers=[(0,)],
    ),
    attempt(
        "no key is claimed for another principal",
        *MINE,
        f"{CLAIM} values (%(own)s, %(vera_id)s, 'x', 'k', '{{}}')",
        refused="42501",
    ),
    attempt(
        "no key is claimed in another organisation",
        *MINE,
        f"{CLAIM} values (%(victim)s, %(mallory_id)s, 'x', 'k', '{{}}')",
        refused="42501",
    ),
    attempt(
        "no key is claimed in no organisation by who has entered one",
        *MINE,
        f"{CLAIM} values (%(nobody)s, %(mallory_id)s, 'x', 'k', '{{}}')",
        refused="42501",
    ),
    attempt(
        "another's claim is not taken over on conflict",
        *MINE,
        f"{CLAIM} values (%(victim)s, %(vera_id)s, {ENDPOINT}, 'victim-key', '{{}}')"
        " on conflict (organisation_id, principal_id, claim_id)"
        " do update set response = '{}' returning *",
        refused="42501",
    ),
    attempt(
        "another's claim is not told by on conflict do nothing",
        *MINE,
        f"{CLAIM} values (%(victim)s, %(vera_id)s, {ENDPOINT}, 'victim-key', '{{}}')"
        " on conflict do nothing",
        refused="42501",
    ),
    attempt(
        "another's claim is not made by the function of the API",
        *MINE,
        f"select api.claim_idempotency_key(%(victim)s, {ENDPOINT}, 'victim-key', '{{}}')",
        refused="42501",
    ),
    attempt(
        "another's answer is not read by the function of the API",
        *MINE,
        f"select api.claim_idempotency_key(%(own)s, {ENDPOINT}, 'victim-key', '{{}}') is null",
        answers=[(True,)],
    ),
    attempt(
        "another's answer is not poisoned",
        *MINE,
        "update app.idempotency_keys set response = '{}' where principal_id <> %(mallory_id)s"
        " returning idempotency_key",
        answers=[],
    ),
    attempt(
        "another's answer is not poisoned by the function of the API",
        *MINE,
        f"select api.keep_response(%(victim)s, {ENDPOINT}, 'victim-key', '{{}}')",
        "select count(*) from app.idempotency_keys where response::text = '{}'",
        answers=[(0,)],
    ),
    attempt(
        "one's own claim is not moved to another principal",
        *MINE,
        "update app.idempotency_keys set principal_id = %(vera_id)s",
        refused="42501",
    ),
    attempt(
        "the time of a claim is not moved",
        *MINE,
        "update app.idempotency_keys set created_at = '2000-01-01'",
        refused="42501",
    ),
    attempt("no claim is deleted", *MINE, "delete from app.idempotency_keys", refused="42501"),
    attempt(
        "the claims of all are not truncated", "truncate app.idempotency_keys", refused="42501"
    ),
    attempt(
        "the claims of all are not locked",
        "begin",
        "lock table app.idempotency_keys in row exclusive mode",
        refused="42501",
    ),
    attempt(
        "another's claims are not locked",
        *MINE,
        "select count(*) from (select from app.idempotency_keys for update) as locked",
        answers=[(1,)],
    ),
    attempt(
        "a key that is too long is not stored",
        *MINE,
        "select api.claim_idempotency_key(%(own)s, 'x', repeat('k', 256), '{}')",
        refused="23514",
    ),
    attempt(
        "a context is needed to claim",
        "select api.claim_idempotency_key(%(own)s, 'x', 'k', '{}')",
        refused="SA401",
    ),
    attempt(
        "one's own poisoned answer is no way round a role: the right is asked for first",
        "begin",
        "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.write')",
        f"{CLAIM} values (%(own)s, %(own_key_id)s, {ENDPOINT}, 'k', '{{}}')",
        "update app.idempotency_keys set response = '{}'",
        "select api.create_api_key("
        "%(own_key)s, 'r', %(own)s, 'x', 'saas_00000000', sha256('x'), 'k', '{}')",
        refused="SA403",
    ),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda one: one.name)
def test_idempotency_holds(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


HOLDERS = {
    "another's claim of the same key, in another organisation": ("%(mallory)s", "%(own)s"),
    "an API key's claim of the same key": ("%(own_key)s", "%(own)s"),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_claim_held_open_makes_no_other_principal_wait(
    stage: Stage, holder: tuple[str, str]
) -> None:
    who, where = holder
    with stage.connect() as attacker, stage.connect() as victim:
        held = make(attacker, ("begin", PROJECT.format(who=who, where=where)), stage.facts)
        assert held.sqlstate is None, held.text
        victim.execute("set statement_timeout = '800ms'")
        for caller, place in (("%(vera)s", "%(victim)s"), ("%(victim_key)s", "%(victim)s")):
            call = PROJECT.format(who=caller, where=place)
            seen = make(victim, ("begin", call), stage.facts)
            victim.execute("rollback")
            assert (seen.sqlstate, seen.rows) == (None, [(False,)]), seen.text
        attacker.execute("rollback")
    stage.assert_unchanged()
