"""A small client of the API for checks from outside: standard library, one connection a call, no proxies."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SECONDS = 15.0  # more than the API's own budget: a call that takes longer is a defect, not a slow network


@dataclass(frozen=True)
class Answer:
    """Status 0 stands for no answer at all."""

    status: int
    headers: Mapping[str, str]
    body: Any


class QuoteClient:
    """One caller; `login` makes the later calls authenticated."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._tls = tls
        self._headers: dict[str, str] = {}

    def login(self, username: str, password: str) -> Answer:
        credentials = json.dumps({"username": username, "password": password})
        answer = self._call("POST", "/api/v1/login", credentials, {"Content-Type": "application/json"})
        if answer.status == http.HTTPStatus.OK:
            self._headers = {"Authorization": f"Bearer {answer.body['token']}"}
        return answer

    def get(self, path: str) -> Answer:
        return self._call("GET", path, None, self._headers)

    def quote(self, symbol: str) -> Answer:
        return self.get(f"/api/v1/stock?q={symbol}")

    def _call(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        connection = self._connection()
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            received = response.read()
            is_json = response.headers.get_content_type().endswith("json")
            content = json.loads(received) if is_json else received.decode()
            return Answer(response.status, dict(response.getheaders()), content)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Answer(0, {}, f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection("127.0.0.1", self._port, timeout=_SECONDS)
        return http.client.HTTPSConnection("localhost", self._port, timeout=_SECONDS, context=self._tls)
