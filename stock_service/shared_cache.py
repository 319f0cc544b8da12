"""The cache that several processes share, in Redis: one of them fetches a symbol, the others wait for it.

When Redis is away each process goes on with its own memory; that is logged once, and never fails a request.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from service_kit.deadline import Deadline
from service_kit.redis_link import RedisLink
from service_kit.single_flight import WORTH_ANOTHER
from stock_contract import (
    Failure,
    MalformedMessageError,
    Quote,
    QuoteReply,
    decode_reply,
    encode_reply,
)
from stock_service import claims
from stock_service.cache import TIMED_OUT, Entry, Fetch, Lifetimes, MemoryCache, Result, Results, load_missing

_PREFIX: Final = "stock-quotes:v1"
_POLL_SECONDS: Final = 0.02
"""Between two looks for another process's result: one thread of a process looks, and only while a call waits."""
_SHOWN_MS: Final = 5000
"""For so long the outcome of a fetch is there for those who were waiting for it."""
_RELEASE: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class SharedCache:
    """A `Cache`. Ages are counted by Redis, from what is left of a key's life, so no two clocks are compared."""

    def __init__(self, link: RedisLink, memory: MemoryCache, lifetimes: Lifetimes) -> None:
        self._link = link
        self._memory = memory
        self._lifetimes = lifetimes
        self._claims = claims.RenewedClaims(link, partial(_key, "claim"))

    def read(self, symbols: Sequence[str]) -> dict[str, Entry]:
        answers = self._link.run(partial(_ask_for, symbols))
        if answers is None:
            return self._memory.read(symbols)
        pairs = zip(symbols, answers[::2], answers[1::2], strict=True)
        found = {symbol: self._entry(value, left_ms) for symbol, value, left_ms in pairs}
        return {symbol: entry for symbol, entry in found.items() if entry}

    def load(self, symbols: Sequence[str], deadline: Deadline, fetch: Fetch) -> Results:
        results: Results = {}
        left = list(symbols)
        while left:
            token = secrets.token_hex(8)
            holders = self._claim(left, token)
            if holders is None:
                return results | self._memory.load(left, deadline, fetch)
            mine = [symbol for symbol, holder in holders.items() if holder == token]
            results.update(self._fetch_claimed(mine, token, deadline, fetch) if mine else {})
            results.update(self._await({s: h for s, h in holders.items() if h != token}, deadline))
            left = [symbol for symbol in left if symbol not in results]
        return results

    def _entry(self, value: bytes | None, left_ms: int) -> Entry | None:
        kept, _, body = (value or b"").partition(b" ")
        result = _decoded(body)
        if result is None or left_ms <= 0 or not kept.isdigit():
            return None
        age = (int(kept) - left_ms) / 1000
        return Entry(result, fresh=isinstance(result, Failure) or age < self._lifetimes.fresh)

    def _claim(self, symbols: Sequence[str], token: str) -> dict[str, str] | None:
        """Who fetches each symbol: us, when the holder is `token`. None when Redis is away."""

        def commands(pipe: Any) -> None:
            for symbol in symbols:
                pipe.set(_key("claim", symbol), token, nx=True, px=int(claims.LIFE * 1000))
                pipe.get(_key("claim", symbol))

        answers = self._link.run(commands)
        if answers is None:
            return None
        return {symbol: (holder or b"").decode() for symbol, holder in zip(symbols, answers[1::2], strict=True)}

    def _fetch_claimed(self, symbols: Sequence[str], token: str, deadline: Deadline, fetch: Fetch) -> Results:
        results: Results = {}
        try:
            with self._claims.held(symbols, token, deadline):
                results = load_missing(self.read(symbols), symbols, deadline, fetch, self._write)
        finally:  # after a defect too: nobody must wait for what will not come
            self._link.run(partial(_show, symbols, token, results), even_if_away=True)
        return results

    def _write(self, results: Mapping[str, Result]) -> None:
        self._memory.write(results)
        self._link.run(partial(self._keep, results))

    def _keep(self, results: Mapping[str, Result], pipe: Any) -> None:
        for symbol, result in results.items():
            if life := int(self._lifetimes.of(result) * 1000):
                pipe.set(_key("quote", symbol), f"{life} ".encode() + _encoded(result), px=life)

    def _await(self, holders: Mapping[str, str], deadline: Deadline) -> Results:
        """What the holders have to show; symbols whose holder is gone with nothing to show are left out."""
        results: Results = {}
        waiting = dict(holders)
        while waiting:
            answers = self._link.run(partial(_look, waiting))
            if answers is None:
                return results
            for (symbol, holder), claim, shown in zip(list(waiting.items()), answers[::2], answers[1::2], strict=True):
                result = _decoded(shown or b"")
                if result == TIMED_OUT and deadline.remaining() > WORTH_ANOTHER:
                    result = None  # the holder had little time; this caller has more, and tries itself
                if result:
                    results[symbol] = result
                if result or claim != holder.encode():
                    del waiting[symbol]
            if waiting and deadline.expired:
                return results | dict.fromkeys(waiting, TIMED_OUT)
            if waiting:
                time.sleep(min(_POLL_SECONDS, deadline.remaining()))
        return results


def _key(kind: str, name: str) -> str:
    return f"{_PREFIX}:{kind}:{name}"


def _ask_for(symbols: Sequence[str], pipe: Any) -> None:
    for symbol in symbols:
        pipe.get(_key("quote", symbol))
        pipe.pttl(_key("quote", symbol))


def _show(symbols: Sequence[str], token: str, results: Mapping[str, Result], pipe: Any) -> None:
    """Let those who wait see the results, failures and recorded quotes too, and only then give the claims back."""
    for symbol, result in results.items():
        pipe.set(_key("shown", f"{token}:{symbol}"), _encoded(result), px=_SHOWN_MS)
    for symbol in symbols:
        pipe.eval(_RELEASE, 1, _key("claim", symbol), token)


def _look(waiting: Mapping[str, str], pipe: Any) -> None:
    """The claim first: when it is gone, what there is to show is there."""
    for symbol, holder in waiting.items():
        pipe.get(_key("claim", symbol))
        pipe.get(_key("shown", f"{holder}:{symbol}"))


def _encoded(result: Result) -> bytes:
    return encode_reply(QuoteReply((result,)))


def _decoded(body: bytes) -> Quote | Failure | None:
    """What another process has written; None when it is nothing that this version can read."""
    try:
        reply = decode_reply(body)
    except MalformedMessageError:
        return None
    return reply.results[0] if isinstance(reply, QuoteReply) and reply.results else None
