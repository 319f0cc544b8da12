"""Idempotency keys: which calls of a user were answered under which key, and with what.

A key is claimed in the transaction that saves the history, so that the two stand or fall together. What is kept is
what the stock service said, not the HTTP answer: a repeated call is told the present age of the same quotes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from sqlalchemy import Connection, Delete, Insert, RowMapping, bindparam, delete, select

from api_service.database import insert_into, reading
from api_service.models import IdempotentAnswer
from stock_contract import Failure, MalformedMessageError, Quote, QuoteReply, decode_reply, encode_reply

LIFETIME: Final = timedelta(hours=24)
"""For so long a key is remembered; after that it may name another call."""

Results = Sequence[Quote | Failure]

_PURGED_AT_ONCE: Final = 20
"""More than one claim can leave behind, so that the table shrinks while keys are used; few enough to cost nothing."""

_FIND: Final = select(IdempotentAnswer.fingerprint, IdempotentAnswer.request_id, IdempotentAnswer.reply).where(
    IdempotentAnswer.user_id == bindparam("user_id"),
    IdempotentAnswer.key == bindparam("key"),
    IdempotentAnswer.answered_at > bindparam("oldest"),
)


class KeyReusedError(Exception):
    """The user has used this key for another call."""


@dataclass(frozen=True, slots=True)
class OneCall:
    """A call that its user has named, so that repeating it changes nothing: keys of two users never meet."""

    user_id: int
    key: str
    fingerprint: str

    @classmethod
    def of(cls, user_id: int, key: str, address: str, symbols: Sequence[str]) -> "OneCall":
        """The call to `address` for `symbols`, which are answered alike in upper and in lower case."""
        asked = f"{address} {','.join(symbols).upper()}"
        return cls(user_id, key, hashlib.sha256(asked.encode()).hexdigest())


def earlier_results(call: OneCall, now: datetime) -> Results | None:
    """What the same call was answered with before; None when it is new.

    :raises KeyReusedError: the key names another call.
    :raises DatabaseUnavailableError: nobody can say.
    """
    with reading() as connection:
        row = _find(connection, call, now)
    return None if row is None else _results(row, call)


def claim(connection: Connection, call: OneCall, request_id: str, now: datetime, results: Results) -> Results | None:
    """Remember in this transaction that `request_id` answers `call` with `results`.

    None when it is this request's to answer. Otherwise another one with this key was first (one that has not committed
    yet is waited for): what it was answered with, and nothing has been written.

    :raises KeyReusedError: the key names another call.
    """
    values = {
        "user_id": call.user_id,
        "key": call.key,
        "fingerprint": call.fingerprint,
        "request_id": request_id,
        "answered_at": now,
        "reply": encode_reply(QuoteReply(tuple(results))).decode(),
        "oldest": now - LIFETIME,
    }
    if connection.execute(_claim(connection.dialect.name), values).rowcount:
        connection.execute(_PURGE, {"oldest": now - LIFETIME})
        return None
    row = _find(connection, call, now)
    # It may be this very request, which is saved again because the end of its first transaction was lost.
    return None if row is None or row["request_id"] == request_id else _results(row, call)


def _find(connection: Connection, call: OneCall, now: datetime) -> RowMapping | None:
    wanted = {"user_id": call.user_id, "key": call.key, "oldest": now - LIFETIME}
    return connection.execute(_FIND, wanted).mappings().one_or_none()


def _results(row: RowMapping, call: OneCall) -> Results:
    if row["fingerprint"] != call.fingerprint:
        raise KeyReusedError
    reply = decode_reply(row["reply"].encode())
    if isinstance(reply, Failure):
        raise MalformedMessageError("a kept answer without results")
    return reply.results


@cache
def _claim(dialect: str) -> Insert:
    """One statement that takes a free key, or one whose time is over; of two at once one waits for the other."""
    insert = insert_into(IdempotentAnswer, dialect)
    taken_over = {name: insert.excluded[name] for name in ("fingerprint", "request_id", "answered_at", "reply")}
    return insert.on_conflict_do_update(
        index_elements=[IdempotentAnswer.user_id, IdempotentAnswer.key],
        set_=taken_over,
        where=IdempotentAnswer.answered_at <= bindparam("oldest"),
    )


def _purge() -> Delete:
    """Forget some of what is out of date, passing over what another transaction is working on."""
    old = (
        select(IdempotentAnswer.id)
        .where(IdempotentAnswer.answered_at <= bindparam("oldest"))
        .order_by(IdempotentAnswer.answered_at)
        .limit(_PURGED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return delete(IdempotentAnswer).where(IdempotentAnswer.id.in_(old))


_PURGE: Final = _purge()
