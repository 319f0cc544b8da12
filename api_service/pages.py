"""The web pages: the console at `/`, the page about the API at `/docs`, and what both load, all of it from `web/`.

There is no build step: what lies in `web/` is what a browser gets. It asks each time whether a file has changed, and
is answered 304 as long as it has not (docs/adr/0018-web-console.md).
"""

from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, current_app, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.http import generate_etag

_WEB: Final = Path(__file__).parent / "web"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"}
"""What is served as an asset. The system's own table of types may know another, or none."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NO_TEXT_BECOMES_MARKUP: Final = "; require-trusted-types-for 'script'"
"""For the console only: Swagger UI makes markup of the Markdown in the description."""

_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # kept, and asked for again each time: a new version shows at once
}

blueprint = Blueprint("pages", __name__, template_folder="web")


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    kind: str
    etag: str


@blueprint.get("/")
def console() -> Response:
    modules = [name for name in _assets() if name.startswith("console/js/")]
    in_development = current_app.config["APP_ENV"] == "development"
    page = _page("console/index.html", modules=modules, demo_users=in_development)
    page.headers["Content-Security-Policy"] = _POLICY + _NO_TEXT_BECOMES_MARKUP
    return page


@blueprint.get("/docs")
def api_page() -> Response:
    return _page("api_page/index.html")


@blueprint.get("/assets/<path:name>")
def asset(name: str) -> Response:
    found = _assets().get(name)
    if found is None:
        raise NotFound
    return _unless_known(Response(found.body, mimetype=found.kind), found.etag)


@cache
def _assets() -> dict[str, _Asset]:
    """All of them by their path below `web/`, read once: no path of a request ever reaches the disk."""
    files = sorted(path for path in _WEB.rglob("*") if path.suffix in _TYPES)
    return {path.relative_to(_WEB).as_posix(): _read(path) for path in files}


def _read(path: Path) -> _Asset:
    body = path.read_bytes()
    return _Asset(body, _TYPES[path.suffix], generate_etag(body))


def _page(template: str, **values: object) -> Response:
    page = Response(render_template(template, **values), mimetype="text/html")
    return _unless_known(page, generate_etag(page.get_data()))


def _unless_known(response: Response, etag: str) -> Response:
    response.set_etag(etag)
    response.make_conditional(request)
    return response


@blueprint.after_request
def _add_headers(response: Response) -> Response:
    if response.status_code < HTTPStatus.BAD_REQUEST:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
    return response
