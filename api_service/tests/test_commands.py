import base64
from collections.abc import Iterator
from pathlib import Path

import click
import flask_migrate
import pytest

from api_service import users
from api_service.app import create_app
from api_service.commands import cli
from api_service.database import db
from api_service.settings import load
from api_service.tests.helpers import Action, Api, HoldLock, runner_on

GOOD = "seven purple tractors hum"
LENGTH = "Error: A password has 12 to 128 characters; this one has "
GUESSABLE = (
    "This password is too easy to guess. Take four or more words that do not belong together,"
    " or let a password manager make one; no names, dates, or rows of keys."
)


OUTDATED = "Error: The database lacks migrations: run `python api_service/commands.py migrate` first.\n"


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
    assert [line.split()[:4] for line in lines] == [
        ["ID", "NAME", "ROLE", "STATE"],
        ["1", "admin", "ADMIN", "active"],
        ["2", "johndoe", "USER", "active"],
    ]


def commands_below(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        yield command
        if isinstance(command, click.Group):
            yield from commands_below(command)


def test_every_command_and_option_says_what_it_does_and_no_line_is_cut() -> None:
    commands = list(commands_below(cli))
    assert len(commands) >= 8
    for command in commands:
        short = command.get_short_help_str()
        assert short.endswith(".")
        assert not short.endswith("...")
        options = [each for each in command.params if isinstance(each, click.Option)]
        assert [option.name for option in options if not option.help] == []


def test_the_help_shows_what_to_type(run: Action) -> None:
    for option in ("--help", "-h"):
        assert "  python commands.py users add ann --admin --generate-password\n" in run(option)
    assert run("users", "-h") == run("users", "--help")


def test_the_list_is_a_table(run: Action) -> None:
    run("users", "add", "someone.with.a.long.name@example.org", "--generate-password")
    header, *rows = run("users", "list").splitlines()
    for title in ("NAME", "ROLE", "STATE", "CREATED"):
        place = header.index(title)
        assert {row[place - 2 : place] for row in rows} == {"  "}
        assert " " not in {row[place] for row in rows}
    assert [row.split()[0] for row in rows] == ["1", "3", "2", "4"]
    assert all(row.endswith(" UTC") for row in rows)


def test_init_is_safe_to_repeat_and_resets_no_password(run: Action, api: Api) -> None:
    run("users", "set-password", "johndoe", "--password-stdin", stdin=f"{GOOD}\n")
    output = run("init")
    assert output == "User admin exists already; left as it is.\nUser johndoe exists already; left as it is.\n"
    assert api.log_in("johndoe", GOOD).status_code == 200
    assert api.log_in("johndoe", "john").status_code == 401
    assert api.log_in("admin", "admin").status_code == 200


def test_init_makes_no_demo_users_in_production_and_says_what_to_do(empty: Action) -> None:
    output = empty("init", exit_code=1, app_env="production")
    assert output.count("\n") == 1
    assert output.startswith("Error: There are no demo users in production")
    assert output.endswith("python api_service/commands.py users add NAME --admin\n")
    assert empty("init", "--unless-production", app_env="production").endswith("users add NAME --admin\n")
    assert len(empty("users", "list").splitlines()) == 1
    assert "Created user admin" in empty("init", "--unless-production")


def test_demo_users_from_development_are_warned_of_in_production(run: Action) -> None:
    for options in (["init", "--unless-production"], ["init"]):
        output = run(*options, exit_code=len(options) % 2, app_env="production")
        assert "WARNING: admin can log in with the password that everybody knows" in output
        assert "users deactivate johndoe" in output
    run("users", "set-password", "johndoe", "--generate-password")
    run("users", "add", "boss", "--admin", "--generate-password")
    run("users", "deactivate", "admin")
    assert "WARNING" not in run("init", "--unless-production", app_env="production")


def test_a_new_user_can_log_in(run: Action, api: Api) -> None:
    password = f" {GOOD} "
    assert run("users", "add", "ann", "--password-stdin", stdin=f"{password}\n") == "Created user ann (USER).\n"
    token = api.log_in("ann", password).get_json()["token"]
    assert api.get("/api/v1/stats", token=token).status_code == 403


def test_a_new_super_user_may_see_the_statistics(run: Action, api: Api) -> None:
    run("users", "add", "boss", "--admin", "--password-stdin", stdin=f"{GOOD}\n")
    assert api.get("/api/v1/stats", by="boss").status_code == 200


def test_without_a_terminal_it_says_how_to_give_a_password(run: Action) -> None:
    output = run("users", "add", "ann", stdin="", exit_code=2)
    assert "give --password-stdin or --generate-password" in output


@pytest.mark.usefixtures("terminal")
def test_the_password_is_asked_for_twice_and_not_shown(run: Action, api: Api) -> None:
    output = run("users", "add", "ann", stdin=f"{GOOD}\n{GOOD}\n")
    assert GOOD not in output
    assert api.log_in("ann", GOOD).status_code == 200


@pytest.mark.parametrize("args", [("add", "ann"), ("set-password", "jane")])
def test_a_generated_password_is_shown_once_and_works(run: Action, api: Api, args: tuple[str, str]) -> None:
    said, password = run("users", *args, "--generate-password").splitlines()
    assert said in {"Created user ann (USER).", "Changed the password of jane."}
    password = password.removeprefix("Password: ")
    assert len(base64.urlsafe_b64decode(password)) * 8 >= 128
    assert api.log_in(args[1], password).status_code == 200


def test_no_password_is_shown_for_a_user_that_was_not_made(run: Action) -> None:
    output = run("users", "add", "jane", "--generate-password", exit_code=1)
    assert output == "Error: User jane exists already.\n"


def test_a_password_comes_from_one_place(run: Action) -> None:
    output = run("users", "add", "ann", "--generate-password", "--password-stdin", stdin="x\n", exit_code=2)
    assert "not both" in output


def test_a_new_password_ends_the_sessions_of_its_user(run: Action, api: Api) -> None:
    janes, johns = api.token_of("jane"), api.token_of("johndoe")
    run("users", "set-password", "jane", "--generate-password")
    assert api.get("/api/v1/users/history", token=janes).status_code == 401
    assert api.get("/api/v1/users/history", token=johns).status_code == 200


def test_a_role_can_be_given_and_taken(run: Action, api: Api) -> None:
    assert run("users", "set-role", "jane", "ADMIN") == "User jane has the role ADMIN.\n"
    assert api.get("/api/v1/stats", by="jane").status_code == 200
    run("users", "set-role", "jane", "USER")
    assert api.get("/api/v1/stats", by="jane").status_code == 403
    assert "'root' is not one of" in run("users", "set-role", "jane", "root", exit_code=2)


def test_a_deactivated_user_can_be_activated(run: Action, api: Api) -> None:
    run("users", "deactivate", "jane")
    assert api.log_in("jane", "jane").status_code == 401
    assert run("users", "activate", "jane") == "User jane is active.\n"
    assert api.log_in("jane", "jane").status_code == 200


@pytest.mark.usefixtures("terminal")
def test_two_different_answers_are_asked_for_again(run: Action) -> None:
    assert "do not match" in run("users", "add", "ann", stdin=f"a\nb\n{GOOD}\n{GOOD}\n")


@pytest.mark.parametrize("args", [("add", "ann", "s3cret"), ("set-password", "jane", "s3cret")])
def test_a_password_is_never_an_argument(run: Action, args: tuple[str, ...]) -> None:
    assert "unexpected extra argument" in run("users", *args, exit_code=2)


@pytest.mark.parametrize(
    ("args", "stdin", "message"),
    [
        (("add", "jane", "--password-stdin"), GOOD, "Error: User jane exists already.\n"),
        (("add", "two words", "--password-stdin"), "x\n", "Error: A name has 1 to 64 letters, digits and . _ @ + -\n"),
        (("add", "a" * 65, "--password-stdin"), "x\n", "Error: A name has 1 to 64 letters, digits and . _ @ + -\n"),
        (("add", "ann", "--password-stdin"), "", f"{LENGTH}0.\n"),
        (("add", "ann", "--password-stdin"), f"{GOOD[:11]}\n", f"{LENGTH}11.\n"),
        (("set-password", "jane", "--password-stdin"), "x" * 129, f"{LENGTH}129.\n"),
        (("set-password", "jane", "--password-stdin"), "jane12345678\n", f"Error: {GUESSABLE}\n"),
        (("activate", "nobody"), "", "Error: There is no user nobody.\n"),
        (("set-role", "nobody", "USER"), "", "Error: There is no user nobody.\n"),
        (("set-role", "admin", "USER"), "", "Error: admin is the last active super user; make another one first.\n"),
        (("deactivate", "nobody"), "", "Error: There is no user nobody.\n"),
        (("set-password", "nobody", "--password-stdin"), GOOD, "Error: There is no user nobody.\n"),
        (("deactivate", "admin"), "", "Error: admin is the last active super user; make another one first.\n"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run: Action, args: tuple[str, ...], stdin: str, message: str) -> None:
    assert run("users", *args, stdin=stdin, exit_code=1) == message


def test_the_last_super_user_stays_and_any_other_may_go(run: Action) -> None:
    run("users", "add", "boss", "--admin", "--generate-password")
    assert run("users", "deactivate", "admin") == "User admin is inactive.\n"
    run("users", "deactivate", "boss", exit_code=1)
    run("users", "deactivate", "johndoe")
    states = [line.split()[1:4:2] for line in run("users", "list").splitlines()[1:]]
    assert states == [["admin", "inactive"], ["boss", "active"], ["jane", "active"], ["johndoe", "inactive"]]


def test_a_database_without_tables_is_said_with_what_to_do(tmp_path: Path) -> None:
    for args in (("init",), ("users", "list")):
        output = runner_on(tmp_path / "empty.sqlite3")(*args, exit_code=1)
        assert output == OUTDATED


def test_a_database_of_an_older_version_is_said_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "older.sqlite3"
    with create_app(load({"APP_ENV": "development", "DATABASE_URI": f"sqlite:///{path}"})).app_context():
        flask_migrate.upgrade(revision="0001")
        db.engine.dispose()
    for args in (("init",), ("users", "list"), ("users", "deactivate", "johndoe")):
        assert runner_on(path)(*args, exit_code=1) == OUTDATED


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
