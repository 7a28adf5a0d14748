"""The application: services, routes, and the frame around every request."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

from aiohttp import hdrs, web, web_response
from aiohttp.typedefs import Handler, Middleware
from multidict import istr

from api import cors, docs_pages, doctor, migrate, problems
from api.calls import REQUEST_ID, REQUEST_ID_HEADER, SERVICES, Route, Services
from api.calls import request_id as request_id_of
from api.calls import serve as serve_route
from api.credentials import Credentials
from api.database import Database
from api.logs import RequestLog
from api.metrics import Metrics
from api.passwords import Passwords
from api.requests import MAX_BODY_BYTES
from api.routes import routes
from api.settings import Settings

log = logging.getLogger(__name__)

SHOW_POOL_SECONDS = 1.0
NOSNIFF_HEADER = istr("X-Content-Type-Options")

# aiohttp names itself and its version in every answer, and has no setting for it.
web_response.SERVER_SOFTWARE = "saas-api"  # type: ignore[attr-defined]


def create_app(settings: Settings, *, metrics_directory: Path | None = None) -> web.Application:
    """
    The application for these settings. The database need not be there yet.

    `metrics_directory`: where the workers of one server share their figures; see `Metrics`.

    Errors: ValueError without a `database_url`: whoever serves starts the embedded server first.
    """
    if settings.database_url is None:
        raise ValueError("create_app needs a database_url")
    table = routes(settings)
    services = Services(
        settings=settings,
        database=Database(
            settings.database_url,
            size=settings.database_pool_size,
            statement_timeout_ms=settings.statement_timeout_ms,
            role_check=doctor.ROLE_FAULTS,
            application_name=settings.app_name,
        ),
        credentials=Credentials(
            secret=settings.jwt_secret,
            issuer=settings.jwt_issuer,
            ttl_seconds=settings.access_token_ttl_seconds,
        ),
        passwords=Passwords(workers=settings.workers),
        schema_version=migrate.expected_version(),
        metrics=Metrics(
            [(route.method, route.path) for route in table], directory=metrics_directory
        ),
    )
    request_log = RequestLog(level=settings.log_level, environment=settings.environment)
    app = web.Application(
        middlewares=[_frame(services, request_log, vary=bool(settings.cors_origins))],
        client_max_size=MAX_BODY_BYTES,
        # A body with a content coding is refused, never unpacked.
        handler_args={"auto_decompress": False},
    )
    app[SERVICES] = services
    app.cleanup_ctx.append(_close_services)
    app.cleanup_ctx.append(_show_pool)
    _add_routes(app, table, services)
    if settings.docs_enabled:
        docs_pages.add(app, settings)
    if settings.cors_origins:
        cors.allow(app, settings.cors_origins)
    return app


async def _close_services(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[SERVICES].database.close()
    app[SERVICES].passwords.close()
    app[SERVICES].metrics.close()


async def _show_pool(app: web.Application) -> AsyncIterator[None]:
    """Keep the pool's figures fresh for the other workers, one of which may be scraped."""
    services = app[SERVICES]

    async def show() -> None:
        while True:
            try:
                services.metrics.show_pool(services.database.connections)
            except Exception:
                log.exception("the pool's figures are not shown")
            await asyncio.sleep(SHOW_POOL_SECONDS)

    task = asyncio.create_task(show())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _add_routes(app: web.Application, table: tuple[Route, ...], services: Services) -> None:
    """Projects first, then the longest templates: as the router tries them, and most are asked."""
    for path in sorted({route.path for route in table}, key=_asked_early, reverse=True):
        resource = app.router.add_resource(path)
        for route in table:
            if route.path == path:
                handle = serve_route(route, services)
                methods = ("GET", "HEAD") if route.method == "GET" else (route.method,)
                for method in methods:
                    resource.add_route(method, handle, expect_handler=_expect)


def _asked_early(path: str) -> tuple[bool, int]:
    return "/projects" in path, len(path)


async def _expect(_request: web.Request) -> None:
    """A client that waits for 100 Continue gets it when its body is about to be read."""


def _frame(services: Services, request_log: RequestLog, *, vary: bool) -> Middleware:
    """What surrounds each request: its id, errors as problems, headers, figures, log line."""
    lifecycle, metrics = services.lifecycle, services.metrics

    @web.middleware
    async def frame(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = perf_counter()
        request_id = request[REQUEST_ID] = request_id_of(request)
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else None
        lifecycle.in_flight += 1
        response: web.StreamResponse
        try:
            response = await handler(request)
        except Exception as error:
            if isinstance(error, ConnectionError) and request.transport is None:
                return web.Response(status=499)  # the client went away: nobody to answer
            problem = problems.from_exception(error)
            metrics.count_failure(error, problem)
            if problem.kind.status >= 500:
                _log_failure(error, problem, request_id, request.method, route)
            response = problems.response(problem, request_id)
        finally:
            lifecycle.in_flight -= 1
        headers = response.headers
        headers[REQUEST_ID_HEADER] = request_id
        headers[hdrs.CACHE_CONTROL] = "no-store"
        headers[NOSNIFF_HEADER] = "nosniff"
        if vary:
            headers[hdrs.VARY] = hdrs.ORIGIN
        if lifecycle.draining:
            response.force_close()
        seconds = perf_counter() - started
        metrics.count_request(request.method, route, response.status, seconds)
        request_log.write(request_id, request.method, route, response.status, seconds)
        return response

    return frame


def _log_failure(
    error: Exception, problem: problems.Problem, request_id: str, method: str, route: str | None
) -> None:
    """With the traceback where the fault is ours, else with the error's name."""
    fields = {"request_id": request_id, "method": method, "route": route}
    if problem.kind is problems.INTERNAL:
        log.error("unexpected exception", exc_info=error, extra=fields)
    else:
        reason = getattr(error, "sqlstate", None) or (
            problem.detail if error is problem else type(error).__name__
        )
        log.warning("%s: %s", problem.kind.name, reason, extra=fields)
