"""What Prometheus scrapes."""

from aiohttp import hdrs, web

from api.calls import Call
from api.credentials import bears
from api.metrics import CONTENT_TYPE
from api.problems import UNAUTHORISED, Problem


async def get(call: Call) -> web.Response:
    """
    The figures of all workers. With SAAS_API_METRICS_TOKEN set, for who bears it.

    Returns: 200 Prometheus' text format.
    Errors: 401.
    """
    services, authorization = call.services, call.request.headers.get(hdrs.AUTHORIZATION)
    token = services.settings.metrics_token
    if token is not None and not bears(authorization, token):
        raise Problem(UNAUTHORISED)
    services.metrics.show_pool(services.database.connections)
    body = await services.metrics.exposition()
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE})
