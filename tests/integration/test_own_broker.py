"""The levers that the fault tests pull do what they say."""

import time

import pytest

from scripts.amqp_probe import NotReachableError, check_broker
from scripts.brokers import Broker


def test_the_broker_lets_us_in(broker: Broker) -> None:
    check_broker(broker.url)


def test_the_probe_tells_what_is_wrong(broker: Broker) -> None:
    for url, reason in (
        (broker.url_for("nowhere"), "no virtual host 'nowhere'"),
        (broker.url.replace("guest:guest", "guest:wrong"), "user 'guest' is not let in"),
        ("amqp://127.0.0.1:1", "refused"),
    ):
        with pytest.raises(NotReachableError, match=reason):
            check_broker(url)


def test_a_stopped_app_refuses_and_comes_back_on_the_same_url(broker: Broker) -> None:
    broker.stop_app()
    try:
        with pytest.raises(NotReachableError):
            check_broker(broker.url)
    finally:
        broker.start_app()
    check_broker(broker.url)


def test_a_killed_broker_comes_back_with_what_was_durable(broker: Broker) -> None:
    vhost = f"kept-{time.monotonic_ns()}"
    url = broker.add_vhost(vhost)
    broker.kill()
    try:
        with pytest.raises(NotReachableError):
            check_broker(url)
    finally:
        broker.start()
    check_broker(url)


def test_a_module_has_its_own_virtual_host(module_amqp_url: str, queue_name: str, amqp_url: str) -> None:
    assert module_amqp_url != amqp_url
    check_broker(module_amqp_url)
    check_broker(amqp_url)
    assert queue_name.startswith("test.")
