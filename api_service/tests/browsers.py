"""A browser for the tests: it keeps cookies, and its page sends the CSRF value with what needs it."""

from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from typing import Any, Final

import jwt
from werkzeug.test import TestResponse

from api_service.tests.helpers import Api

SESSION: Final = "/api/v1/session"
REFRESH: Final = "/api/v1/session/refresh"
COOKIE: Final = "stock_quotes_refresh"
CSRF: Final = "stock_quotes_csrf"
JOHN: Final = {"username": "johndoe", "password": "john"}


@dataclass
class Browser:
    """Keeps cookies, as the test's client does, and sends the CSRF value as the page's script does."""

    api: Api

    def log_in(self, body: Any = JOHN, **headers: str) -> TestResponse:
        return self.api.client.post(SESSION, json=body, headers=headers)

    def refresh(self, **headers: str) -> TestResponse:
        return self.api.client.post(REFRESH, headers={"X-CSRF-Token": self.csrf} | headers)

    def log_out(self, **headers: str) -> TestResponse:
        return self.api.client.delete(SESSION, headers={"X-CSRF-Token": self.csrf} | headers)

    @property
    def csrf(self) -> str:
        cookie = self.api.client.get_cookie(CSRF)
        return cookie.value if cookie else ""

    @property
    def refresh_token(self) -> str | None:
        cookie = self.api.client.get_cookie(COOKIE, path=SESSION)
        return cookie.value if cookie else None

    def put(self, refresh_token: str) -> None:
        self.api.client.set_cookie(COOKIE, refresh_token, path=SESSION)


def cookies_of(response: TestResponse) -> dict[str, Morsel[str]]:
    return {
        name: morsel
        for header in response.headers.getlist("Set-Cookie")
        for name, morsel in SimpleCookie(header).items()
    }


def claims_of(token: str | None) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})
