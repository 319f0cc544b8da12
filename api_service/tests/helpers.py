"""A stock client that says what the test wants, and a caller of the API; conftest.py makes them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from api_service import users
from api_service.auth import tokens
from api_service.database import reading
from api_service.models import Base
from service_kit.deadline import Deadline
from stock_contract import Failure, ProviderStatus, Quote

ExpectProblem = Callable[..., dict[str, Any]]
Golden = Callable[[str], bytes]
HoldLock = Callable[[], AbstractContextManager[None]]
Action = Callable[..., Any]


@dataclass
class ScriptedStockClient:
    """Answers what the test says: the same to everything, by symbol, or (without a script) a quote of every symbol."""

    quote: Quote
    answer: Quote | Failure | Exception | None = None
    answers: dict[str, Quote | Failure] = field(default_factory=dict)
    providers: tuple[ProviderStatus, ...] = ()
    calls: list[tuple[tuple[str, ...], str, Deadline]] = field(default_factory=list)
    closed: int = 0

    def quotes(self, symbols: Sequence[str], *, request_id: str, deadline: Deadline) -> tuple[Quote | Failure, ...]:
        self.calls.append((tuple(symbols), request_id, deadline))
        if isinstance(self.answer, Exception):
            raise self.answer
        return tuple(
            self.answer or self.answers.get(symbol) or replace(self.quote, symbol=symbol.upper()) for symbol in symbols
        )

    def provider_status(self, *, request_id: str, deadline: Deadline) -> tuple[ProviderStatus, ...]:
        self.calls.append(((), request_id, deadline))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.providers

    def close(self) -> None:
        self.closed += 1


@dataclass
class Api:
    """Calls the API as one of the users, or as nobody."""

    app: Flask
    client: FlaskClient

    def token_of(self, username: str) -> str:
        with self.app.app_context():
            credentials = users.find_credentials(username)
            assert credentials is not None
            return tokens.issue(credentials.user_id)

    def get(self, path: str, *, by: str | None = None, token: str | None = None, **query: Any) -> TestResponse:
        headers = {}
        if by or token is not None:
            headers["Authorization"] = f"Bearer {self.token_of(by) if by else token}"
        return self.client.get(path, headers=headers, query_string=query or None)

    def log_in(self, username: Any, password: Any) -> TestResponse:
        return self.client.post("/api/v1/login", json={"username": username, "password": password})

    def rows(self, model: type[Base]) -> int:
        with self.app.app_context(), reading() as connection:
            return connection.scalar(select(func.count()).select_from(model)) or 0
