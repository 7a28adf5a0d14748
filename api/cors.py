"""Which browsers' pages may call: cross-origin resource sharing, from the settings only."""

import aiohttp_cors
from aiohttp import web

ALLOWED_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID")
EXPOSED_HEADERS = ("X-Request-ID", "Idempotency-Replayed", "Retry-After", "Location", "Link")
PREFLIGHT_SECONDS = 600


def allow(app: web.Application, origins: tuple[str, ...]) -> None:
    """Answer preflights and mark answers, on every route, for these origins."""
    options = {
        origin: aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
            allow_credentials=origin != "*",
            allow_headers=ALLOWED_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            max_age=PREFLIGHT_SECONDS,
        )
        for origin in origins
    }
    sharing = aiohttp_cors.setup(app, defaults=options)
    for route in list(app.router.routes()):
        sharing.add(route)
