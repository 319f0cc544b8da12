"""What super users see and do, and what others are told."""

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import go, log_in
from tests.e2e.conftest import System

PASSWORD = "canary horse battery"


def row_of(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("cell", name=name, exact=True))


def test_who_is_no_super_user_is_told_so(john: Page) -> None:
    expect(john.get_by_role("navigation", name="Pages").get_by_role("link")).to_have_text(["Quotes", "History"])
    for address in ("/admin", "/admin/users", "/admin/audit"):
        go(john, address)
        expect(john.get_by_role("heading", level=1)).to_have_text("For super users only")
        expect(john.get_by_text("You are logged in as johndoe, who is not a super user.")).to_be_visible()
    go(john, "/nowhere/at/all")
    expect(john.get_by_role("heading", name="Not found")).to_be_visible()


def test_the_most_requested_stocks(admin: Page, system: System) -> None:
    system.get("/api/v1/quotes?symbols=" + ",".join(["spy.us"] * 9 + ["s1.us"] * 8))
    go(admin, "/admin/stats?limit=5")
    expect(row_of(admin, "SPY.US")).to_contain_text("9")
    admin.get_by_label("From").fill("2001-01-01")
    admin.get_by_label("To", exact=True).fill("2001-12-31")
    admin.get_by_role("button", name="Show").click()
    expect(admin.get_by_text("Nothing was asked for in this time.")).to_be_visible()


@pytest.mark.timeout(60)
def test_an_account_is_added_changed_and_ended(admin: Page, context: BrowserContext) -> None:
    go(admin, "/admin/users")
    admin.get_by_text("Add a user").click()
    admin.get_by_label("User name").fill("newcomer")
    admin.get_by_label("Password").fill("short")
    admin.get_by_role("button", name="Add").click()
    expect(admin.get_by_role("alert")).to_contain_text("12")
    admin.get_by_label("Password").fill(PASSWORD)
    admin.get_by_role("button", name="Add").click()
    expect(row_of(admin, "newcomer")).to_contain_text("active")
    page = log_in(context.new_page(), "newcomer", PASSWORD)
    change(admin, "newcomer", Role="Super user")
    expect(row_of(admin, "newcomer")).to_contain_text("super user")
    go(page, "/history")
    expect(page.get_by_text("Your session has ended. Log in again.")).to_be_visible()  # so does a change of role
    change(admin, "newcomer", State="Not active: cannot log in")
    expect(row_of(admin, "newcomer")).to_contain_text("not active")


def test_the_last_super_user_stays(admin: Page) -> None:
    go(admin, "/admin/users")
    admin.get_by_role("button", name="Change admin").click()
    dialog = admin.get_by_role("dialog", name="Change admin")
    dialog.get_by_label("Role").select_option("User")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("This is the last active super user.")
    admin.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(admin.get_by_role("button", name="Change admin")).to_be_focused()


def test_the_providers_and_the_audit_log(admin: Page) -> None:
    go(admin, "/admin/providers")
    expect(row_of(admin, "stooq")).to_contain_text("asked")
    go(admin, "/admin/audit")
    expect(admin.get_by_role("cell", name="admin_read").first).to_be_visible()
    admin.get_by_label("Event").fill("no_such_event")
    admin.keyboard.press("Enter")
    expect(admin.get_by_role("alert")).to_contain_text("Give event at most once: one of")


def change(page: Page, name: str, **choices: str) -> None:
    page.get_by_role("button", name=f"Change {name}").click()
    dialog = page.get_by_role("dialog", name=f"Change {name}")
    for label, choice in choices.items():
        dialog.get_by_label(label).select_option(choice)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
