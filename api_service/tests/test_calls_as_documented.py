"""The API answers as its OpenAPI document says: more than 2,000 calls by schemathesis find nothing else.

`make test-openapi` makes 5,000; `OPENAPI_CASES` is another number of them.
"""

import json
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import chain, count
from typing import Any
from urllib.parse import urlsplit

import argon2
import pytest
import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure as Finding
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.hooks import HookContext
from werkzeug.serving import WSGIRequestHandler, make_server

from api_service import services
from api_service.auth import browser_sessions
from api_service.auth.passwords import MAX_PASSWORD_LENGTH, Passwords
from api_service.models import MAX_USER_ID, Role
from api_service.tests.helpers import Api, MakeApi, ScriptedStockClient
from api_service.user_list import UserSummary
from api_service.users import Changes, add_user, change_user, find_credentials, set_password_hash
from scripts.write_openapi import openapi_text
from stock_contract import BreakerState, ErrorCode, Failure, ProviderStatus, Quote

CASES = int(os.environ.get("OPENAPI_CASES", "2000"))
EXAMPLES = CASES * 9 // 200
"""At most, for each call that takes something; schemathesis adds cases of its own."""

SEEN = {"200", "201", "204", "400", "401", "403", "404", "409", "415"}
"""Each call must have answered with those of them that are documented for it; the others need a fault or a limit."""

ENDS_SESSIONS = {"/api/v1/refresh", "/api/v1/logout", "/api/v1/users/me/password"}

STATUS = ProviderStatus(
    name="stooq",
    enabled=True,
    breaker=BreakerState.OPEN,
    retry_in=540,
    last_success=None,
    last_failure=None,
    last_failure_kind="retired",
    successes=0,
    failures=1,
    failures_by_kind={"retired": 1},
)


class _ThirdUnknown(dict[str, Quote | Failure]):
    """Every third symbol that is asked for is unknown, so that both answers are seen."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(1)

    def get(self, symbol: str, _: Any = None) -> Any:
        return Failure(ErrorCode.SYMBOL_NOT_FOUND) if next(self._numbers) % 3 == 0 else None


class _Callers(AuthBase):
    """Says who sends each request, when it is sent.

    What ends sessions is called by a user of its own, and accounts are changed of users of their own, so that the
    tokens of all others stay good. Each request comes from an address of its own: the login throttle counts by
    address, and its 429 would hide every other answer.
    """

    def __init__(self, api: Api, passwords: Passwords) -> None:
        self._api = api
        self._passwords = passwords
        self._tokens = {name: api.token_of(name) for name in ("admin", "johndoe")}
        self._numbers = count(1)
        self._calls: Counter[str] = Counter()
        self._changed: list[str] = []

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        number = next(self._numbers)
        request.headers["X-Forwarded-For"] = f"2001:db8:{number:x}::1"
        request.headers["Authorization"] = f"Bearer {self._token(number, request)}"
        if request.method == "PATCH":
            self._aim(number, request)
        if urlsplit(str(request.url)).path.startswith("/api/v1/session"):
            self._be_a_page(number, request)
        return request

    def _token(self, number: int, request: PreparedRequest) -> str:
        """Of every fourth call of a kind, that of somebody who may not make it, or has another password."""
        path = urlsplit(str(request.url)).path
        self._calls[path] += 1
        refused = self._calls[path] % 4 == 0
        if path not in ENDS_SESSIONS:
            return self._tokens["johndoe" if refused else "admin"]
        name = self._new_user(number, "another" if refused else _password_sent(request)).username
        pair = self._api.pair_of(name)
        return pair.refresh_token if path == "/api/v1/refresh" else pair.token

    def _be_a_page(self, number: int, request: PreparedRequest) -> None:
        """Of a browser with a session of its own; at times one without its CSRF value, or of another origin."""
        name = self._new_user(number, "another").username
        with self._api.app.app_context():
            user = find_credentials(name)
            assert user is not None
            pair, csrf = browser_sessions.issue(user.user_id, user.token_version)
        request.headers.update({"Cookie": f"stock_quotes_refresh={pair.refresh_token}", "X-CSRF-Token": csrf})
        request.headers.pop("Origin", None)
        if number % 4 == 0:
            del request.headers["X-CSRF-Token"]
        if number % 5 == 0:
            request.headers["Origin"] = "https://elsewhere.example"

    def _new_user(self, number: int, password: str) -> UserSummary:
        with self._api.app.app_context():
            return add_user(f"user{number}", self._passwords.hash(password), Role.USER)

    def _aim(self, number: int, request: PreparedRequest) -> None:
        """Have the account that is changed be a new user's; or that of the last super user, where that must fail."""
        address = urlsplit(str(request.url))
        named = re.fullmatch(r"/api/v1/users/(\d{1,10})", address.path)
        if not named or not 1 <= int(named[1]) <= MAX_USER_ID:
            return  # what no account can have stays wrong
        with self._api.app.app_context():
            for name in self._changed:
                change_user(name, Changes(role=Role.USER))
        target = self._new_user(number, "another")
        self._changed = [target.username]
        of_the_last = number % 2 and _takes_rights(request)
        request.url = address._replace(path=f"/api/v1/users/{1 if of_the_last else target.id}").geturl()


def _password_sent(request: PreparedRequest) -> str:
    """What the body names as the current password, if it could be one: random words would never be right."""
    try:
        password = json.loads(request.body or b"")["current_password"]
        password.encode()
    except (ValueError, TypeError, KeyError, AttributeError):
        return "another"
    return str(password) if len(password) <= MAX_PASSWORD_LENGTH else "another"


def _takes_rights(request: PreparedRequest) -> bool:
    try:
        body = json.loads(request.body or b"")
    except ValueError:
        return False
    return isinstance(body, dict) and (body.get("active") is False or body.get("role") == "USER")


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        """Nothing: 2,000 lines help nobody."""


@pytest.fixture
def called(make_api: MakeApi, stock_client: ScriptedStockClient) -> Iterator[tuple[str, _Callers]]:
    """Where the API listens, with cheap passwords and without rate limits, and who calls it."""
    off = ("RATE_LIMIT_QUOTES", "RATE_LIMIT_READS", "RATE_LIMIT_LOGIN", "RATE_LIMIT_ADDRESS")
    api = make_api(**dict.fromkeys(off, "off"), TRUSTED_PROXIES="1")
    stock_client.answers = _ThirdUnknown()
    stock_client.providers = (STATUS,)
    passwords = Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    services.init_app(api.app, services.Services(stock_client, passwords))
    with api.app.app_context():
        set_password_hash("johndoe", passwords.hash("john"))
    server = make_server("127.0.0.1", 0, api.app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.port}", _Callers(api, passwords)
    server.shutdown()
    thread.join()
    server.server_close()


def _is_a_defect(_: HookContext, failure: Finding, case: schemathesis.Case, response: Response) -> bool:
    """No schema can say which passwords are easy to guess, or how far two days lie apart: to refuse those is right."""
    if response.status_code != HTTPStatus.BAD_REQUEST:
        return True
    problem = response.json()
    return problem["type"] != "/problems/password-refused" and not re.match("[Ff]rom ", problem["detail"])


def _expected(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Call and status; a Host that is not ours is answered 400 by every call, and tested elsewhere."""
    return {
        (f"{method.upper()} {path}", status)
        for path, calls in document["paths"].items()
        for method, call in calls.items()
        for status, answer in call["responses"].items()
        if status in SEEN and answer.get("$ref") != "#/components/responses/bad-request"
    }


@dataclass
class _Run:
    """What a run of schemathesis has shown."""

    cases: Counter[str] = field(default_factory=Counter)
    data: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    found: list[tuple[str, Finding, str]] = field(default_factory=list)

    def add(self, recorder: ScenarioRecorder) -> None:
        self.cases[recorder.label] += len(recorder.cases)
        self.data.update(one.value.meta.generation.mode.name for one in recorder.cases.values() if one.value.meta)
        sent = recorder.interactions.values()
        self.answers.update((recorder.label, str(one.response.status_code)) for one in sent if one.response)
        for check in chain.from_iterable(recorder.checks.values()):
            self.checks[check.name] += 1
            if check.failure_info:
                self.found.append((recorder.label, check.failure_info.failure, check.failure_info.code_sample))


@pytest.mark.timeout(300 * CASES / 2_000)
def test_thousands_of_calls_find_nothing_that_it_does_not_say(called: tuple[str, _Callers]) -> None:
    """Positive and negative data, methods and tokens; every check of schemathesis is on."""
    url, callers = called
    config = SchemathesisConfig.from_dict(
        {
            "generation": {"max-examples": EXAMPLES, "database": "none"},
            "phases": {"stateful": {"enabled": False}},
            "continue-on-failure": True,
        }
    )
    document = json.loads(openapi_text())
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.config.update(base_url=url)
    schema.auth.set_from_requests(callers)
    schema.hook("filter_failure")(_is_a_defect)
    run = _Run()
    for event in from_schema(schema).execute():
        assert not isinstance(event, (events.NonFatalError, events.FatalError)), event
        if isinstance(event, events.ScenarioFinished):
            run.add(event.recorder)
    print(f"{sum(run.cases.values())} cases: {run}")  # noqa: T201  what the run has shown
    assert run.found == []
    assert sum(run.cases.values()) >= CASES, run.cases
    assert min(run.data["POSITIVE"], run.data["NEGATIVE"]) >= CASES / 4, run.data
    assert {"not_a_server_error", "ignored_auth", "unsupported_method", "negative_data_rejection"} <= run.checks.keys()
    assert sorted(_expected(document) - run.answers.keys()) == []
