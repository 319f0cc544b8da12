"""A stock client that says what the test wants, a hasher that counts, a clock, and a caller of the API.

conftest.py makes them.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import argon2
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from api_service import users
from api_service.auth import tokens
from api_service.commands import cli
from api_service.database import reading
from api_service.models import Base
from service_kit.deadline import Deadline
from stock_contract import Failure, ProviderStatus, Quote

ExpectProblem = Callable[..., dict[str, Any]]
Golden = Callable[[str], bytes]
HoldLock = Callable[[], AbstractContextManager[None]]
Action = Callable[..., Any]
MakeApi = Callable[..., "Api"]


@dataclass
class ScriptedStockClient:
    """Answers what the test says: the same to everything, by symbol, or (without a script) a quote of every symbol."""

    quote: Quote
    answer: Quote | Failure | Exception | None = None
    answers: dict[str, Quote | Failure] = field(default_factory=dict)
    providers: tuple[ProviderStatus, ...] = ()
    calls: list[tuple[tuple[str, ...], str, Deadline]] = field(default_factory=list)
    closed: int = 0
    reached: bool = True
    looks: int = 0

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

    def reachable(self, deadline: Deadline) -> bool:
        self.looks += 1
        return self.reached

    def prepare(self, deadline: Deadline) -> None:
        self.calls.append(((), "prepare", deadline))

    def close(self) -> None:
        self.closed += 1


def runner_on(database: Path | str) -> Action:
    """Runs the commands on a database, a file of SQLite or a URI, and checks how they ended."""
    uri = database if isinstance(database, str) else f"sqlite:///{database}"

    def run(
        *args: str, stdin: str | bytes = "", exit_code: int = 0, app_env: str = "development", **environ: str
    ) -> str:
        environ = {
            "APP_ENV": app_env,
            "DATABASE_URI": uri,
            "SECRET_KEY": "0123456789abcdef" * 4,
            **environ,
        }
        result = CliRunner().invoke(cli, args, input=stdin, env=environ)
        assert result.exit_code == exit_code, (result.output, result.exception)
        assert "Traceback" not in result.output
        return result.output

    return run


def documented_sql(database: str) -> str:
    """The SQL that docs/adr/0008 gives to the operator of that database."""
    page = Path(__file__).parents[2] / "docs" / "adr" / "0008-audit-and-throttle.md"
    return page.read_text(encoding="utf-8").split(f"{database}:\n\n```sql\n")[1].split("```")[0]


class CountingHasher(argon2.PasswordHasher):
    """Counts the hashes that it computes, for storing and for comparing."""

    def __init__(self, time_cost: int = 2, memory_cost: int = 19_456) -> None:
        super().__init__(time_cost=time_cost, memory_cost=memory_cost, parallelism=1)
        self.work = 0

    def hash(self, *args: Any, **kwargs: Any) -> str:
        self.work += 1
        return super().hash(*args, **kwargs)

    def verify(self, *args: Any, **kwargs: Any) -> bool:
        self.work += 1
        return super().verify(*args, **kwargs)


@dataclass
class HandSetClock:
    """Stands still until the test moves it."""

    now: datetime = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Api:
    """Calls the API as one of the users, or as nobody."""

    app: Flask
    client: FlaskClient

    def pair_of(self, username: str) -> tokens.TokenPair:
        """As a log-in gives it, without its price."""
        with self.app.app_context():
            credentials = users.find_credentials(username)
            assert credentials is not None
            return tokens.issue(credentials.user_id, credentials.token_version)

    def token_of(self, username: str) -> str:
        return self.pair_of(username).token

    def get(self, path: str, *, by: str | None = None, token: str | None = None, **query: Any) -> TestResponse:
        headers = {}
        if by or token is not None:
            headers["Authorization"] = f"Bearer {self.token_of(by) if by else token}"
        return self.client.get(path, headers=headers, query_string=query or None)

    def post(self, path: str, *, token: str, json: Any = None, **query: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.post(path, headers=headers, json=json, query_string=query or None)

    def patch(self, path: str, *, by: str, json: Any) -> TestResponse:
        return self.client.patch(path, headers={"Authorization": f"Bearer {self.token_of(by)}"}, json=json)

    def log_in(self, username: Any, password: Any, address: str = "127.0.0.1") -> TestResponse:
        body = {"username": username, "password": password}
        # A client of its own, so that threads may call it.
        return self.app.test_client().post("/api/v1/login", json=body, environ_base={"REMOTE_ADDR": address})

    def rows(self, model: type[Base]) -> int:
        with self.app.app_context(), reading() as connection:
            return connection.scalar(select(func.count()).select_from(model)) or 0
