"""
aiohttp and asyncpg with row-level security as the textbooks have it: BEGIN, set_config, the query,
COMMIT, and policies that read the settings (tenant.sql). The audit is a trigger there.
"""

import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import jwt
import uvloop
from aiohttp import web

SECRET = os.environ["BENCH_JWT_SECRET"]
POOL = web.AppKey("pool", asyncpg.Pool)
COLUMNS = "project_id, organisation_id, name, description, status, created_at, updated_at"
ORDERS = {
    (column, direction): f"{name} {direction}, project_id {direction}"
    for column, name in {
        "created_at": "created_at",
        "updated_at": "updated_at",
        "name": 'name collate "C"',
    }.items()
    for direction in ("asc", "desc")
}


def answer(body: object, status: int = 200) -> web.Response:
    return web.json_response(
        body, status=status, dumps=lambda value: json.dumps(value, default=text)
    )


def text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


@asynccontextmanager
async def tenant(request: web.Request) -> AsyncIterator[Any]:
    """A connection in a transaction with the caller's settings."""
    _scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise web.HTTPUnauthorized from None
    async with request.app[POOL].acquire() as connection, connection.transaction():
        await connection.fetchrow(
            "select set_config('app.user_id', $1, true), set_config('app.tenant_id', $2, true)",
            claims["sub"],
            request.match_info["organisation_id"],
        )
        yield connection


async def get_project(request: web.Request) -> web.Response:
    async with tenant(request) as connection:
        row = await connection.fetchrow(
            f"select {COLUMNS} from app.projects"
            " where organisation_id = $1 and project_id = $2 and deleted_at is null",
            uuid.UUID(request.match_info["organisation_id"]),
            uuid.UUID(request.match_info["project_id"]),
        )
    if row is None:
        raise web.HTTPNotFound
    return answer(dict(row))


async def list_projects(request: web.Request) -> web.Response:
    query = request.query
    limit, offset = int(query.get("limit", 50)), int(query.get("offset", 0))
    order = ORDERS[query.get("sort_by", "created_at"), query.get("sort_direction", "desc")]
    condition = "organisation_id = $1 and deleted_at is null"
    arguments: list[object] = [uuid.UUID(request.match_info["organisation_id"])]
    if "status" in query:
        arguments.append(query["status"])
        condition += f" and status = ${len(arguments)}"
    if "name" in query:
        part = query["name"].replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        arguments.append(f"%{part}%")
        condition += f" and name ilike ${len(arguments)}"
    async with tenant(request) as connection:
        total = await connection.fetchval(
            f"select count(*) from app.projects where {condition}", *arguments
        )
        rows = await connection.fetch(
            f"select {COLUMNS} from app.projects where {condition} order by {order}"
            f" limit ${len(arguments) + 1} offset ${len(arguments) + 2}",
            *arguments,
            limit,
            offset,
        )
    items = [dict(row) for row in rows]
    return answer({"items": items, "total": total, "limit": limit, "offset": offset})


async def create_project(request: web.Request) -> web.Response:
    body = await request.json()
    name, description = body["name"].strip(), body.get("description")
    status = body.get("status", "active")
    if not 1 <= len(name) <= 200 or status not in ("active", "archived"):
        raise web.HTTPUnprocessableEntity
    async with tenant(request) as connection:
        row = await connection.fetchrow(
            "insert into app.projects (organisation_id, name, description, status)"
            f" values ($1, $2, $3, $4) returning {COLUMNS}",
            uuid.UUID(request.match_info["organisation_id"]),
            name,
            description,
            status,
        )
    response = answer(dict(row), 201)
    response.headers["Location"] = f"{request.path}/{row['project_id']}"
    return response


async def nothing_to_reset(_connection: object) -> None:
    """All settings are the transaction's: asyncpg's own reset would be a round trip for nothing."""


async def pool(app: web.Application) -> AsyncIterator[None]:
    size = int(os.environ["BENCH_POOL_SIZE"])
    async with asyncpg.create_pool(
        os.environ["BENCH_DATABASE_URL"], min_size=size, max_size=size, reset=nothing_to_reset
    ) as made:
        app[POOL] = made
        yield


def main() -> None:
    app = web.Application()
    app.cleanup_ctx.append(pool)
    app.router.add_get("/orgs/{organisation_id}/projects/{project_id}", get_project)
    app.router.add_get("/orgs/{organisation_id}/projects", list_projects)
    app.router.add_post("/orgs/{organisation_id}/projects", create_project)
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
