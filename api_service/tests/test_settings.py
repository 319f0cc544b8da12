import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trustme
from limits import RateLimitItemPerMinute

from api_service import settings
from api_service.stock_clients import make_stock_client
from api_service.stock_clients.bulkhead import Bulkhead
from api_service.stock_clients.http import HttpStockClient
from api_service.stock_clients.rpc import RpcStockClient
from api_service.stock_clients.shared import SharedCalls
from api_service.web_settings import Rates, WebSettings
from service_kit.settings import SettingsError

KEY = "0123456789abcdef" * 4


def test_defaults_in_production() -> None:
    loaded = settings.load({"SECRET_KEY": KEY})
    assert loaded == settings.Settings(
        app_env="production",
        database_uri="sqlite:///api_service.sqlite3",
        secret_key=KEY,
        secret_key_fallback="",
        stock_transport="rpc",
        rabbitmq_url="amqp://guest:guest@localhost:5672/%2F",
        rabbitmq_ca="",
        stock_service_url="http://localhost:5001",
        port=5000,
        metrics_port=0,
        bind_host="127.0.0.1",
        processes=1,
        threads=80,
        log_level="INFO",
        traces_endpoint="",
        web=WebSettings(
            rates=Rates(
                quotes=(RateLimitItemPerMinute(6000),),
                reads=(RateLimitItemPerMinute(6000),),
                login=(RateLimitItemPerMinute(30),),
                address=(RateLimitItemPerMinute(30_000),),
            ),
            cache_url="",
            trusted_proxies=0,
            trusted_hosts=(),
            cors_origins=(),
        ),
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


KNOWN_KEYS = [
    "for-development-only-never-in-production",
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    "09D25E094FAA6CA2556C818166B7A9563B93F7099F6F0F4CAA6CF63B88E8D3E7",
    "a-string-secret-at-least-256-bits-long",
    "CHANGE_ME_change_me_CHANGE_ME_0123456789",
    "please change this to 32 random bytes!",
    "your-secret-key-that-is-long-enough-123",
    "<placeholder>-0123456789-abcdefghijklmn",
    "this-is-an-example-key-of-enough-length",
    "django-insecure-3x7!k2m9q@v5b8n1c4z6l0",
    "correct-p-a-s-s-w-o-r-d-of-enough-length",
]


@pytest.mark.parametrize("app_env", ["production", "development"])
@pytest.mark.parametrize("key", KNOWN_KEYS)
def test_a_key_that_is_known_is_refused(app_env: str, key: str) -> None:
    with pytest.raises(SettingsError, match=r"everybody knows.*`openssl rand -hex 32`") as caught:
        settings.load({"SECRET_KEY": key, "APP_ENV": app_env})
    assert key not in str(caught.value)


@pytest.mark.parametrize("app_env", ["production", "development"])
@pytest.mark.parametrize("key", ["changeme", "ä" * 15, "x9!kQ2v7LmN4pR8sT1wY6zB3cD5fG0h"])
def test_a_short_key_is_refused(app_env: str, key: str) -> None:
    with pytest.raises(SettingsError, match=r"at least 32 bytes.*`openssl rand -hex 32`"):
        settings.load({"SECRET_KEY": key, "APP_ENV": app_env})


@pytest.mark.parametrize("key", ["k" * 64, "012345678" * 8])
def test_a_key_of_few_characters_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match="fewer than 10 different characters"):
        settings.load({"SECRET_KEY": key})


@pytest.mark.parametrize("make", [secrets.token_hex, partial(secrets.token_urlsafe, 48)], ids=["hex", "base64"])
@pytest.mark.parametrize("app_env", ["production", "development"])
def test_a_random_key_is_taken(app_env: str, make: Callable[[], str]) -> None:
    key = make()
    assert settings.load({"SECRET_KEY": key, "APP_ENV": app_env}).secret_key == key


def test_all_problems_are_listed_at_once_and_no_value_is_shown() -> None:
    wrong = {
        "APP_ENV": "canary1",
        "SECRET_KEY": "canary2",
        "DATABASE_URI": "canary3",
        "STOCK_TRANSPORT": "canary4",
        "RABBITMQ_URL": "canary5",
        "STOCK_SERVICE_URL": "canary6",
        "PORT": "canary7",
        "METRICS_PORT": "65536",
        "LOG_LEVEL": "canary8",
        "WEB_CONCURRENCY": "canary9",
        "WEB_THREADS": "0",
        "RATE_LIMIT_QUOTES": "canary10",
        "RATE_LIMIT_READS": "0/minute",
        "RATE_LIMIT_LOGIN": "10/canary",
        "RATE_LIMIT_ADDRESS": "10",
        "CACHE_URL": "http://canary11/",
        "TRUSTED_PROXIES": "6",
        "TRUSTED_HOSTS": "https://canary12/",
        "CORS_ORIGINS": "*",
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
                "SECRET_KEY": "secret-canary-for-the-KEY-0987654321",
                "DATABASE_URI": "postgresql://u:secret-canary@h/n",
                "RABBITMQ_URL": "amqp://u:secret-canary@h",
                "CACHE_URL": "redis://:secret-canary@h",
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
    assert isinstance(client._client, SharedCalls)
    assert type(client._client._client) is kind
    client.close()


@pytest.mark.parametrize(
    ("text", "amounts"), [("off", ()), ("OFF", ()), ("60/minute", (60,)), ("5/second;100 per hour", (5, 100))]
)
def test_a_rate_may_have_several_parts_or_be_off(text: str, amounts: tuple[int, ...]) -> None:
    rate = settings.load({"SECRET_KEY": KEY, "RATE_LIMIT_QUOTES": text}).web.rates.quotes
    assert tuple(limit.amount for limit in rate) == amounts


@pytest.mark.parametrize("text", ["many", "0/minute", "-1/minute", "10", "10/minute,", "off;10/minute"])
def test_a_rate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="RATE_LIMIT_LOGIN must be a rate"):
        settings.load({"SECRET_KEY": KEY, "RATE_LIMIT_LOGIN": text})


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "https://*.example.com",
        "https://example.com/",
        "https://example.com/page",
        "https://user@example.com",
        "https://Example.com",
        "https://example.com:port",
        "https://example.com?x",
        "example.com",
        "ftp://example.com",
        "https://",
        "https://example.com,*",
    ],
)
def test_what_is_not_exactly_an_origin_is_refused(origin: str) -> None:
    with pytest.raises(SettingsError, match="CORS_ORIGINS must be origins"):
        settings.load({"SECRET_KEY": KEY, "CORS_ORIGINS": origin})


def test_origins_and_hosts_are_lists() -> None:
    origins = "https://example.com, http://localhost:8080,http://[::1]:3000"
    web = settings.load(
        {"SECRET_KEY": KEY, "CORS_ORIGINS": origins, "TRUSTED_HOSTS": "api.example.com, .internal"}
    ).web
    assert web.cors_origins == ("https://example.com", "http://localhost:8080", "http://[::1]:3000")
    assert web.trusted_hosts == ("api.example.com", ".internal")


@pytest.mark.parametrize("host", ["https://x", "*", "a/b", ":80"])
def test_what_is_no_host_name_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="TRUSTED_HOSTS must be host names"):
        settings.load({"SECRET_KEY": KEY, "TRUSTED_HOSTS": host})


def test_with_an_authority_for_the_broker_a_plain_url_is_refused() -> None:
    ca = {"SECRET_KEY": KEY, "RABBITMQ_CA": trustme.CA().cert_pem.bytes().decode()}
    assert settings.load(ca | {"RABBITMQ_URL": "amqps://broker"}).rabbitmq_ca == ca["RABBITMQ_CA"]
    with pytest.raises(SettingsError, match="RABBITMQ_URL must be a URL that starts with amqps://"):
        settings.load(ca | {"RABBITMQ_URL": "amqp://broker"})
    with pytest.raises(SettingsError, match="RABBITMQ_CA must be one or more certificates in PEM"):
        settings.load(ca | {"RABBITMQ_URL": "amqps://broker", "RABBITMQ_CA": "garbage"})


def test_metrics_need_a_port_of_their_own() -> None:
    with pytest.raises(SettingsError, match="METRICS_PORT must be another port than PORT"):
        settings.load({"APP_ENV": "development", "METRICS_PORT": "5000"})


def test_the_address_for_traces_is_one_over_http() -> None:
    environ = {"APP_ENV": "development", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    assert settings.load(environ).traces_endpoint == "http://collector:4318"
    with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP_ENDPOINT must be a URL"):
        settings.load({**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"})
