"""A real browser before the real pair of services; every page in it is watched for what a reader would not see."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.e2e.conftest import System, running_system
from tests.stand_ins import StooqStandIn

PASSWORDS = {"admin": "admin", "johndoe": "john"}
DESKTOP = {"width": 1280, "height": 800}
_REFUSED = "Failed to load resource: "
"""What Chromium writes to the console of every answer that is an error, also of one that the page expects."""

_GO = """address => new Promise((done) => {
  let changes = 0;
  addEventListener("hashchange", () => { changes += 1; if (changes === 2) done(); });
  location.hash = "#/nowhere";
  location.hash = address;
})"""

expect.set_options(timeout=10_000)


@dataclass
class Watch:
    """What happened in the pages of a context that nobody should ever see there."""

    host: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("request", self._see)
        context.on("requestfailed", self._miss)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_REFUSED):
            self.errors.append(message.text)

    def _miss(self, request: Request) -> None:
        """A part of a page that did not come; calls that fail are the page's to explain."""
        if "/assets/" in request.url and request.failure != "net::ERR_ABORTED":
            self.errors.append(f"{request.url}: {request.failure}")

    def _see(self, request: Request) -> None:
        if urlsplit(request.url).scheme not in {"data", "blob"} and urlsplit(request.url).netloc != self.host:
            self.foreign.append(request.url)


@pytest.fixture(scope="session")
def stooq() -> Iterator[StooqStandIn]:
    with closing(StooqStandIn()) as stand_in:
        yield stand_in


@pytest.fixture(autouse=True)
def _reset_stooq(stooq: StooqStandIn) -> Iterator[None]:
    yield
    stooq.reset()


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, stooq: StooqStandIn) -> Iterator[System]:
    """Over HTTP, which needs no broker; a page sees no difference. The cache forgets at once."""
    directory = tmp_path_factory.mktemp("browser")
    with running_system("http", directory, stooq.url, None, QUOTE_TTL="1", QUOTE_MAX_STALE="60") as system:
        yield system


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The distribution's; tests/conftest.py has seen to it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def watch(system: System) -> Watch:
    return Watch(host=f"127.0.0.1:{system.port}")


@pytest.fixture(autouse=True)
def _nothing_unseen(watch: Watch) -> Iterator[None]:
    """After each test: no error in a console, no violation of the policy, no request to another host."""
    yield
    errors, foreign = watch.errors[:], watch.foreign[:]
    watch.errors.clear()
    watch.foreign.clear()
    assert (errors, foreign) == ([], [])


NewContext = Callable[[], BrowserContext]


@pytest.fixture(scope="session")
def open_context(chromium: Browser, system: System, watch: Watch) -> NewContext:
    """Makes a browser without a past, whose pages are watched."""

    def make() -> BrowserContext:
        context = chromium.new_context(
            viewport=DESKTOP, base_url=system.url(""), locale="en-GB", timezone_id="Europe/London"
        )
        context.set_default_timeout(10_000)
        watch.over(context)
        return context

    return make


@pytest.fixture
def context(open_context: NewContext) -> Iterator[BrowserContext]:
    """One for a test that logs in or out itself."""
    with closing(open_context()) as context:
        yield context


@pytest.fixture(scope="module")
def _john(open_context: NewContext) -> Iterator[Page]:
    with closing(open_context()) as context:
        yield log_in(context.new_page(), "johndoe")


@pytest.fixture(scope="module")
def _admin(open_context: NewContext) -> Iterator[Page]:
    with closing(open_context()) as context:
        yield log_in(context.new_page(), "admin")


@pytest.fixture
def john(_john: Page) -> Page:
    """A page on which johndoe is logged in, as it is at first."""
    return at_first(_john)


@pytest.fixture
def admin(_admin: Page) -> Page:
    """A page on which admin, a super user, is logged in, as it is at first."""
    return at_first(_admin)


def at_first(page: Page) -> Page:
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="light")
    go(page, "/quotes")
    return page


def log_in(page: Page, username: str, password: str | None = None) -> Page:
    page.goto("/")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password or PASSWORDS[username])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Quotes")).to_be_visible()
    return page


def go(page: Page, address: str) -> None:
    """Show the view at `address`, anew even when it is shown already, and wait until it has all that it loads."""
    page.evaluate(_GO, f"#{address}")
    settled(page)


def settled(page: Page) -> None:
    """Nothing on the page is under way any more."""
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("[aria-busy]")).to_have_count(0)


def look_up(page: Page, symbols: str) -> None:
    page.get_by_label("Symbols", exact=True).fill(symbols)
    page.keyboard.press("Enter")


@pytest.fixture(scope="session")
def axe() -> str:
    return (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
