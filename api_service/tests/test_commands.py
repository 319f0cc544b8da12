from pathlib import Path

import flask_migrate
import pytest
from click.testing import CliRunner

from api_service import users
from api_service.app import create_app
from api_service.commands import cli
from api_service.database import db
from api_service.settings import load
from api_service.tests.helpers import Action, Api, HoldLock


@pytest.fixture
def run(database_path: Path) -> Action:
    return runner_on(database_path)


def runner_on(path: Path) -> Action:
    """Runs the commands on the database at `path` and checks how they ended."""

    def run(
        *args: str, stdin: str | bytes = "", exit_code: int = 0, app_env: str = "development", **environ: str
    ) -> str:
        environ = {
            "APP_ENV": app_env,
            "DATABASE_URI": f"sqlite:///{path}",
            "SECRET_KEY": "k" * 32,
            **environ,
        }
        result = CliRunner().invoke(cli, args, input=stdin, env=environ)
        assert result.exit_code == exit_code, result.output
        assert "Traceback" not in result.output
        return result.output

    return run


@pytest.fixture
def empty(tmp_path: Path) -> Action:
    """A database with tables and no users."""
    path = tmp_path / "no_users.sqlite3"
    with create_app(load({"APP_ENV": "development", "DATABASE_URI": f"sqlite:///{path}"})).app_context():
        flask_migrate.upgrade()
        db.engine.dispose()
    return runner_on(path)


def test_init_creates_the_two_demo_users_and_says_so(empty: Action) -> None:
    assert empty("init") == "Created user admin (ADMIN).\nCreated user johndoe (USER).\n"
    lines = empty("users", "list").splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["NAME", "ROLE", "STATE"],
        ["admin", "ADMIN", "active"],
        ["johndoe", "USER", "active"],
    ]


def test_init_is_safe_to_repeat_and_resets_no_password(run: Action, api: Api) -> None:
    run("users", "set-password", "johndoe", "--password-stdin", stdin="changed\n")
    output = run("init")
    assert output == "User admin exists already; left as it is.\nUser johndoe exists already; left as it is.\n"
    assert api.log_in("johndoe", "changed").status_code == 200
    assert api.log_in("johndoe", "john").status_code == 401
    assert api.log_in("admin", "admin").status_code == 200


def test_init_warns_in_production(run: Action) -> None:
    assert "Warning: everybody knows the passwords" in run("init", APP_ENV="production")


def test_a_new_user_can_log_in(run: Action, api: Api) -> None:
    assert run("users", "add", "ann", "--password-stdin", stdin="pass word \n") == "Created user ann (USER).\n"
    token = api.log_in("ann", "pass word ").get_json()["token"]
    assert api.get("/api/v1/stats", token=token).status_code == 403


def test_a_new_super_user_may_see_the_statistics(run: Action, api: Api) -> None:
    run("users", "add", "boss", "--admin", "--password-stdin", stdin="x\n")
    assert api.get("/api/v1/stats", by="boss").status_code == 200


def test_the_password_is_asked_for_twice_and_not_shown(run: Action, api: Api) -> None:
    output = run("users", "add", "ann", stdin="s3cret\ns3cret\n")
    assert "s3cret" not in output
    assert api.log_in("ann", "s3cret").status_code == 200


def test_two_different_answers_are_asked_for_again(run: Action) -> None:
    assert "do not match" in run("users", "add", "ann", stdin="a\nb\nc\nc\n")


@pytest.mark.parametrize("args", [("add", "ann", "s3cret"), ("set-password", "jane", "s3cret")])
def test_a_password_is_never_an_argument(run: Action, args: tuple[str, ...]) -> None:
    assert "unexpected extra argument" in run("users", *args, exit_code=2)


@pytest.mark.parametrize(
    ("args", "stdin", "message"),
    [
        (("add", "jane", "--password-stdin"), "x\n", "Error: User jane exists already.\n"),
        (("add", "two words", "--password-stdin"), "x\n", "Error: A name has 1 to 64 letters, digits and . _ @ + -\n"),
        (("add", "a" * 65, "--password-stdin"), "x\n", "Error: A name has 1 to 64 letters, digits and . _ @ + -\n"),
        (("add", "ann", "--password-stdin"), "", "Error: A password has 1 to 128 characters.\n"),
        (("add", "ann", "--password-stdin"), "x" * 129, "Error: A password has 1 to 128 characters.\n"),
        (("deactivate", "nobody"), "", "Error: There is no user nobody.\n"),
        (("set-password", "nobody", "--password-stdin"), "x\n", "Error: There is no user nobody.\n"),
        (("deactivate", "admin"), "", "Error: admin is the last active super user; make another one first.\n"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run: Action, args: tuple[str, ...], stdin: str, message: str) -> None:
    assert run("users", *args, stdin=stdin, exit_code=1) == message


def test_the_last_super_user_stays_and_any_other_may_go(run: Action) -> None:
    run("users", "add", "boss", "--admin", "--password-stdin", stdin="x\n")
    assert run("users", "deactivate", "admin") == "User admin is inactive.\n"
    run("users", "deactivate", "boss", exit_code=1)
    run("users", "deactivate", "johndoe")
    states = [line.split()[::2][:2] for line in run("users", "list").splitlines()[1:]]
    assert states == [["admin", "inactive"], ["boss", "active"], ["jane", "active"], ["johndoe", "inactive"]]


def test_a_database_without_tables_is_said_with_what_to_do(tmp_path: Path) -> None:
    for args in (("init",), ("users", "list")):
        output = runner_on(tmp_path / "empty.sqlite3")(*args, exit_code=1)
        assert output == "Error: The database has no tables yet: run `flask db upgrade` first.\n"


def test_a_busy_database_is_said_in_one_line(run: Action, locked_database: HoldLock) -> None:
    with locked_database():
        output = run("users", "deactivate", "jane", exit_code=1)
    assert output.splitlines()[-1] == "Error: The database cannot be reached or is busy."


def test_a_wrong_setting_is_said_without_a_traceback(run: Action) -> None:
    run("users", "list", exit_code=2, PORT="none")


@pytest.mark.parametrize("stdin", [b"\xff\n", b"\xed\xa0\x80\n"])
def test_a_password_that_is_no_text_is_said_without_a_traceback(run: Action, stdin: bytes) -> None:
    output = run("users", "set-password", "jane", "--password-stdin", stdin=stdin, exit_code=1)
    assert output == "Error: Names and passwords must be text in UTF-8.\n"


@pytest.mark.parametrize("name", ["a", "Jane.Doe+x@example.org", "ä_1-2", "a" * 64])
def test_names_that_are_taken(name: str) -> None:
    assert users.is_valid_username(name)


@pytest.mark.parametrize("name", ["", " a", "a b", "a\n", "a\0", "a" * 65, "<b>", "a/b"])
def test_names_that_are_refused(name: str) -> None:
    assert not users.is_valid_username(name)
