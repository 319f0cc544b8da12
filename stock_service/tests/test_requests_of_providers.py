"""What each provider asks for, where, and how often; and that it is sent nowhere else."""

import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service_kit.deadline import Deadline
from stock_contract import Quote
from stock_service.fetch import Fetcher
from stock_service.providers.base import FailureKind, ProviderError, Response
from stock_service.providers.cboe import Cboe, redirect_target
from stock_service.providers.twelvedata import TwelveData
from stock_service.providers.yahoo import Yahoo

CBOE = "https://cdn.cboe.com/api/quotes/MSFT.json"


@pytest.fixture
def sample(samples: Path) -> Callable[[str], bytes]:
    return lambda path: (samples / path).read_bytes()


def first_lines(server: Any) -> list[str]:
    return [head.decode().splitlines()[0] for head in server.heads]


def test_yahoo_asks_for_daily_bars(fetcher: Fetcher, servers: Any, sample: Callable[[str], bytes]) -> None:
    server = servers.answering(servers.reply(sample("yahoo/ok_pence.json")))

    outcomes = Yahoo(server.url, fetcher.fetch).fetch(["TSCO.UK"], Deadline.after(4))

    assert isinstance(outcomes["TSCO.UK"], Quote)
    assert first_lines(server) == ["GET /q/l/TSCO.L?range=5d&interval=1d HTTP/1.1"]


@pytest.mark.parametrize(("symbol", "path"), [("^SPX", "%5EGSPC"), ("EURUSD", "EURUSD%3DX")])
def test_yahoo_codes_are_escaped(fetcher: Fetcher, servers: Any, symbol: str, path: str) -> None:
    server = servers.answering(servers.reply(b"", 401))

    with pytest.raises(ProviderError):
        Yahoo(server.url, fetcher.fetch).fetch([symbol], Deadline.after(4))
    assert first_lines(server) == [f"GET /q/l/{path}?range=5d&interval=1d HTTP/1.1"]


def test_yahoo_has_a_second_host_for_the_second_try() -> None:
    asked: list[Any] = []

    def http(*args: Any, **kwargs: Any) -> Response:
        asked.append((args[0], kwargs["second_url"]))
        return Response(429, b"Too Many Requests")

    with pytest.raises(ProviderError) as caught:
        Yahoo("https://query1.finance.yahoo.com/chart/", http).fetch(["AAPL.US"], Deadline.after(4))

    assert caught.value.kind is FailureKind.RATE_LIMITED
    assert asked == [("https://query1.finance.yahoo.com/chart/AAPL", "https://query2.finance.yahoo.com/chart/AAPL")]


def test_elsewhere_a_429_is_not_tried_again(fetcher: Fetcher, servers: Any) -> None:
    server = servers.answering(servers.reply(b"", 429))

    with pytest.raises(ProviderError):
        Yahoo(server.url, fetcher.fetch).fetch(["AAPL.US"], Deadline.after(4))
    assert len(server.heads) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_the_second_try_goes_to_the_other_host(fetcher: Fetcher, servers: Any, status: int) -> None:
    first, second = servers.answering(servers.reply(b"", status)), servers.answering(servers.reply(b"hello"))

    response = fetcher.fetch(first.url, {}, Deadline.after(4), second_url=second.url)

    assert response.body == b"hello"
    assert (len(first.heads), len(second.heads)) == (1, 1)


def test_there_is_no_third_try(fetcher: Fetcher, servers: Any) -> None:
    first, second = servers.answering(servers.reply(b"", 429)), servers.answering(servers.reply(b"", 429))

    assert fetcher.fetch(first.url, {}, Deadline.after(4), second_url=second.url).status == 429
    assert (len(first.heads), len(second.heads)) == (1, 1)


def test_cboe_follows_a_redirect_to_its_own_host_once(
    fetcher: Fetcher, servers: Any, sample: Callable[[str], bytes]
) -> None:
    server = servers.answering(
        servers.reply(b"", 307, "Location: /elsewhere/MSFT.json\r\n"), servers.reply(sample("cboe/ok_share.json"))
    )

    outcomes = Cboe(server.url, fetcher.fetch).fetch(["MSFT.US"], Deadline.after(4))

    assert isinstance(outcomes["MSFT.US"], Quote)
    assert first_lines(server) == ["GET /q/l/MSFT.json HTTP/1.1", "GET /elsewhere/MSFT.json HTTP/1.1"]


def test_cboe_redirects_do_not_go_on_for_ever(fetcher: Fetcher, servers: Any) -> None:
    server = servers.answering(servers.reply(b"", 307, "Location: /again\r\n"))

    with pytest.raises(ProviderError) as caught:
        Cboe(server.url, fetcher.fetch).fetch(["MSFT.US"], Deadline.after(4))
    assert caught.value.kind is FailureKind.MALFORMED
    assert len(server.heads) == 2


def test_cboe_is_not_followed_to_another_host(fetcher: Fetcher, servers: Any) -> None:
    other = servers.answering(servers.reply(b"secret"))
    server = servers.answering(servers.reply(b"", 307, f"Location: {other.url}\r\n"))

    with pytest.raises(ProviderError) as caught:
        Cboe(server.url, fetcher.fetch).fetch(["MSFT.US"], Deadline.after(4))
    assert (caught.value.kind, other.connections) == (FailureKind.BLOCKED, 0)


@pytest.mark.parametrize(
    "location",
    ["https://cdn-api.cboe.com/api/quotes/MSFT.json", "/other/MSFT.json", "https://cdn.cboe.com/x", "MSFT2.json", ""],
)
def test_where_cboe_may_send_us(location: str) -> None:
    assert redirect_target(Response(307, b"", {"location": location}), CBOE).split("/")[2] in {
        "cdn.cboe.com",
        "cdn-api.cboe.com",
    }


@pytest.mark.parametrize(
    "location",
    [
        "http://cdn-api.cboe.com/api",
        "https://cdn-api.cboe.com.evil.test/",
        "https://cdn-api.cboe.com@evil.test/",
        "https://cdn-api.cboe.com:8443/",
        "//evil.test/x",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://[oops/",
    ],
)
def test_where_it_may_not(location: str) -> None:
    with pytest.raises(ProviderError) as caught:
        redirect_target(Response(307, b"", {"location": location}), CBOE)
    assert caught.value.kind is FailureKind.BLOCKED


@pytest.fixture
def twelvedata(fetcher: Fetcher) -> Callable[[str], TwelveData]:
    return lambda url: TwelveData(url, "canary-key", fetcher.fetch)


def test_twelvedata_asks_for_each_market_once(twelvedata: Callable[[str], TwelveData]) -> None:
    provider = twelvedata("http://x/")

    batches = provider.batches(["AAPL.US", "TSCO.UK", "^SPX", "MSFT.US", "EURUSD", "SAP.DE"])

    assert batches == [["AAPL.US", "MSFT.US", "EURUSD"], ["TSCO.UK"], ["SAP.DE"]]


def test_twelvedata_gets_the_key_in_a_header_only(
    twelvedata: Callable[[str], TwelveData], servers: Any, sample: Callable[[str], bytes]
) -> None:
    server = servers.answering(servers.reply(sample("twelvedata/batch_mixed.json")))

    outcomes = twelvedata(server.url).fetch(["MSFT.US", "EURUSD"], Deadline.after(4))

    assert isinstance(outcomes["MSFT.US"], Quote)
    (head,) = server.heads
    assert b"GET /q/l/quote?symbol=MSFT%2CEUR%2FUSD HTTP/1.1" in head
    assert b"\r\nAuthorization: apikey canary-key\r\n" in head
    assert head.count(b"canary") == 1


def test_twelvedata_names_the_market(twelvedata: Callable[[str], TwelveData], servers: Any) -> None:
    server = servers.answering(servers.reply(json.dumps({"status": "error", "code": 404}).encode(), 404))

    twelvedata(server.url).fetch(["TSCO.UK"], Deadline.after(4))

    assert first_lines(server) == ["GET /q/l/quote?symbol=TSCO&mic_code=XLON HTTP/1.1"]


def test_the_key_shows_nowhere(
    twelvedata: Callable[[str], TwelveData], servers: Any, tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    answers = [
        servers.answering(servers.reply(b'{"status": "error", "code": 401, "message": "canary-key is wrong"}', 401)),
        servers.answering(servers.reply(b"canary-key", 500)),
        servers.answering(servers.reply(b"canary-key", 302, "Location: http://elsewhere.test/\r\n")),
        servers.answering(b"garbage\r\n\r\n"),
        servers.answering(servers.reply(b""), tls=tls),
        servers.resetting(),
    ]
    told = [repr(twelvedata("http://x/"))]
    for server in answers:
        try:
            told.append(repr(twelvedata(server.url).fetch(["MSFT.US"], Deadline.after(4))))
        except ProviderError as error:
            told += [repr(error), error.detail, str(error.__cause__), str(error.__context__)]

    assert "canary" not in " ".join(told)
    assert "canary" not in str([record.__dict__ for record in caplog.records])


def test_a_redirect_of_cboes_belongs_to_its_try_and_is_not_repeated(fetcher: Fetcher, servers: Any) -> None:
    unavailable = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    server = servers.answering(servers.reply(b"", 307, "Location: /elsewhere/MSFT.json\r\n"), unavailable)

    with pytest.raises(ProviderError):
        Cboe(server.url, fetcher.fetch).fetch(["MSFT.US"], Deadline.after(4))

    assert len(server.heads) == 2
