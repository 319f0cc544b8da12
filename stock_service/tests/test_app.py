"""The HTTP door."""

import json
from collections.abc import Callable, Sequence
from http import HTTPStatus

import pytest
from flask.testing import FlaskClient

from service_kit.deadline import Deadline
from service_kit.request_ids import current_request_id
from service_kit.response_headers import ALWAYS
from service_kit.time_budget import RPC_DEADLINE
from stock_contract import ErrorCode, Failure, ProviderStatus, Quote, decode_provider_status_reply, decode_reply
from stock_service.app import ANSWERS, create_app
from stock_service.settings import load


class SpyLookup:
    """Gives one result and keeps what it was asked."""

    def __init__(self) -> None:
        self.result: Quote | Failure = Failure(ErrorCode.INTERNAL)
        self.symbols: list[Sequence[str]] = []
        self.budgets: list[float] = []
        self.request_ids: list[str | None] = []

    def __call__(self, symbols: Sequence[str], deadline: Deadline) -> tuple[Quote | Failure, ...]:
        self.symbols.append(symbols)
        self.budgets.append(deadline.remaining())
        self.request_ids.append(current_request_id())
        return (self.result,) * len(symbols)

    def status(self) -> tuple[ProviderStatus, ...]:
        return (ProviderStatus("stooq", enabled=True),)


@pytest.fixture
def lookup(quote: Quote) -> SpyLookup:
    spy = SpyLookup()
    spy.result = quote
    return spy


@pytest.fixture
def client(lookup: SpyLookup) -> FlaskClient:
    return create_app(lookup=lookup).test_client()


def test_a_quote_is_answered_as_the_contract_writes_it(
    client: FlaskClient, lookup: SpyLookup, golden: Callable[[str], bytes]
) -> None:
    answer = client.get("/api/v1/stock?stock_code=aapl.us")

    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.get_json() == json.loads(golden("quote.json"))
    assert lookup.symbols == [("aapl.us",)]


def test_a_batch_is_answered_as_the_contracts_reply(client: FlaskClient, lookup: SpyLookup, quote: Quote) -> None:
    answer = client.get("/api/v1/quotes?symbols=aapl.us,^spx")

    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert [entry["quote"]["symbol"] for entry in answer.get_json()["results"]] == ["AAPL.US", "AAPL.US"]
    assert decode_reply(answer.data).results == (quote, quote)
    assert lookup.symbols == [["aapl.us", "^spx"]]


def test_a_failure_in_a_batch_stands_in_its_place(client: FlaskClient, lookup: SpyLookup) -> None:
    lookup.result = Failure(ErrorCode.UPSTREAM_QUOTA, 60)

    answer = client.get("/api/v1/quotes?symbols=a")

    assert answer.status_code == 200
    assert answer.get_json()["results"] == [{"failure": {"code": "upstream_quota", "retry_after": 60}}]


@pytest.mark.parametrize(
    "query", ["", "?symbols=", "?symbols=a,", "?symbols=a,b%20c", "?symbols=" + ",".join(["a"] * 51), "?symbol=a"]
)
def test_a_batch_without_codes_or_with_invalid_or_too_many_is_a_bad_request(
    client: FlaskClient, lookup: SpyLookup, query: str
) -> None:
    answer = client.get(f"/api/v1/quotes{query}")

    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")
    assert lookup.symbols == []


def test_a_batch_may_have_fifty_codes(client: FlaskClient) -> None:
    answer = client.get("/api/v1/quotes?symbols=" + ",".join(["a"] * 50))

    assert len(answer.get_json()["results"]) == 50


def test_the_state_of_the_providers_is_answered_as_the_contracts_reply(client: FlaskClient) -> None:
    answer = client.get("/api/v1/providers")

    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert decode_provider_status_reply(answer.data).providers == (ProviderStatus("stooq", enabled=True),)


def test_there_is_an_answer_for_every_error_code() -> None:
    assert set(ANSWERS) == set(ErrorCode)


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (Failure(ErrorCode.SYMBOL_NOT_FOUND), 404),
        (Failure(ErrorCode.UPSTREAM_TIMEOUT), 504),
        (Failure(ErrorCode.UPSTREAM_ERROR), 502),
        (Failure(ErrorCode.UPSTREAM_BAD_DATA), 502),
        (Failure(ErrorCode.UPSTREAM_QUOTA, 3600), 503),
        (Failure(ErrorCode.UPSTREAM_UNAVAILABLE), 503),
        (Failure(ErrorCode.BAD_REQUEST), 400),
        (Failure(ErrorCode.UNSUPPORTED_VERSION), 400),
        (Failure(ErrorCode.INTERNAL), 500),
    ],
)
def test_failures_are_problem_documents(client: FlaskClient, lookup: SpyLookup, failure: Failure, status: int) -> None:
    lookup.result = failure

    answer = client.get("/api/v1/stock?stock_code=aapl.us")

    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    body = answer.get_json()
    assert (body["status"], body["title"]) == (status, HTTPStatus(status).phrase)
    assert (body["code"], body["retry_after"]) == (failure.code, failure.retry_after)
    assert body["type"] == f"/problems/{failure.code.replace('_', '-')}"
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert answer.headers.get("Retry-After") == (None if failure.retry_after is None else "3600")


@pytest.mark.parametrize(
    "query", ["", "?stock_code=", "?stock_code=a%20b", "?stock_code=" + "a" * 21, "?stock_code=.us", "?q=aapl.us"]
)
def test_a_missing_or_invalid_code_is_a_bad_request(client: FlaskClient, lookup: SpyLookup, query: str) -> None:
    answer = client.get(f"/api/v1/stock{query}")

    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")
    assert lookup.symbols == []


@pytest.mark.parametrize(("header", "budget"), [(None, RPC_DEADLINE), ("1500", 1.5), ("0", 0.0), ("999999", 999.999)])
def test_the_callers_budget_is_taken_over(
    client: FlaskClient, lookup: SpyLookup, header: str | None, budget: float
) -> None:
    client.get("/api/v1/stock?stock_code=a", headers={} if header is None else {"X-Budget-Ms": header})

    assert lookup.budgets == pytest.approx([budget], abs=0.2)


@pytest.mark.parametrize("header", ["", "soon", "-1", "1.5", "1e3", "1000000", "٣"])
def test_a_garbled_budget_is_a_bad_request(client: FlaskClient, lookup: SpyLookup, header: str) -> None:
    raw = header.encode().decode("latin-1")  # as WSGI hands bytes over
    answer = client.get("/api/v1/stock?stock_code=a", headers={"X-Budget-Ms": raw})

    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")
    assert lookup.symbols == []


def test_the_callers_request_id_is_taken_over(client: FlaskClient, lookup: SpyLookup) -> None:
    answer = client.get("/api/v1/stock?stock_code=a", headers={"X-Request-ID": "Abc.1_2-3"})

    assert answer.headers["X-Request-ID"] == "Abc.1_2-3"
    assert lookup.request_ids == ["Abc.1_2-3"]


@pytest.mark.parametrize("header", ["", "a b", "a" * 65, "<x>", "a\u00e9"])
def test_another_request_id_is_replaced(client: FlaskClient, lookup: SpyLookup, header: str) -> None:
    answer = client.get("/api/v1/stock?stock_code=a", headers={"X-Request-ID": header})

    assert answer.status_code == 200
    assert lookup.request_ids == [answer.headers["X-Request-ID"]]
    assert lookup.request_ids != [header]
    assert len(answer.headers["X-Request-ID"]) == 32


def test_a_defect_is_a_problem_document_without_inner_details() -> None:
    class Broken(SpyLookup):
        def __call__(self, symbols: Sequence[str], deadline: Deadline) -> tuple[Quote | Failure, ...]:
            raise AttributeError("an inner detail")

    answer = create_app(lookup=Broken()).test_client().get("/api/v1/stock?stock_code=a")

    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert "inner detail" not in answer.text
    assert "Attribute" not in answer.text


def test_health(client: FlaskClient) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/api/v1/stock", 405), ("GET", "/nothing", 404)])
def test_other_errors_have_the_same_shape(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)

    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_an_application_can_be_set_up_from_settings() -> None:
    client = create_app(load({"QUOTE_PROVIDERS": "recorded"})).test_client()

    assert client.get("/api/v1/stock?stock_code=aapl.us").get_json()["source"] == "recorded"


def test_every_answer_has_the_security_headers(client: FlaskClient) -> None:
    for path in ("/healthz", "/api/v1/stock?stock_code=aapl.us", "/api/v1/stock", "/nothing"):
        headers = client.get(path).headers
        assert {name: headers.get(name) for name in ALWAYS} == dict(ALWAYS)
