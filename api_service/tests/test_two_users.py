"""Two users ask in any order: nobody ever sees what the other was served, and the counts miss nothing."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_service.tests.helpers import Api, ExpectProblem

USERS = ("johndoe", "jane")
CODES = ("a.us", "b.us", "c.us")

asks = st.tuples(st.sampled_from(USERS), st.lists(st.sampled_from(CODES), min_size=1, max_size=2), st.booleans())


@pytest.fixture
def served() -> dict[str, list[str]]:
    """What each user was served since the test's start, in all examples together: fewer than a history shows."""
    return {user: [] for user in USERS}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(asks, min_size=1, max_size=3))
def test_everybody_sees_their_own_history_and_stats_count_all(
    api: Api, served: dict[str, list[str]], steps: list[tuple[str, list[str], bool]]
) -> None:
    for user, codes, at_once in steps:
        others = [other for other in USERS if other != user]
        answers = (
            [api.get("/api/v1/quotes", by=user, symbols=",".join(codes), user_id="1")]
            if at_once
            else [api.get("/api/v1/stock", by=user, q=code, user=others[0]) for code in codes]
        )
        assert {answer.status_code for answer in answers} == {200}
        served[user] += codes
    for user in USERS:
        shown = [entry["symbol"].lower() for entry in api.get("/api/v1/users/history", by=user).get_json()]
        assert Counter(shown) == Counter(served[user])
    counts = {entry["stock"]: entry["times_requested"] for entry in api.get("/api/v1/stats", by="admin").get_json()}
    assert counts == Counter(served[USERS[0]] + served[USERS[1]])


@pytest.mark.parametrize("name", ["user_id", "user", "id", "username", "sub"])
def test_naming_another_user_has_no_effect(api: Api, name: str) -> None:
    api.get("/api/v1/stock", by="jane", q="secret.us")
    for value in ("3", "jane", "*", "0 OR 1=1"):
        assert api.get("/api/v1/users/history", by="johndoe", **{name: value}).get_json() == []


@pytest.mark.parametrize("path", ["/api/v1/users/3/history", "/api/v1/users/jane/history", "/api/v1/users/history/3"])
def test_another_users_history_has_no_address(api: Api, expect_problem: ExpectProblem, path: str) -> None:
    expect_problem(api.get(path, by="johndoe"), 404, "not-found")
