"""
API keys: {"api_key_id", "organisation_id": uuid, "name": str, "prefix": str,
"created_at": RFC 3339, "created_by_user_id": uuid, "last_used_at", "revoked_at": RFC 3339 | null}.
"""

from aiohttp import web

from api.calls import Call, created, no_content
from api.credentials import new_api_key


async def create(call: Call) -> web.Response:
    """
    Create an API key. The answer is the only place where the key itself is ever seen.

    Body: {"name": str}. Honours Idempotency-Key; a repetition gets the answer without `raw_key`.
    Returns: 201 the API key and {"raw_key": str}.
    Errors: 401, 403 (role too low), 404, 409 (idempotency key reused), 422.
    Source: sql/functions/api/create_api_key.sql
    """
    organisation_id, key = call.id("organisation_id"), new_api_key()
    body, replayed, _ = await call.change(
        "select body, replayed, current_setting('app.audit_events', true)"
        " from api.create_api_key($1, $2, $3, $4, $5, $6, $7, $8)",
        organisation_id,
        call.body["name"],
        key.prefix,
        key.digest,
        call.idempotency_key,
        call.raw_body,
    )
    metrics = call.services.metrics
    metrics.count_creation(metrics.api_keys_created, replayed=replayed)
    if not replayed:
        # The database never sees the key, so its body is completed here.
        body = b'%b,"raw_key":"%b"}' % (body.rstrip().removesuffix(b"}"), key.raw.encode())
    return created(body, f"/orgs/{organisation_id}/api-keys", key="api_key_id", replayed=replayed)


async def list_page(call: Call) -> web.Response:
    """
    A page of the organisation's API keys, newest first, revoked ones too.

    Query: limit, offset, cursor.
    Returns: 200 a page (Call.page) of [API key].
    Errors: 401, 403 (role too low), 404, 422.
    Source: sql/functions/api/list_api_keys.sql
    """
    return await call.page(
        "select body, current_setting('app.next_cursor', true)"
        " from api.list_api_keys($1, $2, $3, $4, $5, $6, $7) as body",
        call.id("organisation_id"),
        call.query["limit"],
        call.query["offset"],
        *call.after,
    )


async def revoke(call: Call) -> web.Response:
    """
    Revoke an API key: it stops working at once. Revoking again changes nothing.

    Returns: 204.
    Errors: 401, 403 (role too low), 404.
    Source: sql/functions/api/revoke_api_key.sql
    """
    (revoked,) = await call.change(
        "select current_setting('app.audit_events', true) from api.revoke_api_key($1, $2, $3, $4)",
        call.id("organisation_id"),
        call.id("api_key_id"),
    )
    call.services.metrics.api_keys_revoked.inc(revoked)
    return no_content()
