"""The kit by itself: settings, deadlines, logs, problem documents."""

import json
import logging
from http import HTTPStatus
from pathlib import Path

import pytest
from flask import Flask

from amqp_rpc import check_url
from service_kit import problems
from service_kit.deadline import Deadline
from service_kit.logs import configure_logging
from service_kit.problems import Problem
from service_kit.request_ids import bind_request_id, current_request_id, new_request_id
from service_kit.settings import EnvironmentReader, SettingsError


class TestEnvironmentReader:
    def test_values_defaults_and_files(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("from a file\n")
        reader = EnvironmentReader({"A": "set", "B": "", "C_FILE": str(secret)})
        assert reader.text("A") == "set"
        assert reader.text("B", "default") == "default"  # compose passes ${B:-} through
        assert reader.text("C") == "from a file"
        reader.check()

    def test_all_problems_are_listed_at_once_and_no_value_is_shown(self) -> None:
        reader = EnvironmentReader(
            {"N": "many", "M": "70000", "T": "smoke", "L": "a,a", "U": "ftp://hunter2@x", "F_FILE": "/nowhere"}
        )
        reader.integer("N", 1, low=1, high=5)
        reader.integer("M", 1, low=1, high=65535)
        reader.choice("T", "rpc", ["rpc", "http"])
        reader.names("L", "a", ["a", "b"])
        reader.url("U", "http://x", ["http", "https"])
        reader.text("F")
        reader.text("MISSING")
        with pytest.raises(SettingsError) as caught:
            reader.check()
        text = str(caught.value)
        assert all(f"  {name} " in text for name in ("N", "M", "T", "L", "U", "F_FILE", "MISSING"))
        assert "hunter2" not in text

    def test_lists_keep_their_order(self) -> None:
        assert EnvironmentReader({"L": "b, a"}).names("L", "a", ["a", "b"]) == ("b", "a")

    @pytest.mark.parametrize("url", ["amqp://host/%2F?bogus=1", "amqp://user-without-password@host/"])
    def test_a_url_that_its_user_cannot_use_is_a_problem(self, url: str) -> None:
        reader = EnvironmentReader({"U": url})
        reader.url("U", "amqp://x", ["amqp"], check_url)
        with pytest.raises(SettingsError, match="U must be"):
            reader.check()

    @pytest.mark.parametrize("url", ["amqp://", "amqp://host:port/", "broker", "http://host/"])
    def test_urls_that_are_none(self, url: str) -> None:
        reader = EnvironmentReader({"U": url})
        reader.url("U", "amqp://x", ["amqp", "amqps"])
        with pytest.raises(SettingsError):
            reader.check()


class TestDeadline:
    def test_it_runs_out_and_never_goes_below_zero(self) -> None:
        assert 0.9 < Deadline.after(1.0).remaining() <= 1.0
        passed = Deadline.after(-1.0)
        assert passed.expired
        assert passed.remaining() == 0.0

    def test_within_takes_the_earlier(self) -> None:
        assert Deadline.after(10.0).within(1.0).remaining() <= 1.0
        assert Deadline.after(1.0).within(10.0).remaining() <= 1.0


def flush() -> None:
    for handler in logging.getLogger().handlers:
        handler.flush()


class TestLogs:
    @pytest.fixture(autouse=True)
    def _restore_root_logger(self) -> object:
        root = logging.getLogger()
        before = root.handlers[:], root.level
        yield
        for handler in set(root.handlers) - set(before[0]):
            handler.close()
        root.handlers[:], root.level = before

    def test_json_lines_carry_fields_and_the_request_id(self, capfd: pytest.CaptureFixture[str]) -> None:
        configure_logging(as_json=True)
        with bind_request_id("r1"):
            logging.getLogger("x").info("quote.served", extra={"symbol": "aapl.us"})
        flush()
        line = json.loads(capfd.readouterr().err)
        assert line["event"] == "quote.served"
        assert (line["symbol"], line["request_id"], line["level"]) == ("aapl.us", "r1", "info")

    @pytest.mark.parametrize("as_json", [True, False])
    def test_a_value_with_line_breaks_stays_one_line(
        self, capfd: pytest.CaptureFixture[str], *, as_json: bool
    ) -> None:
        configure_logging(as_json=as_json)
        logging.getLogger("x").info("event", extra={"name_": 'A\n{"level":"info"}\r\nB'})
        flush()
        assert len(capfd.readouterr().err.splitlines()) == 1


def test_request_ids_are_random_and_bound_to_their_context() -> None:
    assert new_request_id() != new_request_id()
    assert len(new_request_id()) == 32
    with bind_request_id("r1"):
        assert current_request_id() == "r1"
    assert current_request_id() is None


class TestProblems:
    @pytest.fixture
    def app(self) -> Flask:
        app = Flask(__name__)
        problems.init_app(app)

        @app.get("/teapot")
        def teapot() -> str:
            raise Problem(HTTPStatus.IM_A_TEAPOT, "teapot", "Ask for tea.", headers={"X-A": "b"}, extra={"code": "t"})

        @app.get("/defect")
        def defect() -> str:
            raise ZeroDivisionError("secret")

        return app

    def test_a_problem_document_has_all_members_and_the_request_id_of_its_header(self, app: Flask) -> None:
        answer = app.test_client().get("/teapot")
        assert answer.status_code == 418
        assert answer.content_type == "application/problem+json"
        assert answer.headers["X-A"] == "b"
        assert answer.json == {
            "type": "/problems/teapot",
            "title": "I'm a Teapot",
            "status": 418,
            "detail": "Ask for tea.",
            "request_id": answer.headers["X-Request-ID"],
            "code": "t",
        }

    def test_no_such_page_and_wrong_method(self, app: Flask) -> None:
        client = app.test_client()
        assert client.get("/nothing").json["type"] == "/problems/not-found"
        answer = client.post("/teapot")
        assert answer.json["type"] == "/problems/method-not-allowed"
        assert "GET" in answer.headers["Allow"]

    def test_a_defect_is_logged_and_not_told(self, app: Flask, caplog: pytest.LogCaptureFixture) -> None:
        answer = app.test_client().get("/defect")
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "ZeroDivisionError" not in answer.text
        assert caplog.messages == ["http.unexpected_error"]
