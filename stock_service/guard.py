"""A provider behind its breaker: asks for any number of symbols, side by side, and keeps count of what came of it."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Final

from service_kit.deadline import Deadline
from stock_contract import BreakerState, ProviderStatus, Quote
from stock_service import metrics
from stock_service.breaker import Breaker
from stock_service.providers.base import HEALTHY, FailureKind, Outcomes, Provider, ProviderError
from stock_service.tally import Tally

_log = logging.getLogger(__name__)

_MAX_PARALLEL: Final = 16
"""Requests for one caller's symbols at a time; with 200 ms each, fifty symbols take under a second."""

_FAIR_SHARE: Final = 0.5
"""Seconds. Who had less and did not make it in time is not to blame."""


class GuardedProvider:
    """Never raises what the provider raises: each symbol gets its outcome."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider = provider
        self._breaker = Breaker(provider.name, clock)
        self._tally = Tally()

    @property
    def name(self) -> str:
        return self._provider.name

    def ask(self, symbols: Sequence[str], deadline: Deadline) -> Outcomes:
        """One outcome for each symbol, until the deadline."""
        outcomes: dict[str, Quote | ProviderError] = dict.fromkeys(symbols, ProviderError(FailureKind.NOT_COVERED))
        ask = partial(self._ask_batch, deadline=deadline)
        batches = list(self._provider.batches(symbols))
        if len(batches) > 1 and self._breaker.state()[0] is BreakerState.HALF_OPEN:
            outcomes.update(ask(batches.pop(0)))  # the trial goes first: beside it the others would be refused
        for answer in _side_by_side(ask, batches):
            outcomes.update(answer)
        return outcomes

    def status(self) -> ProviderStatus:
        """What is known of it now."""
        counts = self._tally.counts()
        state, retry_in = self._breaker.state()
        return ProviderStatus(
            name=self.name,
            enabled=True,
            breaker=state,
            retry_in=retry_in,
            last_success=counts.last_success,
            last_failure=counts.last_failure,
            last_failure_kind=counts.last_failure_kind,
            successes=counts.successes,
            failures=sum(counts.failures_by_kind.values()),
            failures_by_kind=counts.failures_by_kind,
        )

    def _ask_batch(self, batch: Sequence[str], deadline: Deadline) -> Outcomes:
        if deadline.expired:
            return dict.fromkeys(batch, ProviderError(FailureKind.TIMEOUT, detail="no time left to ask"))
        try:
            permit = self._breaker.admit()
        except ProviderError as out:
            return dict.fromkeys(batch, out)
        return self._call(batch, deadline, permit)

    def _call(self, batch: Sequence[str], deadline: Deadline, permit: int) -> Outcomes:
        share, began_at = deadline.remaining(), time.perf_counter()
        try:
            outcomes = self._provider.fetch(batch, deadline)
        except ProviderError as error:
            outcomes = dict.fromkeys(batch, error)
        except BaseException:  # a defect of ours, not the provider's failure
            self._breaker.withdraw(permit)
            raise
        self._log_failures(outcomes)
        verdict = _verdict(outcomes)
        metrics.asked(self.name, verdict.kind if verdict else None, time.perf_counter() - began_at)
        self._judge(permit, verdict, share)
        return outcomes

    def _judge(self, permit: int, error: ProviderError | None, share: float) -> None:
        if error is None:
            self._breaker.succeed(permit)
            self._tally.succeeded()
            return
        self._tally.failed(error.kind)
        if error.kind is FailureKind.TIMEOUT and share < _FAIR_SHARE:
            self._breaker.withdraw(permit)
        else:
            self._breaker.fail(permit, error)

    def _log_failures(self, outcomes: Outcomes) -> None:
        """One line for each error; the one of a whole request names its first symbol and how many there were."""
        errors: dict[ProviderError, list[str]] = {}
        for symbol, outcome in outcomes.items():
            if isinstance(outcome, ProviderError):
                errors.setdefault(outcome, []).append(symbol)
        for error, symbols in errors.items():
            fields = {
                "provider": self.name,
                "symbol": symbols[0],
                "symbols": len(symbols),
                "kind": str(error.kind),
                "detail": error.detail,
            }
            _log.log(logging.INFO if error.kind in HEALTHY else logging.WARNING, "upstream.failed", extra=fields)


def _verdict(outcomes: Outcomes) -> ProviderError | None:
    """What a request says against the provider: nothing, when it answered for any of the symbols."""
    errors = [outcome for outcome in outcomes.values() if isinstance(outcome, ProviderError)]
    if len(errors) < len(outcomes) or any(error.kind in HEALTHY for error in errors):
        return None
    return errors[0]


def _side_by_side(work: Callable[[Sequence[str]], Outcomes], batches: Sequence[Sequence[str]]) -> Iterable[Outcomes]:
    if len(batches) < 2:  # noqa: PLR2004  the usual case needs no threads
        return [work(batch) for batch in batches]
    with ThreadPoolExecutor(min(len(batches), _MAX_PARALLEL), thread_name_prefix="lookup") as pool:
        # A copied context each: it holds the request id for the log.
        tasks = [pool.submit(copy_context().run, work, batch) for batch in batches]
        return [task.result() for task in tasks]
