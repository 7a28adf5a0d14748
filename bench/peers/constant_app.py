"""The limit of the web framework: aiohttp answers a constant, and asks no database."""

import os

import uvloop
from aiohttp import web

BODY = os.environ["BENCH_BODY"].encode()


async def constant(_request: web.Request) -> web.Response:
    return web.Response(body=BODY, content_type="application/json")


def main() -> None:
    app = web.Application()
    app.router.add_get("/orgs/{organisation_id}/projects/{project_id}", constant)
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
