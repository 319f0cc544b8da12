"""A Flask that does no more than it must: verify a JWT, write one row with the driver itself, answer.

No user look-up, no deny-list, no limits, no request id, no stock service: what a floor of Flask costs.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import jwt
import psycopg
from flask import Flask, Response, abort, jsonify, request

_KEY: Final = os.environ["SECRET_KEY"]
_DATABASE: Final = os.environ["BENCH_DATABASE"]
"""A file for SQLite, or what libpq takes for PostgreSQL."""
_POSTGRESQL: Final = "host=" in _DATABASE
_TABLE: Final = "CREATE TABLE IF NOT EXISTS history (user_id integer, symbol text, close text, at timestamp)"
_local = threading.local()
_one_writer = threading.Lock()

app = Flask(__name__)


@app.get("/api/v1/stock")
def stock() -> Response:
    """One row, committed, before the answer."""
    try:
        claims = jwt.decode(request.headers["Authorization"].removeprefix("Bearer "), _KEY, algorithms=["HS256"])
    except (KeyError, jwt.InvalidTokenError):
        abort(401)
    symbol = request.args["q"].upper()
    _insert((int(claims["sub"]), symbol, "149.99"))
    return jsonify({"symbol": symbol, "company_name": "APPLE", "quote": 149.99})


def _insert(row: tuple[int, str, str]) -> None:
    mark = "%s" if _POSTGRESQL else "?"
    with _turn():
        _connection().execute(f"INSERT INTO history VALUES ({mark}, {mark}, {mark}, CURRENT_TIMESTAMP)", row)  # noqa: S608


@contextmanager
def _turn() -> Iterator[None]:
    """SQLite takes one writer at a time."""
    if _POSTGRESQL:
        yield
        return
    with _one_writer:
        yield


def _connection() -> Any:
    """That of this thread; each statement is a transaction."""
    if not hasattr(_local, "connection"):
        _local.connection = _connect()
    return _local.connection


def _connect() -> Any:
    if _POSTGRESQL:
        return psycopg.connect(_DATABASE, autocommit=True)
    connection = sqlite3.connect(_DATABASE, isolation_level=None, timeout=5)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


if __name__ == "__main__":
    _connect().execute(_TABLE)
