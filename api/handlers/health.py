"""Liveness and readiness."""

import json

from aiohttp import web

from api.calls import Call, ok, schema_version
from api.problems import NOT_READY, Problem

READY = b'{"status": "ready"}'


async def healthz(call: Call) -> web.Response:
    """
    Whether the process lives; touches no dependency.

    Returns: 200 {"status": "ok", "name": str, "version": str, "environment": str}.
    """
    settings = call.services.settings
    body = {
        "status": "ok",
        "name": settings.app_name,
        "version": settings.app_version,
        "environment": settings.environment,
    }
    return ok(json.dumps(body).encode())


async def readyz(call: Call) -> web.Response:
    """
    Whether requests should be sent here: not stopping, database there, schema as this build has it.

    Returns: 200 {"status": "ready"}.
    Errors: 503.
    Source: sql/functions/api/schema_version.sql
    """
    services = call.services
    if services.lifecycle.draining:
        raise Problem(NOT_READY, detail="The process is stopping.")
    if await schema_version(services) != services.schema_version:
        raise Problem(NOT_READY, detail="The database's schema is not the one of this build.")
    return ok(READY)
