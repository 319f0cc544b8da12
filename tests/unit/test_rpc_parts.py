"""The small parts of the RPC core by themselves: presence, backoff, pending calls, parameters."""

import ssl
import warnings
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from amqp_rpc import OverloadedError, connection_parameters
from amqp_rpc.backoff import Backoff
from amqp_rpc.confirms import Unconfirmed
from amqp_rpc.errors import CallTimeoutError
from amqp_rpc.messages import QueueState, Reply
from amqp_rpc.pending import PendingCall, PendingCalls
from amqp_rpc.presence import ServerPresence


class TestServerPresence:
    def test_nobody_there_is_desertion_only_after_the_grace(self) -> None:
        presence = ServerPresence(grace=3.0)
        presence.observed(QueueState(10.0, consumers=0), now=10.0)
        presence.observed(QueueState(12.9, consumers=0), now=12.9)
        assert not presence.deserted
        presence.observed(QueueState(13.0, consumers=0), now=13.0)
        assert presence.deserted

    def test_a_consumer_ends_it_and_the_grace_starts_anew(self) -> None:
        presence = ServerPresence(grace=3.0)
        presence.observed(QueueState(0.0, consumers=0), now=5.0)
        presence.observed(QueueState(6.0, consumers=1), now=6.0)
        assert not presence.deserted
        presence.observed(QueueState(7.0, consumers=0), now=7.0)
        assert not presence.deserted
        assert presence.absent_since == 7.0

    def test_it_is_watched_while_deserted_and_for_a_while_after_a_call(self) -> None:
        presence = ServerPresence(grace=3.0)
        assert not presence.worth_watching(0.0)
        presence.called(0.0)
        assert presence.worth_watching(59.0)
        assert not presence.worth_watching(61.0)
        presence.observed(QueueState(61.0, consumers=0), now=65.0)
        assert presence.worth_watching(1000.0)


def test_backoff_grows_to_its_cap_is_never_zero_and_starts_anew() -> None:
    backoff = Backoff()
    delays = [backoff.next_delay() for _ in range(200)]
    assert delays[0] <= 0.2
    assert 2.5 < max(delays) <= 5.0
    assert min(delays) >= 0.05
    backoff.reset()
    assert backoff.next_delay() <= 0.2


class TestPendingCalls:
    def test_who_takes_a_call_out_has_it_alone(self) -> None:
        table = PendingCalls(limit=1)
        table.add(PendingCall("a", 0.0))
        assert table.take("a") is not None
        assert table.take("a") is None
        assert len(table) == 0

    def test_the_limit_holds(self) -> None:
        table = PendingCalls(limit=1)
        table.add(PendingCall("a", 0.0))
        with pytest.raises(OverloadedError):
            table.add(PendingCall("b", 0.0))

    def test_ending_some_leaves_the_older_and_gives_each_an_error_of_its_own(self) -> None:
        table = PendingCalls(limit=3)
        calls = [PendingCall(name, created) for name, created in (("a", 1.0), ("b", 2.0), ("c", 3.0))]
        for call in calls:
            table.add(call)
        table.end_since(2.0, lambda: CallTimeoutError("over"))
        assert not calls[0].wait(0)
        assert calls[1].outcome() is not calls[2].outcome()
        assert len(table) == 1
        table.end_all(lambda: CallTimeoutError("over"))
        assert calls[0].wait(0)
        assert len(table) == 0

    def test_an_ended_call_wakes_its_waiter(self) -> None:
        call = PendingCall("a", 0.0)
        call.end(Reply("a", b"body"))
        assert call.wait(0)
        assert call.outcome() == Reply("a", b"body")


class TestUnconfirmed:
    def published(self, *messages: list[str]) -> Unconfirmed:
        unconfirmed = Unconfirmed()
        for correlation_ids in messages:
            unconfirmed.published(correlation_ids)
        return unconfirmed

    def test_a_tag_stands_for_the_calls_of_one_message_and_is_spoken_of_once(self) -> None:
        unconfirmed = self.published(["a"], ["b", "bb"], ["c"])
        assert unconfirmed.settle(2, multiple=False) == ["b", "bb"]
        assert not unconfirmed.settle(2, multiple=False)
        assert len(unconfirmed) == 2

    def test_a_multiple_confirm_speaks_of_all_that_are_left_up_to_its_tag(self) -> None:
        unconfirmed = self.published(["a", "aa"], ["b"], ["c"], ["d"])
        unconfirmed.settle(2, multiple=False)
        assert unconfirmed.settle(3, multiple=True) == ["a", "aa", "c"]
        assert unconfirmed.settle(4, multiple=False) == ["d"]
        assert len(unconfirmed) == 0


class TestConnectionParameters:
    def test_every_time_limit_is_set(self) -> None:
        parameters = connection_parameters("amqp://user:word@broker:5673/%2F", name="n", heartbeat=10)
        assert (parameters.host, parameters.port, parameters.virtual_host) == ("broker", 5673, "/")
        assert parameters.heartbeat == 10
        assert parameters.connection_attempts == 1
        assert parameters.socket_timeout is not None
        assert parameters.stack_timeout is not None

    def test_tls_comes_with_the_scheme(self) -> None:
        parameters = connection_parameters("amqps://broker/%2F", name="n", heartbeat=10)
        assert parameters.port == 5671
        assert parameters.ssl_options is not None

    def test_no_url_switches_verification_off(self, tmp_path: Path) -> None:
        trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
        asked = quote(str({"protocol": int(ssl.PROTOCOL_TLS), "ca_certs": str(tmp_path / "ca.pem")}))
        with warnings.catch_warnings(action="ignore"):  # of the protocol that is asked for
            parameters = connection_parameters(f"amqps://broker/%2F?ssl_options={asked}", name="n", heartbeat=10)
        options = parameters.ssl_options
        assert options is not None
        assert options.server_hostname == "broker"
        assert options.context.check_hostname
        assert options.context.verify_mode is ssl.CERT_REQUIRED
        assert options.context.minimum_version is ssl.TLSVersion.TLSv1_2
