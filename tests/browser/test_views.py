"""Every view for everybody: what axe finds, in light, in dark and on a phone; how much is loaded, and how soon."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import DESKTOP, go, look_up, settled
from tests.e2e.conftest import System

PHONE = {"width": 360, "height": 740}
MOST_BYTES = 300_000
FIRST_PAINT_MS = 1000
ADDRESSES = ("/history", "/history?symbol=aapl.us", "/admin/stats", "/admin/users", "/admin/providers", "/admin/audit")


@pytest.fixture(scope="module", autouse=True)
def _entries(system: System) -> None:
    for _ in range(2):
        system.get("/api/v1/quotes?symbols=aapl.us,s1.us", user="admin")


def quotes_view(page: Page) -> None:
    look_up(page, "aapl.us, nosuch.us")
    expect(page.get_by_role("article", name="NOSUCH.US")).to_be_visible()


def error_view(page: Page) -> None:
    look_up(page, "what?is/this")
    expect(page.get_by_role("alert")).to_be_visible()


def dialog_view(page: Page) -> None:
    go(page, "/admin/users")
    page.get_by_text("Add a user").click()
    page.get_by_role("button", name="Change johndoe").click()


def at(address: str) -> Callable[[Page], None]:
    return lambda page: go(page, address)


VIEWS = [quotes_view, error_view, dialog_view, *map(at, ADDRESSES)]
NAMES = ["quotes", "error", "dialog", *ADDRESSES]


@pytest.mark.parametrize("show", VIEWS, ids=NAMES)
def test_a_view_is_for_everybody(admin: Page, axe: str, show: Callable[[Page], None]) -> None:
    show(admin)
    settled(admin)
    look_at(admin, axe)
    admin.keyboard.press("Escape")


def test_the_log_in_is_for_everybody(context: BrowserContext, axe: str) -> None:
    page = context.new_page()
    page.goto("/")
    settled(page)
    look_at(page, axe)


def look_at(page: Page, axe: str) -> None:
    """In light and dark on a desk, in dark on a phone; nothing is wider than that."""
    page.evaluate(f"{axe}; 0")
    for size, scheme in ((DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "dark")):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        assert violations(page) == [], (size, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def violations(page: Page) -> list[Any]:
    """Of every rule that axe has, whatever their impact; what each is about."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [(each["id"], each["impact"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]


def test_a_page_that_lacks_a_part_says_so(context: BrowserContext) -> None:
    page = context.new_page()
    page.route("**/js/table.js", lambda route: route.fulfill(status=503))
    page.goto("/")
    expect(page.get_by_text("A part of this page could not be loaded.")).to_be_visible()


def test_it_is_small_quick_and_asked_for_again_only_when_it_changed(context: BrowserContext) -> None:
    page = context.new_page()
    sizes: list[int] = []
    page.on("response", lambda response: sizes.append(len(response.body())) if response.status == 200 else None)
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status))
    page.goto("/", wait_until="networkidle")
    assert set(statuses) == {200}
    assert 50_000 < sum(sizes) < MOST_BYTES
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert paint < FIRST_PAINT_MS
