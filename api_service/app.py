"""Makes the Flask application: wires the parts together, nothing else."""

import os
from pathlib import Path
from typing import Final

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from flask_migrate import Migrate  # type: ignore[import-untyped]  # it ships no types
from werkzeug.middleware.proxy_fix import ProxyFix

from api_service import cors, database, metrics, pages, rate_limits, readiness, resources, services
from api_service.auth import tokens
from api_service.auth.passwords import Passwords
from api_service.auth.signing_keys import SigningKeys
from api_service.settings import Settings, load
from api_service.stock_clients import StockClient, make_stock_client
from api_service.web_settings import WebSettings
from service_kit import http_traces, problems, response_headers

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MAX_BODY_BYTES: Final = 16 * 1024
_HEALTH_CHECK_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
"""Health checks come from inside the container, past every proxy and its names."""


class _JsonInOurOrder(DefaultJSONProvider):
    """The contract's examples have an order; people compare them by eye."""

    sort_keys = False


def create_app(settings: Settings | None = None, stock_client: StockClient | None = None) -> Flask:
    """Make an application; by default from the environment, with the stock client that it names.

    :raises SettingsError: the environment is wrong.
    """
    settings = settings or load(os.environ)
    app = Flask("api_service", instance_relative_config=True, static_folder=None)
    app.json = _JsonInOurOrder(app)
    app.config["APP_ENV"] = settings.app_env
    app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = _MAX_BODY_BYTES
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    _stand_behind(app, settings.web)
    if settings.metrics_port:
        metrics.HTTP.init_app(app)
    problems.init_app(app)
    http_traces.init_app(app)
    response_headers.init_app(app)
    rate_limits.init_app(app, settings.web)
    cors.init_app(app, settings.web.cors_origins)
    database.init_app(app, settings.database_uri, pool_size=settings.database_connections)
    Migrate(app, database.db, directory=str(_MIGRATIONS))
    tokens.init_app(app, SigningKeys(settings.secret_key, settings.secret_key_fallback))
    services.init_app(app, services.Services(stock_client or make_stock_client(settings), Passwords()))
    readiness.init_app(app)
    resources.init_app(app)
    app.register_blueprint(pages.blueprint)
    return app


def _stand_behind(app: Flask, settings: WebSettings) -> None:
    """Believe the headers of the proxies that are declared, and nobody else's."""
    if settings.trusted_hosts:
        app.config["TRUSTED_HOSTS"] = [*settings.trusted_hosts, *_HEALTH_CHECK_HOSTS]
    if count := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
