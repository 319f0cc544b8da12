"""While the key is replaced nobody has to log in again, and afterwards the old one counts no more."""

import hashlib
import hmac
import itertools
import json
import secrets
from typing import Any

import jwt
import pytest
from jwt.utils import base64url_encode

from api_service.settings import load
from api_service.tests.helpers import Api, ExpectProblem, MakeApi
from service_kit.settings import SettingsError

ME = "/api/v1/users/me"
OLD, NEW = "canary-" + secrets.token_hex(32), "canary-" + secrets.token_hex(32)


@pytest.fixture
def old_api(make_api: MakeApi) -> Api:
    return make_api(SECRET_KEY=OLD)


def test_all_tokens_pass_at_each_step_of_a_change(make_api: MakeApi, old_api: Api) -> None:
    """Processes with the settings before and after a step run beside each other."""
    steps = [
        old_api,
        make_api(SECRET_KEY=OLD, SECRET_KEY_FALLBACK=NEW),
        make_api(SECRET_KEY=NEW, SECRET_KEY_FALLBACK=OLD),
    ]
    for before, after in itertools.pairwise(steps):
        for maker, taker in ((before, after), (after, before)):
            pair = maker.pair_of("johndoe")
            assert taker.get(ME, token=pair.token).status_code == 200
            assert taker.post("/api/v1/refresh", token=pair.refresh_token).status_code == 200


def test_the_fallback_signs_nothing(make_api: MakeApi) -> None:
    token = make_api(SECRET_KEY=NEW, SECRET_KEY_FALLBACK=OLD).token_of("johndoe")
    assert jwt.decode(token, NEW, ["HS256"], options={"verify_aud": False})["sub"]


def test_a_key_that_was_taken_away_counts_no_more(
    make_api: MakeApi, old_api: Api, expect_problem: ExpectProblem
) -> None:
    pair, new_api = old_api.pair_of("johndoe"), make_api(SECRET_KEY=NEW)
    expect_problem(new_api.get(ME, token=pair.token), 401, "token-invalid")
    expect_problem(new_api.post("/api/v1/refresh", token=pair.refresh_token), 401, "token-invalid")


@pytest.mark.parametrize("named", ["", "0123456789abcdef", pytest.param(OLD, id="the key"), 7, None, ["x"], {}])
def test_a_token_is_checked_with_the_key_that_it_names(
    make_api: MakeApi, old_api: Api, expect_problem: ExpectProblem, named: Any
) -> None:
    """None: it is checked with the current key, and so refused as well."""
    api = make_api(SECRET_KEY=NEW, SECRET_KEY_FALLBACK=OLD)
    claims = jwt.decode(old_api.token_of("johndoe"), options={"verify_signature": False})
    header = {"alg": "HS256"} | ({} if named is None else {"kid": named})
    signed = _signed(header, claims, OLD)
    expect_problem(api.get(ME, token=signed), 401, "token-invalid")


def test_a_token_that_names_no_key_passes_with_the_current_one(old_api: Api) -> None:
    claims = jwt.decode(old_api.token_of("johndoe"), options={"verify_signature": False})
    assert old_api.get(ME, token=_signed({"alg": "HS256"}, claims, OLD)).status_code == 200


def test_a_fallback_is_as_good_as_a_key() -> None:
    with pytest.raises(SettingsError, match="SECRET_KEY_FALLBACK must have at least 32 bytes"):
        load({"SECRET_KEY": NEW, "SECRET_KEY_FALLBACK": "canary"})


def test_keys_stay_out_of_representations() -> None:
    loaded = load({"SECRET_KEY": NEW, "SECRET_KEY_FALLBACK": OLD})
    assert not [key for key in (OLD, NEW) if key in repr(loaded)]


def _signed(header: dict[str, Any], claims: dict[str, Any], key: str) -> str:
    """By hand: PyJWT makes no token with a `kid` that is no text."""
    parts = b".".join(base64url_encode(json.dumps(part).encode()) for part in (header, claims))
    signature = hmac.digest(key.encode(), parts, hashlib.sha256)
    return b".".join((parts, base64url_encode(signature))).decode()
