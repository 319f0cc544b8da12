"""Where a broker comes from, in which order, and what is said when there is none."""

from pathlib import Path

import pytest

from scripts import brokers
from scripts.amqp_probe import NotReachableError
from scripts.debian_packages import InstallError
from scripts.private_broker import BrokerError, PrivateBroker


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program, no rights, no Docker."""
    monkeypatch.setattr(brokers, "find_program", lambda: None)
    monkeypatch.setattr(brokers, "may_install", lambda: False)
    monkeypatch.setattr(brokers, "docker_answers", lambda: False)


def answering(monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    def check(url: str, **_: str) -> None:
        if url not in urls:
            raise NotReachableError(f"{url} does not answer")

    monkeypatch.setattr(brokers, "check_broker", check)


def test_the_named_broker_comes_first(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setenv("RABBITMQ_URL", "amqp://u:secret@named")
    answering(monkeypatch, "amqp://u:secret@named", brokers.DEFAULT_URL)
    assert brokers.reachable_url(said.append) == "amqp://u:secret@named"
    assert "secret" not in str(said)


def test_a_named_broker_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setenv("RABBITMQ_URL", "amqp://named")
    answering(monkeypatch, brokers.DEFAULT_URL)
    assert brokers.reachable_url(said.append) == brokers.DEFAULT_URL
    assert "RABBITMQ_URL is set, but" in said[0]


def test_no_broker_runs(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.delenv("RABBITMQ_URL", raising=False)
    answering(monkeypatch)
    assert brokers.reachable_url(said.append) is None
    assert said == []


@pytest.mark.usefixtures("bare_machine")
def test_without_any_way_the_message_names_them_all(tmp_path: Path, said: list[str]) -> None:
    with pytest.raises(BrokerError, match=r"install rabbitmq-server; run as root .*; start Docker"):
        brokers.own_broker(tmp_path, said.append)


@pytest.mark.usefixtures("bare_machine")
def test_a_failed_installation_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: list[str]
) -> None:
    def fail(package: str) -> None:
        raise InstallError("the mirror is away")

    monkeypatch.setattr(brokers, "may_install", lambda: True)
    monkeypatch.setattr(brokers, "install_without_starting", fail)
    with pytest.raises(BrokerError, match="the mirror is away"):
        brokers.own_broker(tmp_path, said.append)


@pytest.mark.usefixtures("bare_machine")
def test_an_installed_program_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: list[str]) -> None:
    def install(package: str) -> None:
        monkeypatch.setattr(brokers, "find_program", lambda: Path("/somewhere/rabbitmq-server"))

    monkeypatch.setattr(brokers, "may_install", lambda: True)
    monkeypatch.setattr(brokers, "install_without_starting", install)
    monkeypatch.setattr(PrivateBroker, "start", lambda self: None)
    assert isinstance(brokers.own_broker(tmp_path, said.append), PrivateBroker)
    assert "installing rabbitmq-server" in said[0]
