"""The page about the API: it describes every call, and makes one with a token."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import System


@pytest.fixture
def page(context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto("/docs")
    return page


def test_a_call_is_made_with_a_token(page: Page, system: System) -> None:
    page.get_by_role("button", name="Authorize").click()
    bearer = page.locator(".auth-container").filter(has_text="bearer").first
    bearer.get_by_role("textbox").fill(system.token("johndoe"))
    bearer.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").last.click()
    call = page.locator(".opblock").filter(has_text="/api/v1/users/me").filter(has_text="GET")
    call.locator(".opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table")).to_contain_text('"username": "johndoe"')


def test_the_way_back_leads_to_the_console(page: Page) -> None:
    expect(page.locator(".opblock").first).to_be_visible()
    page.get_by_role("link", name="Stock quotes", exact=True).click()
    expect(page.get_by_label("Password")).to_be_visible()
