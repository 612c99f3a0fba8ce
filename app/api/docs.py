"""Interactive documentation from the app's own files: no CDN, a strict CSP (D13, IN-8).

The assets are those of the `fastapi-swagger` package. The page has one field of its own: paste an
access token there and every request tried out carries it.
"""

from functools import cache
from importlib import resources

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.responses import HTMLResponse

from app.api import openapi
from app.api.answers import NotFound
from app.core.http import routing

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tonghu 童护 API</title>
<link rel="icon" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<p style="margin:1rem auto;max-width:1420px;padding:0 20px;font-family:sans-serif">
<label for="token">Access token / 访问令牌</label>
<input id="token" size="60" autocomplete="off" spellcheck="false"
 style="font:inherit;padding:.4rem;max-width:90%">
</p>
<div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script>
</body>
</html>
"""
_START = """window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  filter: true,
  displayRequestDuration: true,
  validatorUrl: null,
  requestInterceptor: (request) => {
    const token = document.getElementById("token").value.trim();
    if (token) request.headers["Authorization"] = "Bearer " + token;
    return request;
  },
});
"""
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}

router = APIRouter(include_in_schema=False, generate_unique_id_function=routing.operation_id)


@router.get("/openapi.json")
async def read_openapi(request: Request) -> Response:
    """Answer the OpenAPI document of this server."""
    return Response(_document(request.app), media_type="application/json")


@router.get("/docs")
async def read_docs() -> HTMLResponse:
    """Answer the page to read about and try every operation."""
    return HTMLResponse(_PAGE, headers={"content-security-policy": _CSP})


@router.get("/docs/assets/{name}")
async def read_docs_asset(name: str) -> Response:
    """Answer a file the page needs."""
    if name == "start.js":
        return Response(_START, media_type="text/javascript")
    if name not in _ASSETS:
        raise NotFound
    return Response(
        _asset(name), media_type=_ASSETS[name], headers={"cache-control": "max-age=86400"}
    )


@cache
def _asset(name: str) -> bytes:
    return resources.files("fastapi_swagger.resources").joinpath(name).read_bytes()


@cache
def _document(app: FastAPI) -> bytes:
    return orjson.dumps(openapi.document(app))
