"""The HTTP side: what each call takes, answers and refuses."""

from http import HTTPStatus

from flask import Blueprint, Flask, Response

from api_service.database import DatabaseUnavailableError
from api_service.resources import health, history, login, providers, quotes, stats, stock
from service_kit.problems import Problem


def init_app(app: Flask) -> None:
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    for resource in (login, stock, quotes, history, stats, providers):
        api.register_blueprint(resource.blueprint)
    app.register_blueprint(api)
    app.register_blueprint(health.blueprint)
    app.register_error_handler(DatabaseUnavailableError, _database_unavailable)
    app.after_request(_secure)


def _database_unavailable(_: DatabaseUnavailableError) -> Response:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "database-unavailable",
        "The database cannot be reached right now. Try again in a moment.",
        headers={"Retry-After": "5"},
    ).response()


def _secure(response: Response) -> Response:
    """Answers are personal and are data: no cache keeps them unless they say so, no browser guesses another type."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
