"""The history in the browser: pages, filter, chart, and the file for a spreadsheet."""

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import go, settled
from tests.e2e.conftest import System

MANY = 60
"""More than a page has."""


@pytest.fixture(scope="module", autouse=True)
def _entries(system: System) -> None:
    """Of johndoe: three of one symbol, and then others that make more than a page."""
    for codes in (["pkn"], ["pkn"], ["pkn"], [f"s{number}.us" for number in range(100, 100 + MANY // 2)]):
        assert system.get(f"/api/v1/quotes?symbols={','.join(codes)}").status_code == 200
    codes = [f"s{number}.us" for number in range(200, 200 + MANY // 2)]
    assert system.get(f"/api/v1/quotes?symbols={','.join(codes)}").status_code == 200


def rows(page: Page) -> list[str]:
    return page.locator("tbody tr .stock a").all_inner_texts()


def test_pages_lead_to_the_oldest_entry_and_back_to_the_newest(john: Page) -> None:
    go(john, "/history")
    newest = rows(john)
    assert newest[0] == f"S{200 + MANY // 2 - 1}.US"
    total = int(re.sub(r"\D", "", john.get_by_role("status").filter(has_text="entries").inner_text()))
    seen = len(newest)
    while john.get_by_role("link", name="Older").count():
        john.get_by_role("link", name="Older").click()
        expect(john.locator("tbody tr .stock a").first).not_to_have_text(newest[0])
        settled(john)
        seen += len(rows(john))
    assert seen == total > MANY
    john.get_by_role("link", name="Newest").click()
    expect(john.locator("tbody tr .stock a").first).to_have_text(newest[0])
    john.go_back()
    expect(john.get_by_role("link", name="Newest")).to_be_visible()


def test_a_filter_shows_one_symbol_and_its_chart(john: Page) -> None:
    go(john, "/history")
    john.get_by_label("Symbol").fill(" PKN ")
    john.keyboard.press("Enter")
    expect(john.get_by_role("status").filter(has_text="3 entries for this filter")).to_be_visible()
    settled(john)
    assert rows(john) == ["PKN"] * 3
    expect(john.get_by_role("figure")).to_contain_text("3 prices on")
    expect(john.locator(".plot canvas")).to_be_visible()
    john.get_by_label("From").fill("2001-01-01")
    john.get_by_label("To", exact=True).fill("2001-12-31")
    john.get_by_role("button", name="Show").click()
    expect(john.get_by_text("Nothing in your history matches.")).to_be_visible()
    john.get_by_role("link", name="Clear").click()
    expect(john.get_by_label("Symbol")).to_have_value("")


def test_days_are_those_of_the_reader_and_the_last_one_counts(john: Page) -> None:
    today = john.evaluate("new Date().toLocaleDateString('sv')")
    go(john, f"/history?symbol=pkn&from={today}&to={today}")
    assert rows(john) == ["PKN"] * 3


def test_a_filter_that_the_service_refuses_is_explained(john: Page) -> None:
    go(john, "/history?symbol=no%20symbol")
    expect(john.get_by_role("alert").first).to_contain_text("Give symbol at most once: a stock symbol")
    expect(john.get_by_role("button", name="Try again")).to_have_count(0)  # it would be refused again


def test_the_file_has_what_the_filter_chooses(john: Page, tmp_path: Path) -> None:
    go(john, "/history?symbol=pkn")
    with john.expect_download() as started:
        john.get_by_role("button", name="Download CSV").click()
    assert started.value.suggested_filename == "history-pkn.csv"
    started.value.save_as(tmp_path / "history.csv")
    entries = list(csv.DictReader((tmp_path / "history.csv").read_text(encoding="utf-8").splitlines()))
    assert [(entry["symbol"], entry["close"]) for entry in entries] == [("PKN", "149.99")] * 3
