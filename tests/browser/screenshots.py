"""`make screenshots`: the pictures of the console in docs/images, of the real services with invented prices."""

import math
import random
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from api_service import history
from api_service.app import create_app
from api_service.settings import load
from scripts.debian_packages import MissingProgramError, ensure_program
from stock_contract import Quote
from tests.browser.chart_stand_in import COMPANIES, ChartStandIn
from tests.browser.conftest import DESKTOP, go, log_in, look_up, settled
from tests.e2e.conftest import System, running_system

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
PHONE = {"width": 360, "height": 780}
DAYS = 45
ADMIN = 1
LOOKED_UP = {
    "AAPL": ("aapl.us", 9),
    "SPY": ("spy.us", 6),
    "NVDA": ("nvda.us", 5),
    "MSFT": ("msft.us", 4),
    "OTP.BD": ("otp.hu", 3),
}
"""What is in the history: the stand-in's code, ours, and how often in each week."""


def main() -> int:
    try:
        ensure_program("chromium", "chromium", print)
    except MissingProgramError as error:
        print(error)
        return 1
    IMAGES.mkdir(exist_ok=True)
    with _system() as system, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--lang=en-GB"], env={"LANGUAGE": "en_GB", "LANG": "en_GB"}
        )
        context = browser.new_context(
            base_url=system.url(""),
            viewport=DESKTOP,
            locale="en-GB",
            timezone_id="Europe/London",
            reduced_motion="reduce",
        )
        _take_all(context.new_page())
        browser.close()
    return 0


@contextmanager
def _system() -> Iterator[System]:
    directory = Path(tempfile.mkdtemp(prefix="stock-quotes-pictures-"))
    providers = {"QUOTE_PROVIDERS": "yahoo,recorded"}
    try:
        with (
            closing(ChartStandIn()) as charts,
            running_system("http", directory, "", None, YAHOO_URL=charts.url, **providers) as system,
        ):
            _fill_history(system)
            _add_users(system)
            yield system
    finally:
        shutil.rmtree(directory)


def _fill_history(system: System) -> None:
    """Weeks of look-ups, saved as the service saves them."""
    dice = random.Random(7)
    app = create_app(load(system.environment))
    now = datetime.now(UTC)
    with app.app_context():
        moments = sorted(
            (now - timedelta(hours=24 * DAYS * dice.random() + 1), key)
            for key, (_, weekly) in LOOKED_UP.items()
            for _ in range(weekly * DAYS // 7)
        )
        for moment, key in moments:
            history.save_quotes(ADMIN, secrets.token_hex(8), moment, [_quote_at(key, moment, now)])


def _quote_at(key: str, moment: datetime, now: datetime) -> Quote:
    """A price that wanders to what the stand-in says now."""
    company = COMPANIES[key]
    days = (now - moment).total_seconds() / 86_400
    factor = 1 + 0.035 * math.sin(days / 4.3) - 0.0016 * days + 0.008 * math.sin(days * 2.1)
    open_, high, low, close = (
        Decimal(f"{value * factor:.2f}") for value in (company.open, company.high, company.low, company.close)
    )
    return Quote(
        symbol=LOOKED_UP[key][0].upper(),
        name=company.name,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=company.volume,
        currency=company.currency,
        source="yahoo",
        as_of=moment,
        fetched_at=moment,
    )


def _add_users(system: System) -> None:
    for name, role in (("maria.lindgren", "USER"), ("t.okafor", "USER"), ("helpdesk", "ADMIN")):
        body = {"username": name, "password": secrets.token_hex(16), "role": role}
        assert system.post("/api/v1/users", system.token("admin"), json=body).status_code == 201


def _take_all(page: Page) -> None:
    page.goto("/")
    settled(page)
    log_in(page, "admin")
    look_up(page, "aapl.us, msft.us, ^spx, otp.hu, pkn, nosuch.us")
    expect(page.get_by_role("article")).to_have_count(6)
    settled(page)
    _take(page, "quotes-1280")
    _take(page, "quotes-1280-dark", dark=True)
    _take(page, "quotes-360", phone=True)
    go(page, "/history?symbol=aapl.us")
    _take(page, "history-1280")
    _take(page, "history-360-dark", phone=True, dark=True)
    go(page, "/admin/stats")
    _take(page, "admin-1280")
    go(page, "/admin/users")
    _take(page, "users-1280")


def _take(page: Page, name: str, *, phone: bool = False, dark: bool = False) -> None:
    page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
    page.set_viewport_size(PHONE if phone else DESKTOP)  # type: ignore[arg-type]
    page.mouse.move(0, 0)
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(300)  # a chart is drawn anew after the size has changed, and says so to nobody
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled", caret="hide")


if __name__ == "__main__":
    sys.exit(main())
