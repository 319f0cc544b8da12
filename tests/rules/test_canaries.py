"""The search for secrets in logs finds what it should, and what it should not it lets pass."""

import logging

import pytest

from tests.canaries import SearchedRecords, findings


@pytest.mark.parametrize(
    "text",
    [
        "password=a-canary-in-a-mine",
        "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "hash $argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
        "Authorization: Bearer abcdefghijklmnopqrstuvwxyz",
        "cannot connect to amqp://api:s3cret@rabbitmq:5672/stock",
        "postgresql+psycopg://stock:stock@db/stock",
    ],
)
def test_a_secret_is_found(text: str) -> None:
    assert findings(f"before {text} after")


@pytest.mark.parametrize(
    "text", ["rpc.connected host=rabbitmq", "http://127.0.0.1:5000/healthz", "amqp://api:***@rabbitmq", "Bearer"]
)
def test_what_is_no_secret_is_let_pass(text: str) -> None:
    assert findings(text) == []


def test_every_field_of_a_record_is_searched() -> None:
    handler, log = SearchedRecords(), logging.getLogger("tests.canaries")
    log.addHandler(handler)
    log.propagate = False  # the search of this very run must not find it
    try:
        log.warning("auth.login_failed", extra={"password": "canary-1"})
        log.warning("said %s", "canary-2")
        log.error("http.unexpected_error", exc_info=ValueError("canary-3"))
    finally:
        log.removeHandler(handler)
    assert [number for number in "123" if f"canary-{number}" in str(handler.found)] == ["1", "2", "3"]
