"""The caller."""

from aiohttp import web

from api.calls import Call, ok


async def get(call: Call) -> web.Response:
    """
    Who the caller is, and where a member.

    Returns: 200 {"user_id": uuid, "email": str, "display_name": str | null, "created_at": RFC 3339,
    "memberships": [{"organisation_id": uuid, "name": str, "role": str}]}.
    Errors: 401, 403 (API key).
    Source: sql/functions/api/get_me.sql
    """
    return ok(await call.fetch("select body from api.get_me($1, $2) as body"))
