"""`make test-compose`: brings both compose files up, uses them as a client would, restarts containers, removes them.

Quotes come from the bundled recordings, so no internet is needed. Each line printed is a check that passed.
"""

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus

from scripts.compose_project import ComposeError, ComposeProject, find_compose
from scripts.ports import free_ports
from scripts.quote_client import Answer, QuoteClient

_HEALTHY_SECONDS = 90.0
_RECOVERY_SECONDS = 15.0
_BROKER_RECOVERY_SECONDS = 30.0  # RabbitMQ's own start takes up to half of it
_POLL_SECONDS = 0.3
_VHOST = "stock"
_QUEUE = "stock.quotes.v1"
_SHARED_CALLS = 90
_CONSUMERS = 3
_WORKED_BYTES = 2000  # what a consumer that answered nothing does not send in the time of the check


class CheckFailedError(AssertionError):
    """The system did not do what it should; the text says what it did."""


def main() -> int:
    started = time.monotonic()
    try:
        program = find_compose()
        _try("docker-compose-http.yml", program, _check_http_variant)
        _try("docker-compose.yml", program, _check_rpc_variant)
    except (ComposeError, CheckFailedError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    print(f"Both compose files work ({time.monotonic() - started:.0f} s).")
    return 0


def _try(file: str, program: tuple[str, ...], check: Callable[[ComposeProject, int], None]) -> None:
    (port,) = free_ports(1)
    project = ComposeProject(program, file, {"PORT": str(port), "QUOTE_PROVIDERS": "recorded"})
    print(f"{file} (http://127.0.0.1:{port}):", flush=True)
    project.remove()  # what a killed run left behind
    try:
        project.run("build")
        _passed("both images are built")
        project.run("up", "-d")
        check(project, port)
    except BaseException:
        print(project.run("ps"), project.run("logs", "--no-color", "--tail", "40"), sep="\n", file=sys.stderr)
        raise
    finally:
        project.remove()
    _passed("everything is removed again, volumes too")


def _check_http_variant(project: ComposeProject, port: int) -> None:
    _check_all_healthy(project, ("api-service", "stock-service"))
    _check_calls(port)
    for service in ("stock-service", "api-service"):
        _check_restart(project, port, service, _RECOVERY_SECONDS)
    _check_history_is_kept(port)


def _check_rpc_variant(project: ComposeProject, port: int) -> None:
    _check_all_healthy(project, ("rabbitmq", "db", "api-service", "stock-service"))
    _check_calls(port)
    for service in ("stock-service", "api-service"):
        _check_restart(project, port, service, _RECOVERY_SECONDS)
    _check_restart(project, port, "rabbitmq", _BROKER_RECOVERY_SECONDS)
    _check_history_is_kept(port)
    _check_scaling(project, port)


def _check_all_healthy(project: ComposeProject, services: Sequence[str], count: int = 1) -> None:
    for service in services:
        _until(partial(_all_healthy, project, service, count), _HEALTHY_SECONDS, f"{service} is healthy")
    _passed(f"healthy: {', '.join(services)}")


def _all_healthy(project: ComposeProject, service: str, count: int) -> bool:
    return project.healthy(service) == count


def _check_calls(port: int) -> None:
    """The public contract in short; the tests in tests/e2e go through it thoroughly."""
    anonymous, john, admin = QuoteClient(port), QuoteClient(port), QuoteClient(port)
    _expect(anonymous.quote("aapl.us"), 401, "a quote without a token: 401")
    _expect(anonymous.login("admin", "wrong"), 401, "a wrong password: 401")
    _expect(john.login("johndoe", "john"), 200, "johndoe logs in")
    _expect(admin.login("admin", "admin"), 200, "admin logs in")
    quote = _expect(john.quote("aapl.us"), 200, "johndoe gets a quote")
    _require(set(quote.body) == {"symbol", "company_name", "quote"}, f"a quote has three keys: {quote.body}")
    _require(quote.headers.get("Quote-Source") == "recorded", "it says Quote-Source: recorded", str(quote.headers))
    _require(bool(quote.headers.get("Quote-As-Of")), f"it says Quote-As-Of: {quote.headers.get('Quote-As-Of')}")
    _expect(john.quote("nosuch99.us"), 404, "an unknown symbol: 404")
    _expect(john.get("/api/v1/stock"), 400, "no symbol: 400")
    history = _expect(john.get("/api/v1/users/history"), 200, "johndoe reads his history").body
    _require([row["symbol"] for row in history] == ["AAPL.US"], "the history has that one quote")
    _expect(john.get("/api/v1/stats"), 403, "johndoe asks for the statistics: 403")
    stats = _expect(admin.get("/api/v1/stats"), 200, "admin reads the statistics").body
    _require(stats == [{"stock": "aapl.us", "times_requested": 1}], f"they count that one quote: {stats}")


def _check_restart(project: ComposeProject, port: int, service: str, limit: float) -> None:
    client = _john(port)
    project.run("restart", service)
    restarted = time.monotonic()
    _until(lambda: client.quote("aapl.us").status == HTTPStatus.OK, limit, f"quotes work after a restart of {service}")
    _passed(f"restarted {service}: quotes work again after {time.monotonic() - restarted:.1f} s")


def _check_history_is_kept(port: int) -> None:
    history = _john(port).get("/api/v1/users/history").body
    _require(len(history) > 1, f"the history outlived the restarts ({len(history)} rows)")


def _check_scaling(project: ComposeProject, port: int) -> None:
    project.run("up", "-d", "--no-recreate", "--scale", f"stock-service={_CONSUMERS}")
    _check_all_healthy(project, ("stock-service",), _CONSUMERS)
    before = _bytes_from_consumers(project)
    _require(len(before) == _CONSUMERS, f"{_CONSUMERS} consumers on the queue ({len(before)})")
    client = _john(port)
    with ThreadPoolExecutor(8) as callers:
        statuses = {answer.status for answer in callers.map(client.quote, ["aapl.us"] * _SHARED_CALLS)}
    _require(statuses == {200}, f"{_SHARED_CALLS} calls are all answered ({statuses})")
    after = _bytes_from_consumers(project)
    sent = sorted(after[each] - before[each] for each in before)
    _require(sent[0] > _WORKED_BYTES, f"all of them answered calls (bytes sent by each: {sent})")


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
    _require(answer.status == status, what, f"got {answer.status}: {answer.body}")
    return answer


def _require(holds: bool, what: str, otherwise: str = "") -> None:  # noqa: FBT001  a condition, not a switch
    if not holds:
        raise CheckFailedError(f"not so: {what}. {otherwise}")
    _passed(what)


def _until(ready: Callable[[], bool], limit: float, what: str) -> None:
    end = time.monotonic() + limit
    while not ready():
        if time.monotonic() > end:
            raise CheckFailedError(f"not within {limit:.0f} s: {what}")
        time.sleep(_POLL_SECONDS)


def _passed(what: str) -> None:
    print(f"  ok: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
