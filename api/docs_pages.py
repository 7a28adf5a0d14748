"""
/openapi.json, /docs (Swagger UI) and /redoc (Redoc), with SAAS_API_DOCS_ENABLED=true.

The pages' scripts and styles come from an installed package and are served from here, and the
pages' Content-Security-Policy forbids every other origin, so they work with no internet access.
"""

import base64
import hashlib
import importlib.util
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from multidict import istr

from api import openapi
from api.failure import Failure
from api.settings import Settings

PACKAGE = "drf_spectacular_sidecar"
SWAGGER_START = """
SwaggerUIBundle({
  url: "openapi.json", dom_id: "#ui", deepLinking: true, displayRequestDuration: true,
  persistAuthorization: false, queryConfigEnabled: false, validatorUrl: null
});
"""
REDOC_START = """
Redoc.init("openapi.json", {nativeScrollbars: true}, document.getElementById("ui"));
"""
# Redoc shows a logo from another origin, without a setting for it: an empty image instead.
REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
EMPTY_IMAGE = b"data:image/svg+xml,%3Csvg xmlns=%27http://www.w3.org/2000/svg%27/%3E"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>body {{ margin: 0 }}</style>
{styles}
</head>
<body>
<div id="ui"></div>
<script src="{script}"></script>
<script>{start}</script>
</body>
</html>
"""

Get = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Content:
    """What is served at one path."""

    body: bytes
    content_type: str
    headers: Mapping[istr, str]


def add(app: web.Application, settings: Settings) -> None:
    """Serve the description and the pages. Errors: Failure when the package is not installed."""
    for path, content in contents(settings).items():
        resource = app.router.add_resource(path)
        for method in ("GET", "HEAD"):
            resource.add_route(method, _serve(content))


def contents(settings: Settings) -> dict[str, Content]:
    """Everything that is served, by path. Errors: Failure when the package is not installed."""
    directory = assets()
    swagger, redoc = directory / "swagger-ui-dist", directory / "redoc" / "bundles"
    logo_free = (redoc / "redoc.standalone.js").read_bytes().replace(REDOC_LOGO, EMPTY_IMAGE)
    return {
        "/openapi.json": Content(openapi.dump(settings), "application/json", {}),
        "/docs": _page(
            f"{settings.app_name}: Swagger UI",
            "docs/swagger-ui-bundle.js",
            SWAGGER_START,
            styles='<link rel="stylesheet" href="docs/swagger-ui.css">',
        ),
        "/docs/swagger-ui-bundle.js": _script((swagger / "swagger-ui-bundle.js").read_bytes()),
        "/docs/swagger-ui.css": Content((swagger / "swagger-ui.css").read_bytes(), "text/css", {}),
        "/redoc": _page(
            f"{settings.app_name}: Redoc", "redoc/redoc.standalone.js", REDOC_START, styles=""
        ),
        "/redoc/redoc.standalone.js": _script(logo_free),
    }


def assets() -> Path:
    """Where the package keeps its files; it is found, never imported. Errors: Failure."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise Failure(
            "SAAS_API_DOCS_ENABLED: the pages need the package drf-spectacular-sidecar,"
            " which the extra `docs` installs"
        )
    return Path(spec.submodule_search_locations[0], "static", PACKAGE)


def _script(body: bytes) -> Content:
    return Content(body, "text/javascript", {})


def _page(title: str, script: str, start: str, *, styles: str) -> Content:
    """A page that runs `script`, then `start`, which no other text of the page can stand in for."""
    digest = base64.b64encode(hashlib.sha256(start.encode()).digest()).decode()
    policy = (
        "default-src 'none'",
        f"script-src 'self' 'sha256-{digest}'",
        "style-src 'self' 'unsafe-inline'",  # both write styles into the page
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src blob:",  # Redoc's search
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    page = PAGE.format(title=_escape(title), styles=styles, script=script, start=start)
    headers = {
        istr("Content-Security-Policy"): "; ".join(policy),
        istr("Referrer-Policy"): "no-referrer",
    }
    return Content(page.encode(), "text/html", headers)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _serve(content: Content) -> Get:
    async def serve(_request: web.Request) -> web.Response:
        return web.Response(
            body=content.body,
            content_type=content.content_type,
            charset="utf-8" if content.content_type.startswith("text/") else None,
            headers=content.headers,
        )

    return serve
