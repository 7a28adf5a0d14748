"""Registration and login: the password becomes Argon2id output here, and is compared there."""

import json

from aiohttp import web

from api import passwords
from api.calls import Call, created, ok
from api.credentials import new_session
from api.problems import THROTTLED, UNAUTHORISED, Problem


async def register(call: Call) -> web.Response:
    """
    Make a user.

    Body: {"email": str, "password": str, "display_name": str | null}.
    Returns: 201 {"user_id": uuid, "email": str, "display_name": str | null,
    "created_at": RFC 3339}.
    Errors: 409 (email taken), 422, 503 (too many passwords waiting).
    Source: sql/functions/api/register.sql
    """
    services, body = call.services, call.body
    salt = passwords.new_salt()
    output = await services.passwords.output(body["password"], salt, passwords.DEFAULT)
    user, audit_events = await services.database.fetch_row(
        "select body, current_setting('app.audit_events', true)"
        " from api.register($1, $2, $3, $4, $5, $6) as body",
        body["email"],
        body.get("display_name"),
        salt,
        str(passwords.DEFAULT),
        output,
        call.request_id,
    )
    services.metrics.count_audit_events(audit_events)
    return created(user)


async def login(call: Call) -> web.Response:
    """
    Open a session. An unknown email costs the same work as a wrong password.

    Body: {"email": str, "password": str}.
    Returns: 200 {"access_token": str, "token_type": "bearer", "expires_in": seconds}.
    Errors: 401 (email or password wrong), 422, 429 with Retry-After (seconds), 503.
    Source: sql/functions/api/login_challenge.sql, sql/functions/api/login.sql
    """
    services, body = call.services, call.body
    salt, parameters, retry_after = await services.database.fetch_row(
        "select salt, parameters, retry_after from api.login_challenge($1, $2)",
        body["email"],
        str(passwords.DEFAULT),
    )
    if retry_after is not None:
        raise _throttled(call, retry_after)
    output = await services.passwords.output(
        body["password"], salt, passwords.Parameters.parse(parameters)
    )
    session = new_session()
    user_id, retry_after, audit_events = await services.database.fetch_row(
        "select user_id, retry_after, current_setting('app.audit_events', true)"
        " from api.login($1, $2, $3, $4, $5)",
        body["email"],
        output,
        session.digest,
        services.credentials.ttl_seconds,
        call.request_id,
    )
    services.metrics.count_audit_events(audit_events)
    if retry_after is not None:
        raise _throttled(call, retry_after)
    if user_id is None:
        services.metrics.count_login("failure")
        raise Problem(UNAUTHORISED, detail="The email or the password is wrong.")
    services.metrics.count_login("success")
    token = {
        "access_token": services.credentials.issue(str(user_id), session),
        "token_type": "bearer",
        "expires_in": services.credentials.ttl_seconds,
    }
    return ok(json.dumps(token).encode())


def _throttled(call: Call, retry_after: int) -> Problem:
    call.services.metrics.count_login("throttled")
    return Problem(THROTTLED, headers={"Retry-After": str(retry_after)})
