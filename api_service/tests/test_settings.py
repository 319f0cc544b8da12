from pathlib import Path

import pytest

from api_service import settings
from api_service.stock_clients import make_stock_client
from api_service.stock_clients.bulkhead import Bulkhead
from api_service.stock_clients.http import HttpStockClient
from api_service.stock_clients.rpc import RpcStockClient
from service_kit.settings import SettingsError

KEY = "k" * 32


def test_defaults_in_production() -> None:
    loaded = settings.load({"SECRET_KEY": KEY})
    assert loaded == settings.Settings(
        app_env="production",
        database_uri="sqlite:///api_service.sqlite3",
        secret_key=KEY,
        stock_transport="rpc",
        rabbitmq_url="amqp://guest:guest@localhost:5672/%2F",
        stock_service_url="http://localhost:5001",
        port=5000,
        bind_host="127.0.0.1",
        processes=1,
        threads=80,
        log_level="INFO",
    )
    assert loaded.in_production


def test_without_a_key_the_message_says_what_to_set() -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load({})
    assert "SECRET_KEY is required" in str(caught.value)
    assert "set APP_ENV=development to try it out" in str(caught.value)


def test_development_needs_no_settings() -> None:
    loaded = settings.load({"APP_ENV": "development"})
    assert len(loaded.secret_key) >= 32
    assert not loaded.in_production


def test_the_key_of_development_is_refused_in_production() -> None:
    key = settings.load({"APP_ENV": "development"}).secret_key
    with pytest.raises(SettingsError, match="for development"):
        settings.load({"SECRET_KEY": key})


@pytest.mark.parametrize("app_env", ["production", "development"])
def test_a_short_key_is_refused(app_env: str) -> None:
    with pytest.raises(SettingsError, match="at least 32 bytes"):
        settings.load({"SECRET_KEY": "changeme", "APP_ENV": app_env})


def test_all_problems_are_listed_at_once_and_no_value_is_shown() -> None:
    wrong = {
        "APP_ENV": "canary1",
        "SECRET_KEY": "canary2",
        "DATABASE_URI": "canary3",
        "STOCK_TRANSPORT": "canary4",
        "RABBITMQ_URL": "canary5",
        "STOCK_SERVICE_URL": "canary6",
        "PORT": "canary7",
        "LOG_LEVEL": "canary8",
        "WEB_CONCURRENCY": "canary9",
        "WEB_THREADS": "0",
    }
    with pytest.raises(SettingsError) as caught:
        settings.load(wrong)
    assert [name for name in wrong if name not in str(caught.value)] == []
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("mysql://host/name", "must start with one of"),
        ("postgresql+psycopg2://host/name", "must start with one of"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:", "must be a database URL"),
        ("postgresql://host:port/name", "must be a database URL"),
    ],
)
def test_a_database_that_cannot_serve_is_refused(uri: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        settings.load({"SECRET_KEY": KEY, "DATABASE_URI": uri})


@pytest.mark.parametrize("uri", ["sqlite:////var/x.sqlite3", "postgresql://u:p@h/n", "postgresql+psycopg://u:p@h:5/n"])
def test_a_database_that_can_serve_is_taken(uri: str) -> None:
    assert settings.load({"SECRET_KEY": KEY, "DATABASE_URI": uri}).database_uri == uri


def test_a_key_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    assert settings.load({"SECRET_KEY_FILE": str(tmp_path / "key")}).secret_key == KEY


def test_credentials_stay_out_of_the_representation() -> None:
    shown = repr(
        settings.load(
            {
                "SECRET_KEY": "secret-canary-" * 3,
                "DATABASE_URI": "postgresql://u:secret-canary@h/n",
                "RABBITMQ_URL": "amqp://u:secret-canary@h",
            }
        )
    )
    assert "canary" not in shown


def test_wrong_settings_end_the_process_with_their_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.environ", {"PORT": "0"})
    with pytest.raises(SystemExit) as caught:
        settings.load_or_exit()
    assert caught.value.code == 2
    assert "SECRET_KEY" in capsys.readouterr().err


@pytest.mark.parametrize(("transport", "kind"), [("rpc", RpcStockClient), ("http", HttpStockClient)])
def test_the_transport_is_chosen_by_its_name(transport: str, kind: type) -> None:
    client = make_stock_client(settings.load({"SECRET_KEY": KEY, "STOCK_TRANSPORT": transport}))
    assert isinstance(client, Bulkhead)
    assert type(client._client) is kind
    client.close()
