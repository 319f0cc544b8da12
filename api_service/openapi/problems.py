"""Which problems a call answers with: those that it names, and those that follow from how it is made."""

from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus

from werkzeug.routing import Rule

from api_service.auth.helpers import Guard
from api_service.documented import Call
from api_service.problem_kinds import CSRF, EVERYWHERE, JSON_BODY, KINDS, TOKEN, ProblemKind
from api_service.rate_limits import EXEMPT


def problems_of(call: Call, guard: Guard | None, rule: Rule) -> dict[HTTPStatus, tuple[ProblemKind, ...]]:
    """By status, each in the order of `KINDS`.

    :raises KeyError: there is no such problem.
    """
    slugs = {*call.problems, *_implied(call, guard, rule)}
    if unknown := slugs - KINDS.keys():
        raise KeyError(f"{call.operation_id} names problems that nobody knows: {sorted(unknown)}")
    by_status = defaultdict(list)
    for kind in KINDS.values():
        if kind.slug in slugs:
            by_status[kind.status].append(kind)
    return {status: tuple(kinds) for status, kinds in by_status.items()}


def _implied(call: Call, guard: Guard | None, rule: Rule) -> Iterator[str]:
    yield from EVERYWHERE
    yield from _of_guard(guard)
    yield from (parameter.refused_as for parameter in call.parameters if parameter.refused_as)
    if call.body:
        yield from JSON_BODY
    if rule.arguments:
        yield "not-found"
    if rule.endpoint not in EXEMPT:
        yield "rate-limited"
    if call.asks_database:
        yield "database-unavailable"


def _of_guard(guard: Guard | None) -> Iterator[str]:
    if guard:
        yield from TOKEN
    if guard is Guard.SUPER_USER:
        yield "super-users-only"
    if guard is Guard.SESSION_COOKIE:
        yield "cross-origin"
        yield from CSRF
