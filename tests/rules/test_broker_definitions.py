"""The broker's definitions name what the services use, and give each service its part and no more."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scripts import broker_definitions
from service_kit.time_budget import RPC_DEADLINE
from stock_contract import REQUEST_EXCHANGE, REQUEST_QUEUE
from tests.rules.compose_files import ROOT, services_of

DEFINITIONS: dict[str, Any] = json.loads((ROOT / "deploy/rabbitmq/definitions.json").read_text(encoding="utf-8"))
USERS = {user["name"]: user for user in DEFINITIONS["users"]}
RIGHTS = {each["user"]: each for each in DEFINITIONS["permissions"]}
SERVICE_OF = {"api": "api-service", "worker": "stock-service"}
NAMES = (REQUEST_EXCHANGE, REQUEST_QUEUE, "amq.default", "amq.direct", "amq.gen-x", "", "stock", "stock.quotes.v11")


def allowed(user: str, right: str) -> set[str]:
    """The broker searches; it does not match the whole name."""
    return {name for name in NAMES if re.search(RIGHTS[user][right], name)} - {""}


def test_everything_is_in_the_virtual_host_of_the_project() -> None:
    assert DEFINITIONS["vhosts"] == [{"name": "stock"}]
    parts = [part for kind in DEFINITIONS if kind not in {"users", "vhosts"} for part in DEFINITIONS[kind]]
    assert {part["vhost"] for part in parts} == {"stock"}


def test_there_is_nobody_but_the_two_services_and_neither_may_administer() -> None:
    assert USERS.keys() == RIGHTS.keys() == SERVICE_OF.keys()
    assert [user["tags"] for user in USERS.values()] == [[], []]
    assert all(user["limits"].keys() == {"max-connections", "max-channels"} for user in USERS.values())


def test_the_topology_is_that_of_the_contract() -> None:
    (exchange,), (queue,), (binding,) = (DEFINITIONS[kind] for kind in ("exchanges", "queues", "bindings"))
    assert (exchange["name"], exchange["type"], exchange["durable"]) == (REQUEST_EXCHANGE, "direct", True)
    assert (queue["name"], queue["durable"], queue["arguments"]) == (REQUEST_QUEUE, True, {})
    assert (binding["source"], binding["destination"]) == (REQUEST_EXCHANGE, REQUEST_QUEUE)
    assert binding["routing_key"] == REQUEST_QUEUE


def test_each_service_may_do_its_part_only() -> None:
    assert allowed("api", "configure") == allowed("worker", "configure") == set()
    assert allowed("api", "write") == {REQUEST_EXCHANGE, REQUEST_QUEUE}
    assert allowed("api", "read") == set()
    assert allowed("worker", "write") == {"amq.default"}
    assert allowed("worker", "read") == {REQUEST_QUEUE}


def test_the_policy_bounds_the_queue_in_length_and_in_time() -> None:
    (policy,) = DEFINITIONS["policies"]
    assert re.search(policy["pattern"], REQUEST_QUEUE)
    assert policy["apply-to"] == "queues"
    assert policy["definition"]["overflow"] == "reject-publish"
    assert RPC_DEADLINE * 1000 < policy["definition"]["message-ttl"] <= RPC_DEADLINE * 2000
    assert policy["definition"]["max-length"] > 0


@pytest.mark.parametrize("user", SERVICE_OF)
def test_compose_logs_each_service_in_as_its_own_user(user: str) -> None:
    setting = services_of("docker-compose.yml")[SERVICE_OF[user]]["environment"]["RABBITMQ_URL"]
    url = urlsplit(setting.removeprefix("${RABBITMQ_URL:-").removesuffix("}"))
    assert (url.username, url.path) == (user, "/stock")
    assert is_password(url.password or "", USERS[user])


def test_the_broker_of_compose_loads_the_definitions_and_makes_no_user_of_its_own() -> None:
    broker = services_of("docker-compose.yml")["rabbitmq"]
    assert "environment" not in broker
    mounted = dict(volume.split(":")[:2] for volume in broker["volumes"])
    assert mounted["./deploy/rabbitmq/definitions.json"] == "/etc/rabbitmq/definitions.json"
    assert mounted["./deploy/rabbitmq/rabbitmq.conf"] == "/etc/rabbitmq/rabbitmq.conf"
    configuration = (ROOT / "deploy/rabbitmq/rabbitmq.conf").read_text(encoding="utf-8").splitlines()
    assert "load_definitions = /etc/rabbitmq/definitions.json" in configuration


def test_production_gets_passwords_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "definitions.json"
    assert broker_definitions.main([str(file), "broker.example:5671"]) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    written = json.loads(file.read_text(encoding="utf-8"))
    urls = dict(line.split(": RABBITMQ_URL=") for line in capsys.readouterr().out.splitlines())
    assert urls.keys() == SERVICE_OF.keys()
    for user in written["users"]:
        url = urlsplit(urls[user["name"]])
        assert (url.scheme, url.username, url.netloc.rpartition("@")[2]) == (
            "amqps",
            user["name"],
            "broker.example:5671",
        )
        assert len(url.password or "") >= 32
        assert is_password(url.password or "", user)
        assert url.password not in file.read_text(encoding="utf-8")
    assert written | {"users": []} == DEFINITIONS | {"users": []}


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "definitions.json"
    file.write_text("precious", encoding="utf-8")
    assert broker_definitions.main([str(file), "broker"]) == 1
    assert file.read_text(encoding="utf-8") == "precious"
    assert capsys.readouterr().out == ""


def is_password(password: str, user: dict[str, Any]) -> bool:
    """The hash of RabbitMQ: four bytes of salt, then SHA-256 of salt and password."""
    stored = base64.b64decode(user["password_hash"])
    assert user["hashing_algorithm"] == "rabbit_password_hashing_sha256"
    return stored[4:] == hashlib.sha256(stored[:4] + password.encode()).digest()
