"""Organisations: {"organisation_id": uuid, "name": str, "created_at", "updated_at": RFC 3339}."""

import json

from aiohttp import web

from api.calls import Call, created, ok


async def create(call: Call) -> web.Response:
    """
    Create an organisation; the caller becomes its owner.

    Body: {"name": str}.
    Returns: 201 the organisation, its path in Location.
    Errors: 401, 403 (API key), 409 (idempotency key reused), 422. Honours Idempotency-Key.
    Source: sql/functions/api/create_organisation.sql
    """
    body, replayed, _ = await call.change(
        "select body, replayed, current_setting('app.audit_events', true)"
        " from api.create_organisation($1, $2, $3, $4, $5)",
        call.body["name"],
        call.idempotency_key,
        call.raw_body,
    )
    metrics = call.services.metrics
    metrics.count_creation(metrics.organisations_created, replayed=replayed)
    return created(body, "/orgs", key="organisation_id", replayed=replayed)


async def list_page(call: Call) -> web.Response:
    """
    A page of the caller's organisations, newest first: by id.

    Query: limit, offset, cursor.
    Returns: 200 a page (Call.page) of [organisation].
    Errors: 401, 403 (API key), 422.
    Source: sql/functions/api/list_organisations.sql
    """
    return await call.page(
        "select body, current_setting('app.next_cursor', true)"
        " from api.list_organisations($1, $2, $3, $4, $5) as body",
        call.query["limit"],
        call.query["offset"],
        call.after[1],
    )


async def get(call: Call) -> web.Response:
    """
    One organisation.

    Returns: 200 the organisation.
    Errors: 401, 403 (API key), 404.
    Source: sql/functions/api/get_organisation.sql
    """
    organisation = await call.fetch(
        "select body from api.get_organisation($1, $2, $3) as body", call.id("organisation_id")
    )
    return ok(organisation)


async def update(call: Call) -> web.Response:
    """
    Rename an organisation.

    Body: {"name": str}.
    Returns: 200 the organisation.
    Errors: 401, 403 (role too low), 404, 422.
    Source: sql/functions/api/update_organisation.sql
    """
    organisation, _ = await call.change(
        "select body, current_setting('app.audit_events', true)"
        " from api.update_organisation($1, $2, $3, $4) as body",
        call.id("organisation_id"),
        json.dumps(call.body),
    )
    return ok(organisation)
