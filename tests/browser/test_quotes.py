"""Looking quotes up, and what a reader is told when there is none."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import look_up, settled
from tests.e2e.conftest import System
from tests.stand_ins import StooqStandIn, row
from tests.waiting import eventually


def test_several_symbols_are_answered_each_by_its_card(john: Page) -> None:
    look_up(john, "aapl.us s250.us, nosuch.us")
    apple = john.get_by_role("article", name="AAPL.US")
    expect(apple).to_contain_text("149.99")
    expect(apple).to_contain_text("+1.56 (+1.05 %) since the open")
    expect(apple).to_contain_text("stooq")
    expect(apple.get_by_role("img")).to_have_accessible_name(
        "Range of the day: from 1.50 to 149.99; opened at 148.43, now 149.99"
    )
    expect(apple.get_by_role("time")).to_have_attribute("datetime", "2021-11-12T21:00:10Z")
    expect(john.get_by_role("article", name="S250.US")).to_contain_text("250.50")
    missing = john.get_by_role("article", name="NOSUCH.US")
    expect(missing).to_contain_text("No provider knows this symbol. Check the code")
    expect(john.locator("#spoken")).to_have_text("2 quotes found, 1 not.")


def test_what_was_looked_up_before_is_one_click_or_a_few_letters_away(john: Page) -> None:
    look_up(john, "s31.us")
    john.get_by_role("group", name="Symbols you looked up before").get_by_role("button", name="s31.us").click()
    expect(john.get_by_role("article", name="S31.US")).to_contain_text("31.50")
    john.get_by_label("Symbols", exact=True).fill("aapl.us, s")
    expect(john.locator("#symbols-known option[value='aapl.us, s31.us']")).to_be_attached()


def test_a_name_is_text_whatever_is_in_it(john: Page, stooq: StooqStandIn) -> None:
    name = "<img src=x onerror=alert(1)>"
    stooq.answers["s32.us"] = row("s32.us", "32.5", name)
    look_up(john, "s32.us")
    expect(john.get_by_role("article", name="S32.US")).to_contain_text(name)


def test_waiting_shows(john: Page, stooq: StooqStandIn) -> None:
    stooq.hold()
    look_up(john, "s33.us")
    expect(john.locator(".cards[aria-busy] .skeleton")).to_be_visible()
    stooq.release()
    expect(john.get_by_role("article", name="S33.US")).to_be_visible()
    expect(john.locator("[aria-busy]")).to_have_count(0)


def test_a_provider_that_fails_is_told_from_an_unknown_symbol_and_asked_again_on_a_click(
    john: Page, stooq: StooqStandIn
) -> None:
    stooq.answer_for_all = (500, b"")
    look_up(john, "s34.us")
    failed = john.get_by_role("article", name="S34.US")
    expect(failed).to_contain_text("The quote providers cannot be reached. This is not about your symbol.")
    stooq.reset()
    failed.get_by_role("button", name="Try again").click()
    expect(john.get_by_role("article", name="S34.US")).to_contain_text("34.50")


def test_a_last_quote_is_marked_stale(john: Page, stooq: StooqStandIn) -> None:
    card = john.get_by_role("article", name="S35.US")
    look_up(john, "s35.us")
    expect(card).to_be_visible()
    stooq.answer_for_all = (500, b"")

    def is_stale() -> bool:
        look_up(john, "s35.us")
        settled(john)
        return card.get_by_text("stale").count() == 1

    eventually(is_stale)  # the cache of a second has no other sign of its end


def test_a_stock_service_that_is_away_is_told_so_and_asked_again_with_the_same_key(john: Page, system: System) -> None:
    keys: list[str] = []
    john.on("request", lambda request: keys.append(request.headers.get("idempotency-key", "")))
    assert system._stock
    system._stock.kill()
    look_up(john, "s36.us")
    expect(john.get_by_role("alert")).to_contain_text("The stock service is not running. Try again in a moment.")
    system.start_stock()
    john.get_by_role("button", name="Try again").click()
    expect(john.get_by_role("article", name="S36.US")).to_be_visible()
    used = [key for key in keys if key]
    assert len(used) == 2
    assert len(set(used)) == 1


def test_without_a_network_the_page_says_so(john: Page) -> None:
    john.context.set_offline(True)
    look_up(john, "s37.us")
    expect(john.get_by_role("alert")).to_contain_text("The service cannot be reached. Check your connection")
    john.context.set_offline(False)
    john.get_by_role("button", name="Try again").click()
    expect(john.get_by_role("article", name="S37.US")).to_be_visible()


def test_too_many_requests_say_how_long_to_wait(john: Page) -> None:
    problem = '{"type": "/problems/rate-limited", "title": "Too many requests", "status": 429}'
    answer = {
        "status": 429,
        "body": problem,
        "headers": {"Retry-After": "42"},
        "content_type": "application/problem+json",
    }
    john.route(re.compile("/api/v1/quotes"), lambda route: route.fulfill(**answer), times=1)  # type: ignore[arg-type]
    look_up(john, "s38.us")
    expect(john.get_by_role("alert")).to_contain_text("Wait, then try again. It will take about 42 seconds.")
