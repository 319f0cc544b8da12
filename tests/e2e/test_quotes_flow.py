"""Batches, freshness and the state of the providers, through both services as processes, in both transports."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from scripts.brokers import Broker
from tests.e2e.conftest import System, assert_problem, running_system
from tests.stand_ins import RETIRED, StooqStandIn
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(90)

QUOTES = "/api/v1/quotes"
HISTORY = "/api/v1/users/history"
PROVIDERS = "/api/v1/providers"
TTL = 60
SETTINGS = {"WEB_THREADS": "250"}
"""Four fifths of them may ask for quotes: two hundred callers at once, and none is told that there are too many."""
UNKNOWN = {"type": "/problems/symbol-not-found", "title": "Unknown symbol"}


def symbols_of(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["symbol"] for entry in entries]


def batch(system: System, codes: list[str]) -> requests.Response:
    return system.get(f"{QUOTES}?symbols={','.join(codes)}")


def asked_of(stooq: StooqStandIn) -> list[list[str]]:
    """The codes of each request that the provider got."""
    return [query["s"][0].split(" ") for query in stooq.queries]


def max_age_of(answer: requests.Response) -> int:
    scope, _, seconds = answer.headers["Cache-Control"].partition(", max-age=")
    assert scope == "private"
    return int(seconds)


def seconds_since(text: str) -> float:
    assert text.endswith("Z")
    return (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()


def test_a_batch_is_answered_in_order_from_one_request_to_the_provider(system: System, stooq: StooqStandIn) -> None:
    before = system.get(HISTORY).json()
    answer = batch(system, ["s901.us", "nosuch900.xx", "APPLE.us", "s902.us"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    first, unknown, apple, second = answer.json()
    assert unknown == {"symbol": "NOSUCH900.XX", "error": UNKNOWN}
    assert 0 <= seconds_since(first.pop("fetched_at")) < 10
    assert first == {
        "symbol": "S901.US", "name": "COMPANY 901", "open": 148.43, "high": 901.5, "low": 1.5, "close": 901.5,
        "volume": 63804008, "currency": first["currency"], "source": "stooq", "as_of": "2021-11-12T21:00:10Z",
        "stale": False,
    }  # fmt: skip
    assert (apple["symbol"], apple["close"]) == ("APPLE.US", 149.99)
    assert (second["symbol"], second["close"]) == ("S902.US", 902.5)
    assert [sorted(codes) for codes in asked_of(stooq)] == [["apple.us", "nosuch900.xx", "s901.us", "s902.us"]]
    saved = system.get(HISTORY).json()
    assert symbols_of(saved[:3]) == ["S902.US", "APPLE.US", "S901.US"]
    assert saved[3:] == before[: len(saved) - 3]


def test_fifty_symbols_with_ten_unknown_are_forty_rows_in_under_a_second(system: System, stooq: StooqStandIn) -> None:
    codes = [f"nosuch{n}.us" if n % 5 == 0 else f"s{800 + n}.us" for n in range(50)]
    system.get(HISTORY)  # whoever logs in or connects for the first time needs longer
    stooq.delay = 0.2
    answer = batch(system, codes)
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() < 1.0
    entries = answer.json()
    assert symbols_of(entries) == [code.upper() for code in codes]
    assert [entry.get("error") for entry in entries] == [UNKNOWN if n % 5 == 0 else None for n in range(50)]
    assert [sorted(asked) for asked in asked_of(stooq)] == [sorted(codes)]
    found = [entry["symbol"] for entry in entries if "error" not in entry]
    assert len(found) == 40
    assert symbols_of(system.get(HISTORY).json()[:40]) == found[::-1]


def test_a_symbol_that_stands_twice_is_asked_for_once_and_answered_twice(system: System, stooq: StooqStandIn) -> None:
    answer = batch(system, ["s903.us", "s904.us", "S903.US"])
    assert symbols_of(answer.json()) == ["S903.US", "S904.US", "S903.US"]
    assert [sorted(codes) for codes in asked_of(stooq)] == [["s903.us", "s904.us"]]
    assert symbols_of(system.get(HISTORY).json()[:3]) == ["S903.US", "S904.US", "S903.US"]


def test_only_what_is_not_fresh_is_asked_for(system: System, stooq: StooqStandIn) -> None:
    assert system.get("/api/v1/stock?q=s905.us").status_code == 200
    assert batch(system, ["s905.us", "s906.us"]).status_code == 200
    assert asked_of(stooq) == [["s905.us"], ["s906.us"]]


def test_one_symbol_has_the_same_entry_or_its_problem(system: System) -> None:
    answer = system.get(f"{QUOTES}/s907.us")
    assert answer.status_code == 200
    assert [answer.json()] == batch(system, ["s907.us"]).json()
    assert answer.headers["Quote-Source"] == "stooq"
    assert max_age_of(answer) > 0
    assert symbols_of(system.get(HISTORY).json()[:2]) == ["S907.US", "S907.US"]
    assert_problem(system.get(f"{QUOTES}/nosuch.xx"), 404, "symbol-not-found")


def test_a_bad_list_is_400_and_goes_nowhere(system: System, stooq: StooqStandIn) -> None:
    for query in ("", "?symbols=", "?symbols=a,b%20c", f"?symbols={','.join(['a'] * 51)}", "?symbols=a&symbols=b"):
        assert_problem(system.get(QUOTES + query), 400, "invalid-symbols")
    assert_problem(system.get(f"{QUOTES}/a%20b"), 400, "invalid-symbol")
    assert_problem(system.get(f"{QUOTES}?symbols=a", None), 401, "token-missing")
    assert stooq.queries == []


def test_the_longest_list_fits_into_a_request(system: System) -> None:
    codes = [f"nosuch-{n:013d}" for n in range(50)]
    assert {len(code) for code in codes} == {20}
    encoded = requests.utils.quote(",".join(codes), safe="")
    answer = system.get(f"{QUOTES}?symbols={encoded}")
    assert answer.status_code == 200
    assert symbols_of(answer.json()) == [code.upper() for code in codes]


def test_an_outage_is_each_symbols_error_and_nothing_is_saved(system: System, outage: StooqStandIn) -> None:
    before = system.get(HISTORY).json()
    outage.answers["s908.us"] = RETIRED
    answer = batch(system, ["s908.us", "s909.us"])
    assert answer.status_code == 200
    assert symbols_of(answer.json()) == ["S908.US", "S909.US"]
    types = {entry["error"]["type"] for entry in answer.json()}
    assert types <= {"/problems/upstream-error", "/problems/upstream-unavailable"}
    assert system.get(HISTORY).json() == before


def test_a_quote_may_be_kept_while_it_is_fresh_and_says_its_age(system: System, stooq: StooqStandIn) -> None:
    first = system.get("/api/v1/stock?q=s910.us")
    assert first.json() == {"symbol": "S910.US", "company_name": "COMPANY 910", "quote": 910.5}
    assert 0 <= int(first.headers["Age"]) < 5
    assert TTL - 5 < max_age_of(first) <= TTL
    assert "Quote-Stale" not in first.headers
    eventually(lambda: int(system.get("/api/v1/stock?q=s910.us").headers["Age"]) > int(first.headers["Age"]))
    later = system.get("/api/v1/stock?q=s910.us", "admin")
    assert later.json() == first.json()
    assert max_age_of(later) < max_age_of(first)
    assert later.headers["Quote-As-Of"] == first.headers["Quote-As-Of"]
    assert asked_of(stooq) == [["s910.us"]]
    assert symbols_of(system.get(HISTORY, "admin").json()[:1]) == ["S910.US"]


def test_200_callers_of_one_symbol_cause_one_request_and_have_200_rows(system: System, stooq: StooqStandIn) -> None:
    before = system.get("/api/v1/stats", "admin").json()
    system.token("johndoe")
    stooq.hold()
    with ThreadPoolExecutor(200) as pool:
        calls = [pool.submit(system.quote, "s911.us") for _ in range(200)]
        eventually(lambda: len(stooq.queries) > 0)
        stooq.release()
        answers = [call.result() for call in calls]
    assert {(answer.status_code, answer.json().get("type")) for answer in answers} == {(200, None)}
    assert {answer.json()["quote"] for answer in answers} == {911.5}
    assert asked_of(stooq) == [["s911.us"]]
    assert all(stock["stock"] != "s911.us" for stock in before)
    assert system.get("/api/v1/stats", "admin").json()[0] == {"stock": "s911.us", "times_requested": 200}


def test_super_users_see_how_the_providers_are_doing(system: System) -> None:
    assert system.get("/api/v1/stock?q=s912.us").status_code == 200
    assert_problem(system.get(PROVIDERS, None), 401, "token-missing")
    assert_problem(system.get(PROVIDERS, "johndoe"), 403, "super-users-only")
    answer = system.get(PROVIDERS, "admin")
    assert answer.status_code == 200
    stooq, *others = answer.json()
    assert list(stooq) == [
        "name", "enabled", "breaker", "retry_in", "last_success", "last_failure", "last_failure_kind",
        "successes", "failures", "failures_by_kind",
    ]  # fmt: skip
    assert (stooq["name"], stooq["enabled"], stooq["breaker"], stooq["retry_in"]) == ("stooq", True, "closed", None)
    assert stooq["successes"] > 0
    assert 0 <= seconds_since(stooq["last_success"]) < 30
    assert {other["name"] for other in others} >= {"yahoo", "cboe", "twelvedata", "recorded"}
    assert not any(other["enabled"] for other in others)


def test_super_users_see_why_a_provider_is_left_alone(system: System, outage: StooqStandIn) -> None:
    outage.answers["s913.us"] = RETIRED
    assert system.get("/api/v1/stock?q=s913.us").status_code in {502, 503}
    stooq = system.get(PROVIDERS, "admin").json()[0]
    assert (stooq["breaker"], stooq["last_failure_kind"]) == ("open", "retired")
    assert stooq["retry_in"] > 15
    assert stooq["failures_by_kind"]["retired"] == stooq["failures"] == 1
    assert 0 <= seconds_since(stooq["last_failure"]) < 10
    before = len(outage.queries)
    assert_problem(system.get("/api/v1/stock?q=s914.us"), 503, "upstream-unavailable")
    assert len(outage.queries) == before


@pytest.fixture(params=["rpc", "http"])
def forgetful_system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, stooq: StooqStandIn, broker: Broker
) -> Iterator[System]:
    """A pair whose quotes are fresh for a second, and of use for five when nothing better is to be had.

    It has a virtual host of its own: the worker of `system` may still consume in that of the module.
    """
    directory = tmp_path_factory.mktemp(f"forgetful-{request.param}")
    amqp_url = broker.add_vhost(f"test-{secrets.token_hex(4)}") if request.param == "rpc" else None
    settings = {"QUOTE_TTL": "1", "QUOTE_MAX_STALE": "5"}
    with running_system(request.param, directory, stooq.url, amqp_url, **settings) as system:
        yield system


def test_a_stale_quote_is_better_than_none_for_a_while_and_says_so(
    forgetful_system: System, stooq: StooqStandIn
) -> None:
    system, latest = forgetful_system, {}

    def ask() -> requests.Response:
        latest["answer"] = system.get("/api/v1/stock?q=s1.us")
        return latest["answer"]

    fresh = ask()
    assert fresh.status_code == 200
    assert max_age_of(fresh) <= 1
    stooq.answers["s1.us"] = RETIRED
    eventually(lambda: "Quote-Stale" in ask().headers)
    stale = latest["answer"]
    assert (stale.status_code, stale.json()) == (200, fresh.json())
    assert stale.headers["Quote-Stale"] == "true"
    assert int(stale.headers["Age"]) >= 1
    assert max_age_of(stale) == 0
    assert batch(system, ["s1.us"]).json()[0]["stale"] is True
    assert symbols_of(system.get(HISTORY).json()[:3]) == ["S1.US"] * 3
    eventually(lambda: ask().status_code != 200, within=15.0)
    before = system.get(HISTORY).json()
    assert_problem(ask(), 503, "upstream-unavailable")
    assert system.get(HISTORY).json() == before
