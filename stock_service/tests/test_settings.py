"""The settings of the stock service."""

from pathlib import Path

import pytest

from service_kit.settings import SettingsError
from stock_service.settings import load, load_or_exit


def test_defaults() -> None:
    settings = load({})

    assert settings.quote_providers == ("stooq",)
    assert settings.stooq_url == "https://stooq.com/q/l/"
    assert settings.user_agent == "stock-quotes/0.1 (+internal)"
    assert settings.rabbitmq_url == "amqp://guest:guest@localhost:5672/%2F"
    assert (settings.worker_threads, settings.worker_heartbeat_file) == (8, None)
    assert (settings.bind_host, settings.port) == ("127.0.0.1", 5001)
    assert (settings.logs_as_json, settings.log_level) == (True, "INFO")


def test_everything_can_be_set(tmp_path: Path) -> None:
    settings = load(
        {
            "QUOTE_PROVIDERS": "recorded, stooq",
            "STOOQ_URL": "http://127.0.0.1:8000/q",
            "USER_AGENT": "us/1",
            "RABBITMQ_URL": "amqps://broker/v",
            "WORKER_THREADS": "256",
            "WORKER_HEARTBEAT_FILE": str(tmp_path / "alive"),
            "BIND_HOST": "0.0.0.0",  # noqa: S104  what a container sets
            "PORT": "8080",
            "APP_ENV": "development",
            "LOG_LEVEL": "DEBUG",
        }
    )

    assert settings.quote_providers == ("recorded", "stooq")
    assert (settings.worker_threads, settings.worker_heartbeat_file) == (256, tmp_path / "alive")
    assert (settings.port, settings.logs_as_json) == (8080, False)


def test_one_message_lists_every_wrong_setting_and_no_value() -> None:
    wrong = {
        "QUOTE_PROVIDERS": "stooq,bloomberg",
        "STOOQ_URL": "ftp://secret",
        "USER_AGENT": "a\r\nX-Evil: secret",
        "RABBITMQ_URL": "http://user:secret@host",
        "WORKER_THREADS": "257",
        "PORT": "secret",
        "APP_ENV": "secret",
        "LOG_LEVEL": "secret",
    }
    with pytest.raises(SettingsError) as caught:
        load(wrong)

    message = str(caught.value)
    assert [line.split()[0] for line in message.splitlines()[1:]] == list(wrong)
    assert "secret" not in message


def test_a_process_with_wrong_settings_ends_with_the_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKER_THREADS", "none")
    with pytest.raises(SystemExit) as caught:
        load_or_exit()

    assert caught.value.code == 2
    assert "WORKER_THREADS must be a whole number" in capsys.readouterr().err
