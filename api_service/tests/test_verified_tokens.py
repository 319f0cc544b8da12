"""What was verified once passes again, and nothing else does."""

import time
from collections.abc import Callable
from unittest.mock import Mock

import jwt
import pytest

from api_service.auth import tokens
from api_service.auth.verified_tokens import VerifiedTokens
from api_service.sessions import SessionToken
from api_service.tests.helpers import Api, ExpectProblem

HISTORY = "/api/v1/users/history"
REFRESH = "/api/v1/refresh"
TOKEN = SessionToken(id="a", family="b", user_id=1, token_version=0)
LATER = float("inf")


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many tokens have been verified since."""
    spy = Mock(wraps=tokens.verify_jwt_in_request)
    monkeypatch.setattr(tokens, "verify_jwt_in_request", spy)
    return lambda: spy.call_count


def test_the_same_token_is_verified_once(api: Api, verifications: Callable[[], int]) -> None:
    first, second = api.token_of("johndoe"), api.token_of("jane")
    for token in (first, second, first, second, first):
        assert api.get(HISTORY, token=token).status_code == 200
    assert verifications() == 2


def test_a_token_that_is_refused_is_verified_anew_each_time(api: Api, verifications: Callable[[], int]) -> None:
    for _ in range(3):
        assert api.get(HISTORY, token="forged").status_code == 401
    assert verifications() == 3


@pytest.mark.parametrize("part", [0, 1, 2])
def test_another_token_does_not_pass_with_it(api: Api, expect_problem: ExpectProblem, part: int) -> None:
    token = api.token_of("johndoe")
    assert api.get(HISTORY, token=token).status_code == 200
    parts = token.split(".")
    parts[part] = parts[part][:5] + ("A" if parts[part][5] != "A" else "B") + parts[part][6:]
    expect_problem(api.get(HISTORY, token=".".join(parts)), 401, "token-invalid")
    assert api.get(HISTORY, token=token).status_code == 200


def test_an_access_token_that_is_known_does_not_refresh(api: Api, expect_problem: ExpectProblem) -> None:
    pair = api.pair_of("johndoe")
    assert api.get(HISTORY, token=pair.token).status_code == 200
    expect_problem(api.post(REFRESH, token=pair.token), 401, "token-invalid")
    expect_problem(api.get(HISTORY, token=pair.refresh_token), 401, "token-invalid")
    assert api.post(REFRESH, token=pair.refresh_token).status_code == 200
    assert len(api.app.extensions["verified_tokens"]) == 1  # and no refresh token is remembered


def test_from_its_expiry_on_it_is_verified_anew(
    api: Api, verifications: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = api.token_of("johndoe")
    assert api.get(HISTORY, token=token).status_code == 200
    expires_at = jwt.decode(token, options={"verify_signature": False})["exp"]
    for now, verified in ((expires_at - 0.1, 1), (float(expires_at), 2)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        api.get(HISTORY, token=token)
        assert verifications() == verified


def test_what_has_expired_is_not_known() -> None:
    known = VerifiedTokens()
    known.add("a", TOKEN, time.time() - 1)
    assert known.get("a") is None


def test_the_oldest_makes_room() -> None:
    known = VerifiedTokens(most=2)
    for header in ("a", "b", "c"):
        known.add(header, TOKEN, LATER)
    assert [known.get(header) is not None for header in ("a", "b", "c")] == [False, True, True]
    assert len(known) == 2


def test_no_token_can_be_read_from_it() -> None:
    known = VerifiedTokens()
    known.add("Bearer secret", TOKEN, LATER)
    assert "secret" not in repr(vars(known))
