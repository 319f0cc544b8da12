"""The HTTP side: what each call takes, answers and refuses."""

from http import HTTPStatus

from flask import Blueprint, Flask, Response

from api_service.auth.throttle import TooManyAttemptsError
from api_service.database import DatabaseUnavailableError
from api_service.resources import (
    audit,
    browser_session,
    health,
    history,
    login,
    openapi,
    password,
    providers,
    quotes,
    sessions,
    stats,
    stock,
    users,
)
from service_kit.problems import Problem


def init_app(app: Flask) -> None:
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    for resource in (
        login,
        sessions,
        browser_session,
        password,
        stock,
        quotes,
        history,
        stats,
        users,
        providers,
        audit,
        openapi,
    ):
        api.register_blueprint(resource.blueprint)
    app.register_blueprint(api)
    app.register_blueprint(health.blueprint)
    app.register_error_handler(DatabaseUnavailableError, _database_unavailable)
    app.register_error_handler(TooManyAttemptsError, _too_many_attempts)


def _database_unavailable(_: DatabaseUnavailableError) -> Response:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "database-unavailable",
        "The database cannot be reached right now. Try again in a moment.",
        headers={"Retry-After": "5"},
    ).response()


def _too_many_attempts(error: TooManyAttemptsError) -> Response:
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-logins",
        "Too many passwords were wrong. Try again after the time in Retry-After.",
        headers={"Retry-After": str(error.retry_after)},
    ).response()
