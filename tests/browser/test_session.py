"""Logging in and out, in one tab and in several, and sessions that end."""

import re
import time

import jwt
import requests
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import go, log_in, look_up, settled
from tests.e2e.conftest import System


def test_the_first_quote_takes_a_name_a_password_and_a_symbol(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type("johndoe")
    page.keyboard.press("Tab")
    page.keyboard.type("not-it-canary")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("That name and password do not match")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("john")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Symbols", exact=True)).to_be_focused()
    page.keyboard.type("aapl.us")
    page.keyboard.press("Enter")
    expect(page.get_by_role("article", name="AAPL.US")).to_contain_text("149.99")


def test_a_reload_and_another_tab_need_no_log_in_and_a_log_out_ends_all_tabs(context: BrowserContext) -> None:
    first, second = context.new_page(), context.new_page()
    first.goto("/")
    second.goto("/")
    expect(second.get_by_label("Password")).to_be_visible()
    log_in(first, "johndoe")
    expect(second.get_by_role("heading", name="Quotes")).to_be_visible()
    refresh = "**/api/v1/session/refresh"
    with first.expect_response(refresh), second.expect_response(refresh):
        for page in (first, second):  # both use the cookie, which works once: they take turns
            page.evaluate("setTimeout(() => location.reload())")
    for page in (first, second):
        expect(page.get_by_role("heading", name="Quotes")).to_be_visible()
    first.get_by_role("button", name="Log out").click()
    expect(first.get_by_role("status").filter(has_text="You are logged out.")).to_be_visible()
    expect(second.get_by_role("status").filter(has_text="You logged out in another tab.")).to_be_visible()
    first.reload()
    expect(first.get_by_label("Password")).to_be_visible()
    assert [cookie["name"] for cookie in context.cookies()] == []


def test_a_token_that_expires_is_renewed_without_a_word(context: BrowserContext, system: System) -> None:
    page = log_in(context.new_page(), "johndoe")
    statuses = statuses_of(page)
    page.route(re.compile("/api/v1/quotes"), lambda route: send_expired(route, system), times=1)
    look_up(page, "s7.us")
    expect(page.get_by_role("article", name="S7.US")).to_contain_text("7.50")
    assert statuses == [("/api/v1/quotes", 401), ("/api/v1/session/refresh", 200), ("/api/v1/quotes", 200)]


def test_a_session_that_was_ended_asks_for_a_log_in(context: BrowserContext, system: System) -> None:
    page = log_in(context.new_page(), "johndoe")
    with page.expect_request(re.compile("/api/v1/users/history")) as asked:
        go(page, "/history")
    token = asked.value.headers["authorization"]
    url = system.url("/api/v1/logout")
    assert requests.post(url, headers={"Authorization": token}, timeout=9).status_code == 204
    go(page, "/history?symbol=aapl.us")
    expect(page.get_by_role("status").filter(has_text="Your session has ended. Log in again.")).to_be_visible()
    page.get_by_label("User name").fill("johndoe")
    page.get_by_label("Password").fill("john")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="History")).to_be_visible()  # where the user wanted to go
    settled(page)


def send_expired(route: Route, system: System) -> None:
    """Let a request go with the token that it would have an hour later."""
    token = route.request.headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    claims |= {"iat": claims["iat"] - 4000, "nbf": claims["nbf"] - 4000, "exp": int(time.time()) - 60}
    old = jwt.encode(claims, system.environment["SECRET_KEY"], "HS256", headers=jwt.get_unverified_header(token))
    route.continue_(headers={**route.request.headers, "authorization": f"Bearer {old}"})


def statuses_of(page: Page) -> list[tuple[str, int]]:
    """What the calls from now on are answered with, without those for suggestions."""
    found: list[tuple[str, int]] = []

    def note(url: str, status: int) -> None:
        path = re.sub(r"^https?://[^/]+|\?.*", "", url)
        if path.startswith("/api/") and path != "/api/v1/users/history":
            found.append((path, status))

    page.on("response", lambda response: note(response.url, response.status))
    return found
