"""Which browsers' pages may call: cross-origin resource sharing, from the settings only."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import hdrs, web
from aiohttp_cors import CorsConfig, ResourceOptions
from aiohttp_cors.urldispatcher_router_adapter import ResourcesUrlDispatcherRouterAdapter

from api.problems import FORBIDDEN, Problem

ALLOWED_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID")
EXPOSED_HEADERS = ("X-Request-ID", "Idempotency-Replayed", "Retry-After", "Location", "Link")
PREFLIGHT_SECONDS = 600

Handler = Callable[[web.Request], Awaitable[web.Response]]
Options = Mapping[str, ResourceOptions]


def allow(app: web.Application, origins: tuple[str, ...]) -> None:
    """Answer preflights on every route, and mark every answer, for these origins."""
    options = {
        origin: ResourceOptions(  # type: ignore[no-untyped-call]
            allow_credentials=origin != "*",
            allow_headers=ALLOWED_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            max_age=PREFLIGHT_SECONDS,
        )
        for origin in origins
    }
    sharing = CorsConfig(app, defaults=options, router_adapter=_Adapter(app.router, options))
    for route in list(app.router.routes()):
        sharing.add(route)


class _Adapter(ResourcesUrlDispatcherRouterAdapter):
    """Shares what no route answers, too, 404 and 405; says of a preflight why it is refused."""

    def __init__(self, router: web.UrlDispatcher, options: Options) -> None:
        super().__init__(router, options)
        self._options = options

    def is_cors_enabled_on_request(self, _request: web.Request) -> bool:
        return True

    def get_non_preflight_request_config(self, _request: web.Request) -> Options:
        return self._options

    def add_preflight_handler(  # type: ignore[override]  # aiohttp-cors has it in two ways itself
        self,
        routing_entity: web.Resource | web.StaticResource | web.ResourceRoute,
        handler: Handler,
    ) -> None:
        """Of a route it comes here again, with the route's resource."""
        if isinstance(routing_entity, web.Resource):
            handler = _preflight(handler)
        super().add_preflight_handler(routing_entity, handler)


def _preflight(handler: Handler) -> Handler:
    """OPTIONS, which is offered to browsers alone."""

    async def answer(request: web.Request) -> web.Response:
        asked = {hdrs.ORIGIN, hdrs.ACCESS_CONTROL_REQUEST_METHOD}
        if not asked <= request.headers.keys():
            resource = request.match_info.route.resource
            methods = {route.method for route in resource or ()} - {hdrs.METH_OPTIONS}
            raise web.HTTPMethodNotAllowed(request.method, methods)
        try:
            return await handler(request)
        except web.HTTPForbidden:
            detail = "The origin, the method or a header is not one that may be used here."
            raise Problem(FORBIDDEN, detail=detail) from None

    return answer
