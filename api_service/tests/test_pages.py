"""The web pages as they are served: types, revalidation, the policy that keeps foreign code out."""

import hashlib
import re
import secrets
from pathlib import Path

import pytest

from api_service.tests.helpers import Api, ExpectProblem, MakeApi

WEB = Path(__file__).parents[1] / "web"
CONSOLE = sorted((WEB / "console").rglob("*.js"))
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


@pytest.mark.parametrize(
    ("path", "kind", "policy"),
    [
        ("/", "text/html; charset=utf-8", POLICY | {"require-trusted-types-for": "'script'"}),
        ("/docs", "text/html; charset=utf-8", POLICY),
        ("/assets/console/js/main.js", "text/javascript; charset=utf-8", POLICY),
        ("/assets/console/css/base.css", "text/css; charset=utf-8", POLICY),
        ("/assets/console/icon.svg", "image/svg+xml; charset=utf-8", POLICY),
        ("/assets/vendor/swagger-ui/NOTICE.txt", "text/plain; charset=utf-8", POLICY),
    ],
)
def test_a_page_is_asked_for_again_each_time_and_runs_only_what_comes_from_here(
    api: Api, path: str, kind: str, policy: dict[str, str]
) -> None:
    got = api.get(path)
    assert (got.status_code, got.content_type) == (200, kind)
    assert got.headers["Cache-Control"] == "no-cache"
    assert dict(part.split(" ", 1) for part in got.headers["Content-Security-Policy"].split("; ")) == policy
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    again = api.client.get(path, headers={"If-None-Match": got.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert api.client.get(path, headers={"If-None-Match": '"another"'}).data == got.data


@pytest.mark.parametrize(
    "name",
    ["nothing.js", "console/index.html", "VENDORED.md", "../pages.py", "console/../../pages.py", "console", "%00.js"],
)
def test_nothing_else_is_an_asset(api: Api, expect_problem: ExpectProblem, name: str) -> None:
    answer = api.get(f"/assets/{name}")
    expect_problem(answer, 404, "not-found")
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_pages_have_no_code_or_style_of_their_own_and_all_that_they_name_is_there(api: Api) -> None:
    for path in ("/", "/docs"):
        page = api.get(path).text
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:|https?://", page)
        named = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
        assert [name for name in named if api.get(name).status_code != 200] == []
        assert len(named) > 4


def test_every_module_is_loaded_without_waiting_for_another(api: Api) -> None:
    preloaded = re.findall(r'modulepreload" href="/assets/console/js/([^"]+)"', api.get("/").text)
    assert preloaded == [path.name for path in CONSOLE if path.parent.name == "js"]


@pytest.mark.parametrize("module", CONSOLE, ids=lambda path: path.name)
def test_a_module_is_small_checked_and_makes_no_markup_of_data(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert text.startswith("// @ts-check\n// ")
    assert len(text.splitlines()) < 180
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


def test_demo_users_are_named_in_development_only(make_api: MakeApi) -> None:
    assert "johndoe" in make_api(APP_ENV="development").get("/").text
    assert "johndoe" not in make_api(APP_ENV="production", SECRET_KEY=secrets.token_hex(32)).get("/").text


def test_what_is_vendored_is_what_the_list_says() -> None:
    listed = re.findall(r"`([\w./-]+)` +\| +`([0-9a-f]{64})`", (WEB / "VENDORED.md").read_text(encoding="utf-8"))
    there = [path for path in (WEB / "vendor").rglob("*") if path.is_file()]
    digests = {path.relative_to(WEB).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in there}
    assert dict(listed) == digests
