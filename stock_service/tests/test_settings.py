"""The settings of the stock service."""

from pathlib import Path

import pytest
import trustme

from service_kit.settings import SettingsError
from stock_service.settings import load, load_or_exit


def test_defaults() -> None:
    settings = load({})

    assert settings.quote_providers == ("stooq", "yahoo", "cboe")
    assert settings.stooq_url == "https://stooq.com/q/l/"
    assert settings.yahoo_url == "https://query1.finance.yahoo.com/v8/finance/chart/"
    assert settings.cboe_url == "https://cdn.cboe.com/api/global/delayed_quotes/quotes/"
    assert (settings.twelvedata_url, settings.twelvedata_api_key) == ("https://api.twelvedata.com/", "")
    assert settings.user_agent == "Mozilla/5.0 (compatible; stock-quotes/0.1; +internal)"
    assert (settings.quote_ttl, settings.quote_max_stale, settings.cache_url) == (60, 3600, "")
    assert settings.rabbitmq_url == "amqp://guest:guest@localhost:5672/%2F"
    assert (settings.worker_threads, settings.worker_heartbeat_file) == (8, None)
    assert (settings.bind_host, settings.port) == ("127.0.0.1", 5001)
    assert (settings.logs_as_json, settings.log_level) == (True, "INFO")


def test_everything_can_be_set(tmp_path: Path) -> None:
    settings = load(
        {
            "QUOTE_PROVIDERS": "recorded, stooq",
            "STOOQ_URL": "http://127.0.0.1:8000/q",
            "YAHOO_URL": "http://127.0.0.1:8000/y/",
            "CBOE_URL": "http://127.0.0.1:8000/c/",
            "TWELVEDATA_URL": "http://127.0.0.1:8000/t/",
            "USER_AGENT": "us/1",
            "QUOTE_TTL": "5",
            "QUOTE_MAX_STALE": "0",
            "CACHE_URL": "redis://cache:6379/1",
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
    assert (settings.quote_ttl, settings.quote_max_stale, settings.cache_url) == (5, 0, "redis://cache:6379/1")
    assert (settings.port, settings.logs_as_json) == (8080, False)


def test_one_message_lists_every_wrong_setting_and_no_value() -> None:
    wrong = {
        "QUOTE_PROVIDERS": "stooq,bloomberg",
        "STOOQ_URL": "ftp://secret",
        "USER_AGENT": "a\r\nX-Evil: secret",
        "QUOTE_TTL": "0",
        "QUOTE_MAX_STALE": "86401",
        "CACHE_URL": "http://secret",
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


@pytest.mark.parametrize(
    ("named", "chain"),
    [
        ("stooq,yahoo", ("stooq", "yahoo", "twelvedata")),
        ("stooq,twelvedata,yahoo", ("stooq", "twelvedata", "yahoo")),
        ("stooq,recorded", ("stooq", "twelvedata", "recorded")),
        ("recorded,stooq", ("recorded", "stooq", "twelvedata")),
        ("twelvedata", ("twelvedata",)),
    ],
)
def test_the_provider_with_a_key_joins_where_it_is_named_or_after_the_live_ones(
    named: str, chain: tuple[str, ...]
) -> None:
    assert load({"QUOTE_PROVIDERS": named, "TWELVEDATA_API_KEY": "k"}).quote_providers == chain


def test_without_its_key_it_stays_away() -> None:
    assert load({"QUOTE_PROVIDERS": "stooq,twelvedata,yahoo"}).quote_providers == ("stooq", "yahoo")
    with pytest.raises(SettingsError, match="TWELVEDATA_API_KEY is required"):
        load({"QUOTE_PROVIDERS": "twelvedata"})


def test_secrets_are_not_shown() -> None:
    settings = load(
        {
            "TWELVEDATA_API_KEY": "canary",
            "RABBITMQ_URL": "amqp://u:canary@host/",
            "CACHE_URL": "redis://:canary@host/",
        }
    )

    assert "canary" not in repr(settings)


def test_a_base_address_ends_in_a_slash() -> None:
    assert load({"YAHOO_URL": "http://127.0.0.1:8000/chart"}).yahoo_url == "http://127.0.0.1:8000/chart/"


def test_with_an_authority_for_the_broker_a_plain_url_is_refused() -> None:
    ca = {"RABBITMQ_CA": trustme.CA().cert_pem.bytes().decode()}
    assert load(ca | {"RABBITMQ_URL": "amqps://broker"}).rabbitmq_ca == ca["RABBITMQ_CA"]
    with pytest.raises(SettingsError, match="RABBITMQ_URL must be a URL that starts with amqps://"):
        load(ca | {"RABBITMQ_URL": "amqp://broker"})
    with pytest.raises(SettingsError, match="RABBITMQ_CA must be one or more certificates in PEM"):
        load(ca | {"RABBITMQ_URL": "amqps://broker", "RABBITMQ_CA": "garbage"})
