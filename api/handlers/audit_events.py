"""
Audit events: {"audit_event_id", "organisation_id": uuid, "action": str, "actor_type": str,
"actor_user_id", "actor_api_key_id": uuid | null, "target_type": str, "target_id": uuid | null,
"request_id": str | null, "changes": {field: {"old", "new"}}, "occurred_at": RFC 3339}.
"""

from aiohttp import web

from api.calls import Call


async def list_page(call: Call) -> web.Response:
    """
    A page of what happened in the organisation, newest first.

    Query: limit, offset, cursor, action, actor_user_id, target_id, since (inclusive), until
    (exclusive).
    Returns: 200 a page (Call.page) of [audit event].
    Errors: 401, 403 (role too low), 404, 422.
    Source: sql/functions/api/list_audit_events.sql
    """
    query = call.query
    return await call.page(
        "select body, current_setting('app.next_cursor', true)"
        " from api.list_audit_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) as body",
        call.id("organisation_id"),
        query["limit"],
        query["offset"],
        query["action"],
        query["actor_user_id"],
        query["target_id"],
        query["since"],
        query["until"],
        *call.after,
    )
