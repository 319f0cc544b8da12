"""Called as `api_service` calls (`stock_clients/factory.py`): one connection, shared by all threads."""

import json
from collections.abc import Mapping
from typing import Any

from amqp_rpc import connect_client
from api_service.settings import load
from benchmarks.rpc.programs.contract import arguments, question
from benchmarks.rpc.programs.driving import drive
from service_kit.deadline import Deadline
from service_kit.logs import configure_logging
from service_kit.time_budget import HEARTBEAT, NO_SERVER_GRACE, RPC_DEADLINE


def main() -> None:
    url, queue = arguments()
    settings = load({"APP_ENV": "development"})
    configure_logging(settings.log_level, as_json=True)
    client = connect_client(
        url,
        queue,
        exchange=queue,
        grace=NO_SERVER_GRACE,
        heartbeat=HEARTBEAT,
        max_in_flight=settings.stock_calls,
    )

    def call(symbol: str) -> Mapping[str, Any]:
        reply: Mapping[str, Any] = json.loads(client.call(question(symbol), deadline=Deadline.after(RPC_DEADLINE)))
        return reply

    drive(lambda _: call)


if __name__ == "__main__":
    main()
