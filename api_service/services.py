"""What the calls need beside the database, made once for each application."""

from dataclasses import dataclass
from typing import Final, cast

from flask import Flask, current_app

from api_service.auth.passwords import Passwords
from api_service.stock_clients import StockClient

_EXTENSION: Final = "api_service"


@dataclass(frozen=True, slots=True)
class Services:
    stock_client: StockClient
    passwords: Passwords


def init_app(app: Flask, services: Services) -> None:
    app.extensions[_EXTENSION] = services


def services_of(app: Flask) -> Services:
    return cast("Services", app.extensions[_EXTENSION])


def services() -> Services:
    """Those of the application that serves this request."""
    return services_of(current_app)
