"""What each of stooq's answers is taken for."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from service_kit.deadline import Deadline
from stock_contract import Quote
from stock_service.providers.base import FailureKind, ProviderError, Response
from stock_service.providers.rows import WARSAW
from stock_service.providers.stooq import Stooq, parse, query

NOW = datetime(2021, 11, 12, 21, 15, tzinfo=UTC)
HEADER = "Symbol,Date,Time,Open,High,Low,Close,Volume,Name\r\n"
ROW = ["AAPL.US", "2021-11-12", "22:00:10", "148.43", "150.4", "147.48", "149.99", "63804008", "APPLE"]


def parse_one(response: Response, symbol: str, now: datetime) -> Quote:
    outcome = parse(response, [symbol], now)[symbol]
    if isinstance(outcome, ProviderError):
        raise outcome
    return outcome


def parse_text(text: str | bytes, symbol: str = "aapl.us", status: int = 200) -> Quote:
    body = text.encode() if isinstance(text, str) else text
    return parse_one(Response(status, body), symbol, NOW)


def parse_row(**changes: str) -> Quote:
    columns = HEADER.strip().lower().split(",")
    row = [changes.get(column, value) for column, value in zip(columns, ROW, strict=True)]
    return parse_text(f"{HEADER}{','.join(row)}\r\n")


def error_of(text: str | bytes, symbol: str = "aapl.us", status: int = 200) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        parse_text(text, symbol, status)
    return caught.value


def test_a_good_row_is_read_exactly(samples: Path, quote: Quote) -> None:
    assert parse_text((samples / "stooq/ok_aapl.csv").read_bytes()) == quote


@pytest.mark.parametrize(
    ("file", "symbol", "close", "volume", "name", "as_of"),
    [
        ("ok_summer_time_gap", "aapl.us", "165.38", 95752860, "APPLE", datetime(2022, 3, 21, 20, 0, 6, tzinfo=UTC)),
        ("ok_integer_price", "ACU.us", "40.01", 5437, "ACME UNITED", datetime(2024, 5, 16, 17, 36, 32, tzinfo=UTC)),
        ("ok_no_name_column", "^spx", "6941.81", 3518487068, "^SPX", datetime(2026, 2, 10, 22, tzinfo=UTC)),
        ("ok_empty_volume", "^ukx", "8123.45", None, "UKX100", datetime(2026, 4, 21, 7, 58, 57, tzinfo=UTC)),
        ("ok_polish_header", "pkn", "86.91", 1634376, "PKN", datetime(2025, 7, 21, 15, 4, 53, tzinfo=UTC)),
        ("ok_polish_without_volume", "wig", "59406.36", None, "WIG", datetime(2017, 4, 6, 15, 15, tzinfo=UTC)),
        ("ok_extra_column", "spy.us", "745.64", 41762006, "SPY.US", datetime(2026, 5, 22, 20, 0, 21, tzinfo=UTC)),
    ],
)
def test_every_form_of_a_good_row_is_read(
    samples: Path, file: str, symbol: str, close: str, volume: int | None, name: str, as_of: datetime
) -> None:
    quote = parse_text((samples / f"stooq/{file}.csv").read_bytes(), symbol)

    assert (quote.symbol, quote.close, quote.volume) == (symbol.upper(), Decimal(close), volume)
    assert (quote.name, quote.as_of, quote.as_of.tzinfo) == (name, as_of, UTC)
    assert (quote.source, quote.currency, quote.fetched_at, quote.stale) == ("stooq", None, NOW, False)


@pytest.mark.parametrize(
    ("file", "symbol"),
    [("unknown.csv", "toxi.ds"), ("unknown_nameless.csv", "zzzz.us"), ("unknown_polish.csv", "dummystock")],
)
def test_a_row_of_no_data_means_unknown_symbol(samples: Path, file: str, symbol: str) -> None:
    assert error_of((samples / "stooq" / file).read_bytes(), symbol).kind is FailureKind.NOT_FOUND


@pytest.mark.parametrize("kind", [FailureKind.MALFORMED, FailureKind.BLOCKED, FailureKind.UNAUTHORISED])
def test_each_other_answer_is_a_failure_of_its_kind(samples: Path, kind: FailureKind) -> None:
    files = sorted((samples / "stooq").glob(f"{kind}*"))

    assert files
    for file in files:
        error = error_of(file.read_bytes())
        assert (file.name, error.kind, error.retry_after) == (file.name, kind, None)


def test_the_daily_limit_lasts_until_midnight_in_warsaw(samples: Path) -> None:
    files = sorted((samples / "stooq").glob("rate_limited*"))

    assert len(files) == 3
    for file in files:
        error = error_of(file.read_bytes())  # at 22:15 in Warsaw
        assert (file.name, error.kind, error.retry_after) == (file.name, FailureKind.RATE_LIMITED, 105 * 60)


def test_the_limit_is_counted_in_real_hours_when_clocks_change() -> None:
    body = Response(200, b"Exceeded the daily hits limit!\n")
    with pytest.raises(ProviderError) as spring:
        parse_one(body, "aapl.us", datetime(2026, 3, 28, 23, 30, tzinfo=UTC))  # 00:30 on the day of 23 hours
    with pytest.raises(ProviderError) as autumn:
        parse_one(body, "aapl.us", datetime(2026, 10, 25, 1, 30, tzinfo=WARSAW))  # on the day of 25 hours

    assert spring.value.retry_after == 22 * 3600 + 1800
    assert autumn.value.retry_after == 23 * 3600 + 1800


def test_the_limit_is_told_as_a_day_at_most() -> None:
    with pytest.raises(ProviderError) as caught:
        parse_one(Response(200, b"Exceeded the daily hits limit"), "aapl.us", datetime(2026, 10, 24, 22, tzinfo=UTC))

    assert caught.value.retry_after == 24 * 3600, "there are 25 hours until midnight, but the contract takes no more"


def test_404_means_that_stooq_is_out_and_never_that_the_symbol_is_unknown() -> None:
    assert error_of("<html>The page you requested does not exist or has been moved", status=404).kind == "retired"
    assert error_of(HEADER + "AAPL.US" + ",N/D" * 8 + "\r\n", status=404).kind == "retired"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, FailureKind.MALFORMED),
        (401, FailureKind.UNAUTHORISED),
        (402, FailureKind.PLAN),
        (403, FailureKind.BLOCKED),
        (418, FailureKind.MALFORMED),
        (429, FailureKind.RATE_LIMITED),
        (503, FailureKind.UNREACHABLE),
    ],
)
def test_another_status_is_a_failure_even_with_a_good_row(status: int, kind: FailureKind) -> None:
    assert error_of(HEADER + ",".join(ROW) + "\r\n", status=status).kind is kind


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), (" 0 ", 0), ("21600000", 86_400), ("9" * 5000, None), ("-5", None), ("²", None), ("soon", None)],
)
def test_retry_after_of_a_429_is_kept_within_a_day(text: str, seconds: int | None) -> None:
    with pytest.raises(ProviderError) as caught:
        parse_one(Response(429, b"", {"retry-after": text}), "aapl.us", NOW)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    "changes",
    [{column: bad} for column in ("open", "high", "low", "close") for bad in ("nan", "1e999", "0")]
    + [
        {"close": bad}
        for bad in (
            "",
            "inf",
            "-1",
            "+1",
            "1e5",
            "1_000",
            "1,5",
            "1.",
            ".5",
            " 1",
            "٣",
            "0.00",
            "0x1",
            "1" * 13,
            "N/D",
        )
    ]
    + [{"volume": bad} for bad in ("-1", "1.5", "1e5", "N/D", "B/D", "9" * 19, "٣")]
    + [{"date": bad} for bad in ("2026-02-30", "2026-13-01", "20261112", "2026-1-2", "2026-W01-1", "", "0000-00-00")]
    + [{"time": bad} for bad in ("24:00:00", "22:00:60", "220010", "22:00", "", "22:00:10+02:00")]
    + [{"date": "0001-01-01", "time": "00:00:00"}]
    + [{"symbol": bad} for bad in ("MSFT.US", "", "AAPL", "N/D")],
)
def test_a_field_that_is_not_what_it_should_be_is_malformed(changes: dict[str, str]) -> None:
    with pytest.raises(ProviderError) as caught:
        parse_row(**changes)
    assert caught.value.kind is FailureKind.MALFORMED


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "AAPL.US"),
        (" \t ", "AAPL.US"),
        ("N/D", "AAPL.US"),
        ("A\x00P\x1bP\x7fLE", "A P P LE"),
        ("APPLE\u202e\u2028INC\u00a0CO", "APPLE INC CO"),
        ('"APPLE, ""INC"""', 'APPLE, "INC"'),
        ("A" * 300, "A" * 200),
        ("A" * 199 + " B", "A" * 199),
    ],
)
def test_names_are_cleaned(text: str, name: str) -> None:
    assert parse_row(name=text).name == name


def test_a_byte_order_mark_and_a_missing_last_line_end_do_no_harm() -> None:
    assert parse_text("\ufeff" + HEADER + ",".join(ROW)).close == Decimal("149.99")


def test_blank_lines_do_no_harm() -> None:
    assert parse_text(f"{HEADER}\r\n{','.join(ROW)}\r\n\r\n").close == Decimal("149.99")


@pytest.mark.parametrize("missing", ["Date", "Time", "Open", "High", "Low", "Close"])
def test_a_missing_column_is_malformed(missing: str) -> None:
    titles, row = HEADER.strip().split(","), ROW.copy()
    del row[titles.index(missing)]
    titles.remove(missing)

    assert error_of(f"{','.join(titles)}\r\n{','.join(row)}\r\n").detail == "wrong columns"


def test_repeated_columns_are_malformed() -> None:
    assert error_of(f"{HEADER.strip()},Close\r\n{','.join(ROW)},1\r\n").kind is FailureKind.MALFORMED


def test_what_an_unknown_answer_says_is_kept_short_and_printable_for_the_log() -> None:
    detail = error_of("Ouch\r\n\x1b[31m" + "é" * 500).detail

    assert detail.startswith("unknown answer: Ouch???[31m??")
    assert detail.isascii()
    assert detail.isprintable()
    assert len(detail) < 100


def test_the_code_is_sent_in_lower_case_and_escaped() -> None:
    assert query(["BRK-B.US"]) == "s=brk-b.us&f=sd2t2ohlcvn&h&e=csv"
    assert query(["^SPX"]) == "s=%5Espx&f=sd2t2ohlcvn&h&e=csv"
    assert query(["EURUSD=X"]) == "s=eurusd%3Dx&f=sd2t2ohlcvn&h&e=csv"


def test_several_codes_are_joined_by_a_bare_plus() -> None:
    assert query(["AAPL.US", "^SPX"]) == "s=aapl.us+%5Espx&f=sd2t2ohlcvn&h&e=csv"


def test_a_batch_is_read_row_by_row(samples: Path) -> None:
    body = (samples / "stooq/batch_mixed.csv").read_bytes()

    outcomes = parse(Response(200, body), ["MSFT.US", "AAPL.US", "NOSUCH.US", "PART.US", "GONE.US"], NOW)

    kinds = {symbol: getattr(outcome, "kind", None) for symbol, outcome in outcomes.items()}
    assert kinds == {
        "MSFT.US": None,
        "AAPL.US": None,
        "NOSUCH.US": FailureKind.NOT_FOUND,
        "PART.US": FailureKind.MALFORMED,
        "GONE.US": FailureKind.MALFORMED,
    }
    assert getattr(outcomes["AAPL.US"], "close", None) == Decimal("149.99")


@pytest.mark.parametrize("asked", [["AAPL.US", "MSFT.US"], ["AAPL.US"]])
def test_rows_that_were_not_asked_for_spoil_the_answer(samples: Path, asked: list[str]) -> None:
    with pytest.raises(ProviderError, match="not asked for"):
        parse(Response(200, (samples / "stooq/batch_mixed.csv").read_bytes()), asked, NOW)


def test_fifty_codes_go_into_a_request() -> None:
    symbols = [f"S{number}" for number in range(120)]

    batches = Stooq("http://x/", no_network).batches(symbols)

    assert [len(batch) for batch in batches] == [50, 50, 20]
    assert [symbol for batch in batches for symbol in batch] == symbols


def no_network(*_: object, **__: object) -> Response:
    raise AssertionError("asked")


def test_fetch_asks_the_address_once_and_passes_the_deadline_on(quote: Quote) -> None:
    asked = []

    def http(url: str, params: str, deadline: Deadline) -> Response:
        asked.append((url, params, deadline))
        return Response(200, (HEADER + ",".join(ROW)).encode())

    deadline = Deadline.after(1)
    found = Stooq("https://example.test/q/l/", http).fetch(["AAPL.US"], deadline)["AAPL.US"]

    assert asked == [("https://example.test/q/l/", "s=aapl.us&f=sd2t2ohlcvn&h&e=csv", deadline)]
    assert found.close == quote.close
    assert (datetime.now(UTC) - found.fetched_at).total_seconds() < 5
