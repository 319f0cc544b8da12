"""RFC 9457 problem documents: the one shape of every error that a Flask application of ours answers with."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, g, json, request
from structlog.contextvars import bind_contextvars, clear_contextvars
from werkzeug.exceptions import HTTPException

from service_kit.request_ids import new_request_id

PROBLEM_JSON: Final = "application/problem+json"
_log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818  RFC 9457 calls it a problem
    """Raise it anywhere in a request to end it with a problem document.

    `slug` names the kind of problem for programs (`/problems/<slug>`), `detail` tells a person what to do; it must
    hold nothing internal. `extra` members and `headers` are added to the answer as they are.
    """

    def __init__(
        self,
        status: HTTPStatus,
        slug: str,
        detail: str,
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(slug)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.title = title or status.phrase
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    @property
    def type(self) -> str:
        """The kind of problem, as RFC 9457 writes it: a reference."""
        return f"/problems/{self.slug}"

    def response(self) -> Response:
        body = {
            "type": self.type,
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            "request_id": g.get("request_id"),
            **self.extra,
        }
        return Response(json.dumps(body), status=int(self.status), headers=self.headers, content_type=PROBLEM_JSON)


def init_app(app: Flask) -> None:
    """Give every request an id (answered as `X-Request-ID`) and every error the shape of a problem document."""
    app.before_request(_open_request)
    app.after_request(_name_request)
    app.teardown_request(lambda _: clear_contextvars())  # the thread goes back to a pool
    app.register_error_handler(Problem, Problem.response)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, _unexpected)


def _open_request() -> None:
    g.request_id = new_request_id()
    bind_contextvars(request_id=g.request_id)


def _name_request(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    return response


_HTTP_DETAILS: Final = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address. Check the path.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that method; the Allow header lists those it takes.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Send a JSON body with Content-Type: application/json.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request body is too large.",
}


def _http_exception(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {"Allow": ", ".join(sorted(allowed))} if (allowed := getattr(error, "valid_methods", None)) else {}
    # Werkzeug's name, not the phrase of the standard library, which changes with the version of Python.
    slug = error.name.lower().replace(" ", "-").replace("'", "")
    detail = _HTTP_DETAILS.get(status, "The request could not be processed.")
    return Problem(status, slug, detail, title=error.name, headers=headers).response()


def _unexpected(error: Exception) -> Response:
    _log.error("http.unexpected_error", exc_info=error, extra={"path": request.path, "method": request.method})
    detail = "Something went wrong on our side. Quote the request id when you report it."
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-server-error", detail).response()
