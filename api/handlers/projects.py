"""
Projects: {"project_id", "organisation_id": uuid, "name": str, "description": str | null,
"status": "active" | "archived", "created_at", "updated_at": RFC 3339}.
"""

import json

from aiohttp import web

from api.calls import Call, created, no_content, ok


async def create(call: Call) -> web.Response:
    """
    Create a project in the organisation.

    Body: {"name": str, "description": str | null, "status": "active" | "archived"}.
    Returns: 201 the project, its path in Location.
    Errors: 401, 403 (role too low), 404, 409 (idempotency key reused), 422. Honours
    Idempotency-Key.
    Source: sql/functions/api/create_project.sql
    """
    organisation_id, body = call.id("organisation_id"), call.body
    project, replayed, _ = await call.change(
        "select body, replayed, current_setting('app.audit_events', true)"
        " from api.create_project($1, $2, $3, $4, $5, $6, $7, $8)",
        organisation_id,
        body["name"],
        body.get("description"),
        body.get("status", "active"),
        call.idempotency_key,
        call.raw_body,
    )
    metrics = call.services.metrics
    metrics.count_creation(metrics.projects_created, replayed=replayed)
    return created(
        project, f"/orgs/{organisation_id}/projects", key="project_id", replayed=replayed
    )


async def list_page(call: Call) -> web.Response:
    """
    A page of the organisation's projects, newest first unless asked otherwise.

    Query: limit, offset, cursor, status, name (a part of it), sort_by, sort_direction.
    Returns: 200 a page (Call.page) of [project].
    Errors: 401, 403, 404, 422.
    Source: sql/functions/api/list_projects.sql
    """
    query, (after, after_id) = call.query, call.after
    return await call.page(
        "select body, current_setting('app.next_cursor', true)"
        " from api.list_projects($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) as body",
        call.id("organisation_id"),
        query["limit"],
        query["offset"],
        query["status"],
        query["name"],
        query["sort_by"],
        query["sort_direction"],
        after and str(after),
        after_id,
    )


async def get(call: Call) -> web.Response:
    """
    One project.

    Returns: 200 the project.
    Errors: 401, 403, 404.
    Source: sql/functions/api/get_project.sql
    """
    project = await call.fetch(
        "select body from api.get_project($1, $2, $3, $4) as body",
        call.id("organisation_id"),
        call.id("project_id"),
    )
    return ok(project)


async def update(call: Call) -> web.Response:
    """
    Change a project.

    Body: any non-empty part of {"name": str, "description": str | null, "status": str}.
    Returns: 200 the project.
    Errors: 401, 403 (role too low), 404, 422.
    Source: sql/functions/api/update_project.sql
    """
    project, _ = await call.change(
        "select body, current_setting('app.audit_events', true)"
        " from api.update_project($1, $2, $3, $4, $5) as body",
        call.id("organisation_id"),
        call.id("project_id"),
        json.dumps(call.body),
    )
    return ok(project)


async def delete(call: Call) -> web.Response:
    """
    Delete a project, softly: it is gone for every reader.

    Returns: 204.
    Errors: 401, 403 (role too low), 404.
    Source: sql/functions/api/delete_project.sql
    """
    await call.change(
        "select current_setting('app.audit_events', true) from api.delete_project($1, $2, $3, $4)",
        call.id("organisation_id"),
        call.id("project_id"),
    )
    return no_content()
