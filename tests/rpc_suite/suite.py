"""What the RPC core promises, as test bodies that run on every transport: in memory and over a real broker."""

from tests.rpc_suite.calls import CallSuite
from tests.rpc_suite.servers import ServerSuite


class RpcSuite(CallSuite, ServerSuite):
    """Mixed into one test class per transport, which gives the `harness` fixture."""
