"""`make test-compose`: brings each compose file up, uses it as a client would, restarts containers, removes it.

    python -m scripts.test_compose            all of them
    python -m scripts.test_compose production only those

Quotes come from the bundled recordings, so no internet is needed. Each line printed is a check that passed.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from scripts.check_production import check_production
from scripts.compose_checks import CheckFailedError, brought_up, passed, require, require_all_healthy, until
from scripts.compose_project import ComposeError, ComposeProject, find_compose
from scripts.ports import free_ports
from scripts.quote_client import Answer, QuoteClient

_RECOVERY_SECONDS = 15.0
_BROKER_RECOVERY_SECONDS = 30.0  # RabbitMQ's own start takes up to half of it
_VHOST = "stock"
_QUEUE = "stock.quotes.v1"
_SHARED_CALLS = 90
_CONSUMERS = 3
_WORKED_BYTES = 2000  # what a consumer that answered nothing does not send in the time of the check


def main(arguments: Sequence[str]) -> int:
    started = time.monotonic()
    if unknown := set(arguments) - VARIANTS.keys():
        print(f"There is no variant {', '.join(unknown)}; there are {', '.join(VARIANTS)}.", file=sys.stderr)
        return 2
    try:
        program = find_compose()
        chosen = list(arguments or VARIANTS)
        for name in chosen:
            VARIANTS[name](program)
    except (ComposeError, CheckFailedError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    print(f"The compose files work: {', '.join(chosen)} ({time.monotonic() - started:.0f} s).")
    return 0


def _check_http(program: tuple[str, ...]) -> None:
    _try(program, ["docker-compose-http.yml"], _check_http_variant)


def _check_rpc(program: tuple[str, ...]) -> None:
    _try(program, ["docker-compose.yml", "docker-compose.override.yml"], _check_rpc_variant)


VARIANTS: Mapping[str, Callable[[tuple[str, ...]], None]] = {
    "http": _check_http,
    "rpc": _check_rpc,
    "production": check_production,
}


def _try(program: tuple[str, ...], files: Sequence[str], check: Callable[[ComposeProject, int], None]) -> None:
    (port,) = free_ports(1)
    with brought_up(program, files, {"PORT": str(port), "QUOTE_PROVIDERS": "recorded"}) as project:
        check(project, port)


def _check_http_variant(project: ComposeProject, port: int) -> None:
    require_all_healthy(project, ("api-service", "stock-service"))
    _check_calls(port)
    for service in ("stock-service", "api-service"):
        _check_restart(project, port, service, _RECOVERY_SECONDS)
    _check_history_is_kept(port)


def _check_rpc_variant(project: ComposeProject, port: int) -> None:
    require_all_healthy(project, ("rabbitmq", "db", "api-service", "stock-service"))
    _check_calls(port)
    _check_restart(project, port, "rabbitmq", _BROKER_RECOVERY_SECONDS)
    _check_history_is_kept(port)
    _check_scaling(project, port)


def _check_calls(port: int) -> None:
    """The public contract in short; the tests in tests/e2e go through it thoroughly."""
    anonymous, john, admin = QuoteClient(port), QuoteClient(port), QuoteClient(port)
    _expect(anonymous.quote("aapl.us"), 401, "a quote without a token: 401")
    _expect(anonymous.login("admin", "wrong"), 401, "a wrong password: 401")
    _expect(john.login("johndoe", "john"), 200, "johndoe logs in")
    _expect(admin.login("admin", "admin"), 200, "admin logs in")
    quote = _expect(john.quote("aapl.us"), 200, "johndoe gets a quote")
    require(set(quote.body) == {"symbol", "company_name", "quote"}, f"a quote has three keys: {quote.body}")
    require(quote.headers.get("Quote-Source") == "recorded", "it says Quote-Source: recorded", str(quote.headers))
    require(bool(quote.headers.get("Quote-As-Of")), f"it says Quote-As-Of: {quote.headers.get('Quote-As-Of')}")
    _expect(john.quote("nosuch99.us"), 404, "an unknown symbol: 404")
    _expect(john.get("/api/v1/stock"), 400, "no symbol: 400")
    history = _expect(john.get("/api/v1/users/history"), 200, "johndoe reads his history").body
    require([row["symbol"] for row in history] == ["AAPL.US"], "the history has that one quote")
    _expect(john.get("/api/v1/stats"), 403, "johndoe asks for the statistics: 403")
    stats = _expect(admin.get("/api/v1/stats"), 200, "admin reads the statistics").body
    require(stats == [{"stock": "aapl.us", "times_requested": 1}], f"they count that one quote: {stats}")


def _check_restart(project: ComposeProject, port: int, service: str, limit: float) -> None:
    client = _john(port)
    project.run("restart", service)
    restarted = time.monotonic()
    until(lambda: client.quote("aapl.us").status == HTTPStatus.OK, limit, f"quotes work after a restart of {service}")
    passed(f"restarted {service}: quotes work again after {time.monotonic() - restarted:.1f} s")


def _check_history_is_kept(port: int) -> None:
    history = _john(port).get("/api/v1/users/history").body
    require(len(history) > 1, f"the history outlived the restarts ({len(history)} rows)")


def _check_scaling(project: ComposeProject, port: int) -> None:
    project.run("up", "-d", "--no-recreate", "--scale", f"stock-service={_CONSUMERS}")
    require_all_healthy(project, ("stock-service",), _CONSUMERS)
    before = _bytes_from_consumers(project)
    require(len(before) == _CONSUMERS, f"{_CONSUMERS} consumers on the queue ({len(before)})")
    client = _john(port)
    with ThreadPoolExecutor(8) as callers:
        statuses = {answer.status for answer in callers.map(client.quote, ["aapl.us"] * _SHARED_CALLS)}
    require(statuses == {200}, f"{_SHARED_CALLS} calls are all answered ({statuses})")
    after = _bytes_from_consumers(project)
    sent = sorted(after[each] - before[each] for each in before)
    require(sent[0] > _WORKED_BYTES, f"all of them answered calls (bytes sent by each: {sent})")


def _bytes_from_consumers(project: ComposeProject) -> dict[str, int]:
    """What the broker has received from each process that consumes the request queue, by connection."""
    consumers = _table(project, "list_consumers", "-p", _VHOST, "queue_name", "channel_pid")
    consuming = {channel for queue, channel in consumers if queue == _QUEUE}
    connections = {
        connection
        for channel, connection in _table(project, "list_channels", "pid", "connection")
        if channel in consuming
    }
    received = _table(project, "list_connections", "pid", "recv_oct")
    return {connection: int(octets) for connection, octets in received if connection in connections}


def _table(project: ComposeProject, *command: str) -> list[tuple[str, str]]:
    """What a `rabbitmqctl` command prints, when it prints two columns."""
    printed = project.run("exec", "-T", "rabbitmq", "rabbitmqctl", "--quiet", "--no-table-headers", *command)
    rows = (line.split("\t") for line in printed.splitlines())
    return [(row[0], row[1]) for row in rows if len(row) == 2]  # noqa: PLR2004  two columns


def _john(port: int) -> QuoteClient:
    client = QuoteClient(port)
    client.login("johndoe", "john")
    return client


def _expect(answer: Answer, status: int, what: str) -> Answer:
    require(answer.status == status, what, f"got {answer.status}: {answer.body}")
    return answer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
