"""A local HTTP server that stands in for Yahoo's charts, with a few companies for the pictures."""

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

_NOT_FOUND = {"chart": {"result": None, "error": {"code": "Not Found", "description": "No data found"}}}


@dataclass(frozen=True)
class Company:
    name: str
    currency: str
    open: float
    low: float
    high: float
    close: float
    volume: int


COMPANIES = {
    "AAPL": Company("Apple Inc.", "USD", 252.62, 249.0, 254.94, 249.94, 40_117_655),
    "MSFT": Company("Microsoft Corporation", "USD", 518.3, 516.02, 527.48, 525.61, 21_508_310),
    "NVDA": Company("NVIDIA Corporation", "USD", 186.1, 184.75, 192.2, 191.37, 164_223_900),
    "SPY": Company("SPDR S&P 500 ETF Trust", "USD", 684.2, 682.9, 688.15, 687.4, 61_204_118),
    "OTP.BD": Company("OTP Bank Nyrt.", "HUF", 33_150, 32_800, 33_420, 32_960, 214_556),
    "PKN.WA": Company("ORLEN S.A.", "PLN", 92.4, 91.18, 93.7, 93.02, 1_804_233),
}


class ChartStandIn:
    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code = unquote(urlsplit(self.path).path.removeprefix("/"))
        known = COMPANIES.get(code)
        if code.startswith("^"):  # an outage, so that the next provider is asked
            return self._answer(500, {})
        return self._answer(200, _chart(code, known)) if known else self._answer(404, _NOT_FOUND)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing: pictures are all that is wanted."""


def _chart(code: str, company: Company) -> dict[str, Any]:
    now = int(time.time()) - 900
    meta = {
        "symbol": code,
        "longName": company.name,
        "currency": company.currency,
        "regularMarketTime": now,
        "gmtoffset": 0,
        "regularMarketPrice": company.close,
        "regularMarketDayHigh": company.high,
        "regularMarketDayLow": company.low,
        "regularMarketVolume": company.volume,
        "dataGranularity": "1d",
        "range": "5d",
    }
    bars = {"open": [company.open], "high": [company.high], "low": [company.low], "close": [company.close]}
    result = {"meta": meta, "timestamp": [now], "indicators": {"quote": [bars]}}
    return {"chart": {"result": [result], "error": None}}
