"""
Members of an organisation: {"organisation_id", "user_id": uuid, "email": str,
"display_name": str | null, "role": str, "created_at", "updated_at": RFC 3339}.
"""

from aiohttp import web

from api.calls import Call, created, no_content, ok
from api.requests import identifier


async def list_page(call: Call) -> web.Response:
    """
    A page of the organisation's members.

    Query: limit, offset, cursor.
    Returns: 200 a page (Call.page) of [member].
    Errors: 401, 403 (role too low), 404, 422.
    Source: sql/functions/api/list_members.sql
    """
    return await call.page(
        "select body, current_setting('app.next_cursor', true)"
        " from api.list_members($1, $2, $3, $4, $5, $6, $7) as body",
        call.id("organisation_id"),
        call.query["limit"],
        call.query["offset"],
        *call.after,
    )


async def add(call: Call) -> web.Response:
    """
    Make a user, found by email or by id, a member.

    Body: {"email": str, "role": str} or {"user_id": uuid, "role": str}.
    Returns: 201 the member, its path in Location.
    Errors: 401, 403 (role too low), 404 (also: no such user), 409 (a member already), 422.
    Source: sql/functions/api/add_member.sql
    """
    organisation_id, body = call.id("organisation_id"), call.body
    member, _ = await call.change(
        "select body, current_setting('app.audit_events', true)"
        " from api.add_member($1, $2, $3, $4, $5, $6) as body",
        organisation_id,
        body.get("email"),
        identifier(body["user_id"]) if "user_id" in body else None,
        body["role"],
    )
    return created(member, f"/orgs/{organisation_id}/members", key="user_id")


async def update(call: Call) -> web.Response:
    """
    Change a member's role.

    Body: {"role": str}.
    Returns: 200 the member.
    Errors: 401, 403 (role too low), 404, 409 (last owner), 422.
    Source: sql/functions/api/update_member.sql
    """
    member, _ = await call.change(
        "select body, current_setting('app.audit_events', true)"
        " from api.update_member($1, $2, $3, $4, $5) as body",
        call.id("organisation_id"),
        call.id("user_id"),
        call.body["role"],
    )
    return ok(member)


async def remove(call: Call) -> web.Response:
    """
    Remove a member; any member may remove themself.

    Returns: 204.
    Errors: 401, 403 (role too low), 404, 409 (last owner).
    Source: sql/functions/api/remove_member.sql
    """
    await call.change(
        "select current_setting('app.audit_events', true) from api.remove_member($1, $2, $3, $4)",
        call.id("organisation_id"),
        call.id("user_id"),
    )
    return no_content()
